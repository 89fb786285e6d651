"""Prompts: one Markdown file for each prompt and language, with a version and its parameters.

A file is `<name>.<language>.md`: `version: …` and `parameters: …, …`, then `# system` and `# user`,
in which `$name` stands for a parameter. What is filled in is never read as a template again.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """A prompt in one language; `version` is recorded with everything that it makes.

    `parameters` are the names of all values that it takes.
    """

    version: str
    parameters: frozenset[str]
    system: Template
    user: Template

    def messages(self, **values: str) -> "list[BaseMessage]":
        """Return the system and the user message with `values` filled in.

        Raises KeyError where a placeholder has no value.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        return [
            SystemMessage(self.system.substitute(values)),
            HumanMessage(self.user.substitute(values)),
        ]


@cache
def load_prompt(name: str, language: str) -> Prompt:
    """Return the prompt `name` in `language` (es or en).

    Raises FileNotFoundError where there is none, ValueError where the file is not of the form or
    declares other parameters than it uses.
    """
    path = _FOLDER / f"{name}.{language}.md"
    head, system_mark, rest = path.read_text("utf-8").partition("\n# system\n")
    system, user_mark, user = rest.partition("\n# user\n")
    given = dict(line.partition(": ")[::2] for line in head.strip().splitlines())
    version, declared = given.get("version"), given.get("parameters")
    if set(given) != {"version", "parameters"} or not (version and system_mark and user_mark):
        raise ValueError(
            f"{path.name} is no prompt: it lacks a version, parameters, # system or # user"
        )
    parameters = frozenset(name.strip() for name in (declared or "").split(",") if name.strip())
    prompt = Prompt(
        version=f"{name}.{language}/{version}",
        parameters=parameters,
        system=Template(system.strip()),
        user=Template(user.strip()),
    )
    used = {*prompt.system.get_identifiers(), *prompt.user.get_identifiers()}
    if used != parameters:
        names = ", ".join(sorted(used ^ parameters))
        raise ValueError(f"{path.name} does not declare the parameters that it uses: {names}")
    return prompt
