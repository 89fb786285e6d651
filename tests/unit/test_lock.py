"""The lock files fit pyproject.toml: checked offline, against what is installed."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
LOCKS = pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK], ids=lambda lock: lock.name)
AN_ADDRESS = re.compile(r"://|file:|--(extra-)?index-url|--find-links|--trusted-host| @ |(^|\s)/")


@dataclass(frozen=True)
class Pin:
    """One `name==version ; marker` of a lock file, with the number of its hashes."""

    name: str
    version: str
    marker: Marker | None
    hashes: int

    @property
    def is_for_this_machine(self) -> bool:
        return self.marker is None or self.marker.evaluate()


def read_pins(lock: Path) -> list[Pin]:
    statements = lock.read_text().replace("\\\n", " ").splitlines()
    return [_pin(each) for each in statements if each.strip() and not each.strip().startswith("#")]


def _pin(statement: str) -> Pin:
    requirement = Requirement(statement.split(" --hash=", maxsplit=1)[0])
    (only,) = requirement.specifier
    assert only.operator == "=="
    name = canonicalize_name(requirement.name)
    return Pin(name, only.version, requirement.marker, statement.count("--hash=sha256:"))


def pins_for_this_machine(lock: Path) -> dict[str, str]:
    return {pin.name: pin.version for pin in read_pins(lock) if pin.is_for_this_machine}


def requirements(*, dev: bool) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = list(project["project"]["dependencies"])
    if dev:
        texts += project["dependency-groups"]["dev"]
    return [Requirement(text) for text in texts]


def closure(wanted: Iterable[Requirement]) -> Iterator[tuple[str, Requirement]]:
    """Yield every requirement that `wanted` leads to on this machine, and who asks for it."""
    waiting = [("pyproject.toml", each, "") for each in wanted]
    seen = set()
    while waiting:
        asker, requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        yield asker, requirement
        name = canonicalize_name(requirement.name)
        for each in {"", *requirement.extras}:
            if (name, each) not in seen:
                seen.add((name, each))
                asked = map(Requirement, metadata.requires(name) or [])
                waiting += [(name, one, each) for one in asked]


@pytest.mark.parametrize(("lock", "dev"), [(RUNTIME_LOCK, False), (DEV_LOCK, True)])
def test_every_requirement_is_satisfied_by_its_pin(lock: Path, *, dev: bool) -> None:
    pins = pins_for_this_machine(lock)

    unsatisfied = [
        f"{asker} asks for {requirement}, {lock.name} has {pins.get(name, 'nothing')}"
        for asker, requirement in closure(requirements(dev=dev))
        if (name := canonicalize_name(requirement.name)) not in pins
        or not requirement.specifier.contains(pins[name], prereleases=True)
    ]

    assert unsatisfied == []


@pytest.mark.parametrize(("lock", "dev"), [(RUNTIME_LOCK, False), (DEV_LOCK, True)])
def test_every_pin_is_asked_for(lock: Path, *, dev: bool) -> None:
    asked = {canonicalize_name(each.name) for _, each in closure(requirements(dev=dev))}

    assert set(pins_for_this_machine(lock)) - asked == set()


def test_both_locks_pin_the_same_versions() -> None:
    runtime, dev = (pins_for_this_machine(lock) for lock in (RUNTIME_LOCK, DEV_LOCK))

    assert {name: dev[name] for name in runtime} == runtime


@LOCKS
def test_every_pin_has_hashes(lock: Path) -> None:
    assert [pin.name for pin in read_pins(lock) if pin.hashes == 0] == []


@LOCKS
def test_a_lock_names_no_address_and_no_path(lock: Path) -> None:
    assert [line for line in lock.read_text().splitlines() if AN_ADDRESS.search(line)] == []
