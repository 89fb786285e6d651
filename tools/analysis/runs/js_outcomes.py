"""Judge one example by what V8 answered."""

import re

from tools.analysis.examples.finder import Example
from tools.analysis.examples.js_expressions import read_js_call, read_js_value_text
from tools.analysis.runs.js_values import Primitive, is_same_js, js_type, read_js_value, show_js
from tools.analysis.runs.program import Outcome, Status, make_outcome
from tools.analysis.runs.values import Unreadable

_THROWN = re.compile(
    r"<anonymous>:(?P<line>\d+): (?:Uncaught )?(?:(?P<name>[\w$]+): )?(?P<text>[^\n]*)"
)
# Of browsers and Node, not of the language.
_HOST = re.compile(
    r"(?:window|document|process|Buffer|fetch|alert|prompt|setInterval|clearInterval|URL|navigator"
    r"|setImmediate|TextEncoder|TextDecoder|structuredClone|crypto|performance|localStorage"
    r"|sessionStorage|XMLHttpRequest|React|\$|_|jQuery|__dirname|__filename|global|self|location"
    r"|queueMicrotask|readline|WebAssembly|AbortController|Event|EventTarget|URLSearchParams"
    r") is not defined"
)
_NO_MODULES = re.compile(
    r"the sandbox has no modules|Cannot use '?import|import\.meta|await is only valid|Not supported"
)
_ERRORS = frozenset(
    {"Error", "AggregateError", "EvalError", "RangeError", "ReferenceError", "SyntaxError"}
    | {"TypeError", "URIError"}
)


class JsAttempt:
    """One example as JavaScript: what to ask V8, and the outcome once it is known."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.outcome: Outcome | None = None
        self.truth = example.kind == "truth"
        self.want: list[object] = ["unreadable"]
        call = read_js_call(example.expression) if example.kind != "io" else None
        expected = read_js_value_text(example.expected or "undefined")
        self.call_text = call.text if call is not None else ""
        self.names = call.names if call is not None else ()
        self.want_text = expected or "undefined"
        if example.kind == "io":
            self.settle("not_runnable", detail="the sandbox has no input to read")
        elif call is None or expected is None:
            self.settle("not_runnable", detail="the example is not JavaScript")

    def settle(self, status: Status, *, got: str | None = None, detail: str | None = None) -> None:
        """Say what it showed."""
        self.outcome = make_outcome(self.example, status, got=got, detail=detail, runner="v8")

    def judge(self, answer: list[object]) -> None:
        """Judge the answer to the call."""
        if answer[0] != "value":
            self.fail(answer)
            return
        if self.example.raises is not None:
            self.settle("fail", detail="nothing was thrown")
            return
        try:
            got = read_js_value(answer[1])
        except (Unreadable, LookupError):
            self.settle("error", detail="its value cannot be read")
            return
        try:
            if self.want[0] != "value":
                raise Unreadable("no value")
            want = read_js_value(self.want[1])
        except Unreadable:
            self.settle("not_runnable", detail="the expected value cannot be computed")
            return
        self._compare(got, want, truth=answer[2:])

    def _compare(self, got: object, want: object, *, truth: list[object]) -> None:
        if self.truth:
            wanted = want == Primitive("boolean", "true")
            same = truth == [wanted]
        else:
            # Python's None stands for either of JavaScript's two.
            nothing = (self.example.expected or "").strip() == "None"
            same = is_same_js(got, want) or (nothing and got == Primitive("undefined", "undefined"))
        if same:
            self.settle("pass", got=self.example.expected)
            return
        kinds = js_type(got), js_type(want)
        differs = kinds[0] != kinds[1] and not self.truth
        detail = f"a value of type {kinds[0]} instead of {kinds[1]}" if differs else None
        self.settle("fail", got=show_js(got), detail=detail)

    def fail(self, answer: list[object], *, loading: bool = False) -> None:
        """Judge an answer without a value: what was thrown, or which limit was met."""
        line = ""
        match answer:
            case ["timeout"]:
                self.settle("timeout", detail="it did not end within the time limit")
                return
            case ["memory"]:
                self.settle("error", detail="it used more memory than allowed")
                return
            case ["ended", _]:
                self.settle("error", detail="it ended the sandbox: too much memory or recursion")
                return
            case ["raised", list(found), str(text)]:
                names = [str(name)[:80] for name in found] or ["Error"]
            case ["thrown", str(kind), str(message)]:
                thrown = _THROWN.match(message)
                names = [(thrown["name"] if thrown else None) or kind, "Error"]
                text = thrown["text"] if thrown else message[:200]
                line = f" (line {thrown['line']})" if thrown else ""
            case _:
                self.settle("error", detail="its answer cannot be read")
                return
        described = (f"{names[0]}: {text}" if text else names[0]) + line
        self._thrown(names, described[:400], loading=loading)

    def _thrown(self, names: list[str], described: str, *, loading: bool) -> None:
        raises = self.example.raises
        if _NO_MODULES.search(described) or _HOST.search(described):
            self.settle("not_runnable", detail=f"the sandbox does not have it: {described}")
        elif raises is None or loading:
            self.settle("error", detail=described)
        elif raises == "Error" or raises in names:
            self.settle("pass", got=f"raises {raises}")
        elif raises not in _ERRORS and raises.endswith("Error") and names[0] in _ERRORS:
            # A class of another language, such as ValueError, has no equal here.
            self.settle("not_runnable", got=described, detail=f"JavaScript has no {raises}")
        else:
            self.settle("fail", got=described)
