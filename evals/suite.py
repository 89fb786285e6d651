"""What a suite is: cases go through a task, and metrics say what came out is worth.

Nothing heavy is imported here: a suite's own package does that where it is opened.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from agent.models import ChatModel
    from evals.recordings import Recordings
    from tools.embedders import Embedder
    from tools.embedding_models import Engine

Json = dict[str, Any]
Language = Literal["es", "en"]
Way = Literal["product", "naive"]
WAYS: Final[tuple[Way, ...]] = ("product", "naive")
"""The product as it is, and one bare call to the same model."""

Score = float | None
"""None where the metric does not apply to the case."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is asked, and what is known of a right answer.

    `slices` are the groups that the report tells apart; a `hard` case that passes may never newly
    fail, whatever the means say.
    """

    id: str
    language: Language
    inputs: Json
    expected: Json = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    hard: bool = False


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What was said to the model and what it said: the report shows it where a case fails."""

    prompt: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a case, in JSON: metrics see nothing else.

    `error` is a stable code where there is nothing to judge; such a case fails. `seconds` is
    shown and never compared.
    """

    data: Json = field(default_factory=dict)
    error: str | None = None
    exchanges: tuple[Exchange, ...] = ()
    tokens: int = 0
    calls: int = 0
    seconds: float = 0.0


Scored = tuple[Case, Outcome, float]
"""A case that a metric applies to, its outcome, and the score."""


def mean(scored: Sequence[Scored]) -> float:
    """Return the mean score."""
    return math.fsum(score for _, _, score in scored) / len(scored)


def is_perfect(score: float) -> bool:
    """Tell whether a score leaves nothing to wish for."""
    return score >= 1.0


def always(score: float) -> bool:
    """Tell that any score will do: the metric is read as a whole and fails no case."""
    return not math.isnan(score)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A pure judgement, named by the risk that it watches.

    `question` is the line that the report shows. A case fails where one of its scores does not
    pass. `gather` makes one figure of the scores (it is also called on resampled ones, so it takes
    repeated cases); the gate allows it to fall behind the baseline by `tolerance`, never to be on
    the wrong side of `bound`; of a metric that is not `gated` it only tells.
    """

    name: str
    question: str
    score: Callable[[Case, Outcome], Score]
    gather: Callable[[Sequence[Scored]], float] = mean
    better: Literal["higher", "lower"] = "higher"
    tolerance: float = 0.0
    bound: float | None = None
    gated: bool = True
    passes: Callable[[float], bool] = is_perfect


@dataclass(frozen=True)
class Model:
    """What a suite is measured with: the product's own chat model and embedding model.

    `recordings` are what stands between the chat model and its server; None where nothing does.
    `name` is the model's, for the report. `engine` is what the embedding model calibrates.
    """

    chat: "ChatModel"
    embedder: "Embedder"
    recordings: "Recordings | None"
    name: str
    engine: "Engine | None" = None


Task = Callable[[Case], Awaitable[Outcome]]
"""Goes through one case. What it raises is the outcome's error, and fails the case."""


def everything(_case: Case) -> bool:
    """Tell of every case that the naive way sees it."""
    return True


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Cases, a task for each way, and the metrics.

    `open` yields the task; what it needs (a database, a graph) lives as long as that. `at_once`
    bounds the cases under way at a time. `fixtures` is the folder of its cases and recordings.
    The naive way goes through the cases of `naive_sees` alone where the model is too slow for all;
    both ways are compared on those. `measures` says which of the two models the figures are of.
    """

    name: str
    title: str
    load: Callable[[], Sequence[Case]]
    metrics: tuple[Metric, ...]
    fixtures: Path
    open: Callable[[Way, Model], AbstractAsyncContextManager[Task]]
    at_once: int = 6
    naive_sees: Callable[[Case], bool] = everything
    measures: Literal["chat", "embeddings"] = "chat"
