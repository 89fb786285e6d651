"""Find characters that make code read differently from what it is, or not run at all."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from tools.analysis.comments import blank_text
from tools.analysis.facts.fact import Fact, in_order
from tools.analysis.syntax import normalise_language, split_lines

ANALYZER: Final = "unicode"

INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS: Final = frozenset("\u200c\u200d")

# What a word processor, a chat or a web page makes of what was typed.
_LOOK_ALIKES: Final = (
    dict.fromkeys("“”„‟«»″＂", '"')
    | dict.fromkeys("‘’‚‛′´＇", "'")
    | dict.fromkeys("–—‒―−‐‑﹣－", "-")
    | {"；": ";", "\u037e": ";", "，": ",", "：": ":", "（": "(", "）": ")", "［": "[", "］": "]"}
    | {"｛": "{", "｝": "}", "＝": "=", "＜": "<", "＞": ">", "＋": "+", "！": "!", "．": "."}
    | {"×": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=", "…": "..."}
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000", "a space")
    | dict.fromkeys("\u2028\u2029", "a line break")
)
_LOOK_ALIKE = re.compile("[" + "".join(map(re.escape, _LOOK_ALIKES)) + "]")
# A shell's words hold any character; a dash in the middle of them is nobody's mistake.
_NOT_IN_A_SHELL: Final = re.compile(r"(?<!\s)[–—‒―−‐‑]|[–—‒―−‐‑](?!\w)|[×÷≤≥≠…]")

# Letters that look like Latin ones in the fonts of editors. Greek ones that science writes
# beside Latin (Δx, μ_k, ρ_air) are not here.
_TWINS: Final = dict(
    zip(
        "асеорхуіјѕһԁԛԝӏАВЕКМНОРСТХУІЈЅԌԜЗΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲ",
        "aceopxyijshdqwlABEKMHOPCTXYIJSGW3ABEZHIKMNOPTYXoc",
        strict=True,
    )
)
_WORD = re.compile(r"[^\W\d_]+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def find_unicode(code: str, language: str) -> tuple[Fact, ...]:
    """List suspicious characters, one fact for each kind on a line.

    Rules: `unicode/bidi`, `unicode/invisible` anywhere; `unicode/homoglyph` and
    `unicode/look-alike` outside of comments and strings.
    """
    if code.isascii() and not INVISIBLE.search(code):
        return ()
    found = list(_hidden(code))
    name = normalise_language(language)
    if not code.isascii() and name is not None:
        bare = blank_text(code.removeprefix("\ufeff"), language)
        if bare is not None:
            found += _homoglyphs(bare)
            found += _look_alikes(bare, name)
    return in_order(found)


def strip_invisible(text: str) -> tuple[str, tuple[str, ...]]:
    """Drop characters that show nothing but steer a reader: bidi, zero-width, tags, controls.

    Returns the text and the names of what was dropped, each once, in order of appearance.
    """
    names = dict.fromkeys(_name(mark) for mark in INVISIBLE.findall(text))
    return INVISIBLE.sub("", text), tuple(names)


def plain_letters(text: str) -> str:
    """Return the text as a reader sees it: no invisible marks, look-alikes and accents resolved."""
    visible = INVISIBLE.sub("", text)
    shown = "".join(_TWINS.get(letter, letter) for letter in visible)
    apart = unicodedata.normalize("NFKD", shown)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _hidden(code: str) -> Iterator[Fact]:
    for number, line in enumerate(split_lines(code), 1):
        marks = [
            match[0]
            for match in INVISIBLE.finditer(line)
            if not _is_expected(line, match.start(), first=number == 1)
        ]
        bidi = [mark for mark in marks if mark in _BIDI]
        if bidi:
            text = f"text runs in another order than it shows: {_names(bidi)}"
            yield _fact("bidi", number, message=text)
        others = [mark for mark in marks if mark not in _BIDI]
        if others:
            text = f"characters that cannot be seen: {_names(others)}"
            yield _fact("invisible", number, message=text)


def _is_expected(line: str, position: int, *, first: bool) -> bool:
    """Tell a byte order mark, an emoji's joiner and the joiners of Indic and Persian words."""
    mark = line[position]
    if mark == "\ufeff":
        return first and position == 0
    if mark not in _JOINERS or position == 0:
        return False
    before = line[position - 1]
    return before == "\ufe0f" or (not before.isascii() and unicodedata.category(before)[0] in "SML")


def _homoglyphs(bare: str) -> Iterator[Fact]:
    latin = {word for word in _IDENTIFIER.findall(bare) if word.isascii()}
    for number, line in enumerate(split_lines(bare), 1):
        if line.isascii():
            continue
        for match in _IDENTIFIER.finditer(line):
            word = match[0]
            if word.isascii():
                continue
            twin = "".join(_latin(letter) for letter in word)
            strange = [letter for letter in word if _latin(letter) != letter]
            if strange and (_is_mixed(word) or twin in latin or _is_styled(strange)):
                text = f"`{word[:40]}` is not `{twin[:40]}`: it has {_names(strange)}"
                yield _fact("homoglyph", number, message=text)


def _latin(letter: str) -> str:
    """Return the ASCII letter that this one looks like, or itself."""
    if letter in "ªº" or letter.isascii():
        return letter
    plain = _TWINS.get(letter) or unicodedata.normalize("NFKC", letter)
    letterlike = 0x2100 <= ord(letter) <= 0x214F
    return plain if plain.isascii() and plain.isalnum() and not letterlike else letter


def _is_mixed(identifier: str) -> bool:
    return any(
        any(letter in _TWINS for letter in word)
        and any("LATIN" in unicodedata.name(letter, "") for letter in word)
        for word in _WORD.findall(identifier)
    )


def _is_styled(letters: list[str]) -> bool:
    return any(letter not in _TWINS for letter in letters)


def _look_alikes(bare: str, language: str) -> Iterator[Fact]:
    for number, line in enumerate(split_lines(bare), 1):
        if line.isascii():
            continue
        read = _NOT_IN_A_SHELL.sub(" ", line) if language == "bash" else line
        marks = dict.fromkeys(_LOOK_ALIKE.findall(read))
        if marks:
            instead = ", ".join(f"{_shown(mark)} (type {_LOOK_ALIKES[mark]})" for mark in marks)
            yield _fact("look-alike", number, message=f"typographic characters in code: {instead}")


def _shown(mark: str) -> str:
    return f"U+{ord(mark):04X}" if mark.isspace() else f"{mark} U+{ord(mark):04X}"


def _fact(rule: str, line: int, *, message: str) -> Fact:
    return Fact(
        analyzer=ANALYZER,
        rule=f"{ANALYZER}/{rule}",
        line=line,
        end_line=line,
        message=message[:300],
        severity="medium" if rule == "invisible" else "high",
    )


def _names(marks: list[str]) -> str:
    return ", ".join(dict.fromkeys(_name(mark) for mark in marks[:8]))


def _name(mark: str) -> str:
    code = f"U+{ord(mark):04X}"
    if 0xE0020 <= ord(mark) <= 0xE007F:
        return f"{code} TAG CHARACTER"
    return f"{code} {unicodedata.name(mark, 'CONTROL CHARACTER')}"
