"""The program that fills a small disk of its own: `python -m tests.faults.full_disk worker`."""

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter
from structlog.testing import capture_logs

from db.engine import make_sync_engine
from tests.event_path import all_processed, count, wait_until
from tests.faults.carriers import ADAPTER, Carrying, Role
from tests.lake_oracle import assert_lake_holds_every_event_once, read_lake

SIZE: Final = "1m"
LEFT_BYTES: Final = 12_288


@dataclass(frozen=True)
class Outcome:
    """What was there while the disk was full; in the end the oracle found nothing wrong."""

    failures: int
    left_in_staging: list[str]
    readable_rows: int
    processed_while_full: int
    events: int


def main() -> None:
    """Mount a disk of 1 MB as the lake, fill it, carry events to it, and make space."""
    role = TypeAdapter(Role).validate_python(sys.argv[1])
    carrying: Carrying = ADAPTER.validate_json(sys.stdin.buffer.read())
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", carrying.lake], check=True
    )
    print(json.dumps(asdict(carry_to_a_full_disk(carrying, role))))


def carry_to_a_full_disk(carrying: Carrying, role: Role) -> Outcome:
    """Return what readers would have seen meanwhile."""
    engine = make_sync_engine(carrying.database_url, pool_size=6)
    ballast = carrying.lake / "ballast"
    fill(ballast)
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        carried = pool.submit(carrying.run, role, engine, stop=all_processed(engine))

        def has_failed() -> bool:
            return carried.done() or len(failures(logs)) >= 2

        wait_until(has_failed)
        outcome = Outcome(
            failures=len(failures(logs)),
            left_in_staging=[str(path) for path in carrying.lake.glob(".staging/*")],
            readable_rows=len(read_lake(carrying.lake)),
            processed_while_full=count(engine, "processed_at is not null"),
            events=count(engine, "true"),
        )
        ballast.unlink()
        carried.result()
    assert_lake_holds_every_event_once(engine, carrying.lake)
    return outcome


def failures(logs: list[structlog.typing.EventDict]) -> list[str]:
    """Return the lake's complaints."""
    return [
        str(entry["reason"])
        for entry in logs
        if str(entry["event"]).endswith(".unavailable") and "No space left" in str(entry["reason"])
    ]


def fill(ballast: Path) -> None:
    """Fill the disk but for three pages: room for folders and the beginning of a file."""
    with ballast.open("wb", buffering=0) as handle:
        with contextlib.suppress(OSError):
            while handle.write(b"\0" * 4_096):
                pass
        handle.truncate(handle.tell() - LEFT_BYTES)


if __name__ == "__main__":
    main()
