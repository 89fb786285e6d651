"""Which texts say the same thing: of proposals among each other, and against what exists."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Named:
    """A text that proposals are compared with: a row by its `id`, or a sibling by its `index`."""

    id: str | None
    title: str
    vector: Vector
    index: int | None = None


@dataclass(frozen=True)
class Overlap:
    """A proposal that is left out, and what it repeats; `similarity` is a cosine."""

    index: int
    repeats: Named
    similarity: float


def cosine(one: Vector, other: Vector) -> float:
    """Return the cosine of two vectors of the same length; 0 where one of them is zero."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def find_overlaps(
    proposals: Sequence[tuple[str, Vector]], existing: Sequence[Named], *, threshold: float
) -> list[Overlap]:
    """Return the proposals (title, vector) that repeat an existing text or an earlier proposal.

    Two texts repeat each other where their titles are equal but for case and spaces, or where the
    cosine of their vectors reaches `threshold`.
    """
    known = list(existing)
    overlaps: list[Overlap] = []
    for index, (title, vector) in enumerate(proposals):
        nearest = max(
            ((_similarity(title, vector, other), other) for other in known),
            key=lambda pair: pair[0],
            default=None,
        )
        if nearest is not None and nearest[0] >= threshold:
            overlaps.append(Overlap(index, repeats=nearest[1], similarity=nearest[0]))
            continue
        known.append(Named(None, title, vector, index))
    return overlaps


def _similarity(title: str, vector: Vector, other: Named) -> float:
    if " ".join(title.casefold().split()) == " ".join(other.title.casefold().split()):
        return 1.0
    return cosine(vector, other.vector)
