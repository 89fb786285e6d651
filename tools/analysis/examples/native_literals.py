"""Read values and calls as C, C++, Java, Go, Rust, C#, PHP, Ruby and Kotlin write them.

Python's and JSON's literals are read too, since a task's text often uses them for any language.
Nothing is evaluated: what is no plain value is left as it is written, or refused.
"""

import re
from collections.abc import Callable, Iterator

from tools.analysis.examples.native_values import Call, Char, Group, Pairs, Unread, Wrapped
from tools.analysis.examples.native_words import (
    BAGS,
    LISTS,
    MAPS,
    NAMES_OF_TYPES,
    SAME,
    SOME,
    TUPLES,
    WORDS,
)

MAX_DEPTH = 12
MAX_TEXT = 4_000
CHARACTERS = frozenset({"c", "cpp", "java", "go", "rust", "csharp", "kotlin"})

_SPACE = re.compile(r"[ \t\n]*")
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)[ ]?(?:(?P<based>0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+)"
    r"|(?P<digits>(?:\d[\d_]*(?:\.\d[\d_]*)?|\.\d+)(?:[eE][-+]?\d+)?))"
    r"(?P<suffix>_?(?:[iu](?:8|16|32|64|128|size)|f(?:32|64))|[uUlLfFdDmM]{1,3})?(?![\w])"
)
_COPIES = re.compile(
    r"(?:ArrayList|LinkedList|HashSet|LinkedHashSet|TreeSet|ArrayDeque|List|HashMap|Set)$"
)
_BRACED = re.compile(
    r"(?:vector|list|deque|array|set|unordered_set|multiset|map|unordered_map|pair|tuple|optional"
    r"|List|HashSet|Dictionary|SortedSet|LinkedList|string|String|\w*\[[\d,]*\](?:\[\])*)$"
)
_PATH = re.compile(r"\$?[A-Za-z_]\w*(?:(?:::|\.|->|\\)[A-Za-z_]\w*)*[!?]?")
_GENERIC = re.compile(r"(?:::)?<[\w\s,.:<>*&?\[\]]{0,120}>")
_GO_TYPE = re.compile(r"(?:map\[\w+\]|\[(?:\d+|\.\.\.)?\])(?:map\[\w+\]|\[\d*\])*\*?[\w.]+(?=\{)")
_CAST = re.compile(r"\(\s*(?:const\s+)?[A-Za-z_]\w*(?:\s+\w+)?\s*(?:\[\d*\])+\s*\)\s*(?=\{)")
_TEXT_TAIL = re.compile(r"\.(?:to_string|to_owned|into|dup|clone|freeze|toString|to_sym)(?:\(\))?")
_TEXT_HEAD = re.compile(r"(?:u8|[LuU@$])(?=[\"'])")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class NotRead(ValueError):
    """The text is no value that is read here."""


def read_value(text: str, language: str) -> object:
    """Read one value that is the whole of `text`. Raises NotRead."""
    reader = _Reader(text, language)
    value = reader.value()
    reader.expect_end()
    return value


def read_values(text: str, language: str) -> list[object]:
    """Read several values with commas, the whole of `text`, as arguments. Raises NotRead."""
    reader = _Reader(text, language)
    values = list(reader.items("", reader.value)) if text.strip() else []
    reader.expect_end()
    return values


def read_call(text: str, language: str) -> Call:
    """Read one call whose arguments are values or, as written, other expressions.

    Raises NotRead where it is none, or where a bare name in it can be anything.
    """
    reader = _Reader(text.strip(), language)
    new = reader.skip_word("new")
    path = reader.path()
    reader.skip(_GENERIC)
    if not reader.skip_text("("):
        raise NotRead("no call")
    arguments = tuple(reader.items(")", reader.argument))
    rest = reader.rest()
    if rest and not re.match(r"(?:\.|->|\[|\?\.|::)", rest):
        raise NotRead("more than a call")
    variable = "." in path and path[:1].islower() and language != "go"
    if rest or variable or any(isinstance(one, Unread) for one in arguments):
        _refuse_names(text, language)
    return Call(text.strip(), path, arguments, not new and not rest)


_QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_NAME = re.compile(r"(?<![\w.$:@>])[$@]?[a-z_]\w*")


def _refuse_names(text: str, language: str) -> None:
    """Refuse a bare name in lower case that is not called: nobody says what it holds."""
    bare = _QUOTED.sub('""', text)
    for name in _NAME.finditer(bare):
        word, after = name[0], bare[name.end() :].lstrip()
        if word in NAMES_OF_TYPES or word in WORDS or after[:1] in ("(", "!") or word == "_":
            continue
        if after.startswith("::") and language in ("cpp", "rust"):
            continue
        raise NotRead(f"what is `{word}`?")


class _Reader:
    def __init__(self, text: str, language: str) -> None:
        if len(text) > MAX_TEXT:
            raise NotRead("too long")
        self._text, self._language = text, language
        self._at = 0
        self._depth = 0

    def rest(self) -> str:
        self._space()
        return self._text[self._at :]

    def expect_end(self) -> None:
        if self.rest():
            raise NotRead("more than a value")

    def skip(self, pattern: re.Pattern[str]) -> str | None:
        self._space()
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def skip_text(self, text: str) -> bool:
        self._space()
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def skip_word(self, word: str) -> bool:
        return self.skip(re.compile(rf"{word}\b")) is not None

    def path(self) -> str:
        found = self.skip(_PATH)
        if found is None:
            raise NotRead("no name")
        return found

    def argument(self) -> object:
        """Read a value; what is none is taken as it is written, up to its comma or bracket."""
        start = self._at
        try:
            value = self.value()
            if self.rest()[:1] in (",", ")"):
                return value
        except NotRead:
            pass
        self._at = start
        return Unread(self._written())

    def _written(self) -> str:
        depth, start = 0, self._at
        while self._at < len(self._text):
            quoted = _QUOTED.match(self._text, self._at)
            if quoted is not None:
                self._at = quoted.end()
                continue
            letter = self._text[self._at]
            if depth == 0 and letter in ",)":
                break
            depth += (letter in "([{") - (letter in ")]}")
            self._at += 1
        text = self._text[start : self._at].strip()
        if not text or depth or re.search(r"[;\n`]|\.\.\.", _QUOTED.sub("", text)):
            raise NotRead("no argument")
        return text

    def items(self, closing: str, read: Callable[[], object]) -> Iterator[object]:
        """Read what stands between commas up to the closing bracket, or to the end."""
        while not (self.skip_text(closing) if closing else not self.rest()):
            yield read()
            if self.skip_text(","):
                continue
            if closing and not self.skip_text(closing):
                raise NotRead(f"no {closing}")
            return

    def value(self) -> object:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotRead("too deep")
        value = self._value()
        while self.skip_word("to") if self._language == "kotlin" else False:
            value = (value, self._value())
        self._depth -= 1
        return value

    def _value(self) -> object:  # noqa: PLR0911 - one for each kind of literal
        while self.skip(re.compile(r"&(?:mut\b)?(?!&)")):
            pass
        number = self.skip(_NUMBER)
        if number is not None:
            return _number(number)
        if self.skip(_TEXT_HEAD) is not None or self.rest()[:1] in ("'", '"'):
            return self._quoted()
        if self.skip(_GO_TYPE) is not None or self.skip(_CAST) is not None:
            return self._braces()
        if self.skip_text("["):
            return self._list("]")
        if self.rest()[:1] == "{":
            return self._braces()
        if self.skip_text("("):
            items = tuple(self.items(")", self.value))
            single = len(items) == 1 and not self._text[: self._at].rstrip(") ").endswith(",")
            return items[0] if single else items
        if self._language == "ruby" and self.skip_text(":"):
            return self.path()
        return self._named()

    def _named(self) -> object:  # noqa: PLR0911 - one for each kind of name
        start = self._at
        new = self.skip_word("new")
        if new and (self.skip_text("[]") or self.skip(re.compile(r"\w+(?:\[\])+(?=\s*\{)"))):
            return self._braces()
        empty = self.skip(re.compile(r"\w+\[0\]")) if new else None
        if empty is not None:
            return []
        if self.skip_text("-"):
            value = self._named()
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise NotRead("no number")
            return -value
        path = self.path()
        name = re.sub(r"^(?:std|java\.util|java|kotlin)(?:::|\.)(?:collections::)?", "", path)
        name = name.removeprefix("util.")
        generic = self.skip(_GENERIC)
        if self.rest()[:1] == "{" and (_BRACED.search(name) or generic):
            return self._copied(name, self._braces())
        if path == "vec!" and self.skip_text("["):
            return self._list("]")
        if self.skip_text("("):
            return self._constructed(name, new=new)
        if path in WORDS and not new:
            return WORDS[path]
        if name in WORDS and not new:
            return WORDS[name]
        self._at = start
        raise NotRead("no value")

    def _constructed(self, name: str, *, new: bool) -> object:  # noqa: PLR0911 - one for each kind
        items = list(self.items(")", self.value))
        if name in LISTS:
            nested = name.endswith("::from") and len(items) == 1
            return _as_list(items[0]) if nested else items
        if name in BAGS:
            nested = ("::" in name or name == "Set.new") and len(items) == 1
            return Group(tuple(_as_list(items[0]) if nested else items), bag=True)
        if name in MAPS or name in ("Map.of", "Map.ofEntries"):
            return _as_map(name, items)
        if name in SOME and len(items) == 1:
            return Wrapped(SOME[name], items[0])
        if name in ("Optional.empty", "Vec::new") and not items:
            return None if name == "Optional.empty" else []
        if name in TUPLES and items:
            return tuple(items)
        if name in ("emptyList", "Collections.emptyList", "List.of") and not items:
            return []
        if name in SAME and len(items) == 1 and not new:
            return items[0]
        if new and _COPIES.search(name):
            if not items:
                inside = self._braces() if self.rest()[:1] == "{" else Group(())
                return self._copied(name, inside)
            return self._copied(name, items[0]) if len(items) == 1 else self._no(name)
        return self._no(name)

    def _copied(self, name: str, value: object) -> object:
        if "Set" in name or name.endswith("set"):
            return Group(tuple(_as_list(value)), bag=True)
        if name.endswith(("Dictionary", "Map", "map")) and not isinstance(value, Pairs):
            return _pairs(_as_list(value))
        if name.endswith(("pair", "tuple")):
            return tuple(_as_list(value))
        if name.endswith("optional") and isinstance(value, Group) and len(value.items) < 2:
            return Wrapped("some", value.items[0]) if value.items else None
        return value

    def _no(self, name: str) -> object:
        raise NotRead(f"what is {name}?")

    def _list(self, closing: str) -> object:
        return self._collect(closing)

    def _braces(self) -> object:
        if not self.skip_text("{"):
            raise NotRead("no brace")
        items = self._collect("}")
        return Group(tuple(items)) if isinstance(items, list) else items

    def _collect(self, closing: str) -> "list[object] | Pairs":
        """Read items, or pairs such as `k: v`, `k => v` and `[k] = v`."""
        items: list[object] = []
        pairs: list[tuple[object, object]] = []
        for one in self.items(closing, self._item):
            if isinstance(one, _Pair):
                pairs.append((one.key, one.value))
            else:
                items.append(one)
        if pairs and items:
            raise NotRead("items and pairs")
        return Pairs(tuple(pairs)) if pairs else items

    def _item(self) -> object:
        word = self.skip(re.compile(r"[A-Za-z_]\w*(?=\s*:(?!:))"))
        key = word if word is not None else self.value()
        if self.skip(re.compile(r"=>|:(?!:)")):
            return _Pair(key, self.value())
        if isinstance(key, list) and len(key) == 1 and self.skip(re.compile(r"=(?!=)")):
            return _Pair(key[0], self.value())
        if word is not None:
            raise NotRead("no value")
        return key

    def _quoted(self) -> object:
        quote = self._text[self._at]
        position, text = self._at + 1, ""
        while True:
            letter = self._text[position : position + 1]
            if letter in ("", "\n"):
                raise NotRead("no end of the text")
            position += 1
            if letter == quote:
                break
            if letter == "\\":
                letter, position = self._escape(position, quote)
            text += letter
        self._at = position
        while self.skip(_TEXT_TAIL):
            pass
        plain = quote == "'" and len(text) == 1 and self._language in CHARACTERS
        return Char(text) if plain else text

    def _escape(self, position: int, quote: str) -> tuple[str, int]:
        letter = self._text[position : position + 1]
        if quote == "'" and self._language in ("php", "ruby") and letter not in ("'", "\\"):
            return "\\", position
        digits = re.compile(r"u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})")
        coded = digits.match(self._text, position)
        if coded is not None:
            number = int(coded[1] or coded[2] or coded[3], 16)
            return chr(min(number, 0x10FFFF)), coded.end()
        return _ESCAPES.get(letter, letter), position + 1

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found is not None else self._at


class _Pair:
    def __init__(self, key: object, value: object) -> None:
        self.key, self.value = key, value


def _number(text: str) -> int | float:
    found = _NUMBER.match(text)
    if found is None:
        raise NotRead("no number")
    sign = -1 if found["sign"] == "-" else 1
    if found["based"]:
        return sign * int(found["based"].replace("_", ""), 0)
    digits = found["digits"].replace("_", "")
    suffix = (found["suffix"] or "").lower().lstrip("_")
    floating = suffix.startswith(("f", "d", "m")) or not digits.isdigit()
    return sign * (float(digits) if floating else int(digits))


def _as_map(name: str, items: list[object]) -> Pairs:
    if name == "Map.of" and len(items) % 2 == 0:
        return Pairs(tuple(zip(items[::2], items[1::2], strict=True)))
    return _pairs(_as_list(items[0]) if "::" in name and len(items) == 1 else items)


def _as_list(value: object) -> list[object]:
    if isinstance(value, Group):
        return list(value.items)
    if isinstance(value, list | tuple):
        return list(value)
    raise NotRead("no items")


def _pairs(items: list[object]) -> Pairs:
    found = []
    for item in items:
        both = _as_list(item)
        if len(both) != 2:
            raise NotRead("no pair")
        found.append((both[0], both[1]))
    return Pairs(tuple(found))
