import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals import command, run
from evals.gate import Verdict, read_baseline
from evals.model import RECORDED_MODEL, make_model
from evals.recordings import Live, Recordings, Refused
from evals.run import Asked, run_suites
from evals.suite import Json, Model, Suite
from tests.eval_suites import echo, instead, make_suite, talking


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> dict[str, Suite]:
    """Let the command run what is put in here."""
    known: dict[str, Suite] = {"toy": make_suite()}
    monkeypatch.setattr(run, "load_suite", known.__getitem__)
    return known


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(names=("toy",), every=True, baseline=tmp_path / "baseline.json")


def test_a_baseline_is_written_with_its_difference_and_then_held(
    suites: dict[str, Suite], asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_suites(asked) is Verdict.CANNOT_JUDGE
    assert run_suites(replace(asked, update_baseline=True)) is Verdict.OK
    assert '+   "right": 0.9' in capsys.readouterr().err
    assert read_baseline(asked.baseline)["toy"].model == RECORDED_MODEL
    assert run_suites(asked) is Verdict.OK

    suites["toy"] = make_suite(instead({"case-12": 0.0}))

    assert run_suites(asked) is Verdict.REGRESSION
    assert "worse: toy, right: 0.8500, was 0.9000" in capsys.readouterr().err
    assert run_suites(replace(asked, update_baseline=True)) is Verdict.OK
    changed = [line for line in capsys.readouterr().err.splitlines() if line[:1] in {"+", "-"}]
    assert '-   "case-12": "passed",' in changed
    assert '+   "case-12": "failed",' in changed


def test_a_suite_that_cannot_be_judged_leaves_the_baseline_as_it_was(
    suites: dict[str, Suite], asked: Asked
) -> None:
    suites["toy"] = make_suite(load=tuple)

    assert run_suites(replace(asked, update_baseline=True)) is Verdict.CANNOT_JUDGE
    assert not asked.baseline.exists()


@pytest.mark.usefixtures("suites")
def test_results_are_json_on_standard_output_and_nothing_else_is(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    run_suites(replace(asked, as_json=True))

    said = capsys.readouterr()
    assert json.loads(said.out)["suites"][0]["name"] == "toy"
    assert "cannot judge: toy: it has no baseline" in said.err


@pytest.mark.usefixtures("suites")
def test_the_tables_and_the_report_tell_the_figures(
    asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_suites(replace(asked, report=tmp_path / "report"))

    said = capsys.readouterr().out
    assert "Toy: is it right?" in said
    assert "18 of 20 cases pass" in said
    assert (tmp_path / "report" / "evals.html").exists()


def let_answer(monkeypatch: pytest.MonkeyPatch, path: Path, live: Live) -> None:
    """Put `live` where the live model would be."""

    @asynccontextmanager
    async def opened(_fixtures: Path, *, live: str | None, record: bool) -> AsyncIterator[Model]:
        async with AsyncExitStack() as stack:
            asked = None if live is None else answer
            recordings = Recordings(path if record or not live else None, asked)
            yield make_model(stack, recordings)
            if record:
                recordings.save()

    answer = live
    monkeypatch.setattr(run, "open_model", opened)


def test_a_whole_recording_keeps_what_was_asked_and_is_held_against_the_baseline(
    suites: dict[str, Suite], asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recordings.jsonl"
    let_answer(monkeypatch, path, echo)
    suites["toy"] = make_suite(open=talking)
    recording = replace(asked, model="local", record=True)

    assert run_suites(recording) is Verdict.CANNOT_JUDGE
    assert run_suites(replace(asked, update_baseline=True)) is Verdict.OK
    suites["toy"] = make_suite(open=talking, naive_sees=lambda case: case.hard)

    assert run_suites(recording) is Verdict.REGRESSION
    cases = [json.loads(line)["case"] for line in path.read_text().splitlines()]
    assert cases[:4] == ["naive/case-00", "naive/case-01", "naive/case-02", "product/case-00"]
    assert len(cases) == 23


def test_a_live_model_is_not_held_against_the_baseline_and_leaves_no_recording(
    suites: dict[str, Suite], asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recordings.jsonl"
    let_answer(monkeypatch, path, echo)
    suites["toy"] = make_suite(open=talking)

    assert run_suites(replace(asked, model="local")) is Verdict.OK
    assert not path.exists()


def test_a_live_model_that_is_away_cannot_be_judged_though_the_product_goes_on(
    suites: dict[str, Suite],
    asked: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def refuse(_request: Json) -> Json:
        raise Refused(401, b"{}")

    let_answer(monkeypatch, tmp_path / "recordings.jsonl", refuse)
    suites["toy"] = make_suite(open=talking)

    assert run_suites(replace(asked, model="openai")) is Verdict.CANNOT_JUDGE
    assert "toy: the model is away (status 401)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--suite", "no-such-suite"],
        ["run", "--model", "somewhere"],
        ["run", "--record"],
        ["run", "--model", "openai", "--record"],
        ["run", "--model", "local", "--update-baseline"],
        ["compare", "no-such-file.json", "no-such-file.json"],
        ["run", "--no-such-option"],
    ],
)
def test_a_wrong_command_is_refused_before_anything_runs(arguments: list[str]) -> None:
    done = CliRunner().invoke(command.app, arguments)

    assert done.exit_code == Verdict.USAGE


def test_two_results_are_compared_from_their_files(
    suites: dict[str, Suite], asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    for path, answer in zip(paths, ({}, {"case-12": 0.0}), strict=True):
        suites["toy"] = make_suite(instead(answer))
        run_suites(replace(asked, as_json=True))
        path.write_text(capsys.readouterr().out)

    done = CliRunner().invoke(command.app, ["compare", *map(str, paths)])

    assert done.exit_code == 0
    assert "case-12: passes → fails (right 0)" in done.output
