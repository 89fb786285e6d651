"""Folders for what tests throw away, in memory where there is room.

A database is a copy of 470 files: 13 to 19 ms in memory; on a disk 18 ms where it has nothing else
to do, and up to 570 where the servers of four processes share it.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of an unforeseeable name is made in it
ENOUGH_BYTES: Final = 4 * 2**30


@contextlib.contextmanager
def open_scratch(prefix: str = "goals-") -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=MEMORY if has_room else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
