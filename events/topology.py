"""Exchanges and queues, declared here and nowhere else, as RabbitMQ 3.10 and 4.x both accept them.

    goals.events (topic) --#--> goals.lake (quorum) --rejected--> goals.events.dlx (fanout)
                                                                          |
                                                         goals.events.dead (quorum) <--

The routing key is the event's type, such as `ai.goal_suggested`. Any other service binds a queue of
its own to `goals.events`.
"""

from typing import Any, Final

import pika
from pika.exceptions import AMQPError

EXCHANGE: Final = "goals.events"
LAKE_QUEUE: Final = "goals.lake"
DEAD_LETTER_EXCHANGE: Final = "goals.events.dlx"
DEAD_LETTER_QUEUE: Final = "goals.events.dead"

QUORUM: Final[dict[str, Any]] = {"x-queue-type": "quorum"}
LAKE_ARGUMENTS: Final = QUORUM | {
    "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
    "x-delivery-limit": 20,  # what 4.x does anyway; in 3.10 the default is none
}

HEARTBEAT_SECONDS: Final = 30
BLOCKED_SECONDS: Final = 10
SOCKET_SECONDS: Final = 5


class BrokerUnavailable(Exception):
    """The broker cannot be used now: not there, refusing, blocked, or gone meanwhile."""


def connection_parameters(amqp_url: str, *, name: str) -> pika.URLParameters:
    """Return how to connect; `name` is what the broker's list of connections shows.

    No wait is without an end: pika's defaults wait for ever on a broker that raised an alarm.
    """
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.blocked_connection_timeout = BLOCKED_SECONDS
    parameters.socket_timeout = SOCKET_SECONDS
    parameters.stack_timeout = 2 * SOCKET_SECONDS
    parameters.client_properties = {"connection_name": f"goals {name}"}
    return parameters


def declare(channel: Any) -> int:
    """Declare everything on a blocking channel; return the messages that wait in `goals.lake`."""
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.exchange_declare(DEAD_LETTER_EXCHANGE, "fanout", durable=True)
    channel.queue_declare(DEAD_LETTER_QUEUE, durable=True, arguments=QUORUM)
    channel.queue_bind(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE)
    declared = channel.queue_declare(LAKE_QUEUE, durable=True, arguments=LAKE_ARGUMENTS)
    channel.queue_bind(LAKE_QUEUE, EXCHANGE, "#")
    return int(declared.method.message_count)


def declare_at(amqp_url: str) -> int:
    """Connect, declare everything, disconnect; return the messages that wait in `goals.lake`.

    Raises BrokerUnavailable, also where something of the same name is declared differently.
    """
    parameters = connection_parameters(amqp_url, name="topology")
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            return declare(connection.channel())
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
