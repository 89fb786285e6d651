"""Read the phrases by which a task says what a call gives, in Spanish and English."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tools.analysis.examples.expressions import CONSTRUCTORS

MAX_CALL = 500
MAX_VALUE = 2_000

_CALL = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\(")
_TRAILER = re.compile(r"\.[A-Za-z_]\w*\(|\[")


def _phrase(pattern: str) -> re.Pattern[str]:
    """Compile a phrase; a space stands for a few of any kind, so that no text makes it slow."""
    return re.compile(pattern.replace(" ?", r"\s{0,9}").replace(" ", r"\s{1,9}"), re.IGNORECASE)


_GAP = r"[\s`'\"*_]{0,40},?\s{0,10}"
_MUST = (
    r"(?:(?:que|which|that|and(?: it)?|y|it|se|you|we|the (?:result|answer|value|output)"
    r"|(?:el|su|la) (?:resultado|valor|respuesta|salida)) )?"
    r"(?:(?:should|must|shall|will|would|has to|needs? to|debe(?:r[ií]a)?|deber[aá]|tiene que|ha de"
    r"|tendr[ií]?a que) )?"
)
_FILLER = (
    r"(?:(?:the|an?|el|la|un|una) )?(?:(?:value|number|integer|float|list|string|str|tuple"
    r"|dict(?:ionary)?|set|boolean|result|text|valor|n[uú]mero|entero|lista|cadena|tupla"
    r"|diccionario|conjunto|booleano|resultado|texto) )?"
)
_GIVES = _phrase(
    rf"{_GAP}(?:"
    r"(?P<equals>=(?![=>]))"
    r"|(?P<label>(?:[,;|.]|->|=>|→|⇒)? ?(?:(?:expected )?(?:output|result)|expected|returns"
    r"|salida|resultado|devuelve|esperad[oa]) ?(?:esperad[oa] ?)?[:=])"
    r"|(?P<symbol>(?:===?|=>|-{1,2}>|→|⇒|⟶|⟹|↦)(?: (?:returns?|devuelve|retorna|gives?|da)(?= ))?)"
    r"|(?P<comment>;? ?(?:#|//) ?(?:=>|->|→|==|returns\b|devuelve\b)?)"
    rf"|(?P<word>{_MUST}"
    r"(?:(?:da|dar) como resultado|returns?|devuelve|devolver"
    r"|retorna|retornar|regresa|regresar|gives?|da|dar|yields?"
    r"|produces?|produce|produc[ei]r|evaluates? to|eval[uú]a a|results? in|equals?|is equal to"
    r"|be equal to|be|is|es(?: igual a)?|obtiene|obtener|obtenemos|get|expect|esperamos|resulta en"
    r"|returned|devolver[aá]|retornar[aá]|dar[aá]"
    rf"|ser(?: igual a)?|vale)\b ?:? ?{_FILLER})"
    r") ?"
)
_THROW = (
    r"raises?|throws?|lanza(?:r|r[aá])?|levantar?|arrojar?|elevar?|fails? with|fallar? con"
    r"|(?:gives?|da|dar|produces?|producir|provocar?|results? in|causes?|terminar? (?:con|en))"
    r"(?= (?:(?:an?|una?|la|el) )?(?:(?:exception|excepci[oó]n|error) )?"
    r"[`'\"*]{0,3}\w{2,40}(?:Error|Exception)\b)"
)
_RAISES = _phrase(
    rf"{_GAP}(?:(?:=>|-{{1,2}}>|→|⇒)? ?{_MUST}(?:{_THROW})\b|=>|-{{1,2}}>|→|⇒) ?:? ?"
    r"(?:(?:an?|una?|la|el|the|exception|excepci[oó]n|error|of type|(?:de )?tipo) ){0,6}"
    r"[`'\"*_]{0,3}(?-i:(?P<name>[A-Z]\w*))"
)
_NO = r"(?P<no>\b(?:no|not|never|nunca|sin|without)\b[^.;:\n]{0,20} )?\b"
_CASE = r"(?:por ejemplo|p\. ?ej\.|for example|for instance|e\.g\.)"
# "lanza ValueError si n es negativo: f(-1)", "raises ValueError for empty lists (f([]))"
_RAISES_BEFORE = _phrase(
    rf"{_NO}(?:rais(?:es?|ing)|throw(?:s|ing)?|lanza(?:r|r[aá]|ndo)?|levantar?|arrojar?|elevar?) "
    r"(?:(?:an?|una?|la|el|the|exception|excepci[oó]n|error|of type|(?:de )?tipo) ){0,6}"
    r"[`'\"*_]{0,3}(?-i:(?P<name>[A-Z]\w{0,40}))[`'\"*_]{0,3}[^.;:\n()`]{0,80}"
    rf"(?:: ?|\( ?|,? (?:{_CASE}|as in|como en|like)[,:]? )(?:{_CASE}[,:]? )?[`*]{{0,3}}\Z"
)
_CLOSES = re.compile(r"[`*]{0,3}[ \t]*(?:\Z|[)\n]|[.;](?=\s|\Z))")
# "devuelve 2 para f(1)"
_GIVES_BEFORE = _phrase(
    rf"{_NO}(?:returns?|devuelve|retorna|gives?|da) {_FILLER}[`*]{{0,3}}(?P<value>[^\n]{{1,80}}?)"
    r"[`*]{0,3} (?:for|para|when called as|al llamar a|si se llama (?:a|como)) [`*]{0,3}\Z"
)
_CELL = re.compile(r"[ \t`*]{0,40}\|[ \t]{0,40}")
_EXCEPTION = re.compile(r"\w(?:Error|Exception)$|^(?:StopIteration|SystemExit|KeyboardInterrupt)$")

_NUMBER = re.compile(
    r"[-+]?(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?j?)"
)
_WORD = re.compile(r"(?:new )?[A-Za-z_]\w*")
_OPENING = re.compile(r"(?:\*\*|`{1,3})?")
_ASIDE = re.compile(r"`|[ \t]#|[ \t]//|[ \t]*\|")
WORD_VALUES = {
    **dict.fromkeys(("True", "true", "TRUE", "verdadero"), "True"),
    **dict.fromkeys(("False", "false", "FALSE", "falso"), "False"),
    **dict.fromkeys(("None", "none", "null", "nil"), "None"),
}
# A value ends a line or a clause; before any other word it may be half of something else.
_ENDS = re.compile(
    r"[`'\"*_]{0,3}(?:"
    r"[ \t]*(?:\Z|[\r\n)\]|;]|\#|//|—|–)"
    r"|[.:!?](?=[\s)\"'`*]|\Z)"
    r"|[ \t]+\((?!\d)"
    r"|,[ \t]*(?![\d\s\-+\[({'\"`.])"
    r"|[ \t]+(?:and|y|e|but|pero|while|mientras(?:\s+que)?|whereas)\s+(?:que\s+)?[`*'\"]*"
    r"(?:new[ \t]+)?(?=[A-Za-z_][\w.]*\()"
    r"|[ \t]+(?:because|porque|since|ya\s+que|pues)\b)"
)
_BULLET = re.compile(r"[ \t>]*(?:[-+*•]|\d+[.)])[ \t]+[`*(]*\Z")
_ROW = re.compile(r"[ \t]*\|[^\n]*\|?[ \t`*]*\Z")
_NOT_AFTER = re.compile(
    r"(?:\b(?:not|no|nunca|never|or|o|if|si|while|mientras|in|is|def|class|function|func|fn|return"
    r"|lambda|wrong|incorrect[oa]?|unlike|instead\s+of|en\s+(?:vez|lugar)\s+de|del|await|yield)\s*"
    r"[`*'\"(]*"
    r"|[-+/%&^~<=!@|]\s*[`(]*|\w\(|[\w)\]]\*{1,2}|\*{1,2}\s+)\Z",
    re.IGNORECASE,
)


class Values(Protocol):
    """How a language writes values."""

    words: Mapping[str, str]

    def is_value(self, text: str) -> bool:
        """Tell whether a value is written out."""


@dataclass(frozen=True)
class Gift:
    """The phrase after a call: what it gives or raises, and where the phrase ends."""

    expected: str | None
    raises: str | None
    symbol: bool
    end: int


def is_exception_name(name: str) -> bool:
    """Tell whether a word names an exception class by its form."""
    return _EXCEPTION.search(name) is not None


def next_call(text: str, position: int) -> tuple[int, int] | None:
    """Find the start of the next call and the position of its opening bracket."""
    name = _CALL.search(text, position)
    return (name.start(), name.end() - 1) if name is not None else None


def call_end(text: str, bracket: int) -> int | None:
    """Give the position after a call's brackets, methods and subscripts; None if unbalanced."""
    end = balanced_end(text, bracket, limit=MAX_CALL)
    while end is not None and (trailer := _TRAILER.match(text, end)):
        longer = balanced_end(text, trailer.end() - 1, limit=MAX_CALL)
        if longer is None:
            break
        end = longer
    return end


def stands_alone(text: str, start: int) -> bool:
    """Tell whether what is written before a call leaves it a statement of its own."""
    line_start = text.rfind("\n", 0, start) + 1
    before = text[max(line_start, start - 200) : start]
    if _BULLET.match(before) or _ROW.match(before):
        return True
    return _NOT_AFTER.search(before[-40:]) is None


def read_gift(text: str, start: int, end: int, *, values: Values) -> Gift | None:
    """Read what the call at `start:end` gives; None where the text does not say it plainly."""
    raises = _RAISES.match(text, end)
    if raises is not None and is_exception_name(raises["name"]):
        return Gift(None, raises["name"], symbol=False, end=raises.end())
    line_start = text.rfind("\n", 0, start) + 1
    cell = _CELL.match(text, end) if _ROW.match(text[line_start:start]) else None
    if cell is not None:
        return _gift(read_value(text, cell.end(), whole=True, values=values))
    gives = _GIVES.match(text, end)
    if gives is None:
        return _read_before(text, start, end, values=values)
    # "T(1) = 1" is a recurrence more often than a program.
    if gives["equals"] is not None and text[start + 1] == "(":
        return None
    whole = gives["comment"] is not None
    value = read_value(text, gives.end(), whole=whole, values=values)
    return _gift(value, symbol=gives["symbol"] is not None)


def _read_before(text: str, start: int, end: int, *, values: Values) -> Gift | None:
    """Read a phrase that ends with the call: what it raises, or what it gives."""
    line_start = text.rfind("\n", 0, start) + 1
    before = text[max(line_start, start - 200) : start]
    if _CLOSES.match(text, end) is None:
        return None
    raises = _RAISES_BEFORE.search(before)
    if raises is not None and raises["no"] is None and is_exception_name(raises["name"]):
        return Gift(None, raises["name"], symbol=False, end=end)
    gives = _GIVES_BEFORE.search(before)
    value = gives["value"].strip(" `*") if gives is not None and gives["no"] is None else ""
    if not values.is_value(value):
        return None
    return Gift(values.words.get(value, value), None, symbol=False, end=end)


def _gift(value: tuple[str, int] | None, *, symbol: bool = False) -> Gift | None:
    return Gift(value[0], None, symbol=symbol, end=value[1]) if value is not None else None


def read_value(text: str, start: int, *, whole: bool, values: Values) -> tuple[str, int] | None:
    """Read a value that fills its line (`whole`), or that plainly ends where it ends."""
    opening = _OPENING.match(text, start)
    begin = opening.end() if opening is not None else start
    line = text[begin : begin + MAX_VALUE].split("\n", 1)[0]
    for part in (line, _ASIDE.split(line, maxsplit=1)[0]):
        written = part.strip().rstrip(".;,*`").strip()
        if values.is_value(written):
            return values.words.get(written, written), begin + len(part)
    token = None if whole else read_token(text, begin, words=values.words)
    if token is None or _ENDS.match(text, token[1]) is None:
        return None
    return token if values.is_value(token[0]) else None


def read_token(text: str, start: int, *, words: Mapping[str, str]) -> tuple[str, int] | None:
    """Read one number, text, bracket or constructor and where it ends; it may be no value yet."""
    end: int | None = None
    if number := _NUMBER.match(text, start):
        end = number.end() - number[0].endswith(".")
    elif text[start : start + 1] in tuple("[({'\""):
        end = balanced_end(text, start, limit=MAX_VALUE)
    elif word := _WORD.match(text, start):
        if word[0] in words:
            return words[word[0]], word.end()
        if (word[0] in CONSTRUCTORS or word[0].startswith("new ")) and text.startswith(
            "(", word.end()
        ):
            end = balanced_end(text, word.end(), limit=MAX_VALUE)
    return (text[start:end], end) if end is not None else None


_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_MARK = re.compile(r"[\\'\"\n()\[\]{}]")


def balanced_end(text: str, start: int, *, limit: int) -> int | None:
    """Give the position after the bracket or string that opens at `start`."""
    closers: list[str] = []
    quote = ""
    position, stop = start, min(len(text), start + limit)
    while mark := _MARK.search(text, position, stop):
        letter, position = mark[0], mark.end()
        if quote:
            position += letter == "\\"
            if letter == "\n":
                return None
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSERS:
            closers.append(_CLOSERS[letter])
        elif letter in ")]}" and (not closers or closers.pop() != letter):
            return None
        if not closers and not quote:
            return position
    return None
