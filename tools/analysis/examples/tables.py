"""Read Markdown tables, and tell which of them give a function's values."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_ROWS = 60
MAX_LINE = 1_000

_ROW = re.compile(r"^[ \t]{0,9}\|[^\n]{2,}\|[ \t]{0,9}$", re.MULTILINE)
_RULE = re.compile(r"[ \t|:+-]*--[ \t|:+-]*")
_RESULTS = frozenset(
    {"expected", "output", "result", "returns", "return", "value", "answer", "devuelve", "salida"}
    | {"resultado", "esperado", "respuesta", "retorna", "valor", "returned"}
)
_WORDS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Row:
    """One row below a table's header: its place and its cells, without back quotes."""

    start: int
    end: int
    header: tuple[str, ...]
    cells: tuple[str, ...]


def read_rows(text: str) -> Iterator[Row]:
    """Read the rows of every table that has a header and a rule below it."""
    header: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    last_end = -2
    for count, match in enumerate(_ROW.finditer(text)):
        if count > 4 * MAX_ROWS:
            return
        line = match[0][:MAX_LINE]
        if match.start() > last_end + 1:
            header, above = (), ()
        last_end = match.end()
        cells = tuple(cell.strip(" \t`*") for cell in line.strip()[1:-1].split("|"))
        if _RULE.fullmatch(line):
            header = above
        elif header and len(cells) == len(header):
            yield Row(match.start(), match.end(), header, cells)
        above = cells


def find_function(header: tuple[str, ...], signatures: Mapping[str, int | None]) -> str | None:
    """Name the one function whose arguments and value the columns are; None where unclear.

    The last column must be called a result, or by the words of the function's name.
    """
    if len(signatures) != 1:
        return None
    ((name, parameters),) = signatures.items()
    if parameters is None or parameters == 0 or parameters != len(header) - 1:
        return None
    last = _words(header[-1])
    known = bool(last & _RESULTS) or _words(re.sub(r"([a-z])([A-Z])", r"\1 \2", name)) <= last
    return name if known else None


def _words(text: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return frozenset(_WORDS.findall(plain.replace("_", " ")))
