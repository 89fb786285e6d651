"""Publishing the same messages in four ways; each returns messages a second, connected already."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

import pika

from events.bench.amqp import Confirms, SocketPublisher, encode_publish, properties_of
from events.bench.figures import BenchFailed
from events.bench.pika_loop import PikaLoop
from events.publisher import WINDOW, Message, Publisher
from events.relay import RelayPolicy
from events.topology import EXCHANGE, connection_parameters

DEADLINE_SECONDS: Final = 60.0


def publish_over_socket(amqp_url: str, messages: Sequence[Message]) -> float:
    """Publish encoded frames over a bare socket, with our window."""
    encoded = [encode_publish(message) for message in messages]
    with closing(SocketPublisher(amqp_url)) as publisher:
        return len(messages) / publisher.publish(encoded, window=WINDOW)


def publish_with_pika(amqp_url: str, messages: Sequence[Message]) -> float:
    """Publish with pika's SelectConnection and our window, and nothing else."""
    return len(messages) / _Windowed(amqp_url, messages).run()


def publish_each_confirmed(amqp_url: str, messages: Sequence[Message]) -> float:
    """Publish with pika's BlockingConnection, which waits for a confirm after each message."""
    properties = [properties_of(message) for message in messages]
    with pika.BlockingConnection(connection_parameters(amqp_url, name="bench")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        started = time.monotonic()
        for message, about in zip(messages, properties, strict=True):
            channel.basic_publish(
                EXCHANGE, message.type, message.body, properties=about, mandatory=True
            )
        return len(messages) / (time.monotonic() - started)


def publish_as_the_relay(amqp_url: str, messages: Sequence[Message]) -> float:
    """Publish with our own publisher, as many at a time as a relay claims."""
    batch = RelayPolicy().batch
    with closing(Publisher(amqp_url)) as publisher:
        started = time.monotonic()
        for at in range(0, len(messages), batch):
            some = messages[at : at + batch]
            receipt = publisher.publish(some, deadline_seconds=DEADLINE_SECONDS)
            if len(receipt.confirmed) < len(some):
                raise BenchFailed(f"the broker did not take every message: {receipt.lost}")
        return len(messages) / (time.monotonic() - started)


class _Windowed(PikaLoop):
    """One connection that publishes once, from the first message to the last confirm."""

    def __init__(self, amqp_url: str, messages: Sequence[Message]) -> None:
        super().__init__(amqp_url)
        self._messages = messages
        self._properties = [properties_of(message) for message in messages]
        self._sent = 0
        self._confirms = Confirms()
        self._channel: Any = None

    def opened(self, channel: Any) -> None:
        """Ask for confirms, and publish."""

        def publish(_frame: Any) -> None:
            self.begin()
            self._pump()

        self._channel = channel
        channel.confirm_delivery(self._settle, callback=publish)

    def _settle(self, frame: Any) -> None:
        self._confirms.settle(frame.method.delivery_tag, multiple=frame.method.multiple)
        if self._confirms.count == len(self._messages):
            self.finish()
        else:
            self._pump()

    def _pump(self) -> None:
        while self._sent < len(self._messages) and self._sent - self._confirms.count < WINDOW:
            message = self._messages[self._sent]
            self._channel.basic_publish(
                EXCHANGE,
                message.type,
                message.body,
                properties=self._properties[self._sent],
                mandatory=True,
            )
            self._sent += 1
