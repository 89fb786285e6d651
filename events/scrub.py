"""Compare the lake with its manifest, and make it right again from PostgreSQL."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from sqlalchemy import Engine

from db import batches, manifest
from db.batches import BatchFile
from db.manifest import Entry
from events.care import open_care
from events.compact import finish_interrupted
from events.failpoints import hit
from events.lake import STAGING, Lake, batch_path
from events.sink import LEASE, store

Fault = Literal["missing", "size", "checksum", "unreadable", "stray", "staging"]
STAGED_NAME: Final = re.compile(r"(?P<id>.+)\.(?P<epoch>\d+)\.part")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was wrong with the file at `path` (in the lake), and whether it is right now."""

    path: str
    fault: Fault
    healed: bool


@dataclass(frozen=True, kw_only=True)
class ScrubReport:
    """How many files of the manifest were read in full, and what was found."""

    checked: int
    findings: tuple[Finding, ...]


def scrub(engine: Engine, lake: Lake) -> ScrubReport:
    """Read every file of the manifest, quarantine what is not as it was written, and rebuild it.

    A file that no manifest names is quarantined; what no sink will finish is removed from staging.
    Not healed is what a sink took over meanwhile, which it rebuilds. Raises LakeBusy,
    LakeUnavailable or sqlalchemy's DBAPIError; run again, or any sink, finishes what was begun.
    """
    with open_care(engine):
        finish_interrupted(engine, lake)
        # Files first: a sink puts its row into the manifest before its file into the lake.
        present = [path for path in sorted(lake.root.glob("**/*.parquet")) if not path.is_dir()]
        staged = sorted((lake.root / STAGING).glob("*"))
        with engine.connect() as connection:
            entries = manifest.entries(connection)
        findings = _strays(lake, present, entries=entries)
        findings += _leftovers(lake, staged, entries=entries)
        checked = 0
        for entry in entries:
            if entry.state != "done" or entry.file is None:
                continue
            checked += 1
            fault = find_fault(lake.root / entry.file.path, entry.file)
            if fault is not None:
                healed = _rebuild(engine, lake, entry=entry)
                findings.append(Finding(path=entry.file.path, fault=fault, healed=healed))
    for finding in findings:
        log.warning("lake.fault", path=finding.path, fault=finding.fault, healed=finding.healed)
    return ScrubReport(checked=checked, findings=tuple(findings))


def find_fault(path: Path, file: BatchFile) -> Fault | None:
    """Return what is wrong with the file at `path`, None if it is what the manifest says."""
    try:
        if path.stat().st_size != file.bytes:
            return "size"
        with path.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != file.sha256:
                return "checksum"
        if pq.read_metadata(path).num_rows != file.rows:
            return "unreadable"
    except FileNotFoundError:
        return "missing"
    except (OSError, pa.ArrowException):
        return "unreadable"
    return None


def _rebuild(engine: Engine, lake: Lake, *, entry: Entry) -> bool:
    path = lake.root / str(batch_path(entry.batch))
    if path.exists() or path.is_symlink():
        lake.quarantine(path)
    hit("scrub.quarantined")
    with engine.begin() as connection:
        held = manifest.refreeze(connection, entry.batch, lease=LEASE)
    if held is None:
        return False
    store(engine, lake, batch=held)
    with engine.connect() as connection:
        return batches.is_done(connection, held)


def _strays(lake: Lake, present: Sequence[Path], *, entries: Sequence[Entry]) -> list[Finding]:
    known = {lake.root / batch_path(entry.batch) for entry in entries}
    strays = [path for path in present if path not in known]
    for path in strays:
        lake.quarantine(path)
    return [
        Finding(path=path.relative_to(lake.root).as_posix(), fault="stray", healed=True)
        for path in strays
    ]


def _leftovers(lake: Lake, staged: Sequence[Path], *, entries: Sequence[Entry]) -> list[Finding]:
    held = {
        (entry.batch.id, str(entry.batch.epoch)) for entry in entries if entry.state == "frozen"
    }
    findings = []
    for path in staged:
        name = STAGED_NAME.fullmatch(path.name)
        if name is None or (name["id"], name["epoch"]) in held:
            continue
        lake.remove(path)
        relative = path.relative_to(lake.root).as_posix()
        findings.append(Finding(path=relative, fault="staging", healed=True))
    return findings
