"""Judge a submission by the product's own facts, runs and checks, and tell it in JSON."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from agent.checks.verdict import decide_by_evidence
from agent.context import AgentContext, Limits
from agent.drafts import make_draft
from agent.evidence import FROM_MODEL, summary
from agent.nodes.validate import VALIDATE_CODE, collect, complete
from agent.state import AgentState, Tokens
from evals.model import LIVE_SECONDS
from evals.recordings import Talked, asked_by
from evals.suite import Case, Json, Model, Outcome
from tools.errors import ModelError

Basis = Literal["syntax", "task_runs", "proposed_runs", "review"]

FILE_PATHS: Final = {"python": "solucion.py", "javascript": "solucion.js"}


@dataclass(frozen=True)
class Judge:
    """Judges submissions; the examples that a model proposes for a task are kept for the next one.

    Those are asked for in the task's name, so that it does not matter which submission came first.
    """

    model: Model
    _kept: dict[str, Json] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def __call__(self, case: Case) -> Outcome:
        """Return the verdict, what it rests on, and the findings that are shown.

        Where facts and runs decide the model's review is left out: its words change nothing. What
        it cost to propose examples counts for each submission of the task.
        """
        unused: Any = None
        context = AgentContext(
            user_id="usr_evals",
            open_tools=unused,
            chat=self.model.chat,
            embedder=self.model.embedder,
            limits=Limits(call_seconds=LIVE_SECONDS),
        )
        task = case.inputs["task"]
        task_name = f"product/task:{task}"
        async with self._turns[task]:
            with asked_by(task_name):
                state = _state(case, proposed=self._kept.get(task))
                state = {**state, "subject": await collect(state)}
                state = await complete(state, context)
            subject = state["subject"]
            if subject.get("proposed"):
                self._kept[task] = subject["proposed"]
        evidence = summary(subject["facts"])
        if evidence.decides:
            decision = decide_by_evidence(evidence, criteria=len(subject["criteria"]), why="-")
            draft = make_draft(state, decision, feedback=None, next_step=None)
        else:
            draft = await _review(state, context)
        outcome = Outcome(data=_told(subject["facts"], draft))
        return self._with_costs(outcome, task_name, f"product/{case.id}")

    def _with_costs(self, outcome: Outcome, *names: str) -> Outcome:
        if self.model.recordings is None:
            return outcome
        talked: list[Talked] = [one for name in names for one in self.model.recordings.talked(name)]
        return replace(outcome, tokens=sum(one.tokens for one in talked), calls=len(talked))


async def _review(state: AgentState, context: AgentContext) -> Json:
    """Go through the job's two nodes as the graph does, with its one repair turn."""
    try:
        while True:
            state = {**state, **await VALIDATE_CODE.answer(state, context)}
            if state.get("complaint"):
                continue
            state = {**state, **await VALIDATE_CODE.check(state, context)}
            if not state.get("complaint"):
                return state["draft"]
    except ModelError:
        return {"passed": None, "issues": []}


def _told(facts: Json, draft: Json) -> Json:
    evidence = summary(facts)
    return {
        "passed": draft["passed"],
        "basis": _basis(facts),
        "findings": [
            {name: issue[name] for name in ("quote", "start_line", "end_line", "kind", "message")}
            for issue in draft["issues"]
            if issue["source"] == "model"
        ],
        "all_runs_pass": evidence.all_runs_pass,
        "syntax": evidence.syntax_problems > 0,
    }


def _basis(facts: Json) -> Basis:
    evidence = summary(facts)
    if evidence.syntax_problems:
        return "syntax"
    if not evidence.decides:
        return "review"
    origins = {run["origin"] for run in facts["runs"] if run["status"] != "not_runnable"}
    return "proposed_runs" if origins == {FROM_MODEL} else "task_runs"


def _state(case: Case, *, proposed: Json | None) -> AgentState:
    asked = case.inputs
    programming_language = asked["programming_language"]
    return AgentState(
        job="validate_code",
        request={
            "file_path": FILE_PATHS.get(programming_language, "solucion"),
            "programming_language": programming_language,
            "code": asked["code"],
        },
        language=case.language,
        subject={
            "task": {
                "id": asked["task"],
                "title": asked["title"],
                "description": asked["description"],
                "proposed": proposed,
            },
            "criteria": list(asked["criteria"]),
        },
        sources=[],
        complaint=None,
        repairs=0,
        tokens=Tokens(input=0, output=0, calls=0),
    )
