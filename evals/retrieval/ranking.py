"""What a ranked answer is worth: pure functions, from 0 (worst) to 1 (best).

`ranked` holds the ids of entities, best first; `grades` the judged ones: 2 is exactly what was
asked for, 1 is useful; what is not in it, or has grade 0, is not relevant. An entity that is
ranked again takes up a place and gains nothing.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

EXACT: Final = 2
USEFUL: Final = 1


def recall_at(k: int, ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return the share of the relevant entities, of any grade, that are among the first `k`.

    Raises ValueError where nothing is relevant: there is nothing to recall.
    """
    relevant = _relevant(k, grades)
    return len(relevant & set(ranked[:k])) / len(relevant)


def ndcg_at(k: int, ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return the normalised discounted cumulative gain of the first `k`.

    An entity at rank r gains grade / log2(r + 1), as trec_eval has it; the best possible ranking
    has 1. Raises ValueError where nothing is relevant.
    """
    _relevant(k, grades)
    first = ranked[:k]
    gains = [
        0 if name in first[:place] else grades.get(name, 0) for place, name in enumerate(first)
    ]
    ideal = sorted(grades.values(), reverse=True)[:k]
    return _discounted(gains) / _discounted(ideal)


def reciprocal_rank(
    ranked: Sequence[str], grades: Mapping[str, int], *, at_least: int = EXACT
) -> float:
    """Return 1 / the rank of the first entity with that grade or a better one, 0 without any.

    The mean over queries is the MRR.
    """
    ranks = (rank for rank, name in enumerate(ranked, 1) if grades.get(name, 0) >= at_least)
    first = next(ranks, None)
    return 0.0 if first is None else 1 / first


def no_foreign_row(ranked: Sequence[str], foreign: Collection[str]) -> float:
    """Return 1 where nothing of another owner was found, else 0."""
    return float(set(foreign).isdisjoint(ranked))


def rejected_when_nothing(ranked: Sequence[str]) -> float:
    """Return 1 where a query without any relevant entity found none, else 0."""
    return float(not ranked)


def answered_when_something(ranked: Sequence[str]) -> float:
    """Return 1 where a query with relevant entities found any entity at all, else 0.

    The other side of `rejected_when_nothing`: a cut-off that refuses everything has 0 here.
    """
    return float(bool(ranked))


def _relevant(k: int, grades: Mapping[str, int]) -> set[str]:
    if k < 1:
        raise ValueError("k must be 1 or more")
    relevant = {name for name, grade in grades.items() if grade >= USEFUL}
    if not relevant:
        raise ValueError("nothing is relevant")
    return relevant


def _discounted(gains: Sequence[int]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
