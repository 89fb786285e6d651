"""Every way in which a model server can fail, by its HTTP, and the error that it becomes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
import respx
from langchain_core.messages import HumanMessage

from agent.answers import UnusableAnswer, ask
from agent.models import ChatModel, make_chat_model
from agent.outputs import SuggestedGoals
from tests.agents import COMPLETIONS, MODEL_URL, completion, said, suggested
from tools.errors import (
    GoalsError,
    ModelBadOutput,
    ModelRefused,
    ModelTimeout,
    ModelTruncated,
    ModelUnavailable,
)
from tools.http import make_http_clients

GOALS = suggested("Probar la API")


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[ChatModel]:
    clients = make_http_clients(timeout=5)
    yield make_chat_model("openai", model="m", api_key="k", base_url=MODEL_URL, clients=clients)
    await clients.aclose()


async def ask_goals(chat: ChatModel, *, deadline: float = 20.0) -> SuggestedGoals:
    answer = await ask(
        chat,
        [HumanMessage("hola")],
        shape=SuggestedGoals,
        max_tokens=100,
        deadline=deadline,
        temperature=0.5,
    )
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    return answer.value


async def test_a_good_answer_is_parsed_and_counted(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    route = httpx2_mock.post(COMPLETIONS).respond(json=completion(GOALS))

    goals = await ask_goals(chat)

    assert goals.goals[0].title == "Probar la API"
    sent = json.loads(route.calls.last.request.content)
    assert sent["max_completion_tokens"] == 100
    assert sent["response_format"]["json_schema"]["name"] == "SuggestedGoals"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (completion(GOALS, finish="length"), ModelTruncated),
        (completion(GOALS, finish=None), ModelTruncated),
        (completion(GOALS, finish="content_filter"), ModelRefused),
        (completion("", refusal="no"), ModelRefused),
        (completion("no es JSON"), UnusableAnswer),
        (completion('{"goals": []}'), UnusableAnswer),
        (completion('{"goals": [{"title": "x"}]}'), UnusableAnswer),
        ({**completion(GOALS), "choices": []}, ModelBadOutput),
    ],
)
async def test_an_answer_that_cannot_be_used_has_its_own_error(
    chat: ChatModel, httpx2_mock: respx.Router, body: dict[str, Any], error: type[GoalsError]
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(json=body)

    with pytest.raises(error):
        await ask_goals(chat)


@pytest.mark.parametrize(
    ("status", "sentence", "calls"),
    [
        (401, "refuses the key", 1),
        (403, "refuses the key", 1),
        (404, "does not know the model", 1),
        (400, "status 400", 1),
        (500, "status 500", 3),
        (429, "limits the rate", 3),
    ],
)
async def test_a_status_is_unavailable_and_only_a_passing_one_is_tried_again(
    chat: ChatModel, httpx2_mock: respx.Router, status: int, sentence: str, calls: int
) -> None:
    route = httpx2_mock.post(COMPLETIONS).respond(
        status, json={"error": {"message": "x"}}, headers={"retry-after-ms": "1"}
    )

    with pytest.raises(ModelUnavailable, match=sentence):
        await ask_goals(chat)

    assert route.call_count == calls


async def test_a_server_that_fails_once_is_healed_by_a_retry(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    busy = httpx.Response(500, headers={"retry-after-ms": "1"})
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=[busy, said(GOALS)])

    await ask_goals(chat)

    assert route.call_count == 2


async def test_a_page_of_html_is_bad_output(chat: ChatModel, httpx2_mock: respx.Router) -> None:
    httpx2_mock.post(COMPLETIONS).respond(200, html="<html>hello</html>")

    with pytest.raises(ModelBadOutput):
        await ask_goals(chat)


async def test_a_server_that_cannot_be_reached_is_unavailable(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(side_effect=httpx2.ConnectError("refused"))

    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await ask_goals(chat)


@pytest.mark.httpx2(assert_all_called=False)
async def test_a_silent_server_is_given_up_at_the_deadline(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    httpx2_mock.post(COMPLETIONS).mock(side_effect=hang)

    with pytest.raises(ModelTimeout):
        await ask_goals(chat, deadline=0.2)


async def test_the_complaint_names_the_field_and_never_the_key(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(json=completion('{"goals": [{"title": "x"}]}'))

    with pytest.raises(UnusableAnswer) as caught:
        await ask_goals(chat)

    assert "goals.0.title" in caught.value.detail
    assert caught.value.text == '{"goals": [{"title": "x"}]}'
