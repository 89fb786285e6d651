"""Consuming and throwing away: what a sink could have from the broker at most."""

from typing import Any, Final

from events.bench.pika_loop import PikaLoop
from events.sink import MAX_ROWS
from events.topology import LAKE_QUEUE

ACK_EVERY: Final = 1_000
PREFETCH: Final = 2 * MAX_ROWS


def consume_with_pika(amqp_url: str, count: int) -> float:
    """Take `count` waiting messages, acknowledged 1,000 at a time; return messages a second."""
    return count / _Consuming(amqp_url, count).run()


class _Consuming(PikaLoop):
    """One connection that takes a number of messages, from the subscription to the last one."""

    def __init__(self, amqp_url: str, count: int) -> None:
        super().__init__(amqp_url)
        self._count = count
        self._taken = 0

    def opened(self, channel: Any) -> None:
        """Subscribe."""

        def subscribe(_frame: Any) -> None:
            self.begin()
            channel.basic_consume(LAKE_QUEUE, self._take)

        channel.basic_qos(prefetch_count=PREFETCH, callback=subscribe)

    def _take(self, channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        self._taken += 1
        if self._taken == self._count:
            channel.basic_ack(method.delivery_tag, multiple=True)
            self.finish()
        elif self._taken % ACK_EVERY == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
