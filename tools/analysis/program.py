"""Run one learner's program in one sandbox session and judge its examples there."""

import builtins
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tools.analysis.dialect import Dialect
from tools.analysis.examples import Example
from tools.analysis.gaps import Failure, explain

if TYPE_CHECKING:
    from pydantic_monty import MontySession

MAX_SHOWN = 400
MAX_PRINTED = 256 * 1024

Status = Literal["pass", "fail", "error", "timeout", "not_runnable"]


@dataclass(frozen=True)
class Outcome:
    """What one example showed; `not_runnable` says nothing about the code."""

    example: Example
    status: Status
    expected: str | None
    got: str | None
    detail: str | None


def make_outcome(
    example: Example, status: Status, *, got: str | None = None, detail: str | None = None
) -> Outcome:
    """Make an outcome; what was expected is the example's."""
    expected = example.expected
    if example.raises is not None:
        expected = f"raises {example.raises}"
    return Outcome(example, status, expected, got, detail)


# Fed to the worker before the learner's code, which may redefine any built-in name.
_CHECKER = """
def show_NAME(value, R=repr, N=len):
    try:
        text = R(value)
    except Exception:
        return None
    return text if N(text) <= 400 else text[:397] + '...'

def plain_NAME(value, most, T=type, N=len, STREAMS=(STREAM_NAMES)):
    name = T(value).__name__
    if not (name.endswith('iterator') or name.startswith('dict_') or name in STREAMS):
        return value
    items = []
    for item in value:
        items.append(item)
        if N(items) > most:
            break
    return items

def same_NAME(got, want, T=type, B=bool, I=int, F=float, C=complex, L=list, U=tuple, D=dict,
              S=set, Z=frozenset, G=range, A=abs, M=max, N=len, X=isinstance, INF=float('inf')):
    kind = T(want)
    if kind in (B, I, F, C):
        if T(got) not in (B, I, F, C):
            return T(got).__name__ == 'Decimal' and got == want
        if got == want or (T(got) in (B, I) and kind in (B, I)):
            return got == want
        if got != got and want != want:
            return True
        if A(got) == INF or A(want) == INF:
            return False
        try:
            return A(got - want) <= M(1e-9 * M(A(got), A(want)), 1e-12)
        except OverflowError:
            return False
    if want is None:
        return got is None
    if kind in (L, U, G):
        items = plain_NAME(got, N(want))
        if T(got) is not T(items) or T(items) is G or (kind is G and T(items) is L):
            pass
        elif T(items) is not kind and not (kind is U and X(items, U)):
            return False
        if N(items) != N(want):
            return False
        position = 0
        for item in want:
            if not same_NAME(items[position], item):
                return False
            position += 1
        return True
    if kind is D:
        if not X(got, D) or N(got) != N(want):
            return False
        for key in want:
            if key not in got or not same_NAME(got[key], want[key]):
                return False
        return True
    if kind in (S, Z):
        if T(got).__name__.startswith('dict_'):
            got = S(got)
        return T(got) in (S, Z) and got == want
    return T(got) is kind and got == want

def check_NAME(got, want, truth, B=bool, L=list, U=tuple, T=type, N=len):
    name = T(got).__name__
    if truth:
        equal = B(got) == want
    else:
        if T(want) in (L, U):
            got = plain_NAME(got, N(want))
            if T(got) is L and T(want) is U and name != 'list':
                got = U(got)
        equal = same_NAME(got, want)
    return (equal, got, name, T(want).__name__)
""".replace(
    "STREAM_NAMES",
    "'accumulate', 'chain', 'combinations', 'combinations_with_replacement', 'compress', 'count', "
    "'cycle', 'dropwhile', 'filterfalse', 'islice', 'pairwise', 'permutations', 'product', "
    "'repeat', 'starmap', 'takewhile', 'zip_longest', 'batched', 'groupby'",
)


class Program:
    """One learner's program in one fresh session."""

    def __init__(self, session: "MontySession", code: str, *, dialect: Dialect | None) -> None:
        self._session = session
        self._code = code
        self._dialect = dialect
        # A name the learner's code cannot guess: it must not reach its own judge.
        self._name = secrets.token_hex(8)
        self._touched: list[str] = []
        self._feeds = 0
        self._source = ""
        self._alive = True

    def run(self, examples: Sequence[Example], *, deadline: float) -> list[Outcome]:
        """Give outcomes in order, up to and including the first that costs the session."""
        self._feed(_CHECKER.replace("NAME", self._name))
        wants = [self._prepare(number, example) for number, example in enumerate(examples)]
        self._source = f"<python-input-{self._feeds}>"
        failure = self._attempt(f"{self._code}\nNone\n")
        if failure is not None:
            return [self._judge_failure(example, failure, loading=True) for example in examples]
        outcomes: list[Outcome] = []
        for number, example in enumerate(examples):
            if time.monotonic() > deadline:
                break
            if not wants[number]:
                detail = "the expected value cannot be computed"
                outcomes.append(make_outcome(example, "not_runnable", detail=detail))
                continue
            outcomes.append(self._judge(number, example))
            if not self._alive:
                break
        return outcomes

    def _feed(self, code: str) -> object:
        from pydantic_monty import NOT_HANDLED, CollectString

        def note(*, name: str, **_: object) -> object:
            self._touched.append(name)
            return NOT_HANDLED

        self._feeds += 1
        return self._session.feed_run(
            code,
            inputs={"__name__": "submission"},
            print_callback=CollectString(max_bytes=MAX_PRINTED),
            os=note,
        )

    def _attempt(self, code: str) -> Failure | None:
        from pydantic_monty import MontyError

        self._touched.clear()
        try:
            self._feed(code)
        except MontyError as error:
            failure = explain(
                error,
                self._dialect,
                source=self._source,
                touched=tuple(self._touched),
                printed=MAX_PRINTED,
            )
            self._alive = failure.survived
            return failure
        return None

    def _prepare(self, number: int, example: Example) -> bool:
        want = example.expected if example.raises is None else "None"
        return self._attempt(f"want_{self._name}_{number} = ({want})") is None

    def _judge(self, number: int, example: Example) -> Outcome:
        failure = self._attempt(f"got_{self._name} = ({example.expression})\nNone")
        if failure is not None:
            return self._judge_failure(example, failure)
        touched = tuple(self._touched)
        if example.raises is not None:
            outcome = make_outcome(example, "fail", detail="no exception was raised")
        else:
            outcome = self._judge_value(number, example)
        if outcome.status == "fail" and touched:
            detail = f"the sandbox has no {touched[0]}"
            outcome = make_outcome(example, "not_runnable", got=outcome.got, detail=detail)
        return outcome

    def _judge_value(self, number: int, example: Example) -> Outcome:
        truth = example.kind == "truth"
        got, want = f"got_{self._name}", f"want_{self._name}_{number}"
        compare = (
            f"equal_{got}, {got}, a_{got}, b_{got} = check_{self._name}({got}, {want}, {truth})"
        )
        match self._answer(f"{compare}\n(equal_{got}, a_{got}, b_{got})"):
            case (True, str(), str()):
                return make_outcome(example, "pass", got=example.expected)
            case (False, str(got_type), str(want_type)):
                shown = self._answer(f"show_{self._name}({got})")
            case _:
                return make_outcome(example, "error", detail="its value is too large to compare")
        shown = shown if isinstance(shown, str) else None
        if self._is_rounding(shown, example.expected):
            detail = "round(x, n) may differ in the sandbox by the last digit"
            return make_outcome(example, "not_runnable", got=shown, detail=detail)
        difference = f"a value of type {got_type} instead of {want_type}"
        different = got_type != want_type and not truth
        return make_outcome(example, "fail", got=shown, detail=difference if different else None)

    def _answer(self, code: str) -> object:
        """Ask the checker; a value that breaks its limits gives None and costs the session."""
        from pydantic_monty import MontyError

        try:
            return self._feed(code)
        except MontyError:
            self._alive = False
            return None

    def _judge_failure(
        self, example: Example, failure: Failure, *, loading: bool = False
    ) -> Outcome:
        if failure.status != "error" or loading or example.raises is None:
            return make_outcome(example, failure.status, detail=failure.detail)
        if _is_exception(failure.exception, example.raises):
            return make_outcome(example, "pass", got=f"raises {example.raises}")
        return make_outcome(example, "fail", got=failure.detail)

    def _is_rounding(self, shown: str | None, expected: str | None) -> bool:
        if self._dialect is None or not self._dialect.rounds or not shown or not expected:
            return False
        try:
            digits = len(expected.partition(".")[2])
            return digits > 0 and abs(float(shown) - float(expected)) < 1.5 * 10.0**-digits
        except ValueError:
            return False


def _is_exception(raised: BaseException | None, name: str) -> bool:
    """Tell whether the exception is of the class called `name` or of one below it."""
    if raised is None:
        return False
    wanted = getattr(builtins, name, None)
    if isinstance(wanted, type) and issubclass(wanted, BaseException):
        return isinstance(raised, wanted)
    return type(raised).__name__ == name
