"""Runs in boxes, recorded: what one machine saw, another one is told."""

from collections.abc import Sequence
from pathlib import Path

from evals.recordings import NotRecorded
from evals.runs import RecordedBoxes
from tools.analysis.examples.example import Example
from tools.analysis.runs.boxes import OwnBoxes, boxes, stand_in
from tools.analysis.runs.program import Outcome, make_outcome
from tools.analysis.runs.sandbox import can_run, run_examples

ONE = Example("call", "one(1)", "1", None, "one(1) gives 1")
TWO = Example("call", "one(2)", None, "ValueError", "one(2) raises")


class Machine(OwnBoxes):
    """Runs Java by saying what it is told to say."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked = 0

    def why_not(self, language: str) -> str | None:
        return None if language == "java" else f"no compiler for {language} here"

    def run_native(
        self,
        code: str,
        language: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
    ) -> list[Outcome]:
        self.asked += 1
        return self.outcomes


def run(recorded: RecordedBoxes, code: str = "class One {}") -> list[Outcome]:
    return recorded.run_native(code, "java", [ONE, TWO], seconds=1.0, memory_mb=64)


SEEN = (
    make_outcome(ONE, "fail", got="2", runner="java"),
    make_outcome(TWO, "error", detail="it printed more", runner="java"),
)


def test_what_a_machine_saw_is_told_again_without_it(tmp_path: Path) -> None:
    misses: list[NotRecorded] = []
    path = tmp_path / "runs.jsonl"
    there = RecordedBoxes(path, missed=misses.append, live=Machine(*SEEN))
    assert run(there) == list(SEEN)
    assert there.why_not("java") is None
    assert there.why_not("go") == "no compiler for go here"

    here = RecordedBoxes(path, missed=misses.append)

    assert run(here) == list(SEEN)
    assert here.why_not("java") is None
    assert here.why_not("go") == "no compiler for go here"
    assert misses == []


def test_a_recorded_run_is_not_run_again(tmp_path: Path) -> None:
    machine = Machine(*SEEN)
    recorded = RecordedBoxes(tmp_path / "runs.jsonl", missed=print, live=machine)

    assert run(recorded) == run(recorded)
    assert machine.asked == 1


def test_another_program_is_a_miss_and_says_nothing_of_the_code(tmp_path: Path) -> None:
    misses: list[NotRecorded] = []
    recorded = RecordedBoxes(tmp_path / "runs.jsonl", missed=misses.append)

    outcomes = run(recorded, "class Two {}")

    assert [outcome.status for outcome in outcomes] == ["not_runnable", "not_runnable"]
    assert recorded.why_not("java") == "not recorded"
    assert len(misses) == 2


def test_what_nobody_has_run_is_gone_after_a_whole_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    first = RecordedBoxes(path, missed=print, live=Machine(*SEEN))
    run(first, "class Gone {}")
    run(first, "class Kept {}")

    second = RecordedBoxes(path, missed=print, live=Machine(*SEEN))
    run(second, "class Kept {}")
    second.save()

    assert len(path.read_text().splitlines()) == 1


async def test_stand_ins_run_programs_until_their_block_ends(tmp_path: Path) -> None:
    own = boxes()
    recorded = RecordedBoxes(tmp_path / "runs.jsonl", missed=print, live=Machine(*SEEN))

    with stand_in(recorded):
        report = await run_examples("class One {}", "java", [ONE, TWO])
        can = can_run("java"), can_run("go")

    assert report.outcomes == SEEN
    assert can == (True, False)
    assert boxes() is own


async def test_what_suits_python_still_runs_for_real(tmp_path: Path) -> None:
    misses: list[NotRecorded] = []

    with stand_in(RecordedBoxes(tmp_path / "runs.jsonl", missed=misses.append)):
        report = await run_examples("def one(n):\n    return n\n", "python", [ONE])

    assert [outcome.status for outcome in report.outcomes] == ["pass"]
    assert misses == []


def test_a_program_that_names_a_row_of_this_run_is_found_in_the_next(tmp_path: Path) -> None:
    misses: list[NotRecorded] = []
    path = tmp_path / "runs.jsonl"
    code = "// tsk_{:032x}\nclass One {{}}"
    there = RecordedBoxes(path, missed=misses.append, live=Machine(*SEEN))
    run(there, code.format(0xA1))

    here = RecordedBoxes(path, missed=misses.append)

    assert run(here, code.format(0xB2)) == list(SEEN)
    assert misses == []
