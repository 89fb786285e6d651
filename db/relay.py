"""The outbox as a relay sees it: claim by lease, mark as published, and give back.

A claim is a lease by the database's clock. Its `lease_until` is its fence too: whoever claims a row
again gives it another one, and what an earlier holder still says about the row is refused.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection, text

from db.batches import EventRow


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Events in the order of their ids, held until `lease_until` (UTC, the database's clock)."""

    rows: tuple[EventRow, ...]
    lease_until: datetime | None


# One claim at a time: a relay must see which entities another one is publishing, or it would
# overtake it within an entity. A relay that freezes in here must not hold up the others.
# The planner would read and sort a backlog of 200,000 for every claim (150 ms): left with
# index scans it walks the relay's indexes as far as needed. And `not in` is a hash here, where
# `not exists` is a join whose size it guesses wrong (a claim of 60 s was seen).
TURN: Final = text("""
select pg_advisory_xact_lock(hashtext('goals.relay')),
       set_config('idle_in_transaction_session_timeout', '5s', true),
       set_config('enable_sort', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('enable_seqscan', 'off', true)
""")

CLAIM: Final = text("""
with busy as materialized (
    select entity_type, entity_id
    from events
    where lease_until > now() at time zone 'utc'
      and entity_type is not null and entity_id is not null
), claimed as materialized (
    select id
    from events
    where published_at is null
      and (lease_until is null or lease_until <= now() at time zone 'utc')
      and (entity_type is null or entity_id is null
           or (entity_type, entity_id) not in (select entity_type, entity_id from busy))
    order by id
    limit :limit
    for update of events skip locked
)
update events
set lease_until = now() at time zone 'utc' + :lease
from claimed
where events.id = claimed.id
returning events.id, event_type::text as event_type, user_id, entity_type, entity_id,
          created_at at time zone 'utc' as created_at, payload::text as payload,
          metadata::text as metadata, lease_until
""")

# Locked in the order of the ids, as a sink does it: two orders would be a deadlock.
SETTLE: Final = text("""
with held as materialized (
    select id from events
    where id = any(:ids) and lease_until = :lease_until and published_at is null
    order by id
    for update
)
update events
set lease_until = null,
    published_at = case
        when events.id = any(:published) then clock_timestamp() at time zone 'utc'
    end
from held
where events.id = held.id
""")

REPUBLISH: Final = text("""
update events
set published_at = null, lease_until = null
where id in (
    select id from events
    where batch_id is null and processed_at is null
      and published_at < now() at time zone 'utc' - :older_than
    order by id
    limit :limit
    for update skip locked
)
""")


def claim(connection: Connection, limit: int, *, lease: timedelta) -> Claim:
    """Hold up to `limit` unpublished events for `lease`, the oldest ids first.

    Passed over is what another relay holds, and whatever is about an entity that one is publishing.
    """
    connection.execute(TURN)
    found = connection.execute(CLAIM, {"limit": limit, "lease": lease}).mappings().all()
    until = found[0]["lease_until"] if found else None
    rows = [
        EventRow(**{name: value for name, value in row.items() if name != "lease_until"})
        for row in found
    ]
    return Claim(rows=tuple(sorted(rows, key=attrgetter("id"))), lease_until=until)


def settle(connection: Connection, held: Claim, *, published: Collection[str]) -> int:
    """End a claim: mark `published` and give the rest back; return how many were still held."""
    values = {
        "ids": [row.id for row in held.rows],
        "published": list(published),
        "lease_until": held.lease_until,
    }
    return connection.execute(SETTLE, values).rowcount


def republish_lost(connection: Connection, limit: int, *, older_than: timedelta) -> int:
    """Make up to `limit` events wait for a relay again, which no sink took for `older_than`.

    Heals a broker that lost what it had confirmed; what is in a batch is on its way already.
    """
    values = {"limit": limit, "older_than": older_than}
    return connection.execute(REPUBLISH, values).rowcount
