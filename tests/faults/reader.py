"""A reader of the lake that never rests: I6."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tests.lake_oracle import lake_files

PAUSE_SECONDS: Final = 0.01


@contextlib.contextmanager
def open_reader(lake: Path) -> Iterator[list[str]]:
    """Glob the lake and read each file in full, as it comes or changes, until the block ends.

    Yields the list of what could not be read. A file that was compacted away between the glob and
    the reading is none of it.
    """
    unreadable: list[str] = []
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_read_until, stop, lake, unreadable)
        try:
            yield unreadable
        finally:
            stop.set()
            reading.result()


def _read_until(stop: threading.Event, lake: Path, unreadable: list[str]) -> None:
    seen: set[tuple[Path, int, int, int]] = set()
    while not stop.wait(PAUSE_SECONDS):
        for path in lake_files(lake):
            with contextlib.suppress(FileNotFoundError):
                about = path.stat()
                version = (path, about.st_ino, about.st_size, about.st_mtime_ns)
                if version in seen:
                    continue
                try:
                    pq.ParquetFile(path, page_checksum_verification=True).read()
                except FileNotFoundError:
                    raise
                except (OSError, pa.ArrowException) as error:
                    unreadable.append(f"{path.name}: {error}")
                seen.add(version)
