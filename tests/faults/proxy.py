"""A TCP proxy before the broker that falls silent or cuts connections, at a moment that is told.

Silent is half-open: nothing comes through and nothing is closed. Cut is an RST, as from a machine
that has forgotten the connection.
"""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Fault = Literal["silence", "cut"]

PUBLISH: Final = b"\x00\x3c\x00\x28"
"""How the method frame of a Basic.Publish begins; no JSON has a NUL."""
ACK: Final = b"\x00\x3c\x00\x50"
"""The same of a Basic.Ack, a confirm from the broker or a consumer's word."""
CONNECT: Final = b"AMQP"
"""What a client says first."""

NO_LINGER: Final = struct.pack("ii", 1, 0)
CHUNK: Final = 65_536


@dataclass
class _Pair:
    """One client and its connection to the broker."""

    client: socket.socket
    broker: socket.socket
    tails: dict[int, bytes] = field(default_factory=dict)

    def other(self, end: socket.socket) -> socket.socket:
        """Return the other end."""
        return self.broker if end is self.client else self.client


class Proxy:
    """Forwards connections at `url` to a broker; where `trigger` passes, the fault comes."""

    def __init__(self, amqp_url: str) -> None:
        self._scheme, rest = amqp_url.rsplit("@", 1)
        address, self._path = rest.split("/", 1)
        host, port = address.split(":")
        self._broker = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._stop = threading.Event()
        self._pairs: dict[socket.socket, _Pair] = {}
        self._fault: Fault = "cut"
        self._trigger: bytes | None = None
        self._times = 0
        self.connections = 0
        self.faults = 0

    @property
    def url(self) -> str:
        """Return the AMQP URL that leads through the proxy."""
        port = self._listener.getsockname()[1]
        return f"{self._scheme}@127.0.0.1:{port}/{self._path}"

    def arm(self, fault: Fault, trigger: bytes, *, times: int) -> None:
        """Bring the fault to each connection on which `trigger` passes, `times` in all."""
        self._fault, self._times, self._trigger = fault, times, trigger

    @contextlib.contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Forward until the block ends; then every connection is cut."""
        thread = threading.Thread(target=self._run, name="proxy")
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()
            for each in list(self._pairs.values()):
                self._cut(each)
            self._listener.close()
            self._selector.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._forward(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.connections += 1
        try:
            broker = socket.create_connection(self._broker)
        except OSError:
            client.close()
            return
        pair = _Pair(client, broker)
        for end in (client, broker):
            self._pairs[end] = pair
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        pair = self._pairs.get(end)
        if pair is None:
            return
        try:
            chunk = end.recv(CHUNK)
            if not chunk:
                self._close(pair)
            elif self._is_triggered(pair, end, chunk):
                self._bring_fault(pair)
            else:
                pair.other(end).sendall(chunk)
        except OSError:
            self._close(pair)

    def _is_triggered(self, pair: _Pair, end: socket.socket, chunk: bytes) -> bool:
        if self._trigger is None or self._times <= 0:
            return False
        seen = pair.tails.get(end.fileno(), b"") + chunk
        pair.tails[end.fileno()] = seen[-len(self._trigger) + 1 :]
        return self._trigger in seen

    def _bring_fault(self, pair: _Pair) -> None:
        self._times -= 1
        self.faults += 1
        if self._fault == "cut":
            self._cut(pair)
            return
        for end in (pair.client, pair.broker):  # open, and never heard again
            self._selector.unregister(end)

    def _cut(self, pair: _Pair) -> None:
        for end in (pair.client, pair.broker):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._close(pair)

    def _close(self, pair: _Pair) -> None:
        for end in (pair.client, pair.broker):
            if self._pairs.pop(end, None) is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()
