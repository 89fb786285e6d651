"""The server of a run and what is loaded into it: kept in a folder, it is loaded once."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np
import psutil
import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from api.migrations import migrate
from api.retrieval_bench.owners import Corpus
from api.retrieval_bench.plan import SEED, Plan, Site
from db.embedded import open_embedded
from db.engine import conninfo
from tools.indexing import ENTITY_TYPES

MODEL: Final = "a-name-as-long-as-that-of-a-real-model"
DATABASE: Final = "goals_bench"
NOW: Final = datetime(2026, 1, 1)
GENERATION: Final = 3
"""Counts the changes of what is loaded: an older kept server is loaded again."""
OWN_TABLE: Final = "langchain_documents"
MEMORY_SHARE: Final = 0.125
MEMORY_AT_MOST: Final = 2 << 30

COPY: Final = """
copy embeddings (id, user_id, entity_type, entity_id, chunk, content, content_hash, embedding,
                 model, metadata, created_at)
from stdin (format binary)
"""
TYPES: Final = (
    "varchar", "varchar", "varchar", "varchar", "int4", "text", "varchar", "vector", "varchar",
    "jsonb", "timestamp",
)  # fmt: skip
_ADD_USERS: Final = "copy users (id, email, username, hashed_password) from stdin"
# What langchain-postgres itself makes, filled in one statement: how it got there is not measured.
_FILL_OWN: Final = f"""
insert into {OWN_TABLE} (langchain_id, content, embedding, user_id, entity_type, entity_id)
select gen_random_uuid(), content, embedding, user_id, entity_type, entity_id
from embeddings order by id
"""  # noqa: S608 - our own constant
INDEXES: Final = """
select indexname, indexdef from pg_indexes
where tablename = 'embeddings' and indexdef similar to '%% USING (hnsw|gin) %%'
"""


def user_id(owner: int) -> str:
    """Return the id of an owner's account, as long as a real one."""
    return f"usr_{owner:032x}"


def entity_id(row: int) -> str:
    """Return the id of the entity that a row is of, as long as a real one."""
    return f"ent_{row:032x}"


def row_number(entity: str) -> int:
    """Return the number of the row that is of the entity."""
    return int(entity.removeprefix("ent_"), 16)


def make_row(corpus: Corpus, row: int, *, owner: int, prefix: str = "emb") -> tuple[Any, ...]:
    """Return one row in the order of `COPY`."""
    return (
        f"{prefix}_{row:032x}", user_id(owner), ENTITY_TYPES[corpus.types[row]], entity_id(row), 0,
        corpus.texts[row], f"{row:064x}", corpus.vectors[row], MODEL, Jsonb({"n": row}), NOW,
    )  # fmt: skip


@contextlib.contextmanager
def open_server(site: Site) -> Iterator[str]:
    """Start a PostgreSQL that may use an eighth of the memory, and yield the bench's URL."""
    folder = site.folder / "postgres"
    memory = min(MEMORY_AT_MOST, int(psutil.virtual_memory().total * MEMORY_SHARE)) >> 20
    settings = {
        "shared_buffers": f"{memory}MB",
        "maintenance_work_mem": f"{memory}MB",
        "max_wal_size": "8GB",
    }
    with (
        open_embedded(folder, database=DATABASE) as url,
        connect(url) as connection,
    ):
        for name, value in settings.items():
            connection.execute(f"alter system set {name} = '{value}'")
    with open_embedded(folder, database=DATABASE) as url:
        migrate(url)
        yield url


def connect(url: str) -> psycopg.Connection[Any]:
    """Open a connection to `url` that commits each statement."""
    return psycopg.connect(conninfo(url), autocommit=True)


def load(url: str, corpus: Corpus, *, plan: Plan, site: Site) -> None:
    """Load all rows, in no order, and build the indexes; nothing where a kept server has them."""
    loaded = {"rows": plan.rows, "real_rows": plan.real_rows, "seed": SEED, "is": GENERATION}
    with connect(url) as connection:
        register_vector(connection)
        connection.execute("create table if not exists bench_loaded (what jsonb)")
        if connection.execute("select what from bench_loaded").fetchall() == [(loaded,)]:
            return
        connection.execute("truncate bench_loaded, users cascade")
        connection.execute(f"drop table if exists {OWN_TABLE}")
        add_users(connection, len(corpus.sizes))
        indexes = dict(connection.execute(INDEXES).fetchall())
        for name in indexes:
            connection.execute(f"drop index {name}")
        _copy(connection, corpus, site)
        for name, definition in indexes.items():
            site.announce(f"building {name}")
            connection.execute(definition)
        connection.execute("vacuum analyze embeddings")
        connection.execute("insert into bench_loaded values (%s)", [json.dumps(loaded)])


def add_users(connection: psycopg.Connection[Any], count: int) -> None:
    """Add the accounts of `count` owners."""
    with connection.cursor().copy(_ADD_USERS) as copy:
        for owner in range(count):
            name = user_id(owner)
            copy.write_row((name, name, name, "!"))


def _copy(connection: psycopg.Connection[Any], corpus: Corpus, site: Site) -> None:
    owners = np.repeat(np.arange(len(corpus.sizes)), corpus.sizes)
    order = np.random.default_rng(SEED).permutation(len(owners)).tolist()
    with connection.cursor().copy(COPY) as copy:
        copy.set_types(TYPES)
        for number, row in enumerate(order):
            copy.write_row(make_row(corpus, row, owner=owners[row]))
            if number % 5_000 == 0:
                site.announce(f"loading: {number:,} of {len(order):,} rows")


def fill_own_table(url: str, site: Site) -> None:
    """Fill the table that langchain-postgres made, if it is empty."""
    with connect(url) as connection:
        if connection.execute(f"select from {OWN_TABLE} limit 1").fetchall():
            return
        site.announce("filling PGVectorStore's own table")
        connection.execute(_FILL_OWN)
        connection.execute(f"vacuum analyze {OWN_TABLE}")


def describe_server(url: str) -> dict[str, str]:
    """Return what of the server a figure depends on."""
    names = ("server_version", "shared_buffers", "maintenance_work_mem", "fsync")
    with connect(url) as connection:
        found = {name: connection.execute(f"show {name}").fetchone() for name in names}
        found["pgvector"] = connection.execute(
            "select extversion from pg_extension where extname = 'vector'"
        ).fetchone()
    return {name: str(row[0]) for name, row in found.items() if row is not None}
