"""The planning suite on a real database: what is stored is judged, and no stale answer is taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.models import SCRIPTED_MODEL, SMALL_MODEL, ChatModel
from agent.scripted import ScriptedTutor
from db.engine import Sessions
from evals.planning import UNRECORDED, Planned, plan_all
from evals.planning_cases import load_cases
from evals.planning_command import ANSWERS, run_planning
from evals.planning_report import PlanningReport
from evals.recorded_answers import NotRecorded, RecordedModel
from evals.recorded_chat import MODEL
from tools.embedders import LOCAL_MODEL, Embedder
from tools.embedding_models import LocalEmbeddings

CASES = {case.id: case for case in load_cases()}
SAMPLE = (
    "suggest-es-responsive-recipes", "suggest-en-todo-accessible", "suggest-en-loops",
    "breakdown-es-photo-gallery", "breakdown-en-flask-vps", "breakdown-en-guessing-game",
)  # fmt: skip

Plan = Callable[..., Any]


@pytest.fixture
def plan(sessions: Sessions) -> Plan:
    """Return what runs some cases with a chat model, in the order of their names."""

    async def planned(*names: str, chat: ChatModel) -> list[Planned]:
        return await plan_all(
            [CASES[name] for name in names],
            sessions,
            chat=chat,
            embedder=Embedder(LOCAL_MODEL, LocalEmbeddings()),
            note=lambda _: None,
        )

    return planned


def scripted() -> ChatModel:
    return ChatModel(SCRIPTED_MODEL, ScriptedTutor())


def recorded(path: Path = ANSWERS) -> ChatModel:
    return ChatModel(MODEL, RecordedModel(path=path), body=SMALL_MODEL, takes_temperature=True)


async def test_what_was_found_and_stored_is_told_by_the_keys_of_the_case(plan: Plan) -> None:
    (goals,) = await plan("suggest-es-responsive-recipes", chat=scripted())

    assert goals.error is None
    assert {"c1", "g1"} <= {*goals.found}
    assert len(goals.titles) == len(goals.criteria) == len(goals.cited) == 2
    assert {key for cited in goals.cited for key in cited} <= {*goals.found}
    assert goals.touched == goals.faults == ()


async def test_a_stored_plan_is_judged_with_the_tasks_that_were_there(plan: Plan) -> None:
    (tasks,) = await plan("breakdown-es-jwt-api", chat=scripted())

    assert tasks.error is None
    assert len(tasks.titles) >= 3
    assert tasks.faults == tasks.touched == tasks.repeated == ()


async def test_a_learner_sees_no_row_of_another_one(plan: Plan) -> None:
    alone = await plan("suggest-en-todo-accessible", chat=scripted())
    beside = await plan("suggest-en-loops", "suggest-en-what-next", chat=scripted())

    keys = [key for one in (*alone, *beside) for key in one.found]
    assert all(len(key) == 2 for key in keys), "an id instead of a key: not of the case"


async def test_a_question_that_is_not_recorded_is_no_answer(plan: Plan, tmp_path: Path) -> None:
    planned = await plan(*SAMPLE[:2], chat=recorded(tmp_path / "none.jsonl"))

    assert [one.error for one in planned] == [UNRECORDED, UNRECORDED]


def test_a_run_without_any_recorded_answer_says_how_to_record(tmp_path: Path) -> None:
    with pytest.raises(NotRecorded, match="--record"):
        run_planning(
            record=None,
            note=lambda _: None,
            cases=[CASES[SAMPLE[-1]]],
            answers=tmp_path / "none.jsonl",
        )


async def test_the_recorded_answers_are_to_what_the_product_asks_now(plan: Plan) -> None:
    planned = await plan(*SAMPLE, chat=recorded())

    assert [one.case.id for one in planned if one.error == UNRECORDED] == []


async def test_what_code_guarantees_holds_for_the_recorded_answers(plan: Plan) -> None:
    planned = await plan(*SAMPLE, chat=recorded())

    report = PlanningReport(model=MODEL, planned=tuple(planned))
    by_code = {
        "breakdowns that are a plan", "rows stored that repeat another",
        "learners' own rows touched", "more goals than asked for", "goals without 2 to 5 criteria",
    }  # fmt: skip
    assert {check.name for check in report.checks() if not check.met} & by_code == set()
