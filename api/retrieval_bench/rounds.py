"""Time and recall of every way: in each round each of them, so that all meet the same machine."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from api.retrieval_bench.goals import JUDGED_BY, WORDS
from api.retrieval_bench.owners import Corpus, Query, find_nearest
from api.retrieval_bench.plan import TASKS, Plan, Site
from api.retrieval_bench.ways import Way
from db.retrieval import EXACT_UP_TO_ROWS
from events.bench.figures import Figure, percentile

LARGE_OWNER: Final = 1_000
SMALL_OWNER: Final = 100


@dataclass
class Samples:
    """What was measured of one way; seconds by round, in the order of the queries of each set."""

    seconds: list[list[float]] = field(default_factory=list)
    learner_seconds: list[list[float]] = field(default_factory=list)
    rates: dict[int, list[float]] = field(default_factory=dict)
    answers: list[Sequence[int]] = field(default_factory=list)


async def measure_ways(
    ways: Mapping[str, Way], corpus: Corpus, *, plan: Plan, site: Site
) -> list[Figure]:
    """Return the figures of every way: time, throughput where the plan has it, and recall."""
    samples = {name: Samples() for name in ways}
    for name, way in ways.items():
        site.announce(f"warming: {name}")
        samples[name].answers = [await way.search(query) for query in corpus.queries]
        await _seconds(way, corpus.learner_queries)
    for number in range(plan.rounds):
        # Every other round in reverse: what one way leaves to the next is not always the same.
        for name, way in list(ways.items())[:: 1 if number % 2 == 0 else -1]:
            site.announce(f"round {number + 1} of {plan.rounds}: {name}")
            samples[name].seconds.append(await _seconds(way, corpus.queries))
            samples[name].learner_seconds.append(await _seconds(way, corpus.learner_queries))
            if "throughput" in plan.sections:
                for tasks in TASKS:
                    rate = await _rate(way, corpus, tasks=tasks)
                    samples[name].rates.setdefault(tasks, []).append(rate)
    return [
        figure
        for name, way in ways.items()
        for figure in _figures(name, way, samples[name], corpus=corpus)
    ]


async def _seconds(way: Way, queries: Sequence[Query]) -> list[float]:
    taken = []
    for query in queries:
        started = time.perf_counter()
        await way.search(query)
        taken.append(time.perf_counter() - started)
    return taken


async def _rate(way: Way, corpus: Corpus, *, tasks: int) -> float:
    """Return the searches a second of `tasks` at once that share the queries."""
    waiting = iter(corpus.queries)

    async def work() -> None:
        for query in waiting:
            await way.search(query)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return len(corpus.queries) / (time.perf_counter() - started)


def _figures(name: str, way: Way, samples: Samples, *, corpus: Corpus) -> Iterator[Figure]:
    def figure(part: str, unit: str, values: Sequence[float]) -> Figure:
        return Figure(name=f"{name}.{part}", what=WORDS[name], unit=unit, values=tuple(values))

    rounds = [[each * 1e3 for each in one] for one in samples.seconds]
    yield figure("p50", "ms", [percentile(one, 0.5) for one in rounds])
    few = [corpus.sizes[query.owner] <= SMALL_OWNER for query in corpus.queries]
    if any(few):
        yield figure(
            "p50_small", "ms", [percentile(list(compress(one, few)), 0.5) for one in rounds]
        )
    yield figure("p95", "ms", [percentile(one, 0.95) for one in rounds])
    for share in (0.5, 0.95):
        values = [percentile(one, share) * 1e3 for one in samples.learner_seconds]
        yield figure(f"p{share * 100:.0f}_learner", "ms", values)
    yield figure("mean", "ms", [statistics.mean(one) for one in rounds])
    for tasks, rates in samples.rates.items():
        yield figure(f"qps_{tasks}", "1/s", rates)
    for part, value in judge(samples.answers, corpus, typed=way.typed).items():
        if part in JUDGED_BY.get(name, (part,)):
            yield figure(part, "rows" if part == "missing" else "share", [value])


def judge(answers: Sequence[Sequence[int]], corpus: Corpus, *, typed: bool) -> dict[str, float]:
    """Return what the answers to the corpus's queries are worth beside brute force.

    `recall` is the mean, `recall_large` that of owners above 1,000 rows, `recall_small` the worst
    of owners up to 4,000, `recall_worst` that of all; `missing` counts the rows that were not
    returned where the owner has them. A group without queries is left out.
    """
    recalls: list[tuple[int, float]] = []
    missing = 0
    for query, answer in zip(corpus.queries, answers, strict=True):
        nearest, many = find_nearest(corpus, query, typed=typed)
        missing += many - len(set(answer))
        if many:
            recalls.append(
                (int(corpus.sizes[query.owner]), min(1.0, len(nearest & set(answer)) / many))
            )
    large = [recall for size, recall in recalls if size > LARGE_OWNER]
    small = [recall for size, recall in recalls if size <= EXACT_UP_TO_ROWS]
    found = {"recall": statistics.mean(recall for _, recall in recalls)}
    if large:
        found["recall_large"] = statistics.mean(large)
    if small:
        found["recall_small"] = min(small)
    return found | {"recall_worst": min(recall for _, recall in recalls), "missing": missing}
