"""A lake in a bucket of S3, or of what speaks its protocol: one conditional put for each file.

A bucket has no rename, and nothing that a next holder could take from a stalled one, as it takes
the staged file in a folder. So what may be late is refused by the server. Let X hold a batch in
some epoch, stall, and be overtaken by Y, whose rows may be fewer: a user was erased.

1. X looks at the key (`seen`), then asks PostgreSQL whether the batch is his, then puts on the
   condition that the key is as seen: absent, or with the same ETag. Y took over after X asked, so
   Y looks after X looked. If X's put comes before Y's, Y's condition fails, Y looks and asks again,
   and replaces it. If it comes after Y's, the key is not as X saw it, and X's fails. X never looks
   again to overwrite what he finds then: that could be Y's.
2. An ETag follows from the bytes, so the key could be again as X saw it. The rows of a batch only
   ever go: if Y's bytes are those that X saw, X's rows are the same too. A month's rows come and
   go, so its file says in which epoch it was written, and no two are alike.
3. The key could be absent again: compaction removes files. A put is signed with its time, and S3
   refuses it when that is 15 minutes off, either way. X signs at most PUT_SECONDS after he looked:
   this is checked behind the signature, so that a process that sleeps in between cannot wake to a
   fresh one. X saw the key absent before the object now there was made; once that is SETTLING old
   by the server's clock, nobody's put can follow its removal, and not before may it be removed.
   Scrub does not wait with what is damaged: its rebuild replaces what comes there then, as in 1.

A bucket with versions keeps what is replaced and removed: its life cycle must end old versions.
"""

import contextlib
import hashlib
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa

from db.batches import Batch, BatchFile
from db.failpoints import hit
from events.lake import (
    QUARANTINE,
    STAGING,
    TREE,
    BatchTakenOver,
    Damage,
    Lake,
    LakeUnavailable,
    StagedFile,
    batch_path,
    write_parts,
)
from events.lake_location import S3Location
from events.s3_bucket import Bucket, Moment, S3Object
from events.s3_client import Patience

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

SETTLING: Final = timedelta(hours=1)
LARGEST_PUT: Final = 5 * 1024**3


@dataclass(frozen=True, kw_only=True)
class StagedObject(StagedFile):
    """A complete file without a name on this machine, and what was at its key before."""

    content: IO[bytes]
    seen: S3Object | None
    looked_at: Moment


class S3Lake(Lake):
    """Parquet files below a prefix of a bucket."""

    def __init__(
        self, place: S3Location, *, patience: Patience | None = None, settling: timedelta = SETTLING
    ) -> None:
        self._place = place
        self._bucket = Bucket(place, patience=patience or Patience())
        self._settling = settling

    @property
    def location(self) -> str:
        """Return the address, s3://bucket/prefix."""
        return str(self._place)

    def check(self) -> None:
        """Put, list and delete a small object; find out whether conditions are honoured."""
        self._bucket.probe()

    def stage_parts(
        self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
    ) -> StagedObject:
        """Write `parts` to a file without a name on this machine, and look at the batch's key.

        Raises LakeUnavailable, and leaves nothing behind, as does the death of this process.
        """
        path = str(batch_path(batch))
        with contextlib.ExitStack() as stack:
            try:
                content = stack.enter_context(tempfile.TemporaryFile())
                rows = write_parts(content, batch, parts, schema=schema)
                content.flush()
                size = content.tell()
                content.seek(0)
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            except OSError as error:
                raise LakeUnavailable(f"{type(error).__name__}: {error}") from error
            if size > LARGEST_PUT:
                raise LakeUnavailable(f"{path}: {size} bytes are more than one put may have")
            hit("sink.closed_before_fsync")
            looked_at = Moment.now()
            seen = self._bucket.look(path)
            stack.pop_all()
        file = BatchFile(path=path, rows=rows, bytes=size, sha256=sha256)
        staged = StagedObject(
            batch=batch, file=file, content=content, seen=seen, looked_at=looked_at
        )
        weakref.finalize(staged, content.close)
        return staged

    def publish(self, staged: StagedFile) -> BatchFile:
        """Put a staged file on the condition that its key is as it was; a repeat is no error.

        Raises BatchTakenOver where a batch in its first epoch finds another's file, which can only
        be a later holder's, and LakeUnavailable for everything that a repetition heals.
        """
        assert isinstance(staged, StagedObject), "staged by another lake"
        with staged.content:
            if not self._put(staged):
                self._refuse_other_content(staged)
            hit("sink.after_rename")
        return staged.file

    def discard(self, staged: StagedFile) -> None:
        """Remove a staged file that is of no use any more."""
        assert isinstance(staged, StagedObject), "staged by another lake"
        staged.content.close()

    def discard_earlier(self, batch: Batch) -> None:
        """Do nothing: what others staged is on their machines, and refused when it comes late."""

    def files(self) -> list[str]:
        """Return the paths of all `.parquet` files in the tree, sorted; others' are not ours."""
        return [path for path in self._bucket.paths(f"{TREE}/") if path.endswith(".parquet")]

    def staged(self) -> list[str]:
        """Return the paths of the files in staging: none, unless somebody put them there."""
        return self._bucket.paths(f"{STAGING}/")

    def quarantined(self) -> list[str]:
        """Return the paths of the files in quarantine, sorted."""
        return self._bucket.paths(f"{QUARANTINE}/")

    def holds(self, path: str) -> bool:
        """Tell whether there is an object at `path`."""
        return self._bucket.look(path) is not None

    def find_damage(self, file: BatchFile) -> Damage | None:
        """Read an object in full; return how it is not what the manifest says, None if it is.

        Damage is damage where a second look finds it too: an answer may be wrong once.
        """
        return self._find_damage(file) and self._find_damage(file)

    def open_tree(self) -> "Dataset | None":
        """Return a dataset over all files, with all their columns; None where there are none."""
        paths = self.files()
        return self._bucket.open_dataset(paths) if paths else None

    def may_remove(self, path: str) -> bool:
        """Tell whether the object is gone, or so old that no late put can follow its removal."""
        found = self._bucket.look(path)
        return found is None or found.age >= self._settling

    def remove(self, path: str) -> None:
        """Remove an object that the manifest does not name any more; gone is no error."""
        self._bucket.remove(path)

    def quarantine(self, path: str) -> str:
        """Move an object out of the readers' sight; return where it is now."""
        before = self._bucket.paths(f"{QUARANTINE}/{path}.")
        number = 1
        while (kept := f"{QUARANTINE}/{path}.{number}.quarantined") in before:
            number += 1
        self._bucket.move(path, to=kept)
        return kept

    def _put(self, staged: StagedObject) -> bool:
        if staged.seen is not None and staged.seen.is_copy_of(staged.file):
            return False  # put before, by one who did not come to say so: to be looked at again
        return self._bucket.put(
            staged.file, staged.content, over=staged.seen, looked_at=staged.looked_at
        )

    def _refuse_other_content(self, staged: StagedObject) -> None:
        found = self._bucket.look(staged.file.path)
        if found is not None and found.is_copy_of(staged.file):
            return
        if found is not None and staged.batch.epoch == 1:
            raise BatchTakenOver(staged.batch.id)
        raise LakeUnavailable(f"{staged.file.path} changed while it was written: once more")

    def _find_damage(self, file: BatchFile) -> Damage | None:
        found = self._bucket.look(file.path)
        if found is None:
            return "missing"
        if found.size != file.bytes:
            return "size"
        return None if self._bucket.digest(file.path) == file.sha256 else "checksum"
