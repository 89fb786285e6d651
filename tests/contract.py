"""schemathesis over the application: in this process, over ASGI, against the test's database.

Its requests run on an event loop of its own, in a thread; there the services are opened too.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import shutdown_lifespans
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.models import make_chat_model
from api.auth import make_token
from api.bootstrap import Services
from api.settings import Settings
from db.engine import REQUEST_OPTIONS, make_engine, make_sessions
from tests.agents import opened
from tests.service import JWT
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.http import make_http_clients
from tools.passwords import Passwords
from tools.users import get_or_create_user

USERS: Final = ("carla", "diego")
"""Not those who register in the document's example."""
SEED: Final = 7
MULTIPLE_CHOICES: Final = 300
CHECKS: Final[dict[str, Any]] = {
    # A schema cannot say that a cursor is one of ours, or a text not blank: 422 tells.
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {
        "expected-statuses": [400, 401, 403, 404, 405, 409, 412, 413, 422, 429]
    },
}
"""The other checks of schemathesis are all on."""
MAX_SHOWN: Final = 1_000
ENDS_A_USER: Final = "forget_me"
"""The operation after which a token is worth nothing."""
IN_ANOTHER_LANGUAGE: Final = b"the model did not answer in the language"
"""A 502 that is documented: the scripted tutor quotes the goal, which may be in any language."""
NAMING: Final = ("_id", "fingerprint")
"""How fields end that name something else."""


class HostedApp:
    """The application as an ASGI server sees it; its lifespan opens and closes the services."""

    def __init__(self, database_url: str, app_url: str, identities: Path) -> None:
        self._database_url = database_url
        self._app_url = app_url
        self._identities = identities
        self._app: ASGIApp | None = None
        self._stack = contextlib.AsyncExitStack()
        self.raised: list[Exception] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._open()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._stack.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert self._app is not None
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self.raised.append(error)

    async def _open(self) -> None:
        engine, system = (
            make_engine(self._app_url, options=REQUEST_OPTIONS),
            make_engine(self._database_url),
        )
        self._stack.push_async_callback(engine.dispose)
        self._stack.push_async_callback(system.dispose)
        clients = make_http_clients(timeout=5)
        self._stack.push_async_callback(clients.aclose)
        services = Services(
            settings=Settings(_env_file=None),
            database_url=self._database_url,
            app_url=self._app_url,
            sessions=make_sessions(engine),
            system=make_sessions(system),
            embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()),
            jwt=JWT,
            passwords=Passwords(memory=64, passes=1),
        )
        chat = make_chat_model("scripted", model="", api_key=None, base_url=None, clients=clients)
        service = await self._stack.enter_async_context(opened(services, chat))
        self._app = service.app
        now = datetime.now(UTC)
        known = []
        for name in USERS:
            async with service.services.system.begin() as session:
                user = await get_or_create_user(session, username=name, now=now, source="tests")
            token = make_token(JWT, user_id=user.id, hours=1, now=now)
            header = {"name": "Authorization", "value": f"Bearer {token}"}
            known.append({"name": name, "fixedHeaders": [header]})
        self._identities.write_text(json.dumps({"auth": known}))


@dataclass
class Exploration:
    """What was sent and what was wrong with the answers; an operation is `GET /v1/goals`."""

    sent: Counter[str] = field(default_factory=Counter)
    """Requests by operation."""
    succeeded: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    followed: int = 0
    """Requests that took something from the answer to another one."""
    wrong: list[str] = field(default_factory=list)

    @property
    def never_succeeded(self) -> set[str]:
        """Return the operations that were sent, and never with success."""
        return {name for name in self.sent if not self.succeeded[name]}


def explore(
    database_url: str,
    app_url: str,
    *,
    folder: Path,
    only: str = "",
    rounds: int = 1,
    enough: Callable[[Exploration], bool] = lambda _found: False,
    **phases: Any,
) -> Exploration:
    """Let schemathesis send what it makes of the OpenAPI document, as two users.

    `only` is one operation's id; without it, all but the one that ends the users. `phases` are as
    in its configuration file; the stateful one, which ends where an answer is not what it was when
    the same had been sent before, is begun `rounds` times at most, until it is `enough`. The users'
    tokens are left in `folder`.
    """
    identities = folder / "identities.json"
    hosted = HostedApp(database_url, app_url, identities)
    config = schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "generation": {"deterministic": True},
            "cache": {"enabled": False},
            "auth": {"wfc": {"path": str(identities), "peers": list(USERS)}},
            "checks": CHECKS,
            "phases": phases,
        }
    )
    try:
        whole = schemathesis.openapi.from_asgi("/openapi.json", hosted, config=config)
        schema = (
            whole.include(operation_id=only) if only else whole.exclude(operation_id=ENDS_A_USER)
        )
        found = Exploration()
        for number in range(rounds):
            if enough(found):
                break
            schema.config.seed = SEED + number
            for phase in ("examples", "coverage", "fuzzing") if number else ():
                schema.config.phases.get_by_name(name=phase).enabled = False
            for event in from_schema(schema).execute():
                _take(event, found)
    finally:
        shutdown_lifespans()
    found.wrong += [f"raised {error!r}" for error in hosted.raised]
    return found


def _take(event: Any, found: Exploration) -> None:
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        found.wrong.append(f"{event.label}: {event.value!r}")
    if not isinstance(event, events.ScenarioFinished):
        return
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is None:
            continue
        node = recorder.cases[case_id]
        operation = node.value.operation.label
        found.sent[operation] += 1
        found.statuses[int(interaction.response.status_code)] += 1
        found.succeeded[operation] += interaction.response.status_code < MULTIPLE_CHOICES
        found.followed += node.transition is not None
    for case_id, checks in recorder.checks.items():
        for check in checks:
            failed = check.failure_info
            if failed is None or _is_another_thing(recorder, case_id, check.name):
                continue
            answer = recorder.interactions[case_id].response
            said = b"" if answer is None else answer.content[:MAX_SHOWN]
            if check.name == "not_a_server_error" and IN_ANOTHER_LANGUAGE in said:
                continue
            found.wrong.append(f"{check.name}: {failed.failure}\n{failed.code_sample}\n{said!r}")


def _is_another_thing(recorder: Any, case_id: str, check: str) -> bool:
    """Tell whether a 404 is about what the body names: another's course, and not the goal."""
    if check != "ensure_resource_availability":
        return False
    body = recorder.cases[case_id].value.body
    return isinstance(body, dict) and any(name.endswith(NAMING) for name in body)
