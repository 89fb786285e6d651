"""Consuming and throwing away: what a sink could have from the broker at most."""

import time
from typing import Any, Final

import pika

from events.bench.figures import BenchFailed
from events.sink import MAX_ROWS
from events.topology import LAKE_QUEUE, connection_parameters

ACK_EVERY: Final = 1_000
PREFETCH: Final = 2 * MAX_ROWS


def consume_with_pika(amqp_url: str, count: int) -> float:
    """Take `count` waiting messages, acknowledged 1,000 at a time; return messages a second."""
    return count / _Consuming(amqp_url, count).run()


class _Consuming:
    """One connection that takes a number of messages, in its loop, in this thread."""

    def __init__(self, amqp_url: str, count: int) -> None:
        self._count = count
        self._taken = 0
        self._started = 0.0
        self._seconds: float | None = None
        self._lost = "the connection ended"
        self._connection = pika.SelectConnection(
            connection_parameters(amqp_url, name="bench"),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=self._ended,
            on_close_callback=self._ended,
        )

    def run(self) -> float:
        """Return the seconds from the subscription to the last message. Raises BenchFailed."""
        self._connection.ioloop.start()
        if self._seconds is None:
            raise BenchFailed(self._lost)
        return self._seconds

    def _ended(self, _connection: Any, reason: Exception) -> None:
        self._lost = f"{type(reason).__name__}: {reason}"
        self._connection.ioloop.stop()

    def _opened(self, channel: Any) -> None:
        def begin(_frame: Any) -> None:
            self._started = time.monotonic()
            channel.basic_consume(LAKE_QUEUE, self._take)

        channel.basic_qos(prefetch_count=PREFETCH, callback=begin)

    def _take(self, channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        self._taken += 1
        if self._taken == self._count:
            self._seconds = time.monotonic() - self._started
            channel.basic_ack(method.delivery_tag, multiple=True)
            self._connection.close()
        elif self._taken % ACK_EVERY == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
