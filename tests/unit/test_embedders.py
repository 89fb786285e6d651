"""Embedding models: what they give, what is remembered, what is refused."""

from typing import Literal

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from tools.embedders import REMEMBERED, Embedder, make_embedder, model_name
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import EmbeddingError, EmbeddingRefused
from tools.http import make_http_clients


class Played(Embeddings):
    """Gives what it is told to give, and counts the texts that it is asked for."""

    def __init__(self, rows: list[list[float]] | None = None) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return [[1.0] * 1536 for _ in texts] if self.rows is None else self.rows

    def embed_query(self, text: str) -> list[float]:
        raise RuntimeError("Incorrect API key provided: sk-canary")


async def test_the_local_model_gives_1536_numbers_and_crosses_languages() -> None:
    clients = make_http_clients(timeout=1)
    embedder = make_embedder("local", model="", api_key=None, base_url=None, clients=clients)

    query = await embedder.embed_query("how do I store passwords safely")
    near, far = await embedder.embed_documents(
        ["Guardar las contraseñas con sal y hash", "Dibujar un gráfico de barras"]
    )

    assert query.shape == near.shape == (1536,)
    assert np.linalg.norm(query) == pytest.approx(1.0, abs=1e-3)
    assert float(query @ near) > float(query @ far)
    await clients.aclose()


async def test_the_scripted_model_is_deterministic_and_sees_shared_words() -> None:
    embedder = Embedder("scripted", ScriptedEmbeddings())

    one, other, none = await embedder.embed_documents(["probar la api", "la api", "gato"])

    assert float(one @ other) > 0.7 > float(one @ none)
    again = await Embedder("scripted", ScriptedEmbeddings()).embed_query("probar la api")
    assert again.tolist() == one.tolist()


async def test_a_text_that_was_embedded_lately_is_not_embedded_again() -> None:
    played = Played()
    embedder = Embedder("played", played)

    await embedder.embed_documents(["uno", "dos", "uno"])
    await embedder.embed_documents(["dos", "tres"])

    assert played.asked == ["uno", "dos", "tres"]


async def test_what_is_remembered_is_bounded() -> None:
    played = Played()
    embedder = Embedder("played", played)
    await embedder.embed_documents(["first"])

    await embedder.embed_documents([str(number) for number in range(REMEMBERED)])
    await embedder.embed_documents(["first"])

    assert played.asked.count("first") == 2


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[1.0] * 1535],
        [[float("nan")] * 1536],
        [[0.0] * 1536],
        [[1.0] * 1536, [1.0] * 1536],
    ],
)
async def test_a_vector_that_cannot_be_stored_is_refused(rows: list[list[float]]) -> None:
    embedder = Embedder("played", Played(rows))

    with pytest.raises(EmbeddingError):
        await embedder.embed_documents(["uno"])


async def test_a_provider_s_own_words_stay_out_of_the_error() -> None:
    embedder = Embedder("played", Played())

    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed_query("uno")

    assert "sk-canary" not in caught.value.detail
    assert "RuntimeError" in caught.value.detail


async def test_what_is_remembered_is_told_without_a_call() -> None:
    played = Played()
    embedder = Embedder("played", played)
    await embedder.embed_documents(["uno"])

    known, unknown = embedder.remembered("uno"), embedder.remembered("dos")

    assert known is not None
    assert known.shape == (1536,)
    assert unknown is None
    assert played.asked == ["uno"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, EmbeddingRefused),
        (413, EmbeddingRefused),
        (429, EmbeddingError),
        (500, EmbeddingError),
    ],
)
async def test_a_refusal_of_the_text_is_told_from_a_service_that_is_down(
    status: int, kind: type[EmbeddingError]
) -> None:
    class Failing(Played):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            error = RuntimeError("no")
            error.status_code = status  # type: ignore[attr-defined]  # as openai's errors have it
            raise error

    with pytest.raises(EmbeddingError) as caught:
        await Embedder("played", Failing()).embed_documents(["uno"])

    assert type(caught.value) is kind


@pytest.mark.parametrize("provider", ["local", "scripted", "openai"])
def test_the_name_of_a_model_is_known_without_loading_it(
    provider: Literal["local", "scripted", "openai"],
) -> None:
    clients = make_http_clients(timeout=1)
    embedder = make_embedder(provider, model="m", api_key="k", base_url=None, clients=clients)

    assert model_name(provider, model="m") == embedder.model
