"""The contract's settings -> redis-py's options, and connections that say what they do.

Keeps its hands off everything that is not set: what nobody wrote is the library's own default, in
whatever version it is.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import redis

from .voice import describe

if TYPE_CHECKING:
    from .voice import Voice

KEEPALIVE_OPTIONS = {
    "idle": socket.TCP_KEEPIDLE,
    "interval": socket.TCP_KEEPINTVL,
    "count": socket.TCP_KEEPCNT,
}
PLAIN = {
    "read_timeout": "socket_timeout",
    "connect_timeout": "socket_connect_timeout",
    "health_check_interval": "health_check_interval",
}


def speaking_connection(voice: Voice, user_timeout: float | None, base: Any) -> Any:  # noqa: ANN401
    """redis-py's own connection (`base`: over TCP, or TLS), which also says when the library
    connects and disconnects.

    It sets TCP_USER_TIMEOUT (seconds) itself, because redis-py sets TCP options only with keepalive
    on.
    """
    plain = getattr(base, _dialling(base))

    def dial(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if self._sock is not None:
            return plain(self, *args, **kwargs)
        voice.say("connect", "start")
        try:
            result = plain(self, *args, **kwargs)
        except Exception as error:
            voice.say("connect", "fail", **describe(error))
            raise
        if self._sock is not None:
            voice.say("connect", "ok", local=list(self._sock.getsockname()[:2]))
        return result

    class Speaking(base):  # type: ignore[misc]
        def _connect(self) -> Any:  # noqa: ANN401
            made = super()._connect()
            _limit(made, user_timeout)
            return made

        def disconnect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if self._sock is not None:
                voice.say("disconnect")
            return super().disconnect(*args, **kwargs)

    return type("SpeakingConnection", (Speaking,), {_dialling(base): dial})


def speaking_asyncio_connection(
    voice: Voice,
    user_timeout: float | None,
    base: Any,  # noqa: ANN401 - older versions have none
) -> Any:  # noqa: ANN401
    """The same for redis.asyncio (redis-py 4.2 and later)."""
    plain = getattr(base, _dialling(base))

    async def dial(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if self.is_connected:
            return await plain(self, *args, **kwargs)
        voice.say("connect", "start")
        try:
            result = await plain(self, *args, **kwargs)
        except Exception as error:
            voice.say("connect", "fail", **describe(error))
            raise
        own = _socket_of(self)
        if own is not None:
            voice.say("connect", "ok", local=list(own.getsockname()[:2]))
        return result

    class Speaking(base):  # type: ignore[misc]
        async def _connect(self) -> Any:  # noqa: ANN401
            result = await super()._connect()
            _limit(_socket_of(self), user_timeout)
            return result

        async def disconnect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if self.is_connected:
                voice.say("disconnect")
            return await super().disconnect(*args, **kwargs)

    return type("SpeakingConnection", (Speaking,), {_dialling(base): dial})


def _dialling(base: Any) -> str:  # noqa: ANN401
    """The method that every way to a new connection leads through: from redis-py 6 on `connect` is
    not it, because a command that is repeated passes it by.
    """
    return "connect_check_health" if hasattr(base, "connect_check_health") else "connect"


def _limit(own: Any, user_timeout: float | None) -> None:  # noqa: ANN401 - a socket of either kind
    if own is not None and user_timeout is not None:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(user_timeout * 1000))


def _socket_of(connection: Any) -> Any:  # noqa: ANN401 - asyncio's TransportSocket
    writer = getattr(connection, "_writer", None)
    return None if writer is None else writer.get_extra_info("socket")


def connection_options(settings: dict[str, Any], *, asyncio: bool = False) -> dict[str, Any]:
    """Scenario settings -> keyword arguments of redis-py; what is not set stays the library's
    default.
    """
    options: dict[str, Any] = {PLAIN[key]: value for key, value in settings.items() if key in PLAIN}
    if "health_check_interval" in options:
        options["health_check_interval"] = options["health_check_interval"] or 0
    if "keepalive" in settings:
        keepalive = settings["keepalive"]
        options["socket_keepalive"] = keepalive is not None
        options["socket_keepalive_options"] = {
            KEEPALIVE_OPTIONS[key]: int(value)
            for key, value in (keepalive or {}).items()
            if value is not None
        }
    if "retry" in settings:
        options |= _retries(settings["retry"], asyncio=asyncio)
    return {**options, **settings.get("options", {})}


def _retries(count: int, *, asyncio: bool) -> dict[str, Any]:
    """How a version of redis-py is told to repeat a failed command so often, and not more."""
    major = int(redis.__version__.split(".")[0])
    if major < 4:
        if count > 1:
            raise SystemExit(
                f"redis-py {redis.__version__} repeats a command once at most; write retry: 0 or 1"
            )
        return {"retry_on_timeout": bool(count)}
    from redis.backoff import ExponentialBackoff  # noqa: PLC0415 - redis-py 4 and later

    if asyncio:
        from redis.asyncio.retry import Retry  # noqa: PLC0415
    else:
        from redis.retry import Retry  # type: ignore[assignment]  # noqa: PLC0415
    options: dict[str, Any] = {"retry": Retry(ExponentialBackoff(cap=1, base=0.01), count)}
    if major < 6 and count:  # there a Retry alone repeats nothing but connecting
        options["retry_on_error"] = [redis.ConnectionError, redis.TimeoutError]
    return options
