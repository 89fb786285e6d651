"""A lake in a folder: files are written aside, made durable, and renamed into their place.

`<lake>/.staging` and `<lake>/.quarantine` are on the same file system as the tree.
"""

import contextlib
import errno
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from db.batches import Batch, BatchFile
from db.failpoints import hit
from events.lake import (
    QUARANTINE,
    STAGING,
    TREE,
    BatchTakenOver,
    Damage,
    Lake,
    LakeMisplaced,
    LakeUnavailable,
    StagedFile,
    batch_path,
    write_parts,
)

NEEDS_A_PERSON: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP}
)


@dataclass(frozen=True)
class FolderLake(Lake):
    """A folder of Parquet files; it is made with its first file."""

    root: Path

    @property
    def location(self) -> str:
        """Return the folder."""
        return str(self.root)

    def check(self) -> None:
        """Make the folder if there is none, and write a file to it that is gone at once."""
        tree = self.root / TREE
        self._refuse_links_out()
        with _unavailable():
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.root / STAGING, tree):
                if folder == self.root or folder.exists() or folder.is_symlink():
                    with tempfile.TemporaryFile(dir=folder):
                        pass

    def stage_parts(
        self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
    ) -> StagedFile:
        """Write `parts` to the staging folder and fsync it; a row group never spans two parts.

        Raises LakeUnavailable, and leaves nothing behind.
        """
        staging = self._staging(batch)
        with _no_residue(staging):
            staging.parent.mkdir(parents=True, exist_ok=True)
            with staging.open("w+b") as handle:
                rows = write_parts(handle, batch, parts, schema=schema)
                hit("sink.closed_before_fsync")
                handle.flush()
                os.fsync(handle.fileno())
                size = handle.tell()
                handle.seek(0)
                sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        path = str(batch_path(batch))
        file = BatchFile(path=path, rows=rows, bytes=size, sha256=sha256)
        return StagedFile(batch=batch, file=file)

    def publish(self, staged: StagedFile) -> BatchFile:
        """Rename a staged file into its place, durably; the same name twice is no error.

        Raises BatchTakenOver where the next holder of the batch removed the staged file, and
        LakeUnavailable where the tree cannot be written or leads out of the lake.
        """
        staging = self._staging(staged.batch)
        target = self.root / staged.file.path
        with _no_residue(staging):
            self._refuse_outside(target.parent)
            _make_folder(target.parent)
            try:
                staging.replace(target)
            except FileNotFoundError as error:
                raise BatchTakenOver(staged.batch.id) from error
            hit("sink.after_rename")
            _fsync_folder(target.parent)
        return staged.file

    def discard(self, staged: StagedFile) -> None:
        """Remove a staged file that is of no use any more."""
        self._staging(staged.batch).unlink(missing_ok=True)

    def discard_earlier(self, batch: Batch) -> None:
        """Remove what earlier holders of `batch` staged, so that they cannot put it in place.

        With the check of the epoch between staging and renaming this closes the gap in which a
        stalled holder could rename its file after the new holder has finished.
        """
        for staging in self._staging(batch).parent.glob(f"{batch.id}.*"):
            if staging != self._staging(batch):
                staging.unlink(missing_ok=True)

    def files(self) -> list[str]:
        """Return the paths of all `.parquet` files below the lake, sorted."""
        return self._paths(self.root, "**/*.parquet")

    def staged(self) -> list[str]:
        """Return the paths of the files in staging, sorted."""
        return self._paths(self.root / STAGING, "*")

    def quarantined(self) -> list[str]:
        """Return the paths of the files in quarantine, sorted."""
        return self._paths(self.root / QUARANTINE, "**/*")

    def holds(self, path: str) -> bool:
        """Tell whether there is anything at `path`, be it a link that leads nowhere."""
        return (self.root / path).exists() or (self.root / path).is_symlink()

    def find_damage(self, file: BatchFile) -> Damage | None:
        """Read a file in full; return how it is not what the manifest says, None if it is."""
        path = self.root / file.path
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

    def may_remove(self, path: str) -> bool:
        """Say yes: who is late finds its staged file gone."""
        return True

    def open_tree(self) -> Path | None:
        """Return the folder of the tree, without links; None where it has no files."""
        if self.root.exists() and not self.root.is_dir():
            raise LakeMisplaced(f"{self.root} is no folder")
        self._refuse_links_out()
        tree = self.root.resolve() / TREE
        return tree if any(tree.glob("**/*.parquet")) else None

    def remove(self, path: str) -> None:
        """Remove a file that the manifest does not name any more, durably; gone is no error.

        Raises LakeUnavailable.
        """
        file = self.root / path
        with _unavailable():
            file.unlink(missing_ok=True)
            if file.parent.is_dir():
                _fsync_folder(file.parent)

    def quarantine(self, path: str) -> str:
        """Move a file out of the readers' sight, durably; return where it is now.

        Raises LakeUnavailable.
        """
        file = self.root / path
        kept = (self.root / QUARANTINE / path).parent
        names = (kept / f"{file.name}.{number}.quarantined" for number in itertools.count(1))
        target = next(name for name in names if not name.exists())
        with _unavailable():
            _make_folder(kept)
            file.replace(target)
            _fsync_folder(kept)
            _fsync_folder(file.parent)
        return target.relative_to(self.root).as_posix()

    def _staging(self, batch: Batch) -> Path:
        return self.root / STAGING / f"{batch.id}.{batch.epoch}.part"

    def _paths(self, folder: Path, pattern: str) -> list[str]:
        found = sorted(path for path in folder.glob(pattern) if not path.is_dir())
        return [path.relative_to(self.root).as_posix() for path in found]

    def _refuse_links_out(self) -> None:
        tree = self.root / TREE
        for folder in (self.root / STAGING, tree, *tree.glob("*/"), *tree.glob("*/*/")):
            self._refuse_outside(folder)

    def _refuse_outside(self, folder: Path) -> None:
        """Raise LakeMisplaced where a link leads out of the lake, to who knows whom."""
        if not folder.resolve().is_relative_to(self.root.resolve()):
            raise LakeMisplaced(f"{folder} leads out of the lake, to {folder.resolve()}")


@contextlib.contextmanager
def _no_residue(staging: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _translate(error) from error
        raise


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _translate(error) from error


def _translate(error: OSError) -> LakeUnavailable:
    misplaced = error.errno in NEEDS_A_PERSON
    kind = LakeMisplaced if misplaced else LakeUnavailable
    return kind(f"{type(error).__name__}: {error}")


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
