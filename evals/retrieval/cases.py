"""The retrieval set: what a learner has, what they ask, and which entities answer it.

Written for this project. One learner, `main`, asks; everything of `other` is there to be left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from evals.lines import read_lines
from evals.retrieval.ranking import EXACT
from tools.indexing import course_text, goal_text, snapshot_text, task_text

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "retrieval"
MAIN: Final = "main"
OTHER: Final = "other"


@dataclass(frozen=True)
class Document:
    """An entity of a learner and the text that the product finds it by."""

    id: str
    owner: str
    type: str
    language: str
    topic: str
    text: str


@dataclass(frozen=True)
class Query:
    """A search of `main`; `relevant` maps the ids of all that answers it to 2 or 1."""

    id: str
    language: str
    slice: str
    text: str
    relevant: Mapping[str, int]


@dataclass(frozen=True)
class RetrievalSet:
    """All documents and all queries."""

    documents: tuple[Document, ...]
    queries: tuple[Query, ...]

    @cached_property
    def foreign(self) -> frozenset[str]:
        """Return the ids that no search may return."""
        return frozenset(document.id for document in self.documents if document.owner != MAIN)

    @cached_property
    def languages(self) -> dict[str, str]:
        """Return each document's language by its id."""
        return {document.id: document.language for document in self.documents}

    def crosses_languages(self, query: Query) -> bool:
        """Tell whether all that is exactly right is written in the other language."""
        exact = {self.languages[name] for name, grade in query.relevant.items() if grade == EXACT}
        return bool(exact) and exact.isdisjoint({query.language, "mixed"})


def load_retrieval_set(folder: Path = FOLDER) -> RetrievalSet:
    """Read `documents.jsonl` and `queries.jsonl` of `folder`."""
    return RetrievalSet(
        documents=tuple(_document(row) for row in read_lines(folder / "documents.jsonl")),
        queries=tuple(Query(**row) for row in read_lines(folder / "queries.jsonl")),
    )


def _document(row: dict[str, Any]) -> Document:
    return Document(
        id=row["id"],
        owner=row["owner"],
        type=row["type"],
        language=row["language"],
        topic=row["topic"],
        text=_text(row),
    )


def _text(row: dict[str, Any]) -> str:
    match row["type"]:
        case "goal":
            return goal_text(row["title"], row.get("description"), row["criteria"])
        case "task":
            return task_text(row["title"], row.get("description"))
        case "course":
            return course_text(row["title"], row.get("description"), row["technologies"])
        case "code_snapshot":
            return snapshot_text(row["file_path"], row["code"])
        case _:
            text: str = row["text"]
            return text
