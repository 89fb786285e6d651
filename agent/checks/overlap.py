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


def cosines(ones: Sequence[Vector], others: Sequence[Vector]) -> NDArray[np.float32]:
    """Return the cosine of each of `ones` with each of `others`, shape (ones, others)."""
    if not ones or not others:
        return np.zeros((len(ones), len(others)), dtype=np.float32)
    return unit(np.stack(ones)) @ unit(np.stack(others)).T


def find_overlaps(
    proposals: Sequence[tuple[str, Vector]], existing: Sequence[Named], *, threshold: float
) -> list[Overlap]:
    """Return the proposals (title, vector) that repeat an existing text or an earlier proposal.

    Two texts repeat each other where their titles are equal but for case and spaces, or where the
    cosine of their vectors reaches `threshold`.
    """
    siblings = [
        Named(None, title, vector, index) for index, (title, vector) in enumerate(proposals)
    ]
    others = [*existing, *siblings]
    similar = cosines([vector for _, vector in proposals], [other.vector for other in others])
    named = [_plain(other.title) for other in others]
    known = list(range(len(existing)))
    overlaps: list[Overlap] = []
    for index, (title, _) in enumerate(proposals):
        said = _plain(title)
        nearest = max(
            ((1.0 if named[at] == said else float(similar[index, at]), at) for at in known),
            key=lambda pair: pair[0],
            default=None,
        )
        if nearest is not None and nearest[0] >= threshold:
            overlaps.append(Overlap(index, repeats=others[nearest[1]], similarity=nearest[0]))
            continue
        known.append(len(existing) + index)
    return overlaps


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors, shape (n, dimensions), with the length one; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
