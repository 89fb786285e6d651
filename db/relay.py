"""The outbox as a relay sees it: claim by lease, mark as published, and give back.

A claim is a row with a lease by the database's clock and the ids that it holds: no event is written
for it. The claim is its fence too: who settles an expired one, which another relay's next claim has
removed, is refused.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

from db.base import new_id
from db.batches import EVENT_OF_OUTBOX, WALK, EventRow


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Events in the order of their ids, held under the claim's own `id`."""

    id: str
    rows: tuple[EventRow, ...]


# One claim at a time: a relay must see which entities another one is publishing, or it would
# overtake it within an entity. A relay that freezes in here must not hold up the others.
TURN: Final = text(f"""
select pg_advisory_xact_lock(hashtext('goals.relay')),
       set_config('idle_in_transaction_session_timeout', '5s', true),
       {WALK}
""")

WAITING: Final = text("select exists (select from outbox where published_at is null)")

CLAIM: Final = text(f"""
with expired as (
    delete from relay_claims where lease_until <= now() at time zone 'utc'
), live as materialized (
    select event_ids, entities from relay_claims where lease_until > now() at time zone 'utc'
)
select id, event_type::text, user_id, entity_type, entity_id, created_at at time zone 'utc',
       payload::text, metadata::text
from outbox cross join lateral {EVENT_OF_OUTBOX} as event
where published_at is null
  and event_id not in (select unnest(event_ids) from live)
  and coalesce(entity_type || '/' || entity_id, '') not in (select unnest(entities) from live)
order by event_id
limit :limit
for update of outbox skip locked
""")  # noqa: S608 - constants only

HOLD: Final = text("""
insert into relay_claims (id, lease_until, event_ids, entities)
values (:id, now() at time zone 'utc' + :lease, :event_ids, :entities)
""")

# Locked in the order of the ids, as a sink does it: two orders would be a deadlock.
SETTLE: Final = text("""
with held as (
    delete from relay_claims where id = :id returning event_ids
), settled as materialized (
    select event_id
    from outbox
    where event_id = any(:published) and published_at is null and exists (select from held)
    order by event_id
    for update
)
update outbox
set published_at = clock_timestamp() at time zone 'utc'
where event_id = any(array(select event_id from settled))
""")

REPUBLISH: Final = text("""
update outbox
set published_at = null
where event_id in (
    select event_id from outbox
    where batch_id is null and published_at < now() at time zone 'utc' - :older_than
    order by event_id
    limit :limit
    for update skip locked
)
""")


def is_waiting(connection: Connection) -> bool:
    """Tell whether anything is unpublished, claimed or not; much cheaper than a claim."""
    return bool(connection.execute(WAITING).scalar_one())


def claim(connection: Connection, limit: int, *, lease: timedelta) -> Claim:
    """Hold up to `limit` unpublished events for `lease`, the oldest ids first.

    Passed over is what another relay holds, and whatever is about an entity that one is publishing.
    """
    connection.execute(TURN)
    rows = tuple(map(EventRow._make, connection.execute(CLAIM, {"limit": limit})))
    held = Claim(id=new_id("clm"), rows=rows)
    if rows:
        about = {f"{row.entity_type}/{row.entity_id}" for row in rows if _has_entity(row)}
        values = {"id": held.id, "lease": lease, "event_ids": [row.id for row in rows]}
        connection.execute(HOLD, values | {"entities": sorted(about)})
    return held


def settle(connection: Connection, held: Claim, *, published: Collection[str]) -> int:
    """End a claim: mark `published` and give the rest back; return how many were marked.

    None is marked where the lease ran out and another relay has claimed since.
    """
    values = {"id": held.id, "published": list(published)}
    return connection.execute(SETTLE, values).rowcount


def _has_entity(row: EventRow) -> bool:
    return row.entity_type is not None and row.entity_id is not None


def republish_lost(connection: Connection, limit: int, *, older_than: timedelta) -> int:
    """Make up to `limit` events wait for a relay again, which no sink took for `older_than`.

    Heals a broker that lost what it had confirmed; what is in a batch is on its way already.
    """
    values = {"limit": limit, "older_than": older_than}
    return connection.execute(REPUBLISH, values).rowcount
