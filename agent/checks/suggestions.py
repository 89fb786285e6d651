"""What a suggested goal must be: checkable, in the learner's language, new, no part of another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from agent.checks.language import foreign_texts, is_foreign, leans_foreign
from agent.checks.overlap import Named, Vector, cosine, cosines, find_overlaps, unit
from agent.outputs import SuggestedGoal
from agent.state import Json, Source
from agent.words import Language
from tools.embedders import Embedder
from tools.indexing import goal_text

LEAST_CRITERIA: Final = 2
NEAREST_GOALS: Final = 3

Fault = Literal["language", "criteria"]


@dataclass(frozen=True)
class NewGoal:
    """A suggestion that repeats nothing, and the vector of its text."""

    said: SuggestedGoal
    vector: Vector


@dataclass(frozen=True)
class Judged:
    """A goal by its criteria: `id` of a row, or None for a suggestion; one vector a criterion."""

    id: str | None
    title: str
    criteria: tuple[Vector, ...]

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """Return the criteria as vectors of length one, shape (criteria, 1536)."""
        return unit(np.stack(self.criteria))


@dataclass(frozen=True)
class Part:
    """A suggestion all of whose criteria another goal has; `similarity` is the least of them."""

    index: int
    of: Judged
    similarity: float


def find_fault(goal: SuggestedGoal, language: Language, *, strict: bool) -> Fault | None:
    """Return why a goal cannot be used, None where it can.

    `strict` refuses one sentence in the other language, else the goal as a whole must be in it,
    and criteria that lean to the other one do not count.
    """
    texts = [goal.title, goal.description, goal.why, *goal.criteria]
    if is_foreign(". ".join(texts), language) or (strict and foreign_texts(texts, language)):
        return "language"
    criteria = usable_criteria(goal, language, strict=strict)
    return "criteria" if len(criteria) < LEAST_CRITERIA else None


def usable_criteria(goal: SuggestedGoal, language: Language, *, strict: bool) -> list[str]:
    """Return the distinct criteria of a goal; unless `strict`, those in the learner's language."""
    return distinct(text for text in goal.criteria if strict or not leans_foreign(text, language))


def distinct(texts: Iterable[str]) -> list[str]:
    """Return texts without those that repeat an earlier one but for case, space and full stop."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(" ".join(text.casefold().split()).rstrip(". "), text)
    return list(found.values())


async def drop_repeats(
    said: Sequence[SuggestedGoal], known: Sequence[Json], embedder: Embedder
) -> tuple[list[NewGoal], list[Json]]:
    """Return the goals that neither repeat nor are part of another, and what became of the rest.

    `known` have `id` (None for a suggestion), `title`, `description` and `criteria` (texts).
    """
    new_texts = [goal_text(goal.title, goal.description, goal.criteria) for goal in said]
    old_texts = [goal_text(one["title"], one["description"], one["criteria"]) for one in known]
    criteria = [criterion for goal in said for criterion in goal.criteria]
    vectors = await embedder.embed_documents([*old_texts, *new_texts, *criteria])
    old = [
        Named(one["id"], one["title"], vector) for one, vector in zip(known, vectors, strict=False)
    ]
    new = [NewGoal(goal, vector) for goal, vector in zip(said, vectors[len(known) :], strict=False)]

    overlaps = find_overlaps(
        [(goal.said.title, goal.vector) for goal in new], old, threshold=embedder.same_goal
    )
    repeating = {overlap.index: overlap for overlap in overlaps}
    left = [goal for at, goal in enumerate(new) if at not in repeating]
    parts = find_parts(
        await _by_criteria([(None, one.said.title, one.said.criteria) for one in left], embedder),
        await _by_criteria(_nearest(known, old, left), embedder),
        threshold=embedder.same_task,
    )
    contained = {part.index for part in parts}
    dropped = [
        as_dropped(said[at].title, reason="overlap", of=one.repeats, similarity=one.similarity)
        for at, one in repeating.items()
    ]
    dropped += [
        as_dropped(
            left[part.index].said.title, reason="part", of=part.of, similarity=part.similarity
        )
        for part in parts
    ]
    return [goal for at, goal in enumerate(left) if at not in contained], dropped


def find_parts(
    suggestions: Sequence[Judged], existing: Sequence[Judged], *, threshold: float
) -> list[Part]:
    """Return the suggestions whose criteria are all in another goal's.

    Two criteria are the same where the cosine of their vectors reaches `threshold`. Of two
    suggestions with the same criteria the later one goes.
    """
    parts: list[Part] = []
    left = list(enumerate(suggestions))
    for index, suggestion in reversed(list(left)):
        others = [*existing, *(other for at, other in left if at != index)]
        likeness = [_contained(suggestion, other) for other in others]
        nearest = max(range(len(others)), key=likeness.__getitem__, default=None)
        if nearest is None or likeness[nearest] < threshold:
            continue
        parts.append(Part(index, of=others[nearest], similarity=likeness[nearest]))
        left.remove((index, suggestion))
    return parts[::-1]


async def nearest_source(
    goal: NewGoal, sources: Sequence[Source], embedder: Embedder
) -> str | None:
    """Return the id of the source that is nearest to a goal, None where none is near."""
    vectors = await embedder.embed_documents([source["content"] for source in sources])
    near = [
        (cosine(goal.vector, vector), source["entity_id"])
        for source, vector in zip(sources, vectors, strict=True)
    ]
    similarity, entity_id = max(near, default=(0.0, ""))
    return entity_id if similarity >= embedder.ground_is_at_least else None


def as_dropped(
    title: str,
    *,
    reason: Fault | Literal["overlap", "part"],
    of: Named | Judged | None = None,
    similarity: float | None = None,
) -> Json:
    """Return a suggestion that is left out as callers see it; `of` is what it repeats."""
    return {
        "title": title,
        "reason": reason,
        "repeats": of.title if of else None,
        "continue_goal_id": of.id if of else None,
        "similarity": None if similarity is None else round(similarity, 3),
    }


def _nearest(
    known: Sequence[Json], old: Sequence[Named], new: Sequence[NewGoal]
) -> list[tuple[str | None, str, Sequence[str]]]:
    """Return the few known goals that are nearest to any new one: the others contain none."""
    if not new:
        return []

    nearness = cosines([one.vector for one in old], [goal.vector for goal in new]).max(axis=1)
    near = sorted(range(len(known)), key=lambda at: float(nearness[at]), reverse=True)
    near = near[:NEAREST_GOALS]
    return [(known[at]["id"], known[at]["title"], known[at]["criteria"]) for at in near]


async def _by_criteria(
    goals: Sequence[tuple[str | None, str, Sequence[str]]], embedder: Embedder
) -> list[Judged]:
    texts = [criterion for _, _, criteria in goals for criterion in criteria]
    vectors = iter(await embedder.embed_documents(texts))
    return [
        Judged(goal_id, title, tuple(next(vectors) for _ in criteria))
        for goal_id, title, criteria in goals
    ]


def _contained(goal: Judged, other: Judged) -> float:
    """Return how near the least covered of the goal's criteria is to one of the other's."""
    if not goal.criteria or not other.criteria:
        return 0.0
    return float((goal.directions @ other.directions.T).max(axis=1).min())
