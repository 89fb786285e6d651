"""Files of the lake: written aside, made durable, put in place whole, under a name known before.

`<lake>/events/year=YYYY/month=MM/<family>_events-<batch>.parquet` is what readers see; a compacted
month has one `<family>_events.parquet`. `<lake>/.staging` and `<lake>/.quarantine` are outside the
tree they glob, on the same file system, and nothing in them is named `.parquet`.
"""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from db.batches import Batch, BatchFile
from db.manifest import MONTH_PREFIX
from events.failpoints import hit

ROW_GROUP_ROWS: Final = 100_000
STAGING: Final = ".staging"
QUARANTINE: Final = ".quarantine"


class LakeUnavailable(Exception):
    """The lake cannot be written now: no space, no permission, no such device."""


class BatchTakenOver(Exception):
    """Another sink holds the batch by now; what this one wrote is of no use."""


@dataclass(frozen=True, kw_only=True)
class StagedFile:
    """A complete, durable file that no reader sees yet."""

    batch: Batch
    staging: Path
    file: BatchFile


def batch_path(batch: Batch) -> PurePosixPath:
    """Return the path of the batch's file, relative to the lake: the same whoever writes it."""
    folder = PurePosixPath("events", f"year={batch.year:04d}", f"month={batch.month:02d}")
    if batch.id.startswith(MONTH_PREFIX):
        return folder / f"{batch.family}_events.parquet"
    return folder / f"{batch.family}_events-{batch.id}.parquet"


@dataclass(frozen=True)
class Lake:
    """A folder of Parquet files."""

    root: Path

    def stage(self, batch: Batch, table: pa.Table) -> StagedFile:
        """Write `table` aside and fsync it; the same table gives the same bytes.

        Raises LakeUnavailable, and leaves nothing behind.
        """
        return self.stage_parts(batch, [table], schema=table.schema)

    def stage_parts(
        self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
    ) -> StagedFile:
        """Write `parts` aside as one file and fsync it; a row group never spans two parts.

        Raises LakeUnavailable, and leaves nothing behind.
        """
        staging = self._staging(batch)
        with _no_residue(staging):
            staging.parent.mkdir(parents=True, exist_ok=True)
            with staging.open("w+b") as handle:
                rows = _write_parts(handle, parts, schema=schema)
                hit("sink.closed_before_fsync")
                handle.flush()
                os.fsync(handle.fileno())
                size = handle.tell()
                handle.seek(0)
                sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        path = str(batch_path(batch))
        file = BatchFile(path=path, rows=rows, bytes=size, sha256=sha256)
        return StagedFile(batch=batch, staging=staging, file=file)

    def publish(self, staged: StagedFile) -> BatchFile:
        """Put a staged file in its place in one step, durably; the same name twice is no error.

        Raises BatchTakenOver where the next holder of the batch removed the staged file, and
        LakeUnavailable where the tree cannot be written. A file in the tree is never removed.
        """
        target = self.root / staged.file.path
        with _no_residue(staged.staging):
            _make_folder(target.parent)
            try:
                staged.staging.replace(target)
            except FileNotFoundError as error:
                raise BatchTakenOver(staged.batch.id) from error
            hit("sink.after_rename")
            _fsync_folder(target.parent)
        return staged.file

    def discard(self, staged: StagedFile) -> None:
        """Remove a staged file that is of no use any more."""
        staged.staging.unlink(missing_ok=True)

    def discard_earlier(self, batch: Batch) -> None:
        """Remove what earlier holders of `batch` staged, so that they cannot put it in place.

        With the check of the epoch between staging and renaming this closes the gap in which a
        stalled holder could rename its file after the new holder has finished.
        """
        for staging in self._staging(batch).parent.glob(f"{batch.id}.*"):
            if staging != self._staging(batch):
                staging.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file that the manifest does not name any more, durably; gone is no error.

        Raises LakeUnavailable.
        """
        with _unavailable():
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _fsync_folder(path.parent)

    def quarantine(self, path: Path) -> Path:
        """Move a file out of the readers' sight, durably; return where it is now.

        Raises LakeUnavailable.
        """
        relative = path.relative_to(self.root)
        kept = self.root / QUARANTINE / relative.parent
        names = (kept / f"{relative.name}.{number}.quarantined" for number in itertools.count(1))
        target = next(name for name in names if not name.exists())
        with _unavailable():
            _make_folder(kept)
            path.replace(target)
            _fsync_folder(kept)
            _fsync_folder(path.parent)
        return target

    def _staging(self, batch: Batch) -> Path:
        return self.root / STAGING / f"{batch.id}.{batch.epoch}.part"


def _write_parts(handle: Any, parts: Iterable[pa.Table], *, schema: pa.Schema) -> int:
    # A flipped byte in a data page is read without a word unless the page has its checksum.
    writer = pq.ParquetWriter(
        handle, schema, compression="zstd", write_page_checksum=True, version="2.6"
    )
    rows = 0
    with writer:
        for part in parts:
            writer.write_table(part, row_group_size=ROW_GROUP_ROWS)
            rows += part.num_rows
            hit("sink.mid_write")
    return rows


@contextlib.contextmanager
def _no_residue(staging: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise LakeUnavailable(f"{type(error).__name__}: {error}") from error
        raise


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeUnavailable(f"{type(error).__name__}: {error}") from error


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows neither opens nor syncs a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
