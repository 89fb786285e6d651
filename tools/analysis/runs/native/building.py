"""Build programs in a box, and remember the last ones."""

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from tools.analysis.runs.box import BoxTimeout
from tools.analysis.runs.native.chamber import MEBIBYTE, Chamber, Job, Limits
from tools.analysis.runs.native.driver import Build, Driver, Tools

BUILD_SECONDS: Final = 10.0
MOST_BYTES: Final = 48 * MEBIBYTE
_KEPT: Final = 8
_SCRATCH: Final = 256 * MEBIBYTE
# What a compiler may use for itself; a template that never ends meets it, or the time.
_COMPILER_DATA: Final = 1536 * MEBIBYTE


@dataclass(frozen=True)
class Built:
    """A program as bytes, or what the compiler said; both empty where time was up."""

    program: bytes | None
    said: str
    late: bool = False


_lock = threading.Lock()
_last: OrderedDict[str, Built] = OrderedDict()


def build(what: Build, driver: Driver, tools: Tools) -> Built:
    """Build a program in at most `BUILD_SECONDS`. Raises OSError where no box starts."""
    if what.script is None:
        return Built(b"", "")
    key = _key(what)
    with _lock:
        if key in _last:
            _last.move_to_end(key)
            return _last[key]
    built = _build(what, what.script, driver, tools)
    if not built.late:
        with _lock:
            _last[key] = built
            while len(_last) > _KEPT:
                _last.popitem(last=False)
    return built


def _key(what: Build) -> str:
    digest = hashlib.sha256((what.script or "").encode())
    for name, content in sorted(what.files.items()):
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _build(what: Build, script: str, driver: Driver, tools: Tools) -> Built:
    limits = Limits(
        cpu_seconds=int(2 * BUILD_SECONDS),
        data=_COMPILER_DATA,
        scratch=_SCRATCH,
        file_size=MOST_BYTES,
    )
    job = Job(
        command=("/bin/sh", "-c", script),
        limits=limits,
        files=what.files,
        binds=tools.binds,
        environment=tools.environment,
        processes=True,
        proc=driver.proc,
    )
    with Chamber(job, most_printed=MOST_BYTES) as box:
        try:
            status = box.wait_for_end(seconds=BUILD_SECONDS)
        except BoxTimeout:
            return Built(None, "", late=True)
        said = box.said.decode("utf-8", "replace")
        if status != 0 or box.flooded:
            return Built(None, said or f"the compiler ended with status {status}")
        return Built(_as_archive(box.printed), said)


def _as_archive(printed: bytes) -> bytes:
    """Turn the folder of classes that came as tar into what Java starts from."""
    if printed[257:262] != b"ustar":
        return printed
    content = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(printed)) as folder, zipfile.ZipFile(content, "w") as jar:
        for member in folder:
            file = folder.extractfile(member) if member.isfile() else None
            if file is not None:
                jar.writestr(member.name.removeprefix("./"), file.read())
    return content.getvalue()


_PLACE = r"[:(](?P<line>\d+)"
_WORDY = re.compile(
    r"^(?:\s*(?:fatal )?error(?:\[E\d+\])?:|[^\n]*?\berror\b[^\n:]*:?)\s*(?P<said>[^\n]+)"
)


def blamed_lines(said: str, path: str) -> set[int]:
    """Give the lines of a file that the compiler complains about."""
    name = re.escape(path.rpartition("/")[2])
    return {int(found["line"]) for found in re.finditer(name + _PLACE, said)}


def first_complaint(said: str, path: str) -> str | None:
    """Give the compiler's first message about the learner's file, with its line."""
    name = re.escape(path.rpartition("/")[2])
    lines = said.splitlines()
    for number, line in enumerate(lines):
        place = re.search(name + _PLACE + r"[:,\d)]*\s*(?P<rest>.*)", line)
        if place is None or re.match(r"(?:In file included|\s+from)", line):
            continue
        rest = place["rest"].strip(" :)")
        if "warning" in rest.lower() or rest.startswith("note"):
            continue
        if not rest:
            # Rust says what before it says where.
            above = next((one for one in reversed(lines[:number]) if one.startswith("error")), "")
            rest = re.sub(r"^error(?:\[\w+\])?: ", "", above)
        rest = re.sub(r"^(?:fatal )?error(?: CS\d+)?:\s*", "", rest)
        return f"{rest[:300]} (line {place['line']})" if rest else None
    return None
