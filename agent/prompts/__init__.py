"""Prompts: one Markdown file for each prompt and language, versioned in its first line.

A file is `<name>.<language>.md`: `version: …`, then `# system` and `# user`, with `$placeholders`.
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
    """A prompt in one language; `version` is recorded with everything that it makes."""

    version: str
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

    Raises FileNotFoundError where there is none, ValueError where the file is not of the form.
    """
    path = _FOLDER / f"{name}.{language}.md"
    head, system_mark, rest = path.read_text("utf-8").partition("\n# system\n")
    system, user_mark, user = rest.partition("\n# user\n")
    key, _, version = head.strip().partition(": ")
    if key != "version" or not (version and system_mark and user_mark):
        raise ValueError(f"{path.name} is no prompt: it lacks a version, # system or # user")
    return Prompt(
        version=f"{name}.{language}/{version}",
        system=Template(system.strip()),
        user=Template(user.strip()),
    )
