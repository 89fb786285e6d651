"""docs/analysts.md: each of its queries is asked, and its answer is the one beneath it.

`GOALS_WRITE_ANSWERS=1` writes the answers anew.
"""

import os
import re
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from events.lake_folder import FolderLake
from events.query import query_lake
from tests.lake_story import write_story

PAGE: Final = Path(__file__).parents[2] / "docs" / "analysts.md"
QUERY: Final = re.compile(
    r"(```sql\n(?P<sql>.+?)\n```\n)(?:\n```text\n(?P<answer>.*?)\n```\n)?", re.DOTALL
)
FEWEST: Final = 10


def answer_of(lake: FolderLake, sql: str) -> str:
    """Return the answer as aligned columns."""
    found = query_lake(lake, sql)
    rows = [
        found.columns,
        *[["" if one is None else str(one) for one in row] for row in found.rows],
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


async def test_every_query_has_the_answer_that_the_page_shows(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    await write_story(database_url, outbox, lake)
    page = PAGE.read_text(encoding="utf-8")

    answered = QUERY.sub(
        lambda found: f"{found[1]}\n```text\n{answer_of(lake, found['sql'])}\n```\n", page
    )

    if os.environ.get("GOALS_WRITE_ANSWERS"):
        PAGE.write_text(answered, encoding="utf-8")
        page = answered
    assert len(QUERY.findall(page)) >= FEWEST
    assert answered == page
