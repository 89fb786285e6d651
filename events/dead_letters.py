"""Remove from the dead letters what may be about a user who was erased."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pika
import structlog
from pika.exceptions import AMQPError
from sqlalchemy import Engine

from db import batches
from events.envelope import AN_ID
from events.topology import (
    DEAD_LETTER_QUEUE,
    BrokerUnavailable,
    connection_parameters,
    declare,
)

DEFAULT_EXCHANGE: Final = ""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Purge:
    """How many dead letters were removed, and how many of others are back in their queue."""

    removed: int
    kept: int


def purge_dead_letters(engine: Engine, amqp_url: str, *, user_id: str) -> Purge:
    """Take every dead letter, and put those back that are somebody else's, at the queue's end.

    Nobody can tell whose a letter is that names neither an event nor another user: it is removed.
    One is acknowledged after the broker confirmed its successor, so a death in between doubles it.
    Raises BrokerUnavailable or sqlalchemy's DBAPIError; run it again then.
    """
    removed = kept = 0
    try:
        connection = pika.BlockingConnection(connection_parameters(amqp_url, name="erase"))
        try:
            channel = connection.channel()
            declare(channel)
            channel.confirm_delivery()
            for method, properties, body in _take_each(channel):
                if is_of_others(engine, body, message_id=properties.message_id, user_id=user_id):
                    channel.basic_publish(
                        DEFAULT_EXCHANGE,
                        DEAD_LETTER_QUEUE,
                        body,
                        properties=properties,
                        mandatory=True,
                    )
                    kept += 1
                else:
                    removed += 1
                channel.basic_ack(method.delivery_tag)
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
    log.info("dead_letters.purged", removed=removed, kept=kept)
    return Purge(removed=removed, kept=kept)


def is_of_others(engine: Engine, body: bytes, *, message_id: str | None, user_id: str) -> bool:
    """Tell whether a message is surely not about `user_id`: it says whose it is, or PostgreSQL."""
    if user_id.encode() in body:
        return False
    document = _json_object(body)
    named = [each for each in (message_id, document.get("id")) if isinstance(each, str)]
    ids = [each for each in named if AN_ID.fullmatch(each)]
    with engine.connect() as connection:
        if batches.erased(connection, ids):
            return False
        return isinstance(document.get("userid"), str) or bool(batches.known(connection, ids))


def _take_each(channel: Any) -> Iterator[tuple[Any, Any, bytes]]:
    """Yield the letters that wait now; those that are put back meanwhile come behind them."""
    waiting = channel.queue_declare(DEAD_LETTER_QUEUE, passive=True).method.message_count
    for _ in range(waiting):
        method, properties, body = channel.basic_get(DEAD_LETTER_QUEUE)
        if method is None:
            return
        yield method, properties, body


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
