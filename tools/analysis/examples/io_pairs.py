"""Find what a program reads and prints in a task's words: labelled pairs, blocks and tables.

Descriptions ("Input: a list of numbers") are told from data; in doubt there is no pair.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PAIRS = 50
MAX_BLOCK = 2_000

_SAMPLE = r"(?:(?:sample|example|test|expected|ejemplo de|caso de) )?"
_AFTER = r"(?: (?:de ejemplo|de prueba|esperad[ao]|est[aá]ndar|example|sample))?(?: ?#?\d{1,2})?"
_INPUT = rf"{_SAMPLE}(?:standard )?(?:inputs?|entradas?|stdin){_AFTER}"
_OUTPUT = rf"{_SAMPLE}(?:standard )?(?:outputs?|salidas?|stdout){_AFTER}"
_LABEL = re.compile(
    r"(?:^[ \t]{0,9}(?:#{1,6}[ \t]{0,9}|[-*•][ \t]{1,9}|\d{1,2}[.)][ \t]{1,9})?"
    r"|(?<=[\s.,;|(→>*\-]))[*_`]{0,3}"
    rf"(?:(?P<input>{_INPUT})|(?P<output>{_OUTPUT}))"
    r"[*_`]{0,3}[ \t]{0,9}(?:(?P<colon>[:=]|→|->)[*_]{0,3}|(?=\n))",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"\s{0,9}```[^\n`]{0,40}\n(?P<inside>.{0,2000}?)\n?[ \t]{0,9}```", re.DOTALL)
_TABLE = re.compile(
    rf"^[ \t]{{0,9}}\|?[ \t]{{0,9}}[*_`]{{0,3}}(?:{_INPUT})[*_`]{{0,3}}"
    r"(?P<gap>[ \t]{0,40}\|[ \t]{0,40}|[ \t]{2,40}|\t)"
    rf"[*_`]{{0,3}}(?:{_OUTPUT})[*_`]{{0,3}}[ \t]{{0,9}}(?:\|[^\n]*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(r"(?=[^\n]*--)[ \t:|+=-]+")
_NEXT = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]|[*_]{0,2}(?:expla|explic|ejemplo|example|nota|note|constraint|restric"
    r"|sample|caso|test|aclara))",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"\b(?:an?|the|of|with|that|which|each|every|and|or|is|are|to|in|from|one|two|its|all|will"
    r"|un|una|unos|unas|el|la|los|las|de|del|que|con|por|para|cada|es|son|en|se|su|sus|y|o|al"
    r"|contains?|contiene|lines?|l[ií]neas?|numbers?|n[uú]meros?|integers?|enteros?|lists?|listas?"
    r"|strings?|cadenas?|texts?|textos?|arrays?|int|float|str|bool|boolean|booleano|none|ninguna?"
    r"|tuple|tupla|dict|diccionario|nothing|nada|values?|valor(?:es)?|data|datos|words?|palabras?"
    r"|sum|suma|result|resultado|name|nombre|file|fichero|archivo|keyboard|teclado|screen|pantalla"
    r"|console|consola|void|any|type|tipo|user|usuario|stdin|stdout|empty|vac[ií]a|vac[ií]o)\b",
    re.IGNORECASE,
)
_NOT_DATA = re.compile(r"[≤≥…]|<=|>=|\.\.\.|\b[A-Za-z_]\w*\(")
_WORD = re.compile(r"[^\W\d_]\w*\Z")
_EXAMPLE = re.compile(r"\b(?:ejemplos?|examples?|sample|p\. ?ej\.|e\.g\.)", re.IGNORECASE)


@dataclass(frozen=True)
class IoPair:
    """What is read and what is printed, as text without the last line break; the place."""

    start: int
    end: int
    given: str
    printed: str


@dataclass(frozen=True)
class _Part:
    text: str
    end: int
    plain: bool


def find_io_pairs(text: str) -> Iterator[IoPair]:
    """Read every pair of the text, at most `MAX_PAIRS`, in no order."""
    pairs = [*_labelled(text), *_tables(text)][:MAX_PAIRS]
    words = [pair for pair in pairs if _WORD.match(pair.given) and _WORD.match(pair.printed)]
    shown = len(pairs) > 1 or _EXAMPLE.search(text) is not None
    for pair in pairs:
        if pair not in words or (shown and len(pair.given) > 1):
            yield pair


def _labelled(text: str) -> Iterator[IoPair]:
    labels = list(_LABEL.finditer(text))[: 4 * MAX_PAIRS]
    for here, there in itertools.pairwise(labels):
        if here["input"] is None or there["output"] is None:
            continue
        following = [label.start() for label in labels if label.start() > there.start()]
        stop = min(following, default=len(text))
        given = _read_input(text, here.end(), there.start(), inline=here["colon"] is not None)
        printed = _read_output(text, there.end(), stop)
        if given is not None and printed is not None:
            yield IoPair(here.start(), printed.end, given.text, printed.text)


def _read_input(text: str, start: int, end: int, *, inline: bool) -> _Part | None:
    """Read all that stands between the two labels."""
    fence = _FENCE.match(text, start, end)
    if fence is not None:
        after = text[fence.end() : end]
        return _part(fence["inside"], fence.end(), plain=False) if not after.strip() else None
    between = text[start:end]
    if inline and "\n" not in between.strip():
        between = between.strip().rstrip(".,;|→ -")
    return _part(between, end, plain=True)


def _read_output(text: str, start: int, stop: int) -> _Part | None:
    """Read a fence, the rest of the line, or the lines up to an empty one."""
    fence = _FENCE.match(text, start, start + MAX_BLOCK)
    if fence is not None and fence.end() <= stop:
        return _part(fence["inside"], fence.end(), plain=False)
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    rest = text[start : min(line_end, stop)]
    if rest.strip():
        written = rest.strip().rstrip("|;,-→ ")
        if re.fullmatch(r"-?\d+(?:\.\d+)?\.", written) or stop < line_end:
            written = written.rstrip(".")
        return _part(written, start + len(rest), plain=True)
    lines: list[str] = []
    position = line_end + 1
    for line in text[position : position + MAX_BLOCK].split("\n"):
        if lines and not line.strip():
            break
        if position >= stop or (line.strip() and _NEXT.match(line)):
            break
        if line.strip():
            lines.append(line)
        position += len(line) + 1
    return _part("\n".join(lines), min(position, stop), plain=True)


def _part(text: str, end: int, *, plain: bool) -> _Part | None:
    """Keep data; None for what only describes it."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    if plain:
        lines = [line.strip() for line in lines if line.strip()]
    written = "\n".join(lines)
    if plain and written.count("`") == 2 and written.startswith("`") and written.endswith("`"):
        written = written[1:-1]
    elif plain and (_NOT_DATA.search(written) or _is_prose(written) or "`" in written):
        return None
    if not written.strip() or len(written) > MAX_BLOCK or _NOT_DATA.search(written):
        return None
    return _Part(written, end, plain)


def _is_prose(text: str) -> bool:
    """Tell a description by its words; words inside quotes are data."""
    return _PROSE.search(re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "", text)) is not None


def _tables(text: str) -> Iterator[IoPair]:
    for header in itertools.islice(_TABLE.finditer(text), MAX_PAIRS):
        piped = "|" in header["gap"]
        position = header.end() + 1
        for line in text[position : position + MAX_BLOCK].split("\n"):
            start, position = position, position + len(line) + 1
            if _RULE.fullmatch(line):
                continue
            if _TABLE.match(line):
                break
            if piped:
                cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            else:
                cells = re.split(r"[ \t]{2,}|\t", line.strip())
            if len(cells) < 2 or (not piped and len(cells) != 2):
                break
            given, printed = (_part(cell, position, plain=True) for cell in cells[:2])
            if given is not None and printed is not None:
                yield IoPair(start, start + len(line), given.text, printed.text)
