"""Read what a type is, as a language writes it: a number, a text, a list of something."""

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "int", "float", "bool", "char", "str", "list", "set", "map", "option", "tuple", "any"
]


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


_INTEGERS: Final = _split(
    "int short long byte sbyte uint ulong ushort size_t ssize_t int8 int16 int32 int64 uint8 uint16"
    " uint32 uint64 int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t i8 i16 i32"
    " i64 i128 isize u8 u16 u32 u64 u128 usize Int Long Short Byte Integer unsigned BigInteger"
    " Int64 Int32 UInt uintptr"
)
_FLOATS: Final = _split("float double f32 f64 float32 float64 Double Float decimal")
_TRUTHS: Final = _split("bool boolean Boolean _Bool")
_LETTERS: Final = _split("char Character Char rune wchar_t")
_TEXTS: Final = _split("string String str CharSequence string_view")
_SCALARS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_INTEGERS, "int"),
    **dict.fromkeys(_FLOATS, "float"),
    **dict.fromkeys(_TRUTHS, "bool"),
    **dict.fromkeys(_LETTERS, "char"),
    **dict.fromkeys(_TEXTS, "str"),
}
_LISTS: Final = _split(
    "vector list deque array List ArrayList LinkedList Collection Iterable Deque Queue Vec VecDeque"
    " IEnumerable IList ICollection IReadOnlyList IReadOnlyCollection MutableList Array Sequence"
    " initializer_list span Stack"
)
_SETS: Final = _split(
    "set unordered_set multiset Set HashSet LinkedHashSet TreeSet SortedSet BTreeSet ISet"
    " MutableSet NavigableSet"
)
_MAPS: Final = _split(
    "map unordered_map Map HashMap LinkedHashMap TreeMap SortedMap BTreeMap Dictionary IDictionary"
    " MutableMap NavigableMap"
)
_TUPLES: Final = frozenset(("pair", "tuple", "Pair", "Triple", "Tuple", "ValueTuple"))
_OPTIONS: Final = _split("optional Optional Option Nullable")
_PRIMITIVE_ARRAYS: Final = {
    **{"IntArray": "Int", "LongArray": "Long", "DoubleArray": "Double", "CharArray": "Char"},
    "BooleanArray": "Boolean",
}


@dataclass(frozen=True)
class Type:
    """A type: what it is, its bare name, the types inside of it, how it was written."""

    kind: Kind
    name: str
    inside: tuple["Type", ...]
    written: str
    pointer: bool = False
    mutable: bool = False


def read_type(written: str, language: str) -> Type:
    """Read a type as written; what is not known is of kind `any`."""
    text = re.sub(r"\b(?:final|readonly|constexpr|in|ref|out)\b", "", written).strip()
    if language in ("c", "cpp"):
        return _read_c(text, written)
    if language == "go":
        return _read_go(text)
    if language == "rust":
        return _read_rust(text)
    return _read_plain(text, language)


def _any(written: str) -> Type:
    return Type("any", written, (), written)


def _scalar(name: str, written: str) -> Type:
    return Type(_SCALARS.get(name, "any"), name, (), written)


def _generic(text: str, language: str) -> Type:
    """Read `Name<A, B>`."""
    found = re.fullmatch(r"(?P<name>[\w.:]+?)\s*<(?P<inside>.*)>", text)
    if found is None:
        return _scalar(re.split(r"::|\.", text)[-1], text)
    name = re.split(r"::|\.", found["name"])[-1]
    inside = tuple(read_type(one.strip(), language) for one in split_commas(found["inside"]))
    kinds: tuple[tuple[Kind, frozenset[str]], ...] = (
        ("list", _LISTS),
        ("set", _SETS),
        ("map", _MAPS),
        ("tuple", _TUPLES),
        ("option", _OPTIONS),
    )
    found_kind: list[Kind] = [one for one, names in kinds if name in names]
    kind: Kind = found_kind[0] if found_kind else "any"
    needed = {"list": 1, "set": 1, "map": 2, "option": 1, "tuple": 1}.get(kind, 0)
    if kind == "any" or len(inside) < needed:
        return _any(text)
    return Type(kind, name, inside, text)


def split_commas(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "<([{") - (letter in ">)]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _read_c(text: str, written: str) -> Type:
    constant = re.search(r"\bconst\b", text) is not None
    bare = re.sub(r"\b(?:const|struct|static|restrict|unsigned|signed)\b", "", text)
    unsigned = "unsigned " if re.search(r"\bunsigned\b", text) else ""
    reference = "&" in bare
    bare = bare.replace("&", "").strip()
    pointers = bare.count("*") + len(re.findall(r"\[[^\]]*\]", re.sub(r"<.*>", "", bare)))
    if "<" not in bare:
        base = re.sub(r"[*\s]|\[[^\]]*\]", " ", bare).split()
        name = base[-1] if base else unsigned.strip()
        whole = (unsigned + " ".join(base)).strip()
    else:
        name, whole = bare.rstrip("*[] "), bare.rstrip("*[] ")
        pointers = len(re.findall(r"\*\s*$|\[\]$", bare))
    inner = _generic(whole, "cpp") if "<" in whole else _scalar(name.rpartition("::")[2], whole)
    if pointers == 1 and inner.kind == "char":
        return Type("str", "char*", (), "char*", pointer=True, mutable=not constant)
    if pointers:
        deeper = inner if pointers == 1 else _any(written)
        if pointers == 2 and inner.kind == "char":
            deeper = Type("str", "char*", (), "char*", pointer=True, mutable=False)
        return Type("list", "*", (deeper,), whole, pointer=True, mutable=not constant)
    mutable = reference and not constant
    return Type(inner.kind, inner.name, inner.inside, inner.written, mutable=mutable)


def _read_go(text: str) -> Type:
    if text.startswith("map["):
        depth = text.index("]")
        inside = (read_type(text[4:depth], "go"), read_type(text[depth + 1 :], "go"))
        return Type("map", "map", inside, text)
    array = re.match(r"\[\d*\]", text)
    if array is not None:
        inner = read_type(text[array.end() :], "go")
        return Type("list", "[]", (inner,), text, mutable=True)
    return _scalar(text, text)


def _read_rust(text: str) -> Type:
    found = re.match(r"&(?:'\w+\s+)?(?P<mut>mut\s+)?", text)
    if found is not None:
        inner = read_type(text[found.end() :].strip(), "rust")
        changes = bool(found["mut"])
        return Type(inner.kind, inner.name, inner.inside, text, pointer=True, mutable=changes)
    text = re.sub(r"^mut\s+|^dyn\s+", "", text)
    if text.startswith("["):
        element = text[1:-1].split(";")[0].strip()
        return Type("list", "[]", (read_type(element, "rust"),), text)
    if text.startswith("("):
        inside = tuple(read_type(one.strip(), "rust") for one in split_commas(text[1:-1]) if one)
        return Type("tuple", "()", inside, text)
    return _generic(text, "rust")


def _read_plain(text: str, language: str) -> Type:
    if text.endswith("?"):
        inner = read_type(text[:-1], language)
        return Type("option", inner.name, (inner,), text)
    if text.endswith("[]"):
        return Type("list", "[]", (read_type(text[:-2].strip(), language),), text, mutable=True)
    if text in _PRIMITIVE_ARRAYS:
        return Type("list", text, (_scalar(_PRIMITIVE_ARRAYS[text], text),), text, mutable=True)
    return _generic(text, language)
