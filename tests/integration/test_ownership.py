"""Whose rows are whose, on every route: generated from the OpenAPI document."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest_asyncio
from fastapi.routing import iter_route_contexts

from api.auth import make_token
from tests.openapi import Operation, operations
from tests.ownership import (
    CANARY,
    KINDS,
    MISSING,
    OF_THE_CLIENT,
    TRIED_BY_HAND,
    Owner,
    checksum,
    deactivate,
    key_of,
    make_owner,
)
from tests.service import JWT, Service

PUBLIC: Final = {
    "GET /healthz",
    "GET /readyz",
    "POST /v1/auth/register",
    "POST /v1/auth/token",
}
"""Routes for everybody."""
UNDOCUMENTED: Final = {
    "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/metrics", "/mcp"
}  # fmt: skip
SET_BY_US: Final = ("user_id", "id", "version", "processed_at", "is_superuser")

_numbers: Final = itertools.count()


@pytest_asyncio.fixture
async def owner(scripted: Service) -> AsyncIterator[Owner]:
    """Yield a learner who has one of everything."""
    owner = await make_owner(scripted, "ana")
    yield owner
    await owner.learner.client.aclose()


@pytest_asyncio.fixture
async def other(scripted: Service) -> AsyncIterator[Owner]:
    """Yield another learner who has one of everything."""
    other = await make_owner(scripted, "bruno")
    yield other
    await other.learner.client.aclose()


def every_operation(service: Service) -> list[Operation]:
    return list(operations(service.app.openapi()))


def path_of(operation: Operation, ids: Mapping[str, str]) -> str:
    values = {name: ids[KINDS[name]] for name in operation.path_names}
    return operation.path.format(**values, **operation.path_choices)


async def send(
    client: httpx2.AsyncClient,
    operation: Operation,
    ids: Mapping[str, str],
    *,
    token: str | None = None,
) -> httpx2.Response:
    """Send the least that an operation accepts, about these ids."""
    headers = {**operation.headers, **key_of(f"key {next(_numbers)}")}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if operation.media_type is not None:
        headers["Content-Type"] = operation.media_type
    return await client.request(
        operation.method,
        path_of(operation, ids),
        params=dict(operation.query),
        headers=headers,
        content=None if operation.body is None else _encoded(operation),
    )


def _encoded(operation: Operation) -> bytes:
    if operation.media_type == "application/x-www-form-urlencoded":
        return str(httpx2.QueryParams(operation.body)).encode()
    return httpx2.Request("POST", "http://service", json=operation.body).read()


def named(operations_: list[Operation]) -> Iterator[tuple[Operation, str, str]]:
    """Yield each operation with each of its fields and parameters that names a row, and where."""
    for operation in operations_:
        yield from ((operation, "query", name) for name in operation.query_names)
        yield from ((operation, "body", name) for name in operation.body_names)


def test_every_route_has_its_rows_in_the_matrix(service: Service) -> None:
    documented = every_operation(service)

    served = {context.path for context in iter_route_contexts(service.app.routes)}
    names = {name for each in documented for name in each.path_names}
    fields = {name for _, _, name in named(documented)}
    nested = {name for each in documented for name in each.nested_names}
    unnamed = {
        each.label
        for each in documented
        if each.path.count("{") != len(each.path_names) + len(each.path_choices)
    }

    assert served - {each.path for each in documented} == UNDOCUMENTED
    assert {each.label for each in documented if not each.is_signed} == PUBLIC
    assert unnamed == set(), "parameters of these paths name no row: say what they are"
    assert names | fields | nested <= set(KINDS) | OF_THE_CLIENT | TRIED_BY_HAND


async def test_no_route_answers_without_a_good_token_and_nothing_changes(
    scripted: Service, owner: Owner
) -> None:
    closed = await scripted.sign_in("carla")
    await closed.client.aclose()
    await deactivate(scripted, closed.id)
    now = datetime.now(UTC)
    credentials = {
        "none": (None, "AUTH_MISSING"),
        "garbage": ("garbage", "AUTH_INVALID"),
        "expired": (make_token(JWT, user_id=owner.learner.id, hours=-1, now=now), "AUTH_EXPIRED"),
        "nobody": (make_token(JWT, user_id="usr_nobody", hours=1, now=now), "AUTH_INVALID"),
        "closed": (make_token(JWT, user_id=closed.id, hours=1, now=now), "AUTH_INVALID"),
    }
    signed = [each for each in every_operation(scripted) if each.is_signed]
    before = await checksum(scripted, owner.learner.id)

    wrong = []
    async with scripted.client() as client:
        for operation, (kind, (token, code)) in itertools.product(signed, credentials.items()):
            answer = await send(client, operation, owner.ids, token=token)
            if (answer.status_code, answer.json().get("code")) != (401, code):
                wrong.append(f"{operation.label}, {kind}: {answer.status_code} {answer.text}")

    assert not wrong, "\n".join(wrong)
    assert await checksum(scripted, owner.learner.id) == before


async def test_anothers_id_in_a_path_is_answered_as_a_missing_one_and_nothing_changes(
    scripted: Service, owner: Owner, other: Owner
) -> None:
    with_ids = [each for each in every_operation(scripted) if each.path_names]
    before = await checksum(scripted, owner.learner.id)

    wrong = []
    for operation in with_ids:
        theirs = await send(other.learner.client, operation, owner.ids)
        missing = await send(other.learner.client, operation, MISSING)
        if theirs.status_code != 404 or theirs.content != missing.content:
            wrong.append(f"{operation.label}: {theirs.status_code} {theirs.text}, {missing.text}")

    assert not wrong, "\n".join(wrong)
    assert len(with_ids) >= 20
    assert await checksum(scripted, owner.learner.id) == before


async def test_anothers_id_in_a_body_or_a_query_is_answered_as_a_missing_one(
    scripted: Service, owner: Owner, other: Owner
) -> None:
    rows = [row for row in named(every_operation(scripted)) if row[2] in KINDS]
    before = await checksum(scripted, owner.learner.id)

    wrong = []
    for operation, place, name in rows:
        answers = []
        for ids in (owner.ids, MISSING):
            given = {name: ids[KINDS[name]]}
            asked = (
                replace(operation, query={**operation.query, **given})
                if place == "query"
                else replace(operation, body={**(operation.body or {}), **given})
            )
            answers.append(await send(other.learner.client, asked, other.ids))
        theirs, missing = answers
        is_same = theirs.status_code == missing.status_code and (
            theirs.content == missing.content or theirs.is_success
        )
        if not is_same or CANARY.encode() + b" de ana" in theirs.content:
            wrong.append(f"{operation.label}, {name}: {theirs.text}, {missing.text}")

    assert not wrong, "\n".join(wrong)
    assert len(rows) >= 10
    assert await checksum(scripted, owner.learner.id) == before


def agui(**given: Any) -> tuple[str, dict[str, Any]]:
    message = {"id": "m1", "role": "user", "content": "Hola"}
    empty: dict[str, Any] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return "/v1/agui", {"threadId": "t", "runId": "r", "messages": [message], **empty, **given}


def completion(content: str, **given: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/chat/completions", {"messages": [{"role": "user", "content": content}], **given}


def by_hand(ids: Mapping[str, str], nonce: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield requests whose ids are in the midst of something."""
    interrupt = ids["interrupt"]
    for status in ("resolved", "cancelled"):
        answer = {"interruptId": interrupt, "status": status, "payload": {"rest": "accept"}}
        yield agui(runId=f"{nonce}{status}", resume=[answer])
    yield completion(f"/accept {interrupt}")
    yield completion(f"/reject {interrupt} g1")
    asked = {"name": "review_plan", "arguments": "{}"}
    called = {"id": f"call_{interrupt}", "type": "function", "function": asked}
    decided = {"role": "tool", "tool_call_id": called["id"], "content": '{"rest": "accept"}'}
    talk = [{"role": "user", "content": "Hola"}, {"role": "assistant", "tool_calls": [called]}]
    yield "/v1/chat/completions", {"messages": [*talk, decided]}
    yield completion("Hola", metadata={"thread_id": ids["thread"]})


async def test_ids_that_no_field_holds_are_the_learners_own_too(
    scripted: Service, owner: Owner, other: Owner
) -> None:
    before = await checksum(scripted, owner.learner.id)

    wrong = []
    pairs = zip(by_hand(owner.ids, "a"), by_hand(MISSING, "b"), strict=True)
    for (path, theirs), (_, missing) in pairs:
        one = await other.learner.client.post(path, json=theirs, headers=key_of(f"{_next()}"))
        two = await other.learner.client.post(path, json=missing, headers=key_of(f"{_next()}"))
        if one.status_code != two.status_code or CANARY.encode() + b" de ana" in one.content:
            wrong.append(f"{path} {theirs}: {one.status_code} {one.text}, {two.text}")
        if not one.is_success and one.content != two.content:
            wrong.append(f"{path} {theirs}: {one.text}, {two.text}")

    assert not wrong, "\n".join(wrong)
    assert await checksum(scripted, owner.learner.id) == before
    [question] = await scripted.rows(
        "select state from interrupts where id = :id", id=owner.ids["interrupt"]
    )
    assert question == "open"


def _next() -> int:
    return next(_numbers)


async def test_nobody_says_whose_a_row_is(scripted: Service, owner: Owner) -> None:
    writing = [
        each for each in every_operation(scripted) if each.method in {"POST", "PATCH"} and each.body
    ]

    taken = []
    for operation, field in itertools.product(writing, SET_BY_US):
        asked = replace(operation, body={**(operation.body or {}), field: "usr_other"})
        answer = await send(owner.learner.client, asked, owner.ids)
        if answer.is_success and b"usr_other" in answer.content:
            taken.append(f"{operation.label}, {field}: {answer.text}")

    assert taken == []
    for table in ("goals", "tasks", "courses", "code_snapshots", "threads", "runs", "events"):
        others = f"select count(*) from {table} where user_id <> :user or id = 'usr_other'"
        assert await scripted.count(others, user=owner.learner.id) == 0
