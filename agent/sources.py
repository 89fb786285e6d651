"""Retrieved rows on their way into a prompt: labelled, bounded, fenced."""

import secrets
from collections.abc import Iterable
from typing import Final

from agent.state import Source
from tools.search import Hit

CHARACTERS_EACH: Final = 280
CHARACTERS_IN_ALL: Final = 2_000
NOTHING: Final = "-"


def new_fence() -> str:
    """Return the name of a delimiter that no stored text can know."""
    return f"data-{secrets.token_hex(4)}"


def label_hits(hits: Iterable[Hit], *, without: frozenset[str] = frozenset()) -> list[Source]:
    """Return the hits as S1, S2, …, leaving out the entity ids in `without`."""
    kept = [hit for hit in hits if hit.entity_id not in without]
    return [
        Source(
            label=f"S{number}",
            entity_type=hit.entity_type,
            entity_id=hit.entity_id,
            title=hit.title,
            content=hit.content,
            score=hit.score,
        )
        for number, hit in enumerate(kept, start=1)
    ]


def source_lines(sources: Iterable[Source]) -> str:
    """Return one bounded line for each source; no source can crowd out the rest."""
    lines = [
        f"[{source['label']}] {source['entity_type']}: {_shortened(source['content'])}"
        for source in sources
    ]
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > CHARACTERS_IN_ALL:
            break
        kept.append(line)
    return "\n".join(kept) or NOTHING


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= CHARACTERS_EACH else flat[: CHARACTERS_EACH - 1] + "…"


def numbered(texts: Iterable[str]) -> str:
    """Return `1. …` lines, or a dash for none."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1)) or NOTHING


def dashed(texts: Iterable[str]) -> str:
    """Return `- …` lines, or a dash for none."""
    return "\n".join(f"- {text}" for text in texts) or NOTHING


def ids_of(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the ids of what was retrieved, for the record."""
    return tuple(source["entity_id"] for source in sources)
