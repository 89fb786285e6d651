"""What every lake is, wherever it keeps its files: their names, how they are written, what is safe.

`<lake>/events/year=YYYY/month=MM/<family>_events-<batch>.parquet` is what readers see; a compacted
month has one `<family>_events.parquet`. What is staged or quarantined is outside the tree they
glob, and not named `.parquet`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from db.batches import Batch, BatchFile
from db.failpoints import hit
from db.manifest import MONTH_PREFIX
from events.lake_location import parse_location

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

ROW_GROUP_ROWS: Final = 100_000
TREE: Final = "events"
STAGING: Final = ".staging"
QUARANTINE: Final = ".quarantine"
EPOCH_KEY: Final = "goals.epoch"

Damage = Literal["missing", "size", "checksum", "unreadable"]


class LakeUnavailable(Exception):
    """The lake cannot be used now: no space, no permission, no answer."""


class LakeMisplaced(LakeUnavailable):
    """The lake cannot be used until somebody corrects its place or its permissions."""


class BatchTakenOver(Exception):
    """Another sink holds the batch by now; what this one wrote is of no use."""


@dataclass(frozen=True, kw_only=True)
class StagedFile:
    """A complete file that no reader sees yet."""

    batch: Batch
    file: BatchFile


class Lake(ABC):
    """Parquet files under a place. Paths are relative to it, with `/`, as in the manifest.

    Every method may raise LakeUnavailable; it may be called again then.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Return where the lake is, as a person would name it."""

    @abstractmethod
    def check(self) -> None:
        """Find out whether files can be put here. Raises LakeMisplaced where a person must act."""

    def stage(self, batch: Batch, table: pa.Table) -> StagedFile:
        """Write `table` aside; the same table gives the same bytes. Leaves nothing if it fails."""
        return self.stage_parts(batch, [table], schema=table.schema)

    @abstractmethod
    def stage_parts(
        self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
    ) -> StagedFile:
        """Write `parts` aside as one file; a row group never spans two parts.

        What the lake knows of the batch's place is looked up here: whoever publishes asks
        PostgreSQL in between whether the batch is still his. Leaves nothing behind if it fails.
        """

    @abstractmethod
    def publish(self, staged: StagedFile) -> BatchFile:
        """Put a staged file in its place in one step, durably; the same file twice is no error.

        Raises BatchTakenOver where the next holder of the batch was there before. A file in the
        tree is never removed.
        """

    @abstractmethod
    def discard(self, staged: StagedFile) -> None:
        """Remove a staged file that is of no use any more."""

    @abstractmethod
    def discard_earlier(self, batch: Batch) -> None:
        """Remove what earlier holders of `batch` left where others could find it."""

    @abstractmethod
    def files(self) -> list[str]:
        """Return the paths of all `.parquet` files below the lake, sorted."""

    @abstractmethod
    def staged(self) -> list[str]:
        """Return the paths of the files in staging, sorted."""

    @abstractmethod
    def quarantined(self) -> list[str]:
        """Return the paths of the files in quarantine, sorted."""

    @abstractmethod
    def holds(self, path: str) -> bool:
        """Tell whether there is anything at `path`."""

    @abstractmethod
    def find_damage(self, file: BatchFile) -> Damage | None:
        """Read a file in full; return how it is not what the manifest says, None if it is."""

    @abstractmethod
    def may_remove(self, path: str) -> bool:
        """Tell whether nobody can put a removed file back who is late with writing it."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file that the manifest does not name any more, durably; gone is no error."""

    @abstractmethod
    def open_tree(self) -> "Path | Dataset | None":
        """Return what a query scans: a folder, or a dataset with `year` and `month`.

        None where there are no files.
        """

    @abstractmethod
    def quarantine(self, path: str) -> str:
        """Move a file out of the readers' sight, durably; return where it is now."""


def open_lake(location: str) -> Lake:
    """Return the lake at `location`, a folder or `s3://bucket/prefix`, without looking at it yet.

    Raises LakeMisplaced for a malformed address.
    """
    try:
        place = parse_location(location)
    except ValueError as error:
        raise LakeMisplaced(str(error)) from error
    if isinstance(place, Path):
        from events.lake_folder import FolderLake

        return FolderLake(place)
    from events.lake_s3 import S3Lake

    return S3Lake(place)


def batch_path(batch: Batch) -> PurePosixPath:
    """Return the path of the batch's file, relative to the lake: the same whoever writes it."""
    folder = PurePosixPath(TREE, f"year={batch.year:04d}", f"month={batch.month:02d}")
    if batch.id.startswith(MONTH_PREFIX):
        return folder / f"{batch.family}_events.parquet"
    return folder / f"{batch.family}_events-{batch.id}.parquet"


def write_parts(handle: Any, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema) -> int:
    """Write `parts` to an open file as the Parquet file of `batch`; return its rows.

    A month's file says in which epoch it was written: its events come and go, and no two epochs
    may give the same bytes (see `events.lake_s3`). Those of a batch only ever go.
    """
    if batch.id.startswith(MONTH_PREFIX):
        schema = schema.with_metadata({**(schema.metadata or {}), EPOCH_KEY: str(batch.epoch)})
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
