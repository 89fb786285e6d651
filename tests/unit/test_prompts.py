"""Prompts: both languages, the same placeholders, a version."""

from pathlib import Path

import pytest

import agent.prompts
from agent.nodes.steps import JOBS
from agent.prompts import load_prompt
from agent.state import JobName


@pytest.mark.parametrize("job", list(JOBS))
def test_a_job_has_its_prompt_in_both_languages_with_the_same_placeholders(job: JobName) -> None:
    spanish, english = load_prompt(job, "es"), load_prompt(job, "en")

    assert spanish.user.get_identifiers() == english.user.get_identifiers()
    assert spanish.system.get_identifiers() == english.system.get_identifiers() == ["fence"]
    assert spanish.version.removeprefix(f"{job}.es/").isdigit()
    assert spanish.version.replace(".es/", ".en/") == english.version


def test_what_a_learner_wrote_is_put_in_as_it_is() -> None:
    prompt = load_prompt("break_down_goal", "en")
    values = dict.fromkeys(prompt.user.get_identifiers(), "x") | {"goal": "cost $fence $5"}

    [_, user] = prompt.messages(**values)

    assert "Goal: cost $fence $5" in str(user.content)


def test_a_missing_value_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(KeyError):
        load_prompt("suggest_goals", "es").messages(fence="x")


def test_a_file_without_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.en.md").write_text("# system\nhello\n")
    monkeypatch.setattr(agent.prompts, "_FOLDER", tmp_path)

    with pytest.raises(ValueError, match="lacks a version"):
        load_prompt("odd", "en")
