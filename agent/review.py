"""What a user decides on each item of a draft, before anything of it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from agent.state import Json
from tools.errors import InputError

Action = Literal["accept", "edit", "reject"]
T = TypeVar("T", bound=BaseModel)
QUESTION_LIVES: Final = timedelta(days=7)


@dataclass(frozen=True)
class Decision:
    """Accept, edit or reject one item; `fields` are the new values of an edit."""

    action: Action
    fields: Json = field(default_factory=dict)


Decisions = Mapping[str, Decision]


def complete(items: Sequence[Json], decided: Decisions, *, rest: Action | None = None) -> Decisions:
    """Return a decision for each item, in the items' order; `rest` is that of those not named.

    Raises InputError for an item that is not there, one that nobody decided on, and an edit of
    what the item does not have.
    """
    by_key = {item["key"]: item for item in items}
    unknown = [key for key in decided if key not in by_key]
    if unknown:
        raise InputError(f"there is no item {unknown[0][:40]}; the items are {', '.join(by_key)}")
    missing = [key for key in by_key if key not in decided]
    if missing and rest is None:
        raise InputError(f"accept, edit or reject every item; undecided: {', '.join(missing)}")
    for key, decision in decided.items():
        _check_edit(key, decision, by_key[key])
    return {key: decided.get(key) or Decision(rest or "reject") for key in by_key}


def _check_edit(key: str, decision: Decision, item: Json) -> None:
    editable = item.get("fields") or {}
    if decision.action != "edit":
        if decision.fields:
            raise InputError(f"{key}: only an edit has fields")
        return
    if not decision.fields:
        raise InputError(f"{key}: an edit needs fields")
    for name in decision.fields:
        if name not in editable:
            named = ", ".join(editable) or "none"
            raise InputError(f"{key}: {name[:40]} cannot be edited; what can be: {named}")


def validated(shape: type[T], wanted: Json) -> T:
    """Return what an edit makes of an item. Raises InputError where it cannot be that."""
    try:
        return shape.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}") from error


def as_json(decisions: Decisions) -> Json:
    """Return decisions as JSON values, for a row or a checkpoint."""
    return {key: asdict(decision) for key, decision in decisions.items()}


def from_json(value: Json) -> Decisions:
    """Return the decisions that `as_json` made into JSON values."""
    return {key: Decision(**decision) for key, decision in value.items()}
