"""Hold values and calls as they are written in any of the languages that are compiled or scripted.

One shape for all of them: what a task expects, what a program gave and what a call is given meet
here, so that they can be compared and written again in another language.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Char:
    """One character that its language tells from a text."""

    text: str


@dataclass(frozen=True)
class Group:
    """Items in braces, which may be a list, a set or, as pairs, a map; `bag`: surely a set."""

    items: tuple[object, ...]
    bag: bool = False


@dataclass(frozen=True)
class Pairs:
    """A map: its keys and values, in the order in which they are written."""

    items: tuple[tuple[object, object], ...]


@dataclass(frozen=True)
class Wrapped:
    """A value inside of `Some`, `Ok` or `Err`."""

    kind: str
    value: object


@dataclass(frozen=True)
class Thing:
    """A value of a type that has no literal, and how it shows itself."""

    name: str
    shown: str


@dataclass(frozen=True)
class Unread:
    """An argument that is no literal: it stays as it is written."""

    text: str


class Anything:
    """What is expected where nobody has said it yet: whatever the program gives."""


@dataclass(frozen=True)
class Call:
    """A call: all of it as written, the path before its bracket, its arguments.

    `simple` is False where more follows its bracket, or `new` stands before it.
    """

    text: str
    path: str
    arguments: tuple[object, ...]
    simple: bool

    @property
    def name(self) -> str:
        """Give the last word of the path."""
        return self.path.replace("::", ".").replace("->", ".").rpartition(".")[2]

    @property
    def owner(self) -> str | None:
        """Give the class that the path names, if any."""
        return self.path.replace("::", ".").replace("->", ".").rpartition(".")[0] or None
