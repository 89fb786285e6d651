"""With a backlog a claim reads what it claims, not what waits: a property of its plans."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, event, text

from db import batches, relay
from db.batches import BatchFile

HISTORY: Final = 20_000
BACKLOG: Final = 50_000
LIMIT: Final = 500
LEASE: Final = timedelta(minutes=1)
CHANGES: Final = ("select", "with", "insert", "update", "delete")
ROWS_READ_AT_MOST: Final = 4 * LIMIT
BUFFERS_AT_MOST: Final = 60 * LIMIT
"""A row's own pages and those of all its indexes; 50,000 rows would take ten times as many."""

FILL: Final = """
insert into events (id, event_type, entity_type, entity_id, payload, metadata, created_at)
select 'evt_' || lpad(n::text, 32, '0'), (enum_range(null::eventtype))[1 + n % 27], 'task',
       'tsk_' || n % 997, jsonb_build_object('title', repeat('x', 200)), '{"version": 1}',
       timestamp '2026-03-31 23:00:00' + n * interval '1 second'
from generate_series(cast(:first as int), :last) n
"""
LEAVE: Final = "delete from outbox"


def claim(connection: Connection) -> int:
    return len(relay.claim(connection, LIMIT, lease=LEASE).rows)


def settle(connection: Connection) -> int:
    held = relay.claim(connection, LIMIT, lease=LEASE)
    return relay.settle(connection, held, published=[row.id for row in held.rows])


def freeze(connection: Connection) -> int:
    return len(batches.freeze(connection, LIMIT, lease=LEASE))


def freeze_ids(connection: Connection) -> int:
    ids = [f"evt_{number:032}" for number in range(HISTORY + 1_000, HISTORY + 1_000 + LIMIT)]
    return len(batches.freeze_ids(connection, ids, lease=LEASE))


def read_and_finish(connection: Connection) -> int:
    [batch, *_] = batches.freeze(connection, LIMIT, lease=LEASE)
    keys = batches.keys(connection, batch)
    rows = batches.read(connection, [key.id for key in keys])
    file = BatchFile(path="events/x.parquet", rows=len(rows), bytes=1, sha256="0")
    return batches.finish(connection, batch, file=file)


def backlog(connection: Connection) -> int:
    return batches.backlog(connection, LIMIT).waiting


@pytest.fixture(params=["never analyzed", "analyzed", "analyzed while it was empty"])
def full_outbox(request: pytest.FixtureRequest, outbox: Engine) -> Engine:
    """Return an outbox with a backlog behind a history, whatever the planner knows about it."""
    analyze = outbox.execution_options(isolation_level="AUTOCOMMIT")
    with analyze.connect() as connection:
        connection.execute(text(FILL), {"first": 1, "last": HISTORY})
        connection.execute(text(LEAVE))
        if request.param == "analyzed while it was empty":
            connection.execute(text("analyze"))
        connection.execute(text(FILL), {"first": HISTORY + 1, "last": HISTORY + BACKLOG})
        if request.param == "analyzed":
            connection.execute(text("analyze"))
    return outbox


@pytest.mark.parametrize("step", [claim, settle, freeze, freeze_ids, read_and_finish, backlog])
@pytest.mark.faults
def test_a_step_reads_what_it_takes_and_not_the_backlog(
    step: Callable[[Connection], int], full_outbox: Engine
) -> None:
    nodes = [node for plan in explain(full_outbox, step) for node in walk(plan)]

    read = [node for node in nodes if node.get("Relation Name") in {"events", "outbox"}]
    assert read != []
    assert [node for node in read if scans_all(node)] == []
    assert max(rows_read(node) for node in read) <= ROWS_READ_AT_MOST
    assert max((rows_out(n) for n in nodes if "Sort" in n["Node Type"]), default=0) <= LIMIT
    assert max(buffers(node) for node in nodes) <= BUFFERS_AT_MOST


def explain(engine: Engine, step: Callable[[Connection], int]) -> list[dict[str, Any]]:
    """Return the plans of all that `step` executes, as they were run."""
    executed: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any
    ) -> None:
        executed.append((statement, parameters))

    with engine.connect() as connection:
        event.listen(engine, "before_cursor_execute", note)
        try:
            assert step(connection) > 0
        finally:
            event.remove(engine, "before_cursor_execute", note)
            connection.rollback()
        plans = []
        for statement, parameters in executed:
            if "set_config" in statement or not statement.strip().startswith(CHANGES):
                connection.exec_driver_sql(statement, parameters)
                continue
            analyzed = f"explain (analyze, buffers, format json) {statement}"
            found = connection.exec_driver_sql(analyzed, parameters).scalar_one()
            (plan,) = found if isinstance(found, list) else json.loads(found)
            plans.append(plan["Plan"])
        connection.rollback()
    return plans


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def scans_all(node: dict[str, Any]) -> bool:
    """Tell whether a node reads the table of events from one end to the other."""
    return (node["Node Type"], node["Relation Name"]) == ("Seq Scan", "events")


def rows_out(node: dict[str, Any]) -> int:
    """Return the rows that a node gave in all its loops."""
    return int(node["Actual Rows"] * node["Actual Loops"])


def rows_read(node: dict[str, Any]) -> int:
    """Return the rows that a scan looked at, taken or not."""
    removed = [node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck")]
    return rows_out(node) + int(sum(removed) * node["Actual Loops"])


def buffers(node: dict[str, Any]) -> int:
    """Return the pages that a node and those below it looked at."""
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])
