"""How many things one user may have: soft limits, far above what a learner needs.

Two requests at the same moment may go over one by a row; nothing rests on the exact number.
"""

from typing import Final

from db.counts import Counted, count_up_to
from tools.context import ToolContext
from tools.errors import LimitReached

MOST: Final[dict[Counted, int]] = {
    "courses": 500,
    "goals": 1_000,
    "tasks": 10_000,
    "code_snapshots": 10_000,
}
"""The most rows of a user."""


async def require_room(tools: ToolContext, kind: Counted, *, new: int = 1) -> None:
    """Raise LimitReached where `new` more rows would be too many."""
    has = await count_up_to(tools.session, kind, tools.user_id, limit=MOST[kind])
    require_more(kind, has=has, new=new)


def require_more(kind: Counted, *, has: int, new: int = 1) -> None:
    """Raise LimitReached where `new` more rows are too many for a user who `has` so many."""
    most = MOST[kind]
    if has + new > most:
        name = kind.replace("_", " ")
        raise LimitReached(f"you have {most:,} {name}, the most there may be: delete some first")
