"""Migrations as processes: up, down, side by side, refused, and without a database."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from api.migrations import ROOT, current_revision, head_revision, make_config, migrate
from db.engine import conninfo
from tests.database import connect
from tests.integration.conftest import StartAlembic

ADVISORY_KEY = 1_735_352_684
TABLES = {
    *{"users", "courses", "goals", "tasks", "code_snapshots", "events", "embeddings"},
    *{"operations", "parquet_batches", "erased_events", "dismissed_findings"},
    *{"threads", "messages", "runs", "run_events", "interrupts", "usage_records", "usage_days"},
    *{"rate_windows", "erasures"},
    *{"checkpoints", "checkpoint_blobs", "checkpoint_writes", "checkpoint_migrations"},
}
PATIENCE = 60

CATALOGUE = """
select c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'public'::regnamespace order by 1, 3
"""
LEFT_BEHIND = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relname not like 'alembic_version%'
union all
select typname from pg_type where typnamespace = 'public'::regnamespace and typtype = 'e'
"""


def test_upgrade_downgrade_upgrade_leaves_nothing_behind_and_ends_the_same(
    empty_database_url: str,
) -> None:
    config = make_config(empty_database_url)
    command.upgrade(config, "head")
    with connect(empty_database_url) as connection:
        first = connection.execute(CATALOGUE).fetchall()

    command.downgrade(config, "base")
    with connect(empty_database_url) as connection:
        left_behind = connection.execute(LEFT_BEHIND).fetchall()
    command.upgrade(config, "head")

    with connect(empty_database_url) as connection:
        second = connection.execute(CATALOGUE).fetchall()
    assert left_behind == []
    assert second == first


def test_each_revision_undoes_itself(empty_database_url: str) -> None:
    config = make_config(empty_database_url)

    for number in range(1, int(head_revision()) + 1):
        with connect(empty_database_url) as connection:
            before = connection.execute(CATALOGUE).fetchall()
        command.upgrade(config, f"{number:03d}")
        command.downgrade(config, "-1")
        with connect(empty_database_url) as connection:
            after = connection.execute(CATALOGUE).fetchall()
        assert [row for row in after if "alembic" not in row[0]] == [
            row for row in before if "alembic" not in row[0]
        ]
        command.upgrade(config, f"{number:03d}")


def test_models_and_migrations_agree(database_url: str) -> None:
    command.check(make_config(database_url))


@pytest.mark.parametrize(
    "drift",
    [
        "alter table goals alter column title type varchar(499)",
        "alter table goals alter column title drop not null",
        "alter table tasks alter column priority set default 99",
        "alter table tasks add column extra integer",
        "alter table users drop constraint idx_users_email",
        "drop index idx_outbox_unpublished",
        "drop index idx_embeddings_vector_hnsw",
        "drop table operations",
        "drop table usage_days",
    ],
)
def test_the_check_sees_a_schema_that_drifted(database_url: str, drift: str) -> None:
    with connect(database_url) as connection:
        connection.execute(drift)

    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(make_config(database_url))


def test_the_check_ignores_tables_that_are_not_ours(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("create table checkpoint_extra (v integer)")
        connection.execute("create table somebody_elses (v integer)")

    command.check(make_config(database_url))


def test_revisions_are_numbered_without_a_gap() -> None:
    files = sorted((ROOT / "alembic" / "versions").glob("*.py"))

    numbers = [file.name[:3] for file in files]

    assert numbers == [f"{number:03d}" for number in range(1, len(files) + 1)]
    assert head_revision() == numbers[-1]


def test_a_new_revision_gets_the_next_number_and_knows_our_types(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree(ROOT / "alembic", tmp_path / "alembic")
    (tmp_path / "alembic.ini").write_text((ROOT / "alembic.ini").read_text())
    config = Config(tmp_path / "alembic.ini")
    config.attributes["url"] = database_url
    with connect(database_url) as connection:
        connection.execute("alter table embeddings drop column embedding, drop column created_at")

    command.revision(config, "bring them back", autogenerate=True)

    following = f"{int(head_revision()) + 1:03d}"
    written = (tmp_path / "alembic" / "versions" / f"{following}_bring_them_back.py").read_text()
    assert f'revision: str = "{following}"' in written
    assert f'down_revision: str | None = "{head_revision()}"' in written
    assert "from pgvector.sqlalchemy import Vector\n" in written
    assert "sa.Column('embedding', Vector(1536), nullable=False)" in written
    assert "sa.Column('created_at', sa.DateTime()," in written


def test_the_dry_run_prints_every_table_and_touches_no_database(
    start_alembic: StartAlembic, tmp_path: Path
) -> None:
    process = start_alembic("upgrade", "head", "--sql", GOALS_HOME=str(tmp_path / "home"))
    sql, log = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, log
    plain = sql.lower().replace("if not exists ", "").replace("unlogged ", "")
    for table in TABLES:
        assert f"create table {table}" in plain
    assert "0.8.4" in sql
    assert not (tmp_path / "home").exists()


def test_the_dry_run_makes_the_same_schema_as_the_migrations(
    empty_database_url: str, database_url: str, start_alembic: StartAlembic
) -> None:
    sql, _ = start_alembic("upgrade", "head", "--sql").communicate(timeout=PATIENCE)

    with connect(empty_database_url) as connection:
        connection.execute(sql.encode())
        printed = connection.execute(CATALOGUE).fetchall()

    with connect(database_url) as connection:
        assert printed == connection.execute(CATALOGUE).fetchall()


def test_an_old_pgvector_is_refused_with_the_way_out(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("create extension vector")
        connection.execute("update pg_extension set extversion = '0.8.3' where extname = 'vector'")

    with pytest.raises(Exception, match=r"pgvector 0\.8\.3 is installed(.|\n)*alter extension"):
        migrate(empty_database_url)

    assert current_revision(empty_database_url) == "006"


async def test_langgraph_setup_finds_nothing_to_do(database_url: str) -> None:
    stamps = "select v, xmin::text, ctid::text from checkpoint_migrations order by v"
    with connect(database_url) as connection:
        catalogue = connection.execute(CATALOGUE).fetchall()
        versions = connection.execute(stamps).fetchall()

    async with AsyncPostgresSaver.from_conn_string(conninfo(database_url)) as saver:
        await saver.setup()

    with connect(database_url) as connection:
        assert [v for v, *_ in versions] == list(range(len(AsyncPostgresSaver.MIGRATIONS)))
        assert connection.execute(stamps).fetchall() == versions
        assert connection.execute(CATALOGUE).fetchall() == catalogue


async def test_the_checkpoint_tables_are_those_that_langgraph_makes(
    database_url: str, empty_database_url: str
) -> None:
    async with AsyncPostgresSaver.from_conn_string(conninfo(empty_database_url)) as saver:
        await saver.setup()

    with connect(database_url) as ours, connect(empty_database_url) as theirs:
        made = [
            row
            for row in ours.execute(CATALOGUE)
            if row[0].startswith("checkpoint") and row[2] != "user_id"  # ours, filled by default
        ]
        assert made == theirs.execute(CATALOGUE).fetchall()


async def test_a_database_where_langgraph_was_first_is_migrated(empty_database_url: str) -> None:
    async with AsyncPostgresSaver.from_conn_string(conninfo(empty_database_url)) as saver:
        await saver.setup()

    migrate(empty_database_url)

    assert current_revision(empty_database_url) == head_revision()


def test_three_processes_migrate_at_once_and_one_does_the_work(
    empty_database_url: str, start_alembic: StartAlembic
) -> None:
    processes = [
        start_alembic("upgrade", "head", DATABASE_URL=empty_database_url) for _ in range(3)
    ]

    logs = [process.communicate(timeout=PATIENCE)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], logs
    assert sorted(log.count("Running upgrade") for log in logs) == [0, 0, int(head_revision())]
    assert current_revision(empty_database_url) == head_revision()


def test_one_who_waits_does_not_hold_up_a_concurrent_index_and_then_goes_on(
    database_url: str, start_alembic: StartAlembic
) -> None:
    with connect(database_url) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ADVISORY_KEY])
        waiting = start_alembic("upgrade", "head", DATABASE_URL=database_url)
        assert waiting.stderr is not None
        assert "waiting for it" in waiting.stderr.readline()

        connection.execute("set statement_timeout = '20s'")
        connection.execute("create index concurrently extra on goals (title)")
        connection.execute("select pg_advisory_unlock(%s)", [ADVISORY_KEY])

        _, log = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0, log


def test_a_migration_lock_that_is_never_given_back_is_a_clear_error(
    database_url: str, start_alembic: StartAlembic
) -> None:
    with connect(database_url) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ADVISORY_KEY])

        process = start_alembic("-x", "lock_wait=0", "upgrade", "head", DATABASE_URL=database_url)
        _, log = process.communicate(timeout=PATIENCE)

        assert process.returncode != 0
        assert f"process {connection.info.backend_pid} holds the migration lock" in log


def test_a_table_in_use_is_an_error_and_not_a_hang(
    database_url: str, start_alembic: StartAlembic
) -> None:
    command.downgrade(make_config(database_url), "017")  # which made a table, and drops it
    with psycopg.connect(conninfo(database_url)) as reader:
        tables = reader.execute("select tablename from pg_tables where schemaname = 'public'")
        for (table,) in tables.fetchall():
            if table != "alembic_version":
                reader.execute(f"select from {table} limit 0")

        process = start_alembic(
            "-x", "lock_timeout=50ms", "downgrade", "-1", DATABASE_URL=database_url
        )
        _, log = process.communicate(timeout=PATIENCE)

    assert process.returncode != 0
    assert "canceling statement due to lock timeout" in log
    assert current_revision(database_url) == "017"


def test_commands_that_only_look_do_not_wait_for_a_migration(
    database_url: str, start_alembic: StartAlembic
) -> None:
    with connect(database_url) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ADVISORY_KEY])

        process = start_alembic("-x", "lock_wait=0", "current", DATABASE_URL=database_url)
        shown, log = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, log
    assert shown == f"{head_revision()} (head)\n"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_scheme_of_postgresql_reaches_the_database(
    database_url: str, start_alembic: StartAlembic, scheme: str
) -> None:
    url = f"{scheme}://{database_url.split('://', 1)[1]}"

    shown, log = start_alembic("current", DATABASE_URL=url).communicate(timeout=PATIENCE)

    assert shown == f"{head_revision()} (head)\n", log


def test_with_nothing_configured_the_embedded_postgresql_is_migrated(
    start_alembic: StartAlembic, data_folder: Path
) -> None:
    home = str(data_folder)

    upgraded = start_alembic("upgrade", "head", GOALS_HOME=home)
    _, log = upgraded.communicate(timeout=PATIENCE)
    shown, _ = start_alembic("current", GOALS_HOME=home).communicate(timeout=PATIENCE)

    assert upgraded.returncode == 0, log
    assert shown == f"{head_revision()} (head)\n"
    assert not (data_folder / "postgres" / "postmaster.pid").exists()


def test_an_empty_database_has_no_revision(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None


def test_migrating_what_is_at_head_imports_no_model_library(database_url: str) -> None:
    program = (
        "import sys; from api.migrations import migrate; migrate(sys.argv[1]);"
        "print(*sorted({'langgraph', 'langchain_core', 'langchain_openai', 'openai', 'pyarrow',"
        " 'fastapi', 'pika'} & set(sys.modules)))"
    )

    finished = subprocess.run(
        [sys.executable, "-c", program, database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert (finished.stdout, finished.stderr) == ("\n", "")


def test_the_folder_does_not_hide_the_library_of_its_name() -> None:
    assert not list((ROOT / "alembic").rglob("__init__.py"))
