"""Read sentences and lists that give a value for an input without naming the call.

"Given [1, 2], it returns 3", "para la entrada 4 devuelve 16", and lines such as `- 4 → 16`.
"""

import re
from collections.abc import Iterator

from tools.analysis.examples.io_pairs import IoPair
from tools.analysis.examples.wording import Values, read_token, read_value

MAX_PHRASES = 60

_KIND = (
    r"(?:(?:the|an?|el|la|los|las|un|una|values?|valor(?:es)?|inputs?|entradas?|lista?s?|n[uú]mer[o]s?"
    r"|numbers?|strings?|textos?|texts?|cadenas?|words?|palabras?|arrays?|arreglos?|argumentos?"
    r"|arguments?|integers?|enteros?) ){0,3}"
)
_GIVEN = re.compile(
    r"(?<![\w-])(?:given|for|with|inputs?|para|con|entradas?|dad[oa]s?"
    r"|when (?:given|called with|passed)"
    r"|if (?:the )?input is|(?:si|cuando) (?:recibe|se le pasa|se le da|la entrada es)|al recibir) "
    rf"{_KIND}[`*]{{0,3}}(?=[\[({{'\"\d-])".replace(" ", r"[ \t]{1,4}"),
    re.IGNORECASE,
)
_VERB = (
    r"(?:returns?|devuelve|devolver|retorna|retornar|regresa|gives?|da|dar|yields?|obtiene|obtener"
    r"|get|(?:the|el|la) (?:answer|result|output|resultado|respuesta|salida) (?:is|es|ser[aá])) "
)
_GIVES = re.compile(
    r"[`*]{0,3},?\s{1,4}"
    + (
        r"(?:(?:it|the function|the program|la funci[oó]n|el programa|se|you|we) )?"
        r"(?:(?:should|must|will|debe(?:r[ií]a)?|tiene que|ha de) )?" + _VERB
    ).replace(" ", r"\s{1,4}"),
    re.IGNORECASE,
)
_LINE = re.compile(r"^[ \t]{0,9}(?:[-*•][ \t]{1,4}|\d{1,2}[.)][ \t]{1,4})?[`*]{0,3}", re.MULTILINE)
_ARROW = re.compile(r"[`*]{0,3}[ \t]{0,9}(?:→|->|=>|⇒|-->)[ \t]{0,9}")
_COMMA = re.compile(r"[ \t]{0,4},[ \t]{0,4}")


def find_phrases(text: str, values: Values) -> Iterator[IoPair]:
    """Read sentences that say what an input gives; input and value are both written out."""
    for given in list(_GIVEN.finditer(text))[:MAX_PHRASES]:
        end = _inputs_end(text, given.end(), values)
        gives = _GIVES.match(text, end) if end is not None else None
        if end is None or gives is None:
            continue
        value = read_value(text, gives.end(), whole=False, values=values)
        if value is not None:
            written = text[given.end() : end]
            yield IoPair(given.start(), value[1], written, _as_written(text, gives.end(), value))


def find_arrows(text: str, values: Values) -> Iterator[IoPair]:
    """Read lines that are an input, an arrow and a value, and nothing else."""
    found = 0
    for line in _LINE.finditer(text):
        end = _inputs_end(text, line.end(), values)
        arrow = _ARROW.match(text, end) if end is not None else None
        if end is None or arrow is None:
            continue
        value = read_value(text, arrow.end(), whole=True, values=values)
        if value is not None:
            found += 1
            written = text[line.end() : end]
            yield IoPair(line.start(), value[1], written, _as_written(text, arrow.end(), value))
        if found >= MAX_PHRASES:
            return


def _inputs_end(text: str, start: int, values: Values) -> int | None:
    """Give where a value, or several with commas, ends."""
    for _ in range(8):
        if text[start : start + 1] not in tuple("[({'\"-0123456789"):
            return None
        token = read_token(text, start, words=values.words)
        if token is None or not values.is_value(token[0]):
            return None
        comma = _COMMA.match(text, token[1])
        more = comma is not None and text[comma.end() : comma.end() + 1] in tuple(
            "[({'\"-0123456789"
        )
        if comma is None or not more:
            return token[1]
        start = comma.end()
    return None


def _as_written(text: str, start: int, value: tuple[str, int]) -> str:
    """Give the value as the task writes it: `true` may be a word of output."""
    return text[start : value[1]].strip(" \t`*.;,") or value[0]
