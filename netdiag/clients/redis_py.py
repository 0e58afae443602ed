"""redis-py as the client under test: a consumer in a blocking pop. The one door to the `redis`
package.

Turns the contract's JSON into a `redis.Redis`, keeps its hands off everything that is not set, and
says what the library and the application do. Needs nothing of netdiag, so it also runs as a script
under another interpreter: `python redis_py.py`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

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


class Voice:
    """Says what happens, one line of JSON a write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def say(self, what: str, outcome: str = "info", **data: object) -> None:
        row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, "data": data}
        os.write(self._fd, json.dumps(row).encode() + b"\n")


def describe(error: BaseException) -> dict[str, object]:
    """Type, errno and message of an error; the errno may sit on the error that caused it."""
    number: int | None = None
    link: BaseException | None = error
    while link is not None and number is None:
        number = getattr(link, "errno", None)
        link = link.__cause__ or link.__context__
    return {"type": type(error).__name__, "errno": number, "message": str(error)}


def speaking_connection(voice: Voice, user_timeout: float | None) -> type[redis.Connection]:
    """redis-py's own TCP connection, which also says when the library connects and disconnects.

    It sets TCP_USER_TIMEOUT (seconds) itself, because redis-py sets TCP options only with keepalive
    on.
    """

    class SpeakingConnection(redis.Connection):
        def connect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if self._sock is not None:
                return super().connect(*args, **kwargs)
            voice.say("connect", "start")
            try:
                result = super().connect(*args, **kwargs)  # type: ignore[no-untyped-call]
            except Exception as error:
                voice.say("connect", "fail", **describe(error))
                raise
            if self._sock is not None:
                voice.say("connect", "ok", local=list(self._sock.getsockname()[:2]))
            return result

        def _connect(self) -> Any:  # noqa: ANN401
            made = super()._connect()  # type: ignore[no-untyped-call]
            if user_timeout is not None:
                made.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(user_timeout * 1000)
                )
            return made

        def disconnect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if self._sock is not None:
                voice.say("disconnect")
            return super().disconnect(*args, **kwargs)  # type: ignore[no-untyped-call]

    return SpeakingConnection


def connection_options(settings: dict[str, Any]) -> dict[str, Any]:
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
        options["retry"] = Retry(ExponentialBackoff(cap=1, base=0.01), settings["retry"])
    return {**options, **settings.get("options", {})}


def consume(task: dict[str, Any], voice: Voice) -> int:
    """The consumer's loop: call, take what comes, and after an error pause and go on, or exit."""
    workload = task["workload"]
    settings = task["settings"]
    client = redis.Redis(
        connection_pool=redis.ConnectionPool(
            connection_class=speaking_connection(voice, settings.get("user_timeout")),
            host=task["host"],
            port=task["port"],
            **connection_options(settings),
        )
    )
    while True:
        voice.say("call", "start", command="BRPOP")
        try:
            item = client.brpop([workload["key"]], timeout=workload["block"])
        except (redis.RedisError, OSError) as error:
            voice.say("error", "fail", **describe(error))
            if workload["after_error"] == "exit":
                return 1
            time.sleep(workload["after_error"]["pause"])
            voice.say("reconnect")
            continue
        if item is None:
            voice.say("return", "ok")
        else:
            message = item[1]
            voice.say(
                "got",
                "ok",
                id=message
                if isinstance(message, str)
                else message.decode("utf-8", "backslashreplace"),
            )


def main() -> int:
    """Read the contract from the environment and consume until stopped."""
    return consume(
        json.loads(os.environ["NETDIAG_CLIENT"]), Voice(int(os.environ["NETDIAG_EVENTS"]))
    )


if __name__ == "__main__":
    sys.exit(main())
