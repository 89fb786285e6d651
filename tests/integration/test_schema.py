"""The migrated database against the schema that was asked for."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command

from api.migrations import make_config
from tests.database import connect, open_database
from tests.integration.schema import (
    CONTRACT_COLUMNS,
    CONTRACT_INDEXES,
    CONTRACT_REFERENCES,
    ENUMS,
    OUR_COLUMNS,
    OUR_INDEXES,
    OUR_REFERENCES,
    UNIQUE_CONSTRAINTS,
    Table,
    join,
)

COLUMNS = """
select c.relname, a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                 case when a.attnotnull then 'not null' end,
                 'default ' || pg_get_expr(d.adbin, d.adrelid))
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
order by c.relname, a.attnum
"""

INDEXES = """
select tablename, indexname,
       case when indexdef like 'CREATE UNIQUE%' then 'unique ' else '' end
       || split_part(indexdef, ' USING ', 2)
from pg_indexes where schemaname = 'public'
"""

REFERENCES = """
select c.conrelid::regclass::text, a.attname,
       split_part(pg_get_constraintdef(c.oid), ' REFERENCES ', 2)
from pg_constraint c
join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f'
"""

ENUM_VALUES = """
select t.typname, string_agg(e.enumlabel, ' ' order by e.enumsortorder)
from pg_enum e join pg_type t on t.oid = e.enumtypid group by t.typname
"""

NOT_OURS = ("alembic", "checkpoint")


def _read(connection: psycopg.Connection, query: str) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for table, name, definition in connection.execute(query):
        if not table.startswith(NOT_OURS):
            tables.setdefault(table, {})[name] = definition
    return tables


@pytest.fixture(scope="module")
def migrated(server_url: str, template_database: str) -> Iterator[str]:
    """Yield the URL of a migrated database that nobody writes to."""
    with open_database(server_url, template=template_database) as url:
        yield url


@pytest.fixture(scope="module")
def head(migrated: str) -> Iterator[psycopg.Connection]:
    """Yield a connection to a database at head."""
    with connect(migrated) as connection:
        yield connection


def test_every_column_is_as_the_contract_and_our_additions_say(head: psycopg.Connection) -> None:
    expected = join(CONTRACT_COLUMNS, OUR_COLUMNS)

    columns = _read(head, COLUMNS)

    assert columns == expected


def test_columns_stand_in_the_order_of_the_contract(head: psycopg.Connection) -> None:
    expected = {name: list(table) for name, table in join(CONTRACT_COLUMNS, OUR_COLUMNS).items()}

    columns = _read(head, COLUMNS)

    assert {name: list(table) for name, table in columns.items()} == expected


def test_every_index_is_as_the_contract_and_our_additions_say(head: psycopg.Connection) -> None:
    expected = join(CONTRACT_INDEXES, OUR_INDEXES)

    indexes = _read(head, INDEXES)

    assert indexes == expected


def test_no_two_indexes_of_a_table_are_the_same(head: psycopg.Connection) -> None:
    indexes = _read(head, INDEXES)

    for table, definitions in indexes.items():
        plain = [definition.removeprefix("unique ") for definition in definitions.values()]
        assert sorted(plain) == sorted(set(plain)), table


def test_every_foreign_key_does_what_the_contract_says_on_delete(head: psycopg.Connection) -> None:
    expected = join(CONTRACT_REFERENCES, OUR_REFERENCES)

    references = _read(head, REFERENCES)

    assert references == expected


def test_unique_keys_are_constraints_under_the_names_of_the_data_model(
    head: psycopg.Connection,
) -> None:
    names = head.execute(
        "select conname from pg_constraint"
        " where contype = 'u' and connamespace = 'public'::regnamespace"
    ).fetchall()

    assert {name for (name,) in names} == UNIQUE_CONSTRAINTS


def test_no_check_constraint_was_invented(head: psycopg.Connection) -> None:
    names = head.execute(
        "select conname from pg_constraint"
        " where contype = 'c' and connamespace = 'public'::regnamespace"
    ).fetchall()

    assert names == []


def test_enum_types_hold_the_lower_case_values_in_order(head: psycopg.Connection) -> None:
    values: dict[str, str] = dict(head.execute(ENUM_VALUES).fetchall())

    assert values == ENUMS


def test_the_vector_lies_in_line_and_owners_have_fine_statistics(head: psycopg.Connection) -> None:
    rows = head.execute(
        "select attname, attstorage, attstattarget from pg_attribute"
        " where attrelid = 'embeddings'::regclass and attname in ('embedding', 'user_id')"
    ).fetchall()

    assert {(name, storage) for name, storage, _ in rows} == {("embedding", "p"), ("user_id", "x")}
    assert {name: target for name, _, target in rows} == {"embedding": None, "user_id": 2000}


def test_the_first_seven_revisions_and_the_eighth_make_the_contract_and_nothing_else(
    empty_database_url: str,
) -> None:
    command.upgrade(make_config(empty_database_url), "008")

    with connect(empty_database_url) as connection:
        columns = _read(connection, COLUMNS)
        indexes = _read(connection, INDEXES)
        references = _read(connection, REFERENCES)
    assert columns == CONTRACT_COLUMNS
    assert indexes == CONTRACT_INDEXES
    assert references == CONTRACT_REFERENCES


@pytest.mark.parametrize("column", ["email", "username"])
def test_two_users_never_share_a_unique_key_before_or_after_the_rename(
    empty_database_url: str, column: str
) -> None:
    config = make_config(empty_database_url)
    insert = (
        "insert into users (id, email, username, hashed_password)"
        " values (gen_random_uuid(), %(email)s, %(username)s, '')"
    )
    first = {"email": "ana@example.org", "username": "ana"}
    second = {"email": "eva@example.org", "username": "eva", column: first[column]}

    for revision in ("001", "008"):
        command.upgrade(config, revision)
        with connect(empty_database_url) as connection:
            connection.execute("truncate users cascade")
            connection.execute(insert, first)
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(insert, second)
