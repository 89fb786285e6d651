"""Forget a user everywhere: in PostgreSQL, in the lake, and in the broker's dead letters."""

from dataclasses import dataclass

from sqlalchemy import Engine

from db import erasures
from events.dead_letters import Purge, purge_dead_letters
from events.erase import ErasureReport, erase_user
from events.lake import Lake
from events.topology import declare_at


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What went; `dead_letters` is None where there is no broker."""

    rows: ErasureReport
    dead_letters: Purge | None


def forget_user(engine: Engine, lake: Lake, amqp_url: str | None, *, user_id: str) -> Forgotten:
    """Erase all that is left of a user, and at the end that they asked for it.

    Cut short anywhere it can be begun again, and nothing changes while the broker is away. Raises
    LakeBusy, LakeUnavailable, BrokerUnavailable or sqlalchemy's DBAPIError.
    """
    if amqp_url is not None:
        declare_at(amqp_url)
    rows = erase_user(engine, lake, user_id=user_id)
    purge = None
    if amqp_url is not None:
        purge = purge_dead_letters(engine, amqp_url, user_id=user_id)
    with engine.begin() as connection:
        erasures.forget_request(connection, user_id)
    return Forgotten(rows=rows, dead_letters=purge)
