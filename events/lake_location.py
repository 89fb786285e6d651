"""Where a lake may be: a folder, or `s3://bucket/prefix`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()/=-]*")
A_SCHEME: Final = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]+):/")


@dataclass(frozen=True, kw_only=True)
class S3Location:
    """A bucket, and what every key in it begins with: nothing, or a path that ends in `/`."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse_location(location: str) -> Path | S3Location:
    """Return what `location` names: `s3://bucket/prefix`, or a folder for everything else.

    Raises ValueError for a malformed address and for the addresses of other kinds of storage.
    """
    scheme = A_SCHEME.match(location)
    if scheme is None:
        return Path(location)
    if scheme["name"] != "s3":
        raise ValueError(f"{scheme['name']}:// is no lake: name a folder, or s3://bucket/prefix")
    rest = location.removeprefix("s3://")
    bucket, _, prefix = rest.partition("/")
    if rest == location or BUCKET.fullmatch(bucket) is None:
        raise ValueError("an address in S3 is s3://bucket/prefix, with the name of a bucket")
    parts = [part for part in prefix.split("/") if part]
    if PREFIX.fullmatch(prefix) is None or {".", ".."} & set(parts):
        raise ValueError("a prefix in S3 is made of letters, digits, and !_.*'()=- between slashes")
    return S3Location(bucket=bucket, prefix="".join(f"{part}/" for part in parts))
