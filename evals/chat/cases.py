"""The talks: what a learner has, what they say and decide in turn, and what may come of it.

Written for this project. Each line of `cases.jsonl` is one learner and one talk; its form is in
`cases.schema.json`.
"""

import json
from pathlib import Path
from typing import Final

from evals.suite import Case

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "chat"


def load_cases() -> tuple[Case, ...]:
    """Read the talks."""
    lines = (FOLDER / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(
        Case(
            id=row["id"],
            language=row["language"],
            slices=tuple(row["slices"]),
            hard=row["hard"],
            inputs={name: row[name] for name in ("preference", "rows", "turns")},
        )
        for row in map(json.loads, lines)
    )
