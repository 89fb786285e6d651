"""Events of the catalogue for tests: one sample of each type, and a strategy that makes any."""

import asyncio
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from hypothesis import strategies as st

from db.engine import make_engine, make_sessions
from db.enums import EventType
from db.events import CATALOGUE, DomainEvent
from db.outbox import record

NOON: Final = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)

# What jsonb refuses (NUL, lone surrogates, NaN) is refused at the edge, before an event.
CHARACTERS: Final = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXT: Final = st.text(CHARACTERS, max_size=30)
STRATEGIES: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    tuple[str, ...]: st.lists(TEXT, max_size=4).map(tuple),
}
SAMPLES: Final[dict[Any, Any]] = {
    str: "año 🎯",
    int: 7,
    float: 62.5,
    bool: True,
    tuple[str, ...]: ("gol_1", "tsk_2"),
}


def _hints(event: type[DomainEvent]) -> dict[str, tuple[Any, bool]]:
    """Return each field of the payload with its type and whether it may be None."""
    hints = get_type_hints(event)
    split = {field.name: get_args(hints[field.name]) for field in fields(event)}
    return {
        name: (parts[0], True) if NoneType in parts else (hints[name], False)
        for name, parts in split.items()
    }


def sample(event_type: EventType) -> DomainEvent:
    """Return an event of this type with a value of the right kind in every field."""
    event = CATALOGUE[event_type]
    return event(**{name: SAMPLES[kind] for name, (kind, _) in _hints(event).items()})


def samples(count: int) -> list[DomainEvent]:
    """Return `count` events that go through all types in turn."""
    types = list(CATALOGUE)
    return [sample(types[number % len(types)]) for number in range(count)]


def any_event() -> st.SearchStrategy[DomainEvent]:
    """Return a strategy for events of every type, with any values that can be stored."""
    return st.sampled_from(list(CATALOGUE.values())).flatmap(_any_of)


def _any_of(event: type[DomainEvent]) -> st.SearchStrategy[DomainEvent]:
    return st.builds(
        event,
        **{
            name: st.none() | STRATEGIES[kind] if optional else STRATEGIES[kind]
            for name, (kind, optional) in _hints(event).items()
        },
    )


def record_events(
    database_url: str, events: Iterable[DomainEvent], *, at: datetime | None = None
) -> None:
    """Record `events` through the outbox, in one transaction, all at `at` (default: now)."""

    async def write() -> None:
        engine = make_engine(database_url)
        moment = at or datetime.now(UTC)
        async with make_sessions(engine).begin() as session:
            for event in events:
                record(session, event, user_id=None, source="test", at=moment)
        await engine.dispose()

    asyncio.run(write())
