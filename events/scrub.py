"""Compare the lake with its manifest, and make it right again from PostgreSQL."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from sqlalchemy import Engine

from db import batches, manifest, quarantine
from db.failpoints import hit
from db.manifest import Entry
from events.care import open_care, refuse_lost_lake
from events.compact import finish_interrupted
from events.lake import STAGING, Damage, Lake, batch_path
from events.poison import DEATHS_TO_SET_ASIDE
from events.sink import LEASE, store

Fault = Damage | Literal["stray", "staging"]
STAGED_NAME: Final = re.compile(rf"{re.escape(STAGING)}/(?P<id>.+)\.(?P<epoch>\d+)\.part")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was wrong with the file at `path` (in the lake), and whether it is right now."""

    path: str
    fault: Fault
    healed: bool


@dataclass(frozen=True, kw_only=True)
class ScrubReport:
    """How many files of the manifest were read in full, and what was found.

    `quarantined` are the ids of the events that are in no file because no sink survived them.
    """

    checked: int
    findings: tuple[Finding, ...]
    quarantined: tuple[str, ...] = ()


def scrub(
    engine: Engine, lake: Lake, *, rebuild_all: bool = False, retry_quarantined: bool = False
) -> ScrubReport:
    """Read every file of the manifest, quarantine what is not as it was written, and rebuild it.

    A file that no manifest names is quarantined; what no sink will finish is removed from staging.
    Not healed is what a sink took over meanwhile, which it rebuilds. Raises LakeBusy,
    LakeUnavailable or sqlalchemy's DBAPIError; run again, or any sink, finishes what was begun.
    Where the manifest has files and the lake none of them, LakeUnavailable is raised and nothing
    changed, unless `rebuild_all` says that they are gone indeed. `retry_quarantined` offers the
    quarantined events to the sinks once more.
    """
    with open_care(engine):
        if not rebuild_all:
            refuse_lost_lake(engine, lake)
        finish_interrupted(engine, lake)
        if retry_quarantined:
            with engine.begin() as connection:
                quarantine.release(connection, attempts=DEATHS_TO_SET_ASIDE - 1)
        # Files first: a sink puts its row into the manifest before its file into the lake.
        present = lake.files()
        staged = lake.staged()
        with engine.connect() as connection:
            entries = manifest.entries(connection)
        findings = _strays(lake, present, entries=entries)
        findings += _leftovers(lake, staged, entries=entries)
        checked = 0
        for entry in entries:
            if entry.state != "done" or entry.file is None:
                continue
            checked += 1
            fault = lake.find_damage(entry.file)
            if fault is not None:
                healed = _rebuild(engine, lake, entry=entry)
                findings.append(Finding(path=entry.file.path, fault=fault, healed=healed))
    for finding in findings:
        log.warning("lake.fault", path=finding.path, fault=finding.fault, healed=finding.healed)
    with engine.connect() as connection:
        aside = tuple(each.event_id for each in quarantine.list_set_aside(connection))
    return ScrubReport(checked=checked, findings=tuple(findings), quarantined=aside)


def _rebuild(engine: Engine, lake: Lake, *, entry: Entry) -> bool:
    path = str(batch_path(entry.batch))
    if lake.holds(path):
        lake.quarantine(path)
    hit("scrub.quarantined")
    with engine.begin() as connection:
        held = manifest.refreeze(connection, entry.batch, lease=LEASE)
    if held is None:
        return False
    store(engine, lake, batch=held)
    with engine.connect() as connection:
        return batches.is_done(connection, held)


def _strays(lake: Lake, present: Sequence[str], *, entries: Sequence[Entry]) -> list[Finding]:
    known = {str(batch_path(entry.batch)) for entry in entries if entry.state != "quarantined"}
    strays = [path for path in present if path not in known]
    for path in strays:
        lake.quarantine(path)
    return [Finding(path=path, fault="stray", healed=True) for path in strays]


def _leftovers(lake: Lake, staged: Sequence[str], *, entries: Sequence[Entry]) -> list[Finding]:
    held = {
        (entry.batch.id, str(entry.batch.epoch)) for entry in entries if entry.state == "frozen"
    }
    findings = []
    for path in staged:
        name = STAGED_NAME.fullmatch(path)
        if name is None or (name["id"], name["epoch"]) in held:
            continue
        lake.remove(path)
        findings.append(Finding(path=path, fault="staging", healed=True))
    return findings
