"""Find in a task's words the rows that tables hold and the rows that a query must give.

An example's input is SQL that makes the tables; its output is the result, a line for each row and
`|` between the cells. Where the task asks for no order, the input starts with `ANY_ORDER`.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.tables import read_rows

ANY_ORDER: Final = "-- any order"
MAX_TEXT: Final = 50_000
MAX_TABLES: Final = 20
MAX_ROWS: Final = 100

_STATEMENT: Final = re.compile(
    r"\b(?:CREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\s+[^;]{1,2000}?\)|INSERT\s+INTO\s+[^;]{1,4000}?\))"
    r"\s*(?:;|(?=\n\s*\n|```|\Z))",
    re.IGNORECASE,
)
_TABLE: Final = re.compile(
    r"(?<![\w.])(?P<name>[A-Za-z_ñÑ]\w*)\s?\((?P<columns>[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*){0,15})\)"
)
_CELL = r"(?:-?\d+(?:\.\d+)?|'[^'\n]*'|\"[^\"\n]*\"|NULL|null)"
_ROW: Final = re.compile(rf"\(\s*{_CELL}(?:\s*,\s*{_CELL})*\s*\)")
_CELLS: Final = re.compile(_CELL)
_WORD: Final = re.compile(r"[^\W\d_]\w*")
_ORDER: Final = re.compile(
    r"\b(?:orden\w*|order\w*|sort\w*|alphabetical\w*|alfab[eé]tic\w*|ascend\w*|descend\w*"
    r"|from the (?:largest|smallest|highest|lowest|oldest|newest)|de mayor a menor|de menor a mayor"
    r"|largest first|most recent first)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]


def find_sql_examples(texts: Sequence[str]) -> tuple[Example, ...]:
    """Find the task's one example, or none where its tables or its result cannot be read surely."""
    whole = "\n".join(text[:MAX_TEXT] for text in texts)
    results = list(_results(whole))
    if len(results) != 1:
        return ()
    start, end, lines = results[0]
    before = whole[:start]
    setup = _written_setup(before) or _described_setup(before)
    if setup is None:
        return ()
    order = "" if _ORDER.search(whole) else f"{ANY_ORDER}\n"
    quote = whole[start:end].strip()[:300]
    return (Example("io", repr(order + setup), repr("\n".join(lines)), None, quote),)


def _results(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Read the tables of the text, each as lines."""
    rows = list(read_rows(text))
    groups: list[list[int]] = []
    for number, row in enumerate(rows):
        joins = groups and row.start == rows[groups[-1][-1]].end + 1
        if joins and row.header == rows[groups[-1][-1]].header:
            groups[-1].append(number)
        else:
            groups.append([number])
    for group in groups:
        lines = ["|".join(_bare(cell) for cell in rows[number].cells) for number in group]
        yield rows[group[0]].start, rows[group[-1]].end, lines


def _bare(cell: str) -> str:
    quoted = re.fullmatch(r"'([^']*)'|\"([^\"]*)\"", cell)
    bare = (quoted[1] or quoted[2] or "") if quoted else cell
    return "" if cell.upper() == "NULL" else bare


def _written_setup(text: str) -> str | None:
    """Take the statements that the task writes out: tables, and rows for them."""
    statements = [found[0].rstrip(" ;\n") + ";" for found in _STATEMENT.finditer(text)]
    kinds = [re.match(r"\w+", one) for one in statements]
    names = {kind[0].upper() for kind in kinds if kind is not None}
    return "\n".join(statements) if names == {"CREATE", "INSERT"} else None


def _described_setup(text: str) -> str | None:
    """Make the statements from `table(column, column)` and rows that stand behind its name."""
    tables = {
        found["name"].lower(): _Table(
            found["name"], tuple(one.strip() for one in found["columns"].split(","))
        )
        for found in _TABLE.finditer(text)
    }
    if not tables or len(tables) > MAX_TABLES:
        return None
    rows: dict[str, list[str]] = {name: [] for name in tables}
    last = 0
    owner: _Table | None = None
    for found in list(_ROW.finditer(text))[:MAX_ROWS]:
        between = text[last : found.start()]
        named = [table for word in _WORD.findall(between) if (table := _named(word, tables))]
        owner = named[-1] if named else owner
        last = found.end()
        cells = _CELLS.findall(found[0])
        if owner is None or len(cells) != len(owner.columns):
            return None
        rows[owner.name.lower()].append(f"({', '.join(map(_quoted, cells))})")
    if not any(rows.values()):
        return None
    made = []
    for name, table in tables.items():
        made.append(f"CREATE TABLE {table.name} ({', '.join(table.columns)});")
        if rows[name]:
            values = ", ".join(rows[name])
            made.append(f"INSERT INTO {table.name} VALUES {values};")  # noqa: S608 - runs in a box
    return "\n".join(made)


def _quoted(cell: str) -> str:
    return "'" + cell[1:-1].replace("'", "''") + "'" if cell.startswith('"') else cell


def _named(word: str, tables: dict[str, _Table]) -> _Table | None:
    """Find the table that a word names, in the plural or the singular."""
    plain = _plain(word)
    for name, table in tables.items():
        stem = _plain(name)
        if plain == stem or plain in (stem.removesuffix("s"), stem.removesuffix("es")):
            return table
    return None


def _plain(word: str) -> str:
    folded = unicodedata.normalize("NFKD", word.lower())
    return folded.encode("ascii", "ignore").decode()
