"""Objects below a prefix of a bucket: looked at, put on a condition, listed, read, moved, removed.

Paths are relative to the prefix. Whatever goes wrong is LakeUnavailable, one line without secrets.
"""

import base64
import contextlib
import hashlib
import time
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final

from db.batches import BatchFile
from events.lake import LakeMisplaced, LakeUnavailable
from events.lake_location import S3Location
from events.s3_client import Patience, make_client, make_session, open_file_system, translated

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

PUT_SECONDS: Final = 60.0
PROBES: Final = ".probe"
CHUNK_BYTES: Final = 1 << 20
NO_ETAG: Final = f'"{"0" * 32}"'
CONDITION_FAILED: Final = frozenset({404, 409, 412})

_looked_at: ContextVar["Moment"] = ContextVar("looked_at")


@dataclass(frozen=True)
class Moment:
    """A moment by both clocks of this machine (seconds): either may stand still, or be set."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> "Moment":
        """Return this moment."""
        return cls(time.monotonic(), time.time())

    def seconds_since(self) -> float:
        """Return how long ago it was, by the clock that says more."""
        now = Moment.now()
        return max(now.monotonic - self.monotonic, now.wall - self.wall)


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """An object as a look at its key found it; `age` is by the server's clock."""

    etag: str
    size: int
    sha256: str | None
    age: timedelta

    def is_copy_of(self, file: BatchFile) -> bool:
        """Tell whether it was put with the content of `file`."""
        return (self.size, self.sha256) == (file.bytes, file.sha256)


class Bucket:
    """What is below the prefix of `place`; nothing is sent before a method is called."""

    def __init__(self, place: S3Location, *, patience: Patience) -> None:
        self._place = place
        self._patience = patience

    def probe(self) -> None:
        """List, put and delete; raise LakeMisplaced where conditions of a put are not honoured."""
        target = self._target(f"{PROBES}/{uuid.uuid4().hex}")
        with self._translated() as client:
            client.list_objects_v2(Bucket=self._place.bucket, Prefix=self._place.prefix, MaxKeys=1)
            client.put_object(**target, Body=b"", IfNoneMatch="*")
            refused = [
                not _is_done(client, target | {"Body": b"", "IfNoneMatch": "*"}),
                not _is_done(client, target | {"Body": b"", "IfMatch": NO_ETAG}),
            ]
            client.delete_object(**target)
        if not all(refused):
            raise LakeMisplaced(f"{self._place}: the server ignores If-None-Match or If-Match")

    def paths(self, prefix: str) -> list[str]:
        """Return the paths of all objects that begin with `prefix`, sorted."""
        with self._translated() as client:
            pages = list(
                client.get_paginator("list_objects_v2").paginate(
                    Bucket=self._place.bucket, Prefix=f"{self._place.prefix}{prefix}"
                )
            )
        if not all("Name" in page for page in pages):  # as an empty list any page would be read
            raise LakeUnavailable(f"{self._place}: ListObjectsV2 is answered by no S3")
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return sorted(key.removeprefix(self._place.prefix) for key in keys)

    def look(self, path: str) -> S3Object | None:
        """Return what is at `path`, None where nothing is."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # ships none

        with self._translated() as client:
            try:
                head = client.head_object(**self._target(path))
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
        try:
            now: datetime = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
            return S3Object(
                etag=head["ETag"],
                size=head["ContentLength"],
                sha256=head["Metadata"].get("sha256"),
                age=now - head["LastModified"],
            )
        except (KeyError, ValueError) as error:
            raise LakeUnavailable(f"{self._place}: HeadObject is answered by no S3") from error

    def put(
        self, file: BatchFile, content: IO[bytes], *, over: S3Object | None, looked_at: Moment
    ) -> bool:
        """Put `file` if its key holds what `over` says, None for nothing; tell whether it did.

        Raises LakeUnavailable, and sends nothing, more than PUT_SECONDS after `looked_at`.
        """
        content.seek(0)
        arguments = self._target(file.path) | {
            "Body": content,
            "ContentLength": file.bytes,
            "ContentType": "application/vnd.apache.parquet",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(file.sha256)).decode(),
            "Metadata": {"sha256": file.sha256},
        }
        arguments |= {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
        token = _looked_at.set(looked_at)
        try:
            with self._translated() as client:
                return _is_done(client, arguments)
        finally:
            _looked_at.reset(token)

    def digest(self, path: str) -> str:
        """Read what is at `path` in full; return its SHA-256 in hexadecimal digits."""
        digest = hashlib.sha256()
        with self._translated() as client:
            answer = client.get_object(**self._target(path))
            with contextlib.closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    digest.update(chunk)
        return digest.hexdigest()

    def remove(self, path: str) -> None:
        """Remove what is at `path`; nothing there is no error."""
        with self._translated() as client:
            client.delete_object(**self._target(path))

    def move(self, path: str, *, to: str) -> None:
        """Copy what is at `path`, then remove it there."""
        source = self._target(path)
        with self._translated() as client:
            client.copy_object(**self._target(to), CopySource=source)
            client.delete_object(**source)

    def open_dataset(self, paths: list[str]) -> "Dataset":
        """Return the Parquet files at `paths` as one table with all their columns."""
        from events.s3_dataset import make_dataset

        root = f"{self._place.bucket}/{self._place.prefix}"
        with self._translated() as client:
            files = open_file_system(
                self._session, client, bucket=self._place.bucket, patience=self._patience
            )
            return make_dataset(files, root, paths=paths)

    @cached_property
    def _session(self) -> Any:
        return make_session()

    @cached_property
    def _client(self) -> Any:
        client = make_client(self._session, self._patience)
        client.meta.events.register("before-send.s3.PutObject", _refuse_late)
        return client

    @contextlib.contextmanager
    def _translated(self) -> Iterator[Any]:
        with translated(str(self._place)):
            yield self._client

    def _target(self, path: str) -> dict[str, Any]:
        return {"Bucket": self._place.bucket, "Key": f"{self._place.prefix}{path}"}


def _is_done(client: Any, arguments: dict[str, Any]) -> bool:
    """Put an object; tell whether it was done, or its condition failed."""
    from botocore.exceptions import ClientError

    try:
        answer = client.put_object(**arguments)
    except ClientError as error:
        if _status(error) in CONDITION_FAILED and error.response["Error"]["Code"] != "NoSuchBucket":
            return False
        raise
    if not answer.get("ETag"):
        raise LakeUnavailable("PutObject is answered by no S3")
    return True


def _refuse_late(**_request: Any) -> None:
    """Keep a put from being sent, once it is signed, that comes too late after the look."""
    looked_at = _looked_at.get(None)
    if looked_at is not None and looked_at.seconds_since() > PUT_SECONDS:
        raise LakeUnavailable(f"a put was signed more than {PUT_SECONDS:.0f} seconds late")


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
