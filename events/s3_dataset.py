"""Parquet files of different families and ages as one table, read through Arrow."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from events.lake import LakeUnavailable

READERS: Final = 16
PARTITION: Final = pa.schema([pa.field("year", pa.int64()), pa.field("month", pa.int64())])


def make_dataset(files: Any, root: str, *, paths: Sequence[str]) -> ds.Dataset:
    """Return the files at `root` + each of `paths` as a dataset of all their columns.

    A column that a file does not have is null there; `year` and `month` are its folders'. Raises
    LakeUnavailable, which names the file, for one that cannot be read.
    """
    with ThreadPoolExecutor(READERS) as pool:
        schemas = list(pool.map(partial(_read_schema, files), [f"{root}{path}" for path in paths]))
    schema = pa.unify_schemas([*schemas, PARTITION], promote_options="permissive")
    return ds.dataset(
        [f"{root}{path}" for path in paths],
        schema=schema.remove_metadata(),
        format="parquet",
        filesystem=files,
        partitioning=ds.partitioning(PARTITION, flavor="hive"),
        partition_base_dir=root,
    )


def _read_schema(files: Any, path: str) -> pa.Schema:
    try:
        return pq.read_schema(path, filesystem=files)
    except (OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"{path} cannot be read: {' '.join(str(error).split())}") from error
