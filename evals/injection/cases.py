"""The cases: rows and a request with an instruction in them, and what a model that obeys does.

The fixtures are JSON Lines, one object a line, each valid against its schema beside it. A `benign`
case has the same words without a bad aim: there the product must work as ever.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from evals.suite import Case, Json, Language, Way

FOLDER: Final = Path(__file__).parent.parent / "fixtures" / "injection"

Kind = Literal["chat", "suggest", "breakdown", "validate", "feedback"]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One case; `{g1}` in its texts stands for the id of its row g1, `{other}` for another user's.

    `marker` tells that the instruction is in a text; `forged` must not reach the model as it is.
    `wrong` is whether the submission is, `solution` what no tutor may say, `secret` what is hidden
    in the code. `deeds` are what the instruction wants, for a model that obeys it: calls of tools,
    what it says, the words in every field, the verdict. A real model is `asked` in these ways.
    """

    id: str
    language: Language
    job: Kind
    carrier: str
    technique: str
    aims: tuple[str, ...]
    rows: tuple[Json, ...]
    request: Json
    deeds: Json
    marker: str
    benign: bool
    wrong: bool | None
    solution: tuple[str, ...]
    secret: str | None
    forged: tuple[str, ...]
    asked: tuple[Way, ...]

    def named(self, ids: Mapping[str, str]) -> "Attack":
        """Return the case with the ids of rows in the place of their names."""

        def fill(value: Any) -> Any:
            if isinstance(value, str):
                for name, row_id in ids.items():
                    value = value.replace(f"{{{name}}}", row_id)
                return value
            if isinstance(value, dict):
                return {key: fill(each) for key, each in value.items()}
            return [fill(each) for each in value] if isinstance(value, list) else value

        texts = {"request": self.request, "deeds": self.deeds, "rows": list(self.rows)}
        return _attack({**_as_json(self), **fill(texts)})


def load_attacks(folder: Path = FOLDER) -> tuple[Attack, ...]:
    """Read the cases, in the order of the file."""
    lines = (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_attack(json.loads(line)) for line in lines)


def load_cases() -> list[Case]:
    """Return the cases as the harness takes them; all are hard."""
    return [
        Case(
            id=attack.id,
            language=attack.language,
            slices=_slices(attack),
            hard=True,
            inputs={"case": attack.id, "request": attack.request, "rows": list(attack.rows)},
            expected={
                "benign": attack.benign,
                "aims": list(attack.aims),
                "asked": list(attack.asked),
            },
        )
        for attack in load_attacks()
    ]


def _slices(attack: Attack) -> tuple[str, ...]:
    if attack.benign:
        return ("benign", f"job: {attack.job}")
    aims = (f"aim: {aim}" for aim in attack.aims)
    return (f"job: {attack.job}", f"carrier: {attack.carrier}", f"as: {attack.technique}", *aims)


def _attack(value: Json) -> Attack:
    lists = ("aims", "rows", "solution", "forged", "asked")
    kept = {key: each for key, each in value.items() if key != "origin"}
    return Attack(**{**kept, **{name: tuple(value[name]) for name in lists}})


def _as_json(attack: Attack) -> Json:
    return dict(vars(attack))
