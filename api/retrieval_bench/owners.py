"""The rows of a bench: owners by Zipf's law, vectors in clusters, texts from real words.

A synthetic row lies around one of its owner's topics: the topic's centre and the row's own noise
are Gaussian with a spectrum that falls as i^-0.7, which leaves about 235 of the 1536 dimensions
effective. Two rows of one topic have a cosine of about .5, two of different topics about .1. One
owner's rows are real sentences, embedded by the local model.

There are two sets of queries. `queries` are drawn by size: half of them by class of size, half by
how many rows an owner has, so that every path is asked, the slow ones more often than they are in
life. `learner_queries` are drawn by learner, each as likely as another: what a learner feels. Most
have little, so their median is the time of a search in a few rows.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.retrieval_bench.plan import LIMIT, SEED
from db.models import EMBEDDING_DIMENSIONS
from tools.indexing import ENTITY_TYPES

SMALLEST_OWNER: Final = 5
LARGEST_SHARE: Final = 0.2
ZIPF: Final = 1.2
TOPICS: Final = 400
TOPICS_OF_AN_OWNER: Final = 12
TYPE_SHARES: Final = (0.2, 0.45, 0.05, 0.2, 0.1)
SPECTRUM: Final = 0.35
COMMON, OF_TOPIC, OF_ROW = 0.33, 0.65, 0.70
TOPIC_WORDS: Final = 40
SIZE_CLASSES: Final = (20, 100, 1_000, 4_000)
"""Owners up to these sizes, and those above, make the classes that queries are drawn from."""

Matrix = NDArray[np.float32]
Indices = NDArray[np.int64]
Embed = Callable[[Sequence[str]], Matrix]


def owner_sizes(rows: int) -> list[int]:
    """Return how many rows each owner has, largest first: `rows` in all, none below 5."""
    largest = max(SMALLEST_OWNER, int(rows * LARGEST_SHARE))
    sizes: list[int] = []
    left = rows
    while left:
        size = max(SMALLEST_OWNER, round(largest / (len(sizes) + 1) ** ZIPF))
        if left - size < SMALLEST_OWNER:
            size = left
        sizes.append(size)
        left -= size
    return sizes


@dataclass(frozen=True, kw_only=True)
class Query:
    """A search by an owner; `entity_type` is what a search with a filter asks for."""

    owner: int
    vector: Matrix
    text: str
    entity_type: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """All rows, those of one owner side by side: owner n has `starts[n]` to `starts[n + 1]`."""

    starts: Indices
    vectors: Matrix
    types: NDArray[np.int8]
    texts: Sequence[str]
    queries: Sequence[Query]
    learner_queries: Sequence[Query]

    @cached_property
    def sizes(self) -> Indices:
        """Return how many rows each owner has."""
        return np.diff(self.starts)

    def rows_of(self, query: Query, *, typed: bool) -> Indices:
        """Return the numbers of the rows that `query` may find."""
        low, high = self.starts[query.owner], self.starts[query.owner + 1]
        numbers = np.arange(low, high)
        if typed:
            numbers = numbers[self.types[low:high] == ENTITY_TYPES.index(query.entity_type)]
        return numbers


def make_corpus(rows: int, queries: int, *, real_rows: int, embed: Embed) -> Corpus:
    """Return the corpus of this size, the same for the same arguments.

    `embed` gives the vectors of shape (n, 1536) of n sentences.
    """
    chance = np.random.default_rng(SEED)
    sizes = np.array(owner_sizes(rows))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    sentences = read_sentences()
    texts = _Texts(chance, sentences)
    centres = _unit(_noise(chance, TOPICS))
    common = _unit(_noise(chance, 1))
    own = [chance.choice(TOPICS, size=TOPICS_OF_AN_OWNER, replace=False) for _ in sizes]

    topics = np.concatenate([chance.choice(own[n], size=size) for n, size in enumerate(sizes)])
    vectors = _around(chance, common, centres[topics])
    types = chance.choice(len(ENTITY_TYPES), size=rows, p=TYPE_SHARES).astype(np.int8)
    contents = [texts.make(topic) for topic in topics]

    real = min(real_rows, len(sentences), int(sizes.max()))
    real_owner = int(np.flatnonzero(sizes >= real)[-1])
    first = int(starts[real_owner])
    if real:
        vectors[first : first + real] = embed(sentences[:real])
        contents[first : first + real] = sentences[:real]

    def ask(owners: Indices) -> list[Query]:
        asked = np.array([chance.choice(own[n]) for n in owners])
        asked_vectors = _around(chance, common, centres[asked])
        types_asked = chance.choice(len(ENTITY_TYPES), size=len(owners), p=TYPE_SHARES)
        made = []
        for number, owner in enumerate(owners):
            text, vector = texts.make(asked[number], words=5), asked_vectors[number]
            if real and owner == real_owner:  # a real text, a little beside itself
                row = first + int(chance.integers(real))
                text = " ".join(contents[row].split()[:6])
                vector = _unit(vectors[row] + 0.5 * _unit(vectors[first + chance.integers(real)]))
            kind = ENTITY_TYPES[types_asked[number]]
            made.append(Query(owner=int(owner), vector=vector, text=text, entity_type=kind))
        return made

    return Corpus(
        starts=starts,
        vectors=vectors,
        types=types,
        texts=contents,
        queries=ask(draw_owners(chance, sizes, count=queries)),
        learner_queries=ask(chance.choice(len(sizes), size=queries)),
    )


def draw_owners(chance: np.random.Generator, sizes: Indices, *, count: int) -> Indices:
    """Return the owners of `count` queries: half by size class, half by how much they have."""
    classes = np.searchsorted(SIZE_CLASSES, sizes)
    members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
    by_class = [chance.choice(members[n % len(members)]) for n in range(count // 2)]
    by_rows = chance.choice(len(sizes), size=count - len(by_class), p=sizes / sizes.sum())
    return np.concatenate([np.array(by_class, dtype=np.int64), by_rows])


def find_nearest(corpus: Corpus, query: Query, *, typed: bool) -> tuple[frozenset[int], int]:
    """Return the rows that may be among the nearest 10, ties and all, and how many must be found.

    Brute force over all that the owner has, in 64 bits.
    """
    numbers = corpus.rows_of(query, typed=typed)
    many = min(LIMIT, len(numbers))
    if not many:
        return frozenset(), 0
    similarities = corpus.vectors[numbers].astype(np.float64) @ query.vector
    least = np.partition(similarities, -many)[-many]
    return frozenset(numbers[similarities >= least - 1e-6].tolist()), many


def read_sentences() -> list[str]:
    """Return the distinct sentences of the retrieval set, Spanish and English; code is left out."""
    source = resources.files("evals") / "fixtures" / "retrieval" / "documents.jsonl"
    found: list[str] = []
    for line in source.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found += [row.get("title"), row.get("description"), row.get("text")]
        found += row.get("criteria", [])
    return list(dict.fromkeys(each for each in found if each))


class _Texts:
    """Makes texts of real words, each as frequent as in the sentences; half are the topic's own."""

    def __init__(self, chance: np.random.Generator, sentences: Sequence[str]) -> None:
        words = np.array([word for each in sentences for word in each.lower().split()])
        self._chance = chance
        self._words = words
        self._of_topic = chance.choice(words, size=(TOPICS, TOPIC_WORDS))

    def make(self, topic: int, *, words: int | None = None) -> str:
        many = int(self._chance.integers(8, 40)) if words is None else words
        places = self._chance.zipf(1.5, size=many) % TOPIC_WORDS
        special = self._of_topic[topic][places]
        general = self._words[self._chance.integers(len(self._words), size=many)]
        return " ".join(np.where(self._chance.random(many) < 0.5, special, general))


def _around(chance: np.random.Generator, common: Matrix, centres: Matrix) -> Matrix:
    made = _unit(_noise(chance, len(centres)))
    made *= OF_ROW
    made += OF_TOPIC * centres
    made += COMMON * common
    return _unit(made)


def _noise(chance: np.random.Generator, count: int) -> Matrix:
    falling = (1 + np.arange(EMBEDDING_DIMENSIONS)) ** -SPECTRUM
    drawn = chance.standard_normal((count, EMBEDDING_DIMENSIONS), dtype=np.float32)
    drawn *= falling.astype(np.float32)
    return drawn


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Matrix = rows / lengths
    return unit
