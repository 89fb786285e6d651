"""Where a lake may be, and what is refused before anything is opened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings
from events.lake import LakeMisplaced, open_lake
from events.lake_folder import FolderLake
from events.lake_location import S3Location, parse_location
from events.lake_s3 import S3Lake

MALFORMED = [
    "s3://",
    "s3:///prefix",
    "s3:/bucket/prefix",
    "s3://No_Bucket/prefix",
    "s3://ab",
    "s3://key:secret@bucket/prefix",
    "s3://bucket/a b",
    "s3://bucket/../other",
    "s3://bucket/prefix?region=eu-west-1",
    "S3://bucket/prefix",
    "gs://bucket/prefix",
    "https://bucket.s3.amazonaws.com/prefix",
    "file:///data/lake",
]


@pytest.mark.parametrize(
    ("location", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://my.bucket-1/a", "my.bucket-1", "a/"),
        ("s3://bucket//a//b=c/", "bucket", "a/b=c/"),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(location: str, bucket: str, prefix: str) -> None:
    assert parse_location(location) == S3Location(bucket=bucket, prefix=prefix)
    assert isinstance(open_lake(location), S3Lake)


@pytest.mark.parametrize("location", ["/data/lake", "lake", "./s3", "año's lake", "C:\\lake"])
def test_everything_else_is_a_folder(location: str) -> None:
    assert open_lake(location) == FolderLake(Path(location))


@pytest.mark.parametrize("location", MALFORMED)
def test_a_malformed_address_is_refused(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOALS_LAKE", location)

    with pytest.raises(LakeMisplaced, match=r"s3://bucket/prefix|a prefix in S3"):
        open_lake(location)
    with pytest.raises(ValidationError, match="GOALS_LAKE") as refused:
        Settings(_env_file=None)
    assert len(refused.value.errors()) == 1


def test_a_lake_in_a_folder_and_one_that_nobody_asks_load_no_client_of_s3() -> None:
    program = """
import json, sys
from pathlib import Path
from events.lake import open_lake
open_lake("s3://bucket/prefix")
open_lake("lake").files()
import api.cli, events.consumer, events.query, events.worker
print(json.dumps(sorted(sys.modules)))
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded & {"botocore", "duckdb"} == set()
