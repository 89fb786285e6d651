"""Prompts: both languages, the same placeholders, a version."""

from pathlib import Path

import pytest

import agent.prompts
from agent.nodes.steps import JOBS
from agent.prompts import load_prompt
from agent.state import JobName

ASKING = [name for name in JOBS if name != "change_status"]
"""The jobs that ask a model."""


@pytest.mark.parametrize("job", ASKING)
def test_a_job_has_its_prompt_in_both_languages_with_the_same_placeholders(job: JobName) -> None:
    spanish, english = load_prompt(job, "es"), load_prompt(job, "en")

    assert spanish.parameters == english.parameters
    assert spanish.user.get_identifiers() == english.user.get_identifiers()
    assert spanish.system.get_identifiers() == english.system.get_identifiers() == ["fence"]
    assert spanish.version.removeprefix(f"{job}.es/").isdigit()
    assert spanish.version.replace(".es/", ".en/") == english.version


@pytest.mark.parametrize("wish", ["cost $fence $5", "$count ${count} $$", "{} {0} {wish} %s %(a)s"])
def test_what_a_learner_wrote_is_put_in_as_it_is(wish: str) -> None:
    prompt = load_prompt("suggest_goals", "en")
    values = dict.fromkeys(prompt.parameters, "x") | {"wish": wish}

    [_, user] = prompt.messages(**values)

    assert f"Wish: {wish}\n" in str(user.content)


def test_a_missing_value_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(KeyError):
        load_prompt("suggest_goals", "es").messages(fence="x")


def test_a_file_without_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.en.md").write_text("# system\nhello\n")
    monkeypatch.setattr(agent.prompts, "_FOLDER", tmp_path)

    with pytest.raises(ValueError, match="lacks a version"):
        load_prompt("odd", "en")


@pytest.mark.parametrize("declared", ["name", "name, place, time", ""])
def test_a_file_that_declares_other_parameters_than_it_uses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str
) -> None:
    text = f"version: 1\nparameters: {declared}\n\n# system\n$name\n\n# user\n$place\n"
    (tmp_path / "odd2.en.md").write_text(text)
    monkeypatch.setattr(agent.prompts, "_FOLDER", tmp_path)

    with pytest.raises(ValueError, match="parameters"):
        load_prompt("odd2", "en")


def test_every_prompt_file_declares_its_parameters() -> None:
    files = sorted(Path(agent.prompts.__file__).parent.glob("*.md"))

    for file in files:
        name, language, _ = file.name.split(".")
        assert load_prompt(name, language).parameters
