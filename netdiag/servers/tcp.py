"""A server without a protocol: it accepts and says nothing, or gives back what it hears.

What it believes in is asked over its unix socket in the words of Redis (INFO, CLIENT LIST), so that
whoever watches a server can watch this one; every other question is an error.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.servers import PORT
from netdiag.catalogue.settings import Keepalive
from netdiag.process import settle
from netdiag.servers.redis import SOCKET
from netdiag.tcp.resp import RespReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.catalogue.raw import TcpServer

_KEPT: Final = 1 << 20  # bytes that a peer was told and has not taken; with more it is left
_FACTS: Final = "# Server\r\nserver_name:tcp\r\nprocess_id:{pid}\r\ntcp_port:{port}\r\n"


def require(server: TcpServer) -> None:
    """Nothing: it is a part of netdiag."""


def server_main(
    server: TcpServer,
    addresses: Sequence[str],
    *,
    config: Path,
    scratch: Path,
    log: int,
    unhurried: bool = False,
) -> Callable[[], int]:
    """What to run in a forked child on the server's host; `config` and `unhurried` mean nothing."""
    del config, unhurried

    def serve() -> int:
        settle(log=log, cwd=str(scratch))
        Tcp(server).serve(addresses)
        return 0

    return serve


class _Peer:
    """A connection: whose, since when, when it last said something, and what it is still told."""

    def __init__(self, number: int, own: socket.socket, name: str) -> None:
        self.number = number
        self.own = own
        self.name = name
        self.since = self.heard = time.monotonic()
        self.unsent = bytearray()

    def row(self) -> str:
        """As CLIENT LIST shows it."""
        now = time.monotonic()
        return (f"id={self.number} addr={self.name} name= age={now - self.since:.0f} "
                f"idle={now - self.heard:.0f} flags=N cmd=read")


class Tcp:
    """Serves all connections and all questions in one loop, for ever."""

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._peers: dict[int, _Peer] = {}
        self._made = 0

    def serve(self, addresses: Sequence[str]) -> None:
        """Listen at these addresses, then at the unix socket: who can ask knows that it listens."""
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._listen(socket.create_server((address, PORT), family=family), self._accept)
        Path(SOCKET).unlink(missing_ok=True)
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(SOCKET)
        unix.listen()
        self._listen(unix, self._asked)
        while True:
            for key, events in self._selector.select():
                key.data(key.fileobj, events)

    def _listen(self, listener: socket.socket, call: Callable[[socket.socket, int], None]) -> None:
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, call)

    def _accept(self, listener: socket.socket, _: int) -> None:
        own, address = listener.accept()
        own.setblocking(False)
        self._probe(own)
        self._made += 1
        host, port = address[:2]
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._peers[own.fileno()] = _Peer(self._made, own, name)
        self._selector.register(own, selectors.EVENT_READ, self._heard)

    def _probe(self, own: socket.socket) -> None:
        if isinstance(self._server.keepalive, Keepalive):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            held = self._server.keepalive
            for option, value in zip(options, (held.idle, held.interval, held.count), strict=True):
                if value is not None:
                    own.setsockopt(socket.IPPROTO_TCP, option, value)

    def _heard(self, own: socket.socket, events: int) -> None:
        peer = self._peers[own.fileno()]
        try:
            if events & selectors.EVENT_READ:
                data = own.recv(65536)
                if not data:
                    raise ConnectionError("the peer has closed")
                peer.heard = time.monotonic()
                if self._server.answers == "echo":
                    peer.unsent += data
            self._tell(peer)
        except OSError:
            self._leave(peer)

    def _tell(self, peer: _Peer) -> None:
        try:
            while peer.unsent:
                del peer.unsent[: peer.own.send(peer.unsent)]
        except BlockingIOError:
            if len(peer.unsent) > _KEPT:
                raise ConnectionError("the peer takes nothing") from None
        wanted = selectors.EVENT_WRITE if peer.unsent else 0
        self._selector.modify(peer.own, selectors.EVENT_READ | wanted, self._heard)

    def _leave(self, peer: _Peer) -> None:
        self._selector.unregister(peer.own)
        del self._peers[peer.own.fileno()]
        peer.own.close()

    def _asked(self, listener: socket.socket, _: int) -> None:
        asker, _address = listener.accept()
        asker.setblocking(True)
        reader = RespReader(commands=True)

        def answer(own: socket.socket, _: int) -> None:
            try:
                data = own.recv(65536)
                if not data:
                    raise ConnectionError("nobody asks any more")
                for message in reader.feed(data):
                    own.sendall(self._answer(message.value))
            except OSError:
                self._selector.unregister(own)
                own.close()

        self._selector.register(asker, selectors.EVENT_READ, answer)

    def _answer(self, question: object) -> bytes:
        words = question if isinstance(question, tuple) else (question,)
        if words[:2] == (b"CLIENT", b"LIST"):
            return _bulk("\n".join(peer.row() for peer in self._peers.values()) + "\n")
        if words[:1] == (b"INFO",):
            return _bulk(_FACTS.format(pid=os.getpid(), port=PORT))
        return b"-ERR a server without a protocol has no answer to that\r\n"


def _bulk(text: str) -> bytes:
    raw = text.encode()
    return b"$%d\r\n%s\r\n" % (len(raw), raw)
