"""Write a value as an argument of a language, by the type that the learner's function takes."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Final

from tools.analysis.examples.native_values import Char, Group, Pairs, Wrapped
from tools.analysis.runs.native.types import Type, read_type


class Unspellable(ValueError):
    """The value has no writing in that type."""


def spell(  # noqa: PLR0911 - one for each kind of type
    value: object, kind: Type, language: str
) -> str:
    """Write `value` as `kind` in `language`. Raises Unspellable."""
    if isinstance(value, Wrapped):
        return _spell_wrapped(value, kind, language)
    if value is None:
        return _spell_null(kind, language)
    if kind.kind == "option":
        inner = spell(value, kind.inside[0], language)
        options = {"rust": f"Some({inner})", "java": f"java.util.Optional.of({inner})"}
        return options.get(language, inner)
    if kind.kind == "any":
        return _spell_any(value, kind, language)
    if kind.kind in ("list", "set", "tuple"):
        return _spell_items(items_of(value), kind, language)
    if kind.kind == "map":
        return _spell_map(value, kind, language)
    return _spell_scalar(value, kind, language)


def items_of(value: object) -> list[object]:
    """Give the items of a list, a tuple or what stands in braces. Raises Unspellable."""
    if isinstance(value, Group):
        return list(value.items)
    if isinstance(value, list | tuple):
        return list(value)
    raise Unspellable("no list")


def spell_text(text: str, language: str) -> str:
    """Write a text between double quotes."""
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in text):
        raise Unspellable("a control character")
    written = json.dumps(text, ensure_ascii=False).replace("\x7f", "")
    if language in ("php", "kotlin"):
        written = written.replace("$", "\\$")
    return written.replace("#", "\\#") if language == "ruby" else written


def _spell_null(kind: Type, language: str) -> str:
    if kind.kind in ("int", "float", "bool", "char") and language not in ("php", "ruby"):
        boxed = kind.name in ("Integer", "Long", "Double", "Boolean", "Character", "Float")
        if not (language == "java" and boxed):
            raise Unspellable("no null")
    if language == "java" and kind.kind == "option":
        return "java.util.Optional.empty()"
    if language == "rust" and kind.kind != "option":
        raise Unspellable("no null")
    if language == "cpp" and not kind.pointer:
        if kind.kind != "option":
            raise Unspellable("no null")
        return "std::nullopt"
    words = {"go": "nil", "ruby": "nil", "rust": "None", "cpp": "nullptr", "c": "0"}
    return words.get(language, "null")


def _spell_wrapped(value: Wrapped, kind: Type, language: str) -> str:
    if kind.kind == "option" and value.kind == "some":
        return spell(value.value, kind, language)
    raise Unspellable("a wrapped value")


def _spell_scalar(value: object, kind: Type, language: str) -> str:  # noqa: PLR0911 - one for each kind
    match kind.kind, value:
        case "bool", bool():
            return "true" if value else "false"
        case "bool", int() if language == "c":
            return str(value)
        case "int", bool() if language == "c":
            return str(int(value))
        case (("int" | "float"), bool()):
            raise Unspellable("no number")
        case "int", int():
            return _spell_int(value, kind, language)
        case "int", Char() if language in ("c", "cpp", "go"):
            return str(ord(value.text))
        case "float", int() | float():
            return _spell_float(float(value), kind, language)
        case "char", (str() | Char()):
            text = value if isinstance(value, str) else value.text
            if len(text) == 1 and (ord(text) < 128 or language not in ("c", "cpp")):
                quoted = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
                return "'" + quoted.replace("'", "\\'") + "'"
        case "str", (str() | Char()):
            text = value if isinstance(value, str) else value.text
            return _typed_text(spell_text(text, language), kind, language)
    raise Unspellable(f"no {kind.kind}")


def _typed_text(written: str, kind: Type, language: str) -> str:
    if language == "cpp" and not kind.pointer:
        return f"std::string({written})"
    if language == "java":
        # A constant is one object wherever it stands: what compares objects would seem right.
        return f"new String({written})"
    if language == "rust" and kind.name == "String":
        return (
            "&mut " if kind.mutable else "&" if kind.pointer else ""
        ) + f"String::from({written})"
    return written


def _spell_int(value: int, kind: Type, language: str) -> str:
    if not -(2**63) <= value < 2**64 or (value < 0 and kind.name.startswith(("u", "size"))):
        raise Unspellable("too large")
    small = kind.name in ("int", "i32", "Int", "Integer", "short", "byte")
    if language in ("java", "kotlin", "csharp", "rust") and small and not -(2**31) <= value < 2**31:
        raise Unspellable("too large")
    if kind.name in ("Long", "long") and language in ("java", "kotlin"):
        return f"{value}L"
    if language == "java" and kind.name in ("byte", "short", "Byte", "Short"):
        return f"({kind.name.lower()}) {value}"
    if language in ("c", "cpp") and not -(2**31) < value < 2**31:
        return "(-9223372036854775807LL - 1)" if value == -(2**63) else f"{value}LL"
    by_reference = language == "rust" and kind.pointer
    return ("&mut " if by_reference and kind.mutable else "&" if by_reference else "") + str(value)


def _spell_float(value: float, kind: Type, language: str) -> str:
    if not math.isfinite(value):
        raise Unspellable("no finite number")
    written = repr(value) if "e" not in repr(value) else format(value, "f")
    if kind.name in ("float", "Float") and language in ("java", "kotlin", "csharp"):
        return f"{written}f"
    if kind.name == "decimal":
        return f"{written}m"
    return ("&" if language == "rust" and kind.pointer else "") + written


def _spell_items(items: Sequence[object], kind: Type, language: str) -> str:
    if kind.kind == "tuple":
        if len(items) != len(kind.inside):
            raise Unspellable("another number of items")
        written = [
            spell(one, inner, language) for one, inner in zip(items, kind.inside, strict=True)
        ]
    else:
        written = [spell(one, kind.inside[0], language) for one in items]
    return _CONTAINERS[language](", ".join(written), kind)


def _in_cpp(items: str, kind: Type) -> str:
    if kind.pointer:
        return f"{kind.inside[0].written}[]{{{items or '{}'}}}"
    return f"{kind.written}{{{items}}}"


def _in_java(items: str, kind: Type) -> str:
    if kind.name == "[]":
        return f"new {kind.written}{{{items}}}"
    if kind.kind == "tuple":
        raise Unspellable("no tuples")
    inner = _boxed(kind.inside[0])
    listed = f"java.util.Arrays.<{inner}>asList({items})"
    name = {"LinkedList": "LinkedList", "Deque": "LinkedList", "Queue": "LinkedList"}.get(kind.name)
    if kind.kind == "set":
        name = (
            "TreeSet" if kind.name in ("TreeSet", "SortedSet", "NavigableSet") else "LinkedHashSet"
        )
    return f"new java.util.{name or 'ArrayList'}<{inner}>({listed})"


def _boxed(kind: Type) -> str:
    return {"int": "Integer", "char": "Character"}.get(kind.written, kind.written)


def _in_csharp(items: str, kind: Type) -> str:
    if kind.name == "[]":
        return f"new {kind.written} {{ {items} }}"
    if kind.kind == "tuple":
        return f"System.Tuple.Create({items})"
    name = (
        "HashSet" if kind.kind == "set" else "LinkedList" if kind.name == "LinkedList" else "List"
    )
    inner = kind.inside[0].written
    if name == "LinkedList" or kind.name in ("Queue", "Stack"):
        return f"new System.Collections.Generic.{kind.name}<{inner}>(new {inner}[] {{ {items} }})"
    return f"new System.Collections.Generic.{name}<{inner}> {{ {items} }}"


def _in_rust(items: str, kind: Type) -> str:
    borrowed = ("&mut " if kind.mutable else "&") if kind.pointer else ""
    if kind.kind == "tuple":
        return f"{borrowed}({items}{',' if len(kind.inside) == 1 else ''})"
    if kind.name == "[]":
        return f"{borrowed}[{items}]"
    if kind.name == "Vec":
        return f"{borrowed}vec![{items}]"
    return f"{borrowed}std::collections::{kind.name}::from([{items}])"


def _in_kotlin(items: str, kind: Type) -> str:
    if kind.kind == "tuple":
        return f"{kind.name}({items})"
    if kind.name.endswith("Array") and kind.name != "Array":
        return f"{kind.name[0].lower()}{kind.name[1:]}Of({items})"
    names = {"MutableList": "mutableListOf", "ArrayList": "arrayListOf", "Array": "arrayOf"}
    name = names.get(kind.name, "mutableSetOf" if kind.kind == "set" else "listOf")
    return f"{name}<{kind.inside[0].written}>({items})"


def _in_go(items: str, kind: Type) -> str:
    return f"{kind.written}{{{items}}}"


def _in_script(items: str, kind: Type) -> str:
    return f"[{items}]"


_CONTAINERS: Final[dict[str, Callable[[str, Type], str]]] = {
    **{"cpp": _in_cpp, "java": _in_java, "csharp": _in_csharp, "rust": _in_rust, "go": _in_go},
    **{"kotlin": _in_kotlin, "php": _in_script, "ruby": _in_script, "c": _in_cpp},
}


def _spell_map(value: object, kind: Type, language: str) -> str:
    if isinstance(value, Group) and not value.items:
        value = Pairs(())
    if not isinstance(value, Pairs):
        raise Unspellable("no map")
    key_type, value_type = kind.inside[:2]
    pairs = [(spell(k, key_type, language), spell(v, value_type, language)) for k, v in value.items]
    if language == "java":
        puts = " ".join(f"put({k}, {v});" for k, v in pairs)
        sorted_one = kind.name in ("TreeMap", "SortedMap", "NavigableMap")
        name = "TreeMap" if sorted_one else "LinkedHashMap"
        return f"new java.util.{name}<{_boxed(key_type)}, {_boxed(value_type)}>() {{{{ {puts} }}}}"
    if language == "csharp":
        inside = ", ".join(f"{{ {k}, {v} }}" for k, v in pairs)
        types = f"{key_type.written}, {value_type.written}"
        return f"new System.Collections.Generic.Dictionary<{types}> {{ {inside} }}"
    if language == "rust":
        return _in_rust(", ".join(f"({k}, {v})" for k, v in pairs), kind)
    if language == "kotlin":
        types = f"{key_type.written}, {value_type.written}"
        return f"mutableMapOf<{types}>({', '.join(f'{k} to {v}' for k, v in pairs)})"
    if language == "go":
        return f"{kind.written}{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    return f"{kind.written}{{{', '.join(f'{{{k}, {v}}}' for k, v in pairs)}}}"


def _spell_any(value: object, kind: Type, language: str) -> str:
    """Write a value for a type that is not known: as what it is, where that is one thing only."""
    if language in ("php", "ruby"):
        return _spell_script(value, language)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if not isinstance(value, float) else _spell_float(value, kind, language)
    if isinstance(value, str):
        written = spell_text(value, language)
        return f"std::string({written})" if language == "cpp" else written
    if isinstance(value, list | Group):
        return _spell_guess(items_of(value), language)
    raise Unspellable(f"what is {kind.written}?")


_GUESSES: Final = {
    "cpp": ("std::vector<int>", "std::vector<double>", "std::vector<std::string>"),
    "go": ("[]int", "[]float64", "[]string"),
    "rust": ("&[i32]", "&[f64]", "&[&str]"),
    "java": ("List<Integer>", "List<Double>", "List<String>"),
    "kotlin": ("List<Int>", "List<Double>", "List<String>"),
    "csharp": ("List<int>", "List<double>", "List<string>"),
}


def _spell_guess(items: list[object], language: str) -> str:
    kinds = (int, float, str)
    for guess, kind in zip(_GUESSES.get(language, ()), kinds, strict=False):
        if items and all(isinstance(one, kind) and not isinstance(one, bool) for one in items):
            return spell(items, read_type(guess, language), language)
    raise Unspellable("a list of what?")


def _spell_script(  # noqa: PLR0911 - one for each kind of value
    value: object, language: str
) -> str:
    if isinstance(value, Pairs):
        pairs = [(_spell_script(k, language), _spell_script(v, language)) for k, v in value.items]
        inside = ", ".join(f"{k} => {v}" for k, v in pairs)
        return f"[{inside}]" if language == "php" else f"{{{inside}}}"
    if isinstance(value, Group) and value.bag and language == "ruby":
        return f"Set[{', '.join(_spell_script(one, language) for one in value.items)}]"
    if isinstance(value, list | tuple | Group):
        return f"[{', '.join(_spell_script(one, language) for one in items_of(value))}]"
    if value is None:
        return "nil" if language == "ruby" else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Char):
        return spell_text(value if isinstance(value, str) else value.text, language)
    raise Unspellable("no literal")
