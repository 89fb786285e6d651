"""A database whose users and courses live elsewhere: the way there, back, and onwards."""

import os
import subprocess
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Final

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from api.migrations import ROOT, current_revision, head_revision, make_config, migrate
from api.settings import Settings
from api.tenancy import is_in_force
from api.users_elsewhere import run_internalize
from db.engine import conninfo
from db.external import (
    NotPossible,
    externalize,
    externalize_empty,
    internalize,
    prepare_return,
)
from tests.database import as_app, connect
from tests.integration.test_migrations import CATALOGUE
from tools.errors import SetupError

PATIENCE: Final = 60
CONSTRAINTS: Final = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'public'::regnamespace order by 1, 2
"""
POLICIES: Final = """
select tablename, policyname, roles, cmd, qual, with_check from pg_policies
where schemaname = 'public' order by 1, 2
"""
GRANTS: Final = """
select relname, relrowsecurity, relforcerowsecurity, relacl::text from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1
"""
INDEXES: Final = "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1"
TO_USERS: Final = """
select count(*) from pg_constraint
where contype = 'f' and pg_get_constraintdef(oid) ~ 'REFERENCES (users|courses)'
"""
OURS: Final = ("users", "courses", "users_local", "courses_local", "external_tables")


def run(*arguments: str, url: str, **environment: str) -> tuple[int, str]:
    """Run `migrate.sh`; return its exit code, and what it said."""
    finished = subprocess.run(
        [ROOT / "migrate.sh", *arguments],
        cwd="/",
        env=os.environ | {"DATABASE_URL": url} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def leave(url: str, *, drop: bool = False) -> None:
    """Take the database at `url` to where users are elsewhere."""
    migrate(url, afterwards=[partial(externalize, drop=drop)])


def come_back(url: str) -> None:
    """Undo it."""
    migrate(url, afterwards=[prepare_return, internalize])


def shape(url: str) -> list[list[tuple[object, ...]]]:
    """Return all tables, constraints, indexes, and who may see which rows."""
    queries = (CATALOGUE, CONSTRAINTS, INDEXES, POLICIES, GRANTS)
    with connect(url) as connection:
        return [list(connection.execute(query)) for query in queries]


def tables_of(url: str) -> set[str]:
    """Return which of the tables that come and go are there."""
    with connect(url) as connection:
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'")
        return {str(name) for (name,) in found} & set(OURS)


def count(url: str, statement: str) -> int:
    """Return the number that a statement gives."""
    with connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def url(database_url: str) -> str:
    """Return the URL of a migrated database in which a user has a course and a goal of it."""
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password)"
            " values ('usr_1', 'ana@example.org', 'ana', '')"
        )
        connection.execute(
            "insert into courses (id, user_id, title) values ('crs_1', 'usr_1', 'C')"
        )
        connection.execute(
            "insert into goals (id, user_id, course_id, title)"
            " values ('gol_1', 'usr_1', 'crs_1', 'G')"
        )
    return database_url


def test_externalize_drops_every_constraint_and_keeps_the_rows(url: str) -> None:
    leave(url)

    assert count(url, TO_USERS) == 0
    assert tables_of(url) == {"users_local", "courses_local", "external_tables"}
    with connect(url) as connection:
        connection.execute("insert into goals (id, user_id, title) values ('gol_2', 'them_7', 'H')")
    assert count(url, "select count(*) from users_local join courses_local on true") == 1


def test_internalize_makes_the_database_what_it_was(url: str) -> None:
    before = shape(url)
    leave(url)

    come_back(url)

    assert shape(url) == before
    assert count(url, "select count(*) from goals join courses on courses.id = course_id") == 1
    command.check(make_config(url))


def test_both_may_be_run_again(url: str) -> None:
    leave(url)
    leave(url)
    come_back(url)
    come_back(url)

    assert tables_of(url) == {"users", "courses"}


def test_internalize_counts_what_is_missing_and_changes_nothing(url: str) -> None:
    leave(url)
    with connect(url) as connection:
        for number in (2, 3):
            connection.execute(
                "insert into goals (id, user_id, course_id, title) values (%s, %s, 'crs_9', 'G')",
                [f"gol_{number}", f"usr_{number}"],
            )

    settings = Settings(_env_file=None, DATABASE_URL=url)
    with pytest.raises(SetupError) as caught:
        run_internalize(settings)

    assert "1 courses in goals.course_id; 2 users in goals.user_id" in caught.value.detail
    assert tables_of(url) == {"users_local", "courses_local", "external_tables"}


def test_dropped_tables_come_back_empty_to_be_filled(url: str) -> None:
    before = shape(url)
    leave(url, drop=True)
    dropped = tables_of(url)

    with pytest.raises(
        NotPossible, match=r"1 courses in goals\.course_id; 1 users in goals\.user_id"
    ):
        come_back(url)
    with connect(url) as connection:
        connection.execute(
            "insert into users_local (id, email, username, hashed_password)"
            " values ('usr_1', 'ana@example.org', 'ana', '')"
        )
        connection.execute(
            "insert into courses_local (id, user_id, title) values ('crs_1', 'usr_1', 'C')"
        )
    come_back(url)

    assert dropped == {"external_tables"}
    assert shape(url) == before


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--external-users"], {}),
        pytest.param([], {"GOALS_USERS": "service"}, marks=pytest.mark.faults),
    ],
)
def test_an_empty_database_is_made_without_the_two_tables(
    empty_database_url: str, arguments: list[str], environment: dict[str, str]
) -> None:
    code, said = run("upgrade", *arguments, url=empty_database_url, **environment)

    assert code == 0, said
    assert current_revision(empty_database_url) == head_revision()
    assert tables_of(empty_database_url) == {"external_tables"}
    assert count(empty_database_url, TO_USERS) == 0


@pytest.mark.faults
def test_an_upgrade_leaves_a_database_with_users_as_it_is(url: str) -> None:
    before = shape(url)

    code, said = run("upgrade", "--external-users", url=url)

    assert code == 0, said
    assert "./migrate.sh externalize" in said
    assert shape(url) == before


@pytest.mark.faults
@pytest.mark.parametrize("drop", [False, True])
def test_a_reset_leaves_an_ordinary_database(url: str, *, drop: bool) -> None:
    before = shape(url)
    left = run("externalize", *(["--drop"] if drop else []), url=url)

    code, said = run("reset", "--yes", url=url)

    assert left[0] == 0, left
    assert code == 0, said
    assert shape(url) == before


def test_the_kept_tables_go_through_every_revision_that_is_about_them(url: str) -> None:
    before = shape(url)
    leave(url)

    command.downgrade(make_config(url), "020")
    come_back(url)

    assert shape(url) == before


@pytest.mark.parametrize("drop", [False, True])
def test_requests_see_their_users_rows_only_whatever_became_of_the_two_tables(
    url: str, app_login: dict[str, str], *, drop: bool
) -> None:
    leave(url, drop=drop)

    assert is_in_force(url, as_app(url, app_login))
    with connect(url) as connection:
        if not drop:
            connection.execute("alter table users_local no force row level security")
            with pytest.raises(SetupError, match="users_local"):
                is_in_force(url, as_app(url, app_login))


def test_the_check_proposes_nothing_and_still_sees_what_drifted(url: str) -> None:
    leave(url)

    command.check(make_config(url))
    with connect(url) as connection:
        connection.execute("drop table usage_days")

    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(make_config(url))


NEXT: Final = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{this}", "{before}"


def upgrade() -> None:
    op.create_table(
        "later",
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("goal_id", sa.String(36), sa.ForeignKey("goals.id", ondelete="CASCADE")),
    )


def downgrade() -> None:
    op.drop_table("later")
"""


@pytest.mark.parametrize("place", ["own", "service"])
def test_a_later_revision_may_refer_to_users_in_both_states(
    url: str, tmp_path: Path, place: str
) -> None:
    copytree(ROOT / "alembic", tmp_path / "alembic")
    (tmp_path / "alembic.ini").write_text((ROOT / "alembic.ini").read_text())
    following = f"{int(head_revision()) + 1:03d}"
    (tmp_path / "alembic" / "versions" / f"{following}_later.py").write_text(
        NEXT.format(this=following, before=head_revision())
    )
    config = Config(tmp_path / "alembic.ini")
    config.attributes["url"] = url
    if place == "service":
        leave(url)

    command.upgrade(config, "head")
    of_later = "select count(*) from pg_constraint where conrelid = 'later'::regclass"
    references = count(url, f"{of_later} and contype = 'f'")
    command.downgrade(config, "-1")

    assert references == (2 if place == "own" else 1)


def test_a_table_in_use_is_an_error_and_not_a_hang(url: str) -> None:
    before = shape(url)
    with psycopg.connect(conninfo(url)) as reader, pytest.raises(OperationalError) as caught:
        reader.execute("select from goals")

        migrate(url, afterwards=[_impatient])

    assert "lock timeout" in str(caught.value)
    assert shape(url) == before


def _impatient(connection: Connection) -> None:
    connection.execute(text("set local lock_timeout = '50ms'"))
    externalize(connection, drop=False)


@pytest.mark.faults
def test_an_empty_database_is_taken_there_once(empty_database_url: str) -> None:
    migrate(empty_database_url, afterwards=[externalize_empty])
    before = shape(empty_database_url)

    migrate(empty_database_url, afterwards=[externalize_empty])

    assert shape(empty_database_url) == before
