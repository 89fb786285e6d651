"""Users and courses that live in another service: the database without their two tables.

There `user_id` and `course_id` are plain ids. The table `external_tables` marks such a database;
it says which tables are not here, and it goes when they come back. The foreign keys come back from
the models, so a table that a later revision made gets its own too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table, event, text

import db.conversation_models  # noqa: F401 - half of the tables that refer to users
from db.base import Base
from db.models import Course, User
from db.tenancy import ALL, IS_TENANT, protect

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

EXTERNAL: Final = ("users", "courses")
MARKER: Final = "external_tables"
KEPT_AS: Final = {"users": "users_local", "courses": "courses_local"}
TENANCY: Final = {
    "users": (f"id = {IS_TENANT}", "select, update"),
    "courses": (f"user_id = {IS_TENANT}", ALL),
}
"""Which rows of the two tables are the tenant's, and what requests may do with these."""

_REFERENCES: Final = text("""
select conrelid::regclass::text as owner, conname as name
from pg_constraint
where contype = 'f' and confrelid in (to_regclass('users'), to_regclass('courses'))
order by 1, 2
""")
_HAS_ROWS: Final = text("select exists (select from users) or exists (select from courses)")
_MISSING: Final = """
select count(distinct {column}) from {table}
where {column} is not null and not exists (select from {target} where target.id = {table}.{column})
"""
_WITH_USER: Final = text("""
select quote_ident(c.relname)
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
  and a.attname = 'user_id' and not a.attisdropped
  and c.relname <> all(array['events', 'erasures'])
order by 1
""")


class NotPossible(Exception):
    """The tables cannot leave, or come back, as things are; the text says why."""


def is_external(connection: Connection) -> bool:
    """Tell whether users and courses live elsewhere, by what the database itself says."""
    return _has(connection, MARKER)


def name_here(context: "MigrationContext", table: str) -> str | None:
    """Return the name that a table has in a revision's database, None where it was dropped.

    Only users and courses ever have another one; where SQL is printed they are here.
    """
    connection = context.connection
    if table not in KEPT_AS or context.as_sql or connection is None or not is_external(connection):
        return table
    kept = KEPT_AS[table]
    return kept if _has(connection, kept) else None


def externalize(connection: Connection, *, drop: bool) -> None:
    """Drop every constraint to users and courses, and rename the two tables, or `drop` them.

    Done again it changes nothing, but drops what was only renamed. Raises NotPossible where there
    are no such tables.
    """
    if not is_external(connection):
        if not _has(connection, "users"):
            raise NotPossible("there is no table users: run ./migrate.sh upgrade first")
        references = connection.execute(_REFERENCES).all()
        owners = sorted({*EXTERNAL, *(row.owner for row in references)})
        connection.execute(text(f"lock table {', '.join(owners)} in access exclusive mode"))
        for row in references:
            connection.execute(text(f'alter table {row.owner} drop constraint "{row.name}"'))
        for name, kept in KEPT_AS.items():
            connection.execute(text(f"alter table {name} rename to {kept}"))
        connection.execute(
            text(f"create table {MARKER} (name varchar(63) primary key, since timestamp not null)")
        )
        for name in EXTERNAL:
            connection.execute(
                text(f"insert into {MARKER} values (:name, now() at time zone 'utc')"),  # noqa: S608 - a constant
                {"name": name},
            )
    if drop:
        connection.execute(text(f"drop table if exists {', '.join(KEPT_AS.values())}"))


def externalize_empty(connection: Connection) -> bool:
    """Drop the two tables where nothing was ever in them; return whether the database is external.

    One that has rows is left as it is: taking it there is a step of its own.
    """
    if is_external(connection):
        return True
    if not _has(connection, "users") or connection.execute(_HAS_ROWS).scalar_one():
        return False
    externalize(connection, drop=True)
    return True


def prepare_return(connection: Connection) -> None:
    """Make those of the kept tables that were dropped, empty, so that they can be filled."""
    for mapped in (User, Course):
        table = _table(mapped)
        if is_external(connection) and not _has(connection, KEPT_AS[table.name]):
            _make(connection, table)
            connection.execute(text(f"alter table {table.name} rename to {KEPT_AS[table.name]}"))


def internalize(connection: Connection) -> None:
    """Bring the two tables and all constraints back; where they are here, change nothing.

    Raises NotPossible, with how many, where an id that a row refers to is not in them.
    """
    if not is_external(connection):
        return
    references = [
        (table, reference) for table in Base.metadata.sorted_tables for reference in _of(table)
    ]
    names = sorted({KEPT_AS.get(table.name, table.name) for table, _ in references})
    connection.execute(text(f"lock table {', '.join(names)} in access exclusive mode"))
    missing = [
        line
        for table, reference in references
        if (line := _missing(connection, table, reference)) is not None
    ]
    if missing:
        raise NotPossible(
            "rows refer to what is not here: "
            + "; ".join(missing)
            + ". Put these into users_local and courses_local, or erase the users; "
            "nothing was changed"
        )
    for name, kept in KEPT_AS.items():
        connection.execute(text(f"alter table {kept} rename to {name}"))
    for table, reference in references:
        [column], [target] = reference.column_keys, _targets(reference)
        connection.execute(
            text(
                f"alter table {table.name} add constraint {table.name}_{column}_fkey"
                f" foreign key ({column}) references {target} (id) on delete {reference.ondelete}"
            )
        )
    connection.execute(text(f"drop table {MARKER}"))


def delete_user(connection: Connection, user_id: str) -> None:
    """Delete a user's rows from every table that has a `user_id`, and from the kept ones.

    It is what the foreign keys do elsewhere. Not from `events`, which the lake's manifest looks
    after, nor from `erasures`, where a request to be forgotten waits for its end.
    """
    for table in connection.execute(_WITH_USER).scalars().all():
        connection.execute(
            text(f"delete from {table} where user_id = :user"),  # noqa: S608 - names of tables
            {"user": user_id},
        )
    kept = KEPT_AS["users"]
    if _has(connection, kept):
        connection.execute(
            text(f"delete from {kept} where id = :user"),  # noqa: S608 - a constant
            {"user": user_id},
        )


def is_reference(constraint: Any) -> bool:
    """Tell whether a foreign key leads to users or courses."""
    return isinstance(constraint, ForeignKeyConstraint) and bool(
        set(_targets(constraint)) & set(EXTERNAL)
    )


@contextmanager
def without_references() -> Iterator[None]:
    """Within the block, no table is made with a foreign key to users or courses."""

    def leave_out(constraint: ForeignKeyConstraint, _parent: Any) -> None:
        if is_reference(constraint):
            constraint.ddl_if(callable_=lambda *_arguments, **_named: False)

    event.listen(ForeignKeyConstraint, "after_parent_attach", leave_out)
    try:
        yield
    finally:
        event.remove(ForeignKeyConstraint, "after_parent_attach", leave_out)


def _missing(connection: Connection, table: Table, reference: ForeignKeyConstraint) -> str | None:
    [column], [target] = reference.column_keys, _targets(reference)
    here = KEPT_AS.get(table.name, table.name)
    statement = _MISSING.format(column=column, table=here, target=f"{KEPT_AS[target]} as target")
    number = connection.execute(text(statement)).scalar_one()
    return f"{number} {target} in {here}.{column}" if number else None


def _make(connection: Connection, table: Table) -> None:
    """Make `table` as the models have it, bound to the tenant, without a key to the other one."""
    bare = MetaData(naming_convention=Base.metadata.naming_convention)
    with without_references():
        for mapped in (User, Course):
            _table(mapped).to_metadata(bare)
    bare.create_all(connection, tables=[bare.tables[table.name]])
    owned, grants = TENANCY[table.name]
    for statement in protect(table.name, owned=owned, grants=grants):
        connection.execute(text(statement))


def _of(table: Table) -> list[ForeignKeyConstraint]:
    found = [one for one in table.foreign_key_constraints if is_reference(one)]
    return sorted(found, key=lambda one: str(one.column_keys))


def _targets(constraint: ForeignKeyConstraint) -> list[str]:
    return [element.target_fullname.split(".")[0] for element in constraint.elements]


def _table(mapped: type[Base]) -> Table:
    table = mapped.__table__
    assert isinstance(table, Table)
    return table


def _has(connection: Connection, name: str) -> bool:
    found: bool = connection.execute(
        text("select to_regclass(:name) is not null"), {"name": name}
    ).scalar_one()
    return found
