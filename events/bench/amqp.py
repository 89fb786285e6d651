"""AMQP 0-9-1 over a bare socket: the least that publishes with confirms, to know the limit.

pika encodes the handshake and, beforehand, the messages; the answers are counted and not decoded.
"""

import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, Final

import pika
from pika import frame, spec

from events.bench.figures import BenchFailed
from events.envelope import CONTENT_TYPE
from events.publisher import Message
from events.topology import EXCHANGE

SOCKET_SECONDS: Final = 30.0
RECEIVE_BYTES: Final = 1 << 18
CHANNEL: Final = 1

_HEAD: Final = struct.Struct(">BHI")
_INDEX: Final = struct.Struct(">I")
_CONFIRM: Final = struct.Struct(">QB")
_CLOSE: Final = struct.Struct(">HB")
_ENDS: Final = frozenset({spec.Connection.Close.INDEX, spec.Channel.Close.INDEX})


class Confirms:
    """Counts what a broker confirmed from what it sends, however the bytes are cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._through = 0
        self._beyond: set[int] = set()

    @property
    def count(self) -> int:
        """Return how many messages are confirmed."""
        return self._through + len(self._beyond)

    def settle(self, tag: int, *, multiple: bool) -> None:
        """Note the confirm of a message, or of all up to it."""
        if multiple and tag > self._through:
            self._through = tag
            self._beyond = {each for each in self._beyond if each > tag}
        elif tag > self._through:
            self._beyond.add(tag)
        while self._through + 1 in self._beyond:
            self._through += 1
            self._beyond.remove(self._through)

    def feed(self, received: bytes) -> None:
        """Note the confirms in the next bytes. Raises BenchFailed for a refused message."""
        buffer = self._rest + received
        at = 0
        while len(buffer) - at >= _HEAD.size:
            kind, _, size = _HEAD.unpack_from(buffer, at)
            following = at + _HEAD.size + size + 1
            if following > len(buffer):
                break
            if kind == spec.FRAME_METHOD:
                self._take(buffer, at + _HEAD.size)
            at = following
        self._rest = buffer[at:]

    def _take(self, buffer: bytes, at: int) -> None:
        (index,) = _INDEX.unpack_from(buffer, at)
        at += _INDEX.size
        if index == spec.Basic.Ack.INDEX:
            tag, bits = _CONFIRM.unpack_from(buffer, at)
            self.settle(tag, multiple=bool(bits & 1))
        elif index in (spec.Basic.Nack.INDEX, spec.Basic.Return.INDEX):
            raise BenchFailed("the broker did not take a message")
        elif index in _ENDS:
            code, length = _CLOSE.unpack_from(buffer, at)
            words = buffer[at + _CLOSE.size :][:length].decode(errors="replace")
            raise BenchFailed(f"the broker ended the connection: {code} {words}")


def properties_of(message: Message) -> Any:
    """Return the properties that our own publisher gives a message."""
    return pika.BasicProperties(
        content_type=CONTENT_TYPE, delivery_mode=2, message_id=message.id, type=message.type
    )


def encode_publish(message: Message) -> bytes:
    """Return the frames that publish `message`, persistent and mandatory; one frame of body."""
    publish = spec.Basic.Publish(exchange=EXCHANGE, routing_key=message.type, mandatory=True)
    parts = (
        frame.Method(CHANNEL, publish),
        frame.Header(CHANNEL, len(message.body), properties_of(message)),
        frame.Body(CHANNEL, message.body),
    )
    return b"".join(part.marshal() for part in parts)


class SocketPublisher:
    """A socket with an open channel in confirm mode; `server` is what the broker says it is."""

    def __init__(self, amqp_url: str) -> None:
        """Connect. Raises BenchFailed or OSError."""
        parameters = pika.URLParameters(amqp_url)
        address = (parameters.host, parameters.port)
        self._socket = socket.create_connection(address, SOCKET_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parameters.ssl_options is not None:
            context = parameters.ssl_options.context
            self._socket = context.wrap_socket(self._socket, server_hostname=parameters.host)
        self._received = b""
        self.server: dict[str, Any] = {}
        try:
            self._shake_hands(parameters)
        except BaseException:
            self.close()
            raise

    def _shake_hands(self, parameters: Any) -> None:
        credentials = parameters.credentials
        plain = f"\0{credentials.username}\0{credentials.password}"
        self._socket.sendall(frame.ProtocolHeader().marshal())
        self.server = self._expect(spec.Connection.Start).server_properties
        properties = {"connection_name": "goals bench"}
        self._say(0, spec.Connection.StartOk(properties, "PLAIN", plain, "en_US"))
        tune = self._expect(spec.Connection.Tune)
        self._say(0, spec.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        self._say(0, spec.Connection.Open(parameters.virtual_host))
        self._expect(spec.Connection.OpenOk)
        self._say(CHANNEL, spec.Channel.Open())
        self._expect(spec.Channel.OpenOk)
        self._say(CHANNEL, spec.Confirm.Select())
        self._expect(spec.Confirm.SelectOk)

    def _say(self, channel: int, method: Any) -> None:
        self._socket.sendall(frame.Method(channel, method).marshal())

    def _expect(self, kind: Any) -> Any:
        while True:
            consumed, found = frame.decode_frame(self._received)
            self._received = self._received[consumed:]
            if found is None:
                self._received += self._receive()
            elif isinstance(found, frame.Method) and isinstance(found.method, kind):
                return found.method
            elif isinstance(found, frame.Method):
                raise BenchFailed(f"the broker answered {found.method.NAME}, not {kind.NAME}")

    def _receive(self) -> bytes:
        received = self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise BenchFailed("the broker ended the connection")
        return received

    def publish(self, encoded: Sequence[bytes], *, window: int) -> float:
        """Send messages with at most `window` unconfirmed; return the seconds to the last confirm.

        For one use: the broker counts a channel's messages from one.
        """
        confirms = Confirms()
        sent = 0
        started = time.monotonic()
        while confirms.count < len(encoded):
            room = window - (sent - confirms.count)
            if room and sent < len(encoded):
                self._socket.sendall(b"".join(encoded[sent : sent + room]))
                sent = min(sent + room, len(encoded))
            confirms.feed(self._receive())
        return time.monotonic() - started

    def close(self) -> None:
        """Close the socket; nothing is owed to the broker."""
        self._socket.close()
