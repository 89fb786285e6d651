"""Vectors that cost nothing: what a request adds is measured without the model that embeds."""

import zlib
from typing import Any, Final

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from db.models import EMBEDDING_DIMENSIONS
from tools.embedders import Embedder

MODEL: Final = "precomputed-1"
_DIRECTIONS: Final = 512
_SEED: Final = 20_240_501


class PrecomputedEmbeddings(Embeddings):
    """A text's vector is the sum of three rows of a table: any two texts have a cosine of about .4.

    Near enough to be found by each other, and too far to be the same goal.
    """

    def __init__(self) -> None:
        chance = np.random.default_rng(_SEED)
        rows = chance.standard_normal((_DIRECTIONS + 1, EMBEDDING_DIMENSIONS))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        weights = np.sqrt([[0.4]] + [[0.3]] * _DIRECTIONS)
        self._rows: NDArray[np.float32] = (rows * weights).astype(np.float32)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector for each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text, an array of shape (1536,) and no list: nothing converts."""
        high, low = divmod(zlib.crc32(text.encode()) % _DIRECTIONS**2, _DIRECTIONS)
        vector: Any = self._rows[0] + self._rows[1 + high] + self._rows[1 + low]
        as_good_as_a_list: list[float] = vector
        return as_good_as_a_list

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector for each text, at once."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a text, at once."""
        return self.embed_query(text)


def make_precomputed_embedder() -> Embedder:
    """Return the embedder; processes that make one agree on every vector."""
    return Embedder(MODEL, PrecomputedEmbeddings())
