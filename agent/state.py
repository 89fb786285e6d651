"""What a run of the graph carries from node to node, and what a checkpoint keeps.

JSON values only, so that a checkpoint never holds a session, a secret of ours or a Python object.
"""

from typing import Any, Literal, TypedDict

JobName = Literal["suggest_goals", "break_down_goal", "validate_code", "change_status", "converse"]
Json = dict[str, Any]


class Tokens(TypedDict):
    """What the model calls of a run cost."""

    input: int
    output: int
    calls: int


class Source(TypedDict):
    """A retrieved row as the prompt names it: `label` is S1, S2 and so on."""

    label: str
    entity_type: str
    entity_id: str
    title: str
    content: str
    score: float


class AgentState(TypedDict, total=False):
    """State of one run.

    `request` is what the caller asked, `subject` the rows it is about, `answer` what the model
    said, `draft` what the checks made of it, `complaint` what a repair turn must mend. `proposal`
    is what a reviewed draft shows to the user, `messages` and `rounds` belong to a conversation:
    what was said in this run, and how often the model has spoken.
    """

    job: JobName
    operation_id: str
    saved_as: str
    run_id: str | None
    thread_id: str | None
    request: Json
    language: Literal["es", "en"]
    subject: Json
    sources: list[Source]
    answer: Json
    draft: Json
    complaint: str | None
    repairs: int
    tokens: Tokens
    proposal: Json | None
    messages: list[Json]
    rounds: int
    result: Json | None
