"""What a run is given and never keeps: identity, database, models, limits."""

from dataclasses import dataclass

from agent.models import ChatModel
from tools.context import OpenTools
from tools.embedders import Embedder


@dataclass(frozen=True)
class Limits:
    """Bounds of one run: seconds for a model call, its answer's tokens, and steps of the graph."""

    call_seconds: float = 120.0
    answer_tokens: int = 1_500
    steps: int = 15
    repairs: int = 1


@dataclass(frozen=True)
class AgentContext:
    """One user's run: `open_tools` opens a transaction as that user."""

    user_id: str
    open_tools: OpenTools
    chat: ChatModel
    embedder: Embedder
    limits: Limits = Limits()
