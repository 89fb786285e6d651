"""README and docs as a reader follows them: their blocks of code, and a shell that types them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
BLOCK: Final = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS: Final = 120
SAID: Final = 2_000


LINK: Final = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str

    def commands(self) -> Iterator[str]:
        """Yield what a reader would type, with the lines that go on."""
        command = ""
        for line in self.text.splitlines():
            if line.startswith("$ "):
                command = line[2:]
            elif command:
                command += "\n" + line
            if command and not command.endswith("\\"):
                yield command
                command = ""


def documents() -> list[Path]:
    """Return README.md, CONTRIBUTING.md and every page of docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    return [Block(found["language"], found["text"]) for found in BLOCK.finditer(text)]


def broken_links(document: Path) -> list[str]:
    """Return the links of a document that lead to no file, or to no heading of it."""
    text = document.read_text(encoding="utf-8")
    return [
        found[0]
        for found in LINK.finditer(text)
        if not (goal := document.parent / found["path"] if found["path"] else document).exists()
        or (found["anchor"] and found["anchor"] not in _anchors(goal))
    ]


def _anchors(document: Path) -> set[str]:
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Shell:
    """A bash that a document's commands are typed into, one after the other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Start it in `folder`."""
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, *, answer: str = "") -> tuple[int, str]:
        """Return a command's exit code and what it printed; `answer` is what it reads."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            f"{{ {command}\n}} <<< '{answer}'; printf '\\n--ended %s--\\n' $?\n"
        )
        self._process.stdin.flush()
        said = ""
        for line in self._process.stdout:
            if ended := re.fullmatch(r"--ended (\d+)--\n", line):
                return int(ended[1]), said[-SAID:]
            said += line
        raise AssertionError(f"the shell ended at {command}: {said[-SAID:]}")

    def __enter__(self) -> Self:
        """Return the shell."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End what the commands have started, and the shell."""
        assert self._process.stdin is not None
        self._process.stdin.write("kill $(jobs -p) 2>/dev/null; wait; exit 0\n")
        self._process.stdin.close()
        self._process.wait(SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
