"""The ways to search that the set compares: the product's, its halves, and a naive one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from db.retrieval import Found, Retrieval
from evals.retrieval.cases import MAIN, RetrievalSet
from tools.context import ToolContext
from tools.search import EVERYTHING, LEAST_COVERAGE, search_everything

NO_WORDS = 2.0
"""A coverage that no words have: with it, meaning alone decides."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Fused:
    """The product's verb over all types, as it is without further wishes."""

    mode: str = "fused"

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        """Return the ids of what the verb finds, best first."""
        result = await search_everything(tools, query, limit=limit)
        return [hit.entity_id for hit in result.hits]


@dataclass(frozen=True)
class ByMeaning:
    """The product's statement with its cut-offs, where no word counts."""

    mode: str = "dense"

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        """Return the ids of what is near, nearest first; nothing where even the nearest is far."""
        vector = await tools.embedder.embed_query(query)
        found = await _retrieve(tools, query, vector, limit=limit, least_coverage=NO_WORDS)
        near = max((each.similarity or -1.0 for each in found), default=-1.0)
        return _ids(found) if near >= tools.embedder.best_is_at_least else []


@dataclass(frozen=True)
class ByWords:
    """What the verb does where the embedding model does not answer."""

    mode: str = "text"

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        """Return the ids of what has the words, best first."""
        return _ids(await _retrieve(tools, query, None, limit=limit, least_coverage=LEAST_COVERAGE))


@dataclass(frozen=True)
class Naive:
    """The model's vectors as they are: the nearest by cosine, whatever is asked.

    `passages` has one row for each document of the learner, in the order of `names`; `queries` one
    for each text that is asked. All have length 1.
    """

    names: Sequence[str]
    passages: Matrix
    queries: dict[str, Matrix] = field(repr=False)
    mode: str = "naive"

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        """Return the ids of the nearest."""
        order = np.argsort(-(self.passages @ self.queries[query]), kind="stable")
        return [self.names[place] for place in order[:limit]]


def make_naive(cases: RetrievalSet, passages: Matrix, queries: Matrix) -> Naive:
    """Return the naive search in vectors (any length) of all documents and of all queries."""
    own = [place for place, each in enumerate(cases.documents) if each.owner == MAIN]
    asked = _unit(queries)
    return Naive(
        names=[cases.documents[place].id for place in own],
        passages=_unit(passages)[own],
        queries={query.text: asked[place] for place, query in enumerate(cases.queries)},
    )


async def _retrieve(
    tools: ToolContext, query: str, vector: Matrix | None, *, limit: int, least_coverage: float
) -> list[Found]:
    return await Retrieval(tools.session, tools.user_id).search(
        query,
        vector,
        model=tools.embedder.model,
        scope=EVERYTHING,
        limit=limit,
        least_similarity=tools.embedder.least_similarity,
        least_coverage=least_coverage,
    )


def _ids(found: Sequence[Found]) -> list[str]:
    return [each.entity_id for each in found]


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
