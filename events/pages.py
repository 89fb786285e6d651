"""The rows of batches as tables, in the order of their file, with few of them in memory.

How rows are grouped into tables depends on the rows alone: the same rows give the same file. No
connection is held while a row is used.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Protocol

import pyarrow as pa
from sqlalchemy import Connection, Engine

from db import batches
from db.batches import BEGINNING, KEYS_AT_ONCE, EventKey, EventRow
from events.schema import to_table

GROUP_ROWS: Final = 20_000
GROUP_CHARACTERS: Final = 16 * 2**20
STORED_BYTES_AT_ONCE: Final = 2 * 2**20


class FindKeys(Protocol):
    """What finds the events of a file: `limit` of them behind `after`, in the file's order."""

    def __call__(
        self, connection: Connection, *, after: tuple[datetime, str], limit: int
    ) -> list[EventKey]:
        """Return the keys, fewer than `limit` only at the end."""
        ...


def make_tables(
    family: str,
    rows: Iterable[EventRow],
    *,
    group_rows: int = GROUP_ROWS,
    group_characters: int = GROUP_CHARACTERS,
) -> Iterator[pa.Table]:
    """Yield `rows` as tables with the schema of `family`.

    A table ends with `group_rows` rows, or with the one whose payload and metadata bring it to
    `group_characters`.
    """
    group: list[EventRow] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += len(row.payload) + len(row.metadata or "")
        if len(group) >= group_rows or characters >= group_characters:
            table = to_table(family, group)
            group.clear()
            characters = 0
            yield table
    if group:
        yield to_table(family, group)


def read_rows(engine: Engine, find_keys: FindKeys) -> Iterator[EventRow]:
    """Yield the events that `find_keys` finds, a few megabytes at a time.

    Raises sqlalchemy's DBAPIError.
    """
    after = BEGINNING
    while True:
        with engine.connect() as connection:
            keys = find_keys(connection, after=after, limit=KEYS_AT_ONCE)
        for ids in _few_at_once(keys):
            with engine.connect() as connection:
                rows = batches.read(connection, ids)
            yield from rows
        if len(keys) < KEYS_AT_ONCE:
            return
        after = (keys[-1].created_at, keys[-1].id)


def _few_at_once(keys: Sequence[EventKey]) -> Iterator[list[str]]:
    ids: list[str] = []
    stored = 0
    for key in keys:
        ids.append(key.id)
        stored += key.stored_bytes
        if stored >= STORED_BYTES_AT_ONCE:
            yield ids
            ids, stored = [], 0
    if ids:
        yield ids
