"""Embedding models: OpenAI's, a local one, and a scripted one; all give 1536 numbers.

Vectors of different models are never compared: the model's name is stored with each row.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from db.models import EMBEDDING_DIMENSIONS
from tools.errors import EmbeddingError, EmbeddingRefused
from tools.http import MAX_RETRIES, OPENAI_URL, HttpClients

if TYPE_CHECKING:
    import numpy as np
    from langchain_core.embeddings import Embeddings
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


LOCAL_MODEL: Final = "multilingual-e5-small-q4-calibrated-1"
SCRIPTED_MODEL: Final = "scripted-words-1"
MAX_CHARACTERS: Final = 24_000
REMEMBERED: Final = 256

SAME_GOAL: Final = {LOCAL_MODEL: 0.70, SCRIPTED_MODEL: 0.85}
SAME_TASK: Final = {LOCAL_MODEL: 0.84, SCRIPTED_MODEL: 0.95}
"""Cosine above which two goals, or the titles of two tasks of one goal, say the same.

Calibrated e5: «Implementar el endpoint /login» and «… /registro» have .78, «Crear …» and
«Implementar …» the same thing .86.
"""
LEAST_SIMILARITY: Final = {LOCAL_MODEL: 0.15, SCRIPTED_MODEL: 0.05}
BEST_IS_AT_LEAST: Final = {LOCAL_MODEL: 0.25, SCRIPTED_MODEL: 0.05}
"""Cosine below which a row is not near a query, and below which the nearest one is not either."""
GROUND_IS_AT_LEAST: Final = {LOCAL_MODEL: 0.08, SCRIPTED_MODEL: 0.05}
"""Cosine above which a row is a ground for a new goal (tuned on `evals/fixtures/planning`): a wish
for something new is never as near to what there is as a search for it."""
DEFAULT_GROUND_IS_AT_LEAST: Final = 0.12
DEFAULT_LEAST_SIMILARITY: Final = 0.15
DEFAULT_BEST_IS_AT_LEAST: Final = 0.20
TEXTS_A_CALL: Final = {LOCAL_MODEL: 2}
"""A search waits behind a call of the local model, which is no faster for many texts at once."""
DEFAULT_TEXTS_A_CALL: Final = 64
REFUSALS: Final = frozenset({400, 413, 422})
"""What a service answers where it is the text that it cannot use."""
DEFAULT_SAME_GOAL: Final = 0.80
DEFAULT_SAME_TASK: Final = 0.92


@dataclass(frozen=True)
class Embedder:
    """An embedding model under the name that is stored with its vectors.

    The latest document vectors are remembered: what was embedded before a transaction costs no
    call, and so holds no connection, inside it.
    """

    model: str
    embeddings: "Embeddings"
    _latest: "OrderedDict[str, Vector]" = field(default_factory=OrderedDict, repr=False)

    @property
    def same_goal(self) -> float:
        """Return the cosine above which two goals repeat each other."""
        return SAME_GOAL.get(self.model, DEFAULT_SAME_GOAL)

    @property
    def same_task(self) -> float:
        """Return the cosine above which two tasks of one goal repeat each other."""
        return SAME_TASK.get(self.model, DEFAULT_SAME_TASK)

    @property
    def least_similarity(self) -> float:
        """Return the cosine below which a row is not near a query."""
        return LEAST_SIMILARITY.get(self.model, DEFAULT_LEAST_SIMILARITY)

    @property
    def best_is_at_least(self) -> float:
        """Return the cosine below which even the nearest row has nothing to do with a query."""
        return BEST_IS_AT_LEAST.get(self.model, DEFAULT_BEST_IS_AT_LEAST)

    @property
    def ground_is_at_least(self) -> float:
        """Return the cosine above which a new goal can rest on a row."""
        return GROUND_IS_AT_LEAST.get(self.model, DEFAULT_GROUND_IS_AT_LEAST)

    @property
    def texts_a_call(self) -> int:
        """Return how many texts to embed at once where nobody waits for them."""
        return TEXTS_A_CALL.get(self.model, DEFAULT_TEXTS_A_CALL)

    def remembered(self, text: str) -> "Vector | None":
        """Return a text's vector of shape (1536,) where it is among the latest, without a call."""
        return self._latest.get(text[:MAX_CHARACTERS])

    async def embed_query(self, text: str) -> "Vector":
        """Return the vector of a search text, shape (1536,).

        Raises EmbeddingError where the model gives nothing usable.
        """
        try:
            values = await self.embeddings.aembed_query(text[:MAX_CHARACTERS])
        except Exception as error:
            raise self._failed(error) from error
        return self._checked([values], expected=1)[0]

    async def embed_documents(self, texts: Sequence[str]) -> "list[Vector]":
        """Return one vector of shape (1536,) for each text, in order.

        Raises EmbeddingError where the model gives nothing usable, EmbeddingRefused where it may
        for fewer texts.
        """
        wanted = [text[:MAX_CHARACTERS] for text in texts]
        known = {text: self._latest[text] for text in wanted if text in self._latest}
        missing = list(dict.fromkeys(text for text in wanted if text not in known))
        if missing:
            try:
                rows = await self.embeddings.aembed_documents(missing)
            except Exception as error:
                raise self._failed(error) from error
            vectors = self._checked(rows, expected=len(missing))
            known.update(zip(missing, vectors, strict=True))
        self._remember(known)
        return [known[text] for text in wanted]

    def _failed(self, error: Exception) -> EmbeddingError:
        """Name the kind of failure only: a provider's own words can hold a part of the key."""
        refused = getattr(error, "status_code", None) in REFUSALS
        kind = EmbeddingRefused if refused else EmbeddingError
        return kind(f"the embedding model {self.model} failed: {type(error).__name__}")

    def _remember(self, vectors: "dict[str, Vector]") -> None:
        for text, vector in vectors.items():
            self._latest[text] = vector
            self._latest.move_to_end(text)
        while len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)

    def _checked(self, rows: Sequence[Sequence[float]], *, expected: int) -> "list[Vector]":
        import numpy as np

        if len(rows) != expected:
            raise EmbeddingError(f"{self.model} gave {len(rows)} vectors for {expected} texts")
        vectors = [np.asarray(row, dtype=np.float32) for row in rows]
        for vector in vectors:
            if vector.shape != (EMBEDDING_DIMENSIONS,) or not np.isfinite(vector).all():
                raise EmbeddingRefused(f"{self.model} gave no vector of 1536 finite numbers")
            if not vector.any():
                raise EmbeddingRefused(f"{self.model} gave a vector of zeros")
        return vectors


def model_name(provider: Literal["openai", "local", "scripted"], *, model: str) -> str:
    """Return the name that is stored with the vectors of `provider`; `model` is OpenAI's."""
    return {"local": LOCAL_MODEL, "scripted": SCRIPTED_MODEL}.get(provider, model)


def make_embedder(
    provider: Literal["openai", "local", "scripted"],
    *,
    model: str,
    api_key: str | None,
    base_url: str | None,
    clients: HttpClients,
) -> Embedder:
    """Return the embedder of `provider`; the last four count for `openai` alone."""
    from tools.embedding_models import LocalEmbeddings, ScriptedEmbeddings

    if provider == "local":
        return Embedder(LOCAL_MODEL, LocalEmbeddings())
    if provider == "scripted":
        return Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())

    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    address: dict[str, Any] = {
        "api_key": SecretStr(api_key or "none"),
        "base_url": base_url or OPENAI_URL,
    }
    embeddings = OpenAIEmbeddings(
        model=model,
        dimensions=EMBEDDING_DIMENSIONS,
        max_retries=MAX_RETRIES,
        check_embedding_ctx_length=False,  # would download tiktoken's data
        http_client=clients.sync,
        http_async_client=clients.asynchronous,
        **address,
    )
    return Embedder(model, embeddings)
