"""What a run of suites has found, as it is written to JSON and read again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evals.estimates import Estimate
from evals.suite import Exchange, Json, Language, Way

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """One case in one way: its scores, and why it fails if it does.

    `failed` names the metrics whose score did not pass. `inputs` to `exchanges` are those of a
    failing case of the product; of the others nobody asks.
    """

    id: str
    language: Language
    slices: tuple[str, ...]
    hard: bool
    passed: bool
    error: str | None
    failed: tuple[str, ...]
    scores: Mapping[str, float]
    tokens: int
    calls: int
    inputs: Json | None = None
    expected: Json | None = None
    data: Json | None = None
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """What a metric says of all cases that it applies to, and of each group of them.

    `minus_naive` is the product's figure minus the naive one's, on the same cases.
    """

    name: str
    question: str
    better: Literal["higher", "lower"]
    tolerance: float
    bound: float | None
    gated: bool
    estimate: Estimate
    groups: Mapping[str, Estimate]
    minus_naive: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class WayResult:
    """All cases of a suite, gone through in one way."""

    way: Way
    cases: tuple[CaseResult, ...]
    metrics: tuple[MetricResult, ...]

    def metric(self, name: str) -> MetricResult | None:
        """Return the result of the metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """What a suite has found of the product, and of the naive way beside it."""

    name: str
    title: str
    model: str
    product: WayResult
    naive: WayResult | None = None


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long the cases of a suite took in one way, in seconds: no part of a comparison."""

    total: float
    p50: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """Suites that were run together. Two offline runs of one program differ in `times` alone."""

    suites: tuple[SuiteResult, ...]
    times: Mapping[str, Times] = field(default_factory=dict)

    def suite(self, name: str) -> SuiteResult | None:
        """Return the result of the suite of that name."""
        return next((suite for suite in self.suites if suite.name == name), None)

    def as_json(self) -> str:
        """Return the results as indented JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def read_results(path: Path) -> Results:
    """Return the results that `Results.as_json` wrote to a file.

    Raises OSError where there is none, ValueError where it holds something else.
    """
    return _adapter().validate_json(path.read_bytes())


def _adapter() -> "TypeAdapter[Results]":
    from pydantic import TypeAdapter

    return TypeAdapter(Results)
