"""What a user decides on each item of a draft, before anything of it is written."""

from dataclasses import dataclass, field
from typing import Final, Literal

from agent.state import Json

Action = Literal["accept", "edit", "reject"]
ACTIONS: Final = frozenset({"accept", "edit", "reject"})


@dataclass(frozen=True)
class Decision:
    """Accept, edit or reject one item; `fields` are the new values of an edit."""

    action: Action
    fields: Json = field(default_factory=dict)
