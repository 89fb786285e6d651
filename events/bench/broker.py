"""The broker that is lent for the run: never one in use, and left as it was found."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from events.bench.figures import BenchFailed
from events.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EXCHANGE,
    LAKE_QUEUE,
    connection_parameters,
    declare,
)

NOT_FOUND: Final = 404


@contextlib.contextmanager
def lent_broker(amqp_url: str) -> Iterator[None]:
    """Declare the exchanges and queues for the block and remove them after it.

    Raises BenchFailed where one of them is there already, or the broker does not answer.
    """
    with _connected(amqp_url) as connection:
        for exchange in (EXCHANGE, DEAD_LETTER_EXCHANGE):
            _refuse(connection, exchange, "exchange_declare")
        for queue in (LAKE_QUEUE, DEAD_LETTER_QUEUE):
            _refuse(connection, queue, "queue_declare")
    try:
        with _connected(amqp_url) as connection:
            declare(connection.channel())
        yield
    finally:
        with _connected(amqp_url) as connection:
            channel = connection.channel()
            for queue in (LAKE_QUEUE, DEAD_LETTER_QUEUE):
                channel.queue_delete(queue)
            for exchange in (EXCHANGE, DEAD_LETTER_EXCHANGE):
                channel.exchange_delete(exchange)


def empty_queue(amqp_url: str) -> None:
    """Throw away what waits in the lake's queue."""
    with _connected(amqp_url) as connection:
        connection.channel().queue_purge(LAKE_QUEUE)


def has_consumer(amqp_url: str) -> bool:
    """Tell whether a sink has subscribed to the lake's queue."""
    with _connected(amqp_url) as connection:
        declared = connection.channel().queue_declare(LAKE_QUEUE, passive=True)
        return bool(declared.method.consumer_count)


def _refuse(connection: Any, name: str, declare_one: str) -> None:
    """Raise BenchFailed where there is something of that name."""
    try:
        getattr(connection.channel(), declare_one)(name, passive=True)
    except ChannelClosedByBroker as closed:
        if closed.reply_code == NOT_FOUND:
            return
        raise
    raise BenchFailed(
        f"the broker of AMQP_URL is in use: it has {name} already; `make bench` starts its own"
    )


@contextlib.contextmanager
def _connected(amqp_url: str) -> Iterator[Any]:
    try:
        with pika.BlockingConnection(connection_parameters(amqp_url, name="bench")) as connection:
            yield connection
    except (AMQPError, OSError) as error:
        raise BenchFailed(f"the broker of AMQP_URL does not answer: {error!r}") from error
