"""Check that a call leaves its arguments alone, where the task says that it must.

The task's own sentence gives what is expected, so such an example is the task's and not a guess.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.expressions import canonical, parse_expression
from tools.analysis.examples.js_expressions import read_js_call, read_js_value_text

MOST: Final = 3
KINDS: Final = frozenset({"call", "assert", "json", "doctest", "truth"})

_SENTENCE: Final = re.compile(r"[^.!?\n;]+")
_WHAT: Final = re.compile(
    r"\b(?:original(?:es)?|argument(?:s|o|os)?|list(?:as?|s)?|dict(?:ionar(?:y|ies)|s)?|diccionarios?"
    r"|objects?|objetos?|arrays?|arreglos?|inputs?|entradas?|param[eé]t(?:ers?|ros?)|given|recibid\w+"
    r"|matri(?:x|z|ces)|values?|valores)\b",
    re.I,
)
_UNTOUCHED: Final = re.compile(
    r"n't\s+(?:be\s+)?(?:chang|modif|mutat|alter)"
    r"|\b(?:(?:not|never|without)\s+(?:be(?:ing)?\s+)?(?:chang|modif|mutat|alter)\w*"
    r"|unchanged|untouched|intact[oa]?s?"
    r"|(?:no|sin|nunca)\s+(?:se\s+)?(?:debe[nr]?\s+)?(?:ser\s+)?(?:modific|cambi|alter|muta|toca)\w*"
    r"|(?:qued|permanec)\w+\s+(?:igual|como\s+estaba))",
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
    made = (probe for call in calls for probe in watch(call, sentence))
    return tuple(islice(made, MOST))


def _watch_python(call: str, sentence: str) -> Iterator[Example]:
    node = parse_expression(call)
    if not isinstance(node, ast.Call) or node.keywords or not isinstance(node.func, ast.Name):
        return
    for place, given in enumerate(node.args):
        written = canonical(given)
        if isinstance(given, ast.List | ast.Dict | ast.Set) and written not in {None, "[]", "{}"}:
            asked = [canonical(one) or "" for one in node.args]
            asked[place] = "given"
            probe = f"(lambda given: ({node.func.id}({', '.join(asked)}), given)[1])({written})"
            yield Example("call", probe, written, None, sentence)
            return


def _watch_javascript(call: str, sentence: str) -> Iterator[Example]:
    found = re.fullmatch(r"(?P<name>[\w$]+)\((?P<arguments>.*)\)", call, re.S)
    if found is None or read_js_call(call) is None:
        return
    given = found["arguments"]
    value = read_js_value_text(given)
    if value is None or given.strip()[:1] not in ("[", "{") or value in {"[]", "{}"}:
        return
    probe = f"((given) => {{ {found['name']}(given); return given; }})({value})"
    yield Example("call", probe, value, None, sentence)
