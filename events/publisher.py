"""Publish with a window of unconfirmed messages, on a connection with a thread of its own.

A confirm for each message before the next one is a tenth of the rate. pika's connections belong to
one thread: `publish` hands its messages over and waits, and everything else happens in the loop.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pika
from pika.exceptions import AMQPError

from db.failpoints import hit
from events.envelope import CONTENT_TYPE
from events.topology import EXCHANGE, BrokerUnavailable, connection_parameters

WINDOW: Final = 1_000
CLOSE_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One event to publish; its type is its routing key."""

    id: str
    type: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the broker took on itself, and what it could not route; `lost` says why it ended early.

    Whatever is in neither set was refused, or nobody knows.
    """

    confirmed: frozenset[str]
    returned: frozenset[str]
    lost: str | None


@dataclass
class _Round:
    """The messages of one `publish`; only the loop's thread changes it."""

    messages: Sequence[Message]
    sent: int = 0
    waiting: dict[int, str] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)


class Publisher:
    """An open connection that publishes to `goals.events`; for one calling thread."""

    def __init__(self, amqp_url: str, *, window: int = WINDOW, open_seconds: float = 15.0) -> None:
        """Connect; raises BrokerUnavailable where the channel is not open within `open_seconds`."""
        self._window = window
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._lost: str | None = None
        self._round = _Round(())
        self._tag = 0
        self._channel: Any = None
        self._connection = pika.SelectConnection(
            connection_parameters(amqp_url, name="relay"),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=self._closed,
            on_close_callback=self._closed,
        )
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()
        if not self._ready.wait(open_seconds) or self._lost is not None:
            self._note_loss(f"no open channel after {open_seconds} s")
            self.close()
            raise BrokerUnavailable(self._lost)

    def publish(self, messages: Sequence[Message], *, deadline_seconds: float) -> Receipt:
        """Publish `messages` in their order, persistent and mandatory; wait for the confirms.

        Returns by the deadline; after one that was missed the publisher is closed.
        """
        this = _Round(messages)
        if not messages:
            this.done.set()
        with self._lock:
            if self._lost is None:
                self._round = this
                self._on_loop(self._pump)
            else:
                this.done.set()
        if not this.done.wait(deadline_seconds):
            self._note_loss(f"no confirm within {deadline_seconds} s")
            self.close()
        return Receipt(
            confirmed=frozenset(this.confirmed - this.returned),
            returned=frozenset(this.returned),
            lost=self._lost,
        )

    def close(self) -> None:
        """Close the connection, politely for two seconds; closing twice is no error."""
        self._on_loop(self._close_politely)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():  # a half-open connection never answers
            self._on_loop(self._cut)
            self._thread.join()

    def _on_loop(self, act: Callable[[], None]) -> None:
        # The loop of a thread that has just ended takes no more work, and there is none for it.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._connection.ioloop.add_callback_threadsafe(act)

    def _run(self) -> None:
        loop = self._connection.ioloop
        try:
            loop.start()
        except (AMQPError, OSError) as error:
            self._note_loss(f"{type(error).__name__}: {error}")
        finally:
            self._note_loss("closed")
            loop.close()

    def _close_politely(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif self._connection.is_closed:
            self._connection.ioloop.stop()

    def _cut(self) -> None:
        """End the connection without asking the broker, and its socket with it."""
        # pika has no public way: stopping the loop alone would leave the socket open.
        transport = getattr(self._connection, "_transport", None)
        if transport is None:
            self._connection.ioloop.stop()
        else:
            transport.abort()

    def _closed(self, _connection: Any, reason: Exception) -> None:
        self._note_loss(f"{type(reason).__name__}: {reason}")
        self._connection.ioloop.stop()

    def _channel_closed(self, _channel: Any, reason: Exception) -> None:
        self._note_loss(f"{type(reason).__name__}: {reason}")
        self._close_politely()

    def _note_loss(self, reason: str) -> None:
        with self._lock:
            self._lost = self._lost or reason
            self._ready.set()
            self._round.done.set()

    def _opened(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_return_callback(self._take_back)
        channel.confirm_delivery(self._settle, callback=lambda _frame: self._ready.set())

    def _pump(self) -> None:
        """Publish what the window has room for."""
        this = self._round
        while this.sent < len(this.messages) and len(this.waiting) < self._window:
            if not self._channel.is_open:
                return
            message = this.messages[this.sent]
            this.sent += 1
            self._tag += 1
            this.waiting[self._tag] = message.id
            self._channel.basic_publish(
                EXCHANGE,
                message.type,
                message.body,
                properties=pika.BasicProperties(
                    content_type=CONTENT_TYPE,
                    delivery_mode=2,
                    message_id=message.id,
                    type=message.type,
                ),
                mandatory=True,
            )

    def _take_back(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """Note a message that no queue takes; the broker confirms it all the same, afterwards."""
        self._round.returned.add(properties.message_id)

    def _settle(self, frame: Any) -> None:
        hit("relay.published")
        this, method = self._round, frame.method
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in this.waiting if tag <= method.delivery_tag]
        ids = [this.waiting.pop(tag) for tag in tags if tag in this.waiting]
        if isinstance(method, pika.spec.Basic.Ack):
            this.confirmed.update(ids)
        if this.sent == len(this.messages) and not this.waiting:
            this.done.set()
            return
        self._pump()
