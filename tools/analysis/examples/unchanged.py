"""Check that a call leaves its arguments alone, where the task says that it must.

The task's own sentence gives what is expected, so such an example is the task's and not a guess.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.expressions import canonical, is_literal, parse_expression
from tools.analysis.examples.js_expressions import read_js_call, read_js_value_text

MOST: Final = 12
KINDS: Final = frozenset({"call", "assert", "json", "doctest", "truth"})

_SENTENCE: Final = re.compile(r"[^.!?\n;]+")
_WHAT: Final = re.compile(
    r"\b(?:original(?:es)?|argument(?:s|o|os)?|list(?:as?|s)?|dict(?:ionar(?:y|ies)|s)?|diccionarios?"
    r"|objects?|objetos?|arrays?|arreglos?|inputs?|entradas?|param[eé]t(?:ers?|ros?)|given|recibid\w+"
    r"|matri(?:x|z|ces)|values?|valores|caller'?s?|defaults?|data|datos)\b",
    re.I,
)
_UNTOUCHED: Final = re.compile(
    r"n't\s+(?:be\s+)?(?:chang|modif|mutat|alter)"
    r"|\b(?:(?:not|never|without)\s+(?:be(?:ing)?\s+)?(?:chang|modif|mutat|alter)\w*"
    r"|unchanged|untouched|intact[oa]?s?"
    r"|(?:no|sin|nunca)\s+(?:se\s+)?(?:debe[nr]?\s+)?(?:ser\s+)?(?:modific|cambi|alter|muta|toca)\w*"
    r"|(?:qued|permanec)\w+\s+(?:igual|como\s+estaba)"
    r"|neither\b.{0,60}\b(?:chang|modif|mutat|alter)\w*"
    r"|ni\b.{0,60}\b(?:pueden?|deben?|se)\b.{0,10}\b(?:cambi|modific|alter)\w*"
    r"|(?:the\s+same|as\s+(?:it|they)\s+(?:was|were))\b.{0,30}\b(?:as\s+)?before\b"
    r"|igual(?:es)?\s+que\s+antes|(?:goes|go|keeps?)\s+on\s+using"
    r"|sigue[n]?\s+us[aá]ndo\w*|belongs?\s+to\s+the\s+caller)",
    re.I,
)


def must_stay(texts: Iterable[str]) -> str | None:
    """Return the sentence by which a task forbids to change what a call is given; None without."""
    for text in texts:
        for sentence in _SENTENCE.findall(text):
            if _UNTOUCHED.search(sentence) and _WHAT.search(sentence):
                return str(sentence).strip()
    return None


def unchanged_examples(
    texts: Iterable[str], examples: Iterable[Example], *, javascript: bool = False
) -> tuple[Example, ...]:
    """Return up to `MOST` examples that look at an argument after its call.

    None where the task has no such words. They are made of the calls of `examples` that are given
    a list, a dictionary or an object.
    """
    sentence = must_stay(texts)
    if sentence is None:
        return ()
    calls = dict.fromkeys(one.expression for one in examples if one.kind in KINDS)
    watch = _watch_javascript if javascript else _watch_python
    made = [probe for call in calls for probe in watch(call, sentence)]
    # A list in order shows no sorting, a flat object no change of what is inside.
    made.sort(key=lambda probe: (_is_sorted(probe.expected or ""), -_parts(probe.expected or "")))
    return tuple(made[:MOST])


def _watch_python(call: str, sentence: str) -> Iterator[Example]:
    node = parse_expression(call)
    if not isinstance(node, ast.Call) or node.keywords:
        return
    if isinstance(node.func, ast.Name):
        given, used = node.args, f"{node.func.id}(*given)"
    elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        made = node.func.value  # what an object is made of is given too
        if made.keywords or not isinstance(made.func, ast.Name):
            return
        passed = ", ".join(map(ast.unparse, node.args))
        given, used = made.args, f"{made.func.id}(*given).{node.func.attr}({passed})"
    else:
        return
    written = canonical(ast.List(elts=given, ctx=ast.Load()))
    mutable = (ast.List, ast.Dict, ast.Set)
    if written is None or not all(map(is_literal, given)):
        return
    if any(isinstance(one, mutable) and ast.unparse(one) not in {"[]", "{}"} for one in given):
        probe = f"(lambda given: ({used}, given)[1])({written})"
        yield Example("call", probe, written, None, sentence)


def _watch_javascript(call: str, sentence: str) -> Iterator[Example]:
    found = re.fullmatch(r"(?P<name>[\w$]+)\((?P<arguments>.*)\)", call, re.S)
    if found is None or read_js_call(call) is None:
        return
    given = read_js_value_text(f"[{found['arguments']}]")
    if given is None or not re.search(r"[\[{]\s*[^\]}\s]", given[1:]):
        return
    probe = f"((given) => {{ {found['name']}(...given); return given; }})({given})"
    yield Example("call", probe, given, None, sentence)


def _is_sorted(written: str) -> bool:
    """Tell whether every list of numbers or texts in a value is in order already."""
    node = parse_expression(written)
    for part in ast.walk(node) if node is not None else ():
        if isinstance(part, ast.List) and all(isinstance(one, ast.Constant) for one in part.elts):
            values = [one.value for one in part.elts if isinstance(one, ast.Constant)]
            if any(str(one) > str(two) for one, two in pairwise(values)):
                return False
    return True


def _parts(written: str) -> int:
    """Return how many lists and objects a value is made of."""
    return written.count("[") + written.count("{")
