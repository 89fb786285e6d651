"""Retrieved rows on their way into a prompt: labelled, disarmed, bounded, fenced."""

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from agent.disarm import disarm_source
from agent.state import Source
from agent.token_budget import share
from tools.search import Hit

SOURCE_TOKENS: Final = 700
LEAST_TOKENS_EACH: Final = 40
NOTHING: Final = "-"
_BLANK_LINES: Final = re.compile(r"[ \t]*\n\s*\n")


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


def source_lines(sources: Sequence[Source], *, tokens: int = SOURCE_TOKENS) -> str:
    """Return the sources, each after its label, in about `tokens` tokens at most.

    No source can crowd out the rest: the short ones are whole, the long ones are cut to what is
    left for each. Where there are too many for that, the last ones are left out.
    """
    kept = sources[: tokens // LEAST_TOKENS_EACH]
    texts = [
        f"[{source['label']}] {source['entity_type']}: {_tidy(disarm_source(source['content']))}"
        for source in kept
    ]
    return "\n".join(share(texts, tokens)) or NOTHING


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return _BLANK_LINES.sub("\n", lines)


def shown(sources: Iterable[Source]) -> list[dict[str, object]]:
    """Return the sources as callers see them: without their text."""
    return [
        {name: value for name, value in source.items() if name != "content"} for source in sources
    ]


def numbered(texts: Iterable[str]) -> str:
    """Return `1. …` lines, or a dash for none."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1)) or NOTHING


def dashed(texts: Iterable[str]) -> str:
    """Return `- …` lines, or a dash for none."""
    return "\n".join(f"- {text}" for text in texts) or NOTHING


def ids_of(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the ids of what was retrieved, for the record."""
    return tuple(source["entity_id"] for source in sources)
