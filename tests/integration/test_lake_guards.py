"""A lake in the wrong place: one clear line, nothing written there, nothing lost."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine

from api.doctor import look
from api.lake import run_query, run_scrub
from api.settings import Settings
from api.workers import carry_all, run_until_stopped
from db.enums import EventType
from events.compact import compact
from events.erase import erase_user
from events.lake import LakeMisplaced, LakeUnavailable
from events.lake_folder import FolderLake
from events.scrub import scrub
from events.sink import flush
from tests.event_samples import NOON, record_events, sample
from tests.lake_oracle import assert_lake_holds_every_event_once, lake_files, read_events
from tools.errors import SetupError

NEXT_MONTH: Final = datetime(2026, 12, 1, tzinfo=UTC)
OPERATIONS: Final[dict[str, Callable[[Engine, FolderLake], object]]] = {
    "scrub": scrub,
    "compact": lambda engine, lake: compact(engine, lake, now=NEXT_MONTH),
    "erase": lambda engine, lake: erase_user(engine, lake, user_id="usr_1"),
}


def a_file(folder: Path) -> Path:
    lake = folder / "lake"
    lake.write_text("in the way")
    return lake


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "lake"


def linked_tree(folder: Path) -> Path:
    lake = folder / "lake"
    lake.mkdir()
    (folder / "elsewhere").mkdir()
    (lake / "events").symlink_to(folder / "elsewhere")
    return lake


def linked_month(folder: Path) -> Path:
    lake = folder / "lake"
    (lake / "events" / "year=2026").mkdir(parents=True)
    (folder / "elsewhere").mkdir()
    (lake / "events" / "year=2026" / "month=11").symlink_to(folder / "elsewhere")
    return lake


def unwritable(folder: Path) -> Path:
    """Return a folder of the kernel: not even root may write to it."""
    return Path("/proc/sys") if Path("/proc/sys").is_dir() else below_a_file(folder)


PLACES: Final = [a_file, below_a_file, linked_tree, linked_month, unwritable]


def settings_for(lake: Path, *, database_url: str) -> Settings:
    return Settings(_env_file=None, DATABASE_URL=database_url, GOALS_LAKE=str(lake), AMQP_URL="")


@pytest.mark.parametrize("make_place", PLACES)
def test_a_place_that_is_no_lake_is_one_line_and_the_events_wait(
    make_place: Callable[[Path], Path], database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    place = make_place(tmp_path)
    settings = settings_for(place, database_url=database_url)
    record_events(database_url, [sample(EventType.TASK_COMPLETED)], at=NOON)

    with pytest.raises(SetupError, match="the lake cannot be used") as refused:
        run_until_stopped(settings, carry_all)
    with pytest.raises(SetupError, match="the lake cannot be used"):
        run_scrub(settings, rebuild_all=False, retry_quarantined=False)
    (finding,) = [each for each in look(settings) if each.name == "lake"]
    with pytest.raises(LakeUnavailable):
        flush(outbox, FolderLake(place))

    assert "\n" not in refused.value.detail
    assert str(place) in refused.value.detail
    assert finding.state == "fatal"
    assert list(tmp_path.glob("elsewhere/**/*")) == []
    assert [event["parquet_path"] for event in read_events(outbox)] == [None]


@pytest.mark.parametrize("make_place", [a_file, linked_tree, linked_month])
def test_what_is_no_lake_answers_no_question(
    make_place: Callable[[Path], Path], database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(make_place(tmp_path), database_url=database_url)

    with pytest.raises(SetupError, match="the lake cannot be used"):
        run_query(settings, "select 1")


def test_a_lake_that_is_itself_behind_a_link_is_a_lake(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "lake").symlink_to(tmp_path / "disk")
    lake = FolderLake(tmp_path / "lake")
    record_events(database_url, [sample(EventType.TASK_COMPLETED)], at=NOON)

    lake.check()
    flush(outbox, lake)

    assert len(lake_files(tmp_path / "disk")) == 1
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_link_that_appears_while_a_sink_runs_is_not_followed(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    lake = FolderLake(tmp_path / "lake")
    (tmp_path / "elsewhere").mkdir()
    (lake.root / "events").mkdir(parents=True)
    lake.check()
    (lake.root / "events" / "year=2026").symlink_to(tmp_path / "elsewhere")
    record_events(database_url, [sample(EventType.TASK_COMPLETED)], at=NOON)

    with pytest.raises(LakeMisplaced, match="leads out of the lake"):
        flush(outbox, lake)

    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lake_without_any_of_its_files_is_left_alone(
    operation: str, database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    lake = FolderLake(tmp_path / "lake")
    for event_type in (EventType.TASK_COMPLETED, EventType.GOAL_CREATED):
        record_events(database_url, [sample(event_type)], at=NOON)
        flush(outbox, lake)
    mounted = lake.root.rename(tmp_path / "unmounted")
    lake.root.mkdir()
    (lake.root / "events").mkdir()
    (lake.root / "events" / "somebody.parquet").write_bytes(b"PAR1")
    before = read_events(outbox)

    with pytest.raises(LakeUnavailable, match=r"none of the 2 files .* --rebuild-all"):
        OPERATIONS[operation](outbox, lake)

    assert read_events(outbox) == before
    assert lake_files(lake.root) == [lake.root / "events" / "somebody.parquet"]
    (lake.root / "events" / "somebody.parquet").unlink()
    (lake.root / "events").rmdir()
    lake.root.rmdir()
    mounted.rename(lake.root)
    OPERATIONS[operation](outbox, lake)
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_lake_that_is_gone_indeed_is_written_again_on_request(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    lake = FolderLake(tmp_path / "lake")
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 3, at=NOON)
    flush(outbox, lake)
    lake.root.rename(tmp_path / "gone")

    report = scrub(outbox, lake, rebuild_all=True)

    assert [finding.fault for finding in report.findings] == ["missing"]
    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.parametrize("command", [("worker",), ("lake", "scrub"), ("lake", "query", "select 1")])
def test_the_program_says_it_in_one_line_and_ends(
    command: tuple[str, ...], database_url: str, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOALS_")}
    environment = {"DATABASE_URL": database_url, "GOALS_LAKE": str(a_file(tmp_path))}

    ended = subprocess.run(
        [sys.executable, "-m", "api", *command],
        env=clean | environment | {"AMQP_URL": "", "GOALS_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("goals: the lake cannot be used: ")
