"""What a run is given and never keeps: identity, database, models, limits, and what it has cost."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from agent.answers import Usage
from agent.models import ChatModel
from agent.state import AgentState, Tokens
from tools import usage
from tools.context import OpenTools, ToolContext
from tools.embedders import Embedder
from tools.errors import BudgetExceeded
from tools.metrics import count_refusal
from tools.runs import Start
from tools.usage import Budget

HISTORY_MESSAGES: Final = 40
LATEST_GOALS: Final = 15
OPEN_TASKS: Final = 10
"""What a talk is told: of its thread, the new message among it, and of goals and open tasks."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one run: seconds for a model call, its answer's tokens, and steps of the graph."""

    call_seconds: float = 120.0
    answer_tokens: int = 1_500
    steps: int = 15
    talk_steps: int = 25
    repairs: int = 1


@dataclass
class Meter:
    """What the model calls of a run have cost so far, whatever becomes of the run."""

    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0

    def add(self, used: Usage, *, calls: int = 1) -> None:
        """Count `calls` more."""
        self.input_tokens += used.input_tokens
        self.output_tokens += used.output_tokens
        self.calls += calls

    def as_tokens(self) -> Tokens:
        """Return the sums as the answers show them."""
        return Tokens(input=self.input_tokens, output=self.output_tokens, calls=self.calls)


@dataclass(frozen=True)
class AgentContext:
    """One user's run: `open_tools` opens a transaction as that user.

    Without a `budget` nothing is limited or counted, as in evals. A talk that is opened with its
    message has its `start`, which is still under way when its graph begins.
    """

    user_id: str
    open_tools: OpenTools
    chat: ChatModel
    embedder: Embedder
    limits: Limits = Limits()
    budget: Budget | None = None
    courses_elsewhere: bool = False
    meter: Meter = field(default_factory=Meter)
    start: "asyncio.Future[Start] | None" = None

    async def reserve(self, tools: ToolContext, state: AgentState) -> None:
        """Take the run's share of the user's budget, once. Raises BudgetExceeded."""
        if self.budget is not None:
            await usage.reserve(
                tools,
                self.budget,
                operation_id=state["operation_id"],
                kind=state["job"],
                model=self.chat.name,
            )

    async def settle(self, tools: ToolContext, operation_id: str) -> None:
        """Turn what was reserved into what was used; a second time changes nothing."""
        if self.budget is None:
            return
        if not self.meter.calls:
            await usage.release(tools, operation_id=operation_id)
        else:
            await usage.settle(
                tools,
                self.budget,
                operation_id=operation_id,
                input_tokens=self.meter.input_tokens,
                output_tokens=self.meter.output_tokens,
                calls=self.meter.calls,
            )

    def require_budget(self) -> None:
        """Raise BudgetExceeded where this run has used up its own share."""
        if self.budget is None:
            return
        if self.meter.calls >= self.budget.run_calls:
            count_refusal("run")
            raise BudgetExceeded(f"one run may ask the model {self.budget.run_calls} times")
        if self.meter.input_tokens + self.meter.output_tokens >= self.budget.run_tokens:
            count_refusal("run")
            raise BudgetExceeded(f"one run may use {self.budget.run_tokens:,} tokens")
