"""OpenAI's chat completions with the `openai` package itself, over a real port."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.agents import opened
from tests.service import Learner, Service
from tests.talkers import Turn, listening, played

HELLO = [{"role": "user", "content": "Hola, ¿qué tal?"}]
PROPOSE = Turn(calls=[("propose_goals", {"wish": "probar mi API con pytest", "count": 2})])
WORDS = Turn(text=["Hola, ", "todo ", "bien."])


class Chat:
    """A learner with OpenAI's client."""

    def __init__(self, service: Service, learner: Learner, url: str) -> None:
        self.service = service
        self.learner = learner
        token = learner.client.headers["Authorization"].removeprefix("Bearer ")
        self.client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0)

    async def say(self, messages: list[Any], **more: Any) -> Any:
        """Return the completion."""
        return await self.client.chat.completions.create(
            model="goals-planner", messages=messages, **more
        )

    async def stream(self, messages: list[Any], **more: Any) -> list[Any]:
        """Return all chunks of the completion."""
        chunks = await self.say(messages, stream=True, **more)
        return [chunk async for chunk in chunks]


@pytest_asyncio.fixture
async def chat(service: Service, request: pytest.FixtureRequest) -> AsyncIterator[Chat]:
    """Yield a learner's client of a service whose model says the test's turns."""
    turns = getattr(request, "param", (WORDS,))
    async with opened(service.services, played(*turns)) as complete, listening(complete.app) as url:
        learner = await complete.sign_in("ana")
        one = Chat(complete, learner, url)
        async with one.client, learner.client:
            yield one


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def test_models_are_listed(chat: Chat) -> None:
    models = await chat.client.models.list()

    assert [model.id for model in models.data] == ["goals-planner"]


async def test_an_answer_comes_whole_with_its_usage(chat: Chat) -> None:
    answer = await chat.say(HELLO)

    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("Hola, todo bien.", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 5)


async def test_a_streamed_answer_is_the_whole_one_in_pieces(chat: Chat) -> None:
    chunks = await chat.stream(HELLO, stream_options={"include_usage": True})

    assert text_of(chunks) == "Hola, todo bien."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 15
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_chunks_are_the_golden_sequence(chat: Chat) -> None:
    chunks = await chat.stream(HELLO, stream_options={"include_usage": True})

    told = [
        (chunk.choices[0].delta.model_dump(exclude_none=True), chunk.choices[0].finish_reason)
        for chunk in chunks[:-1]
    ]
    assert told == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Hola, "}, None),
        ({"content": "todo "}, None),
        ({"content": "bien."}, None),
        ({}, "stop"),
    ]
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 15)


async def test_fields_that_nobody_knows_are_accepted(chat: Chat) -> None:
    answer = await chat.say(
        HELLO, temperature=0.3, user="u", extra_body={"new_in_2030": {"a": 1}, "top_k": 3}
    )

    assert answer.choices[0].message.content == "Hola, todo bien."


async def test_a_conversation_goes_on_in_its_thread_without_an_id(chat: Chat) -> None:
    first = await chat.say(HELLO)
    said = {"role": "assistant", "content": first.choices[0].message.content}

    await chat.say([*HELLO, said, {"role": "user", "content": "¿Y ahora?"}])

    assert await chat.service.count("select count(*) from threads") == 1
    [thread] = (await chat.learner.read("/v1/threads"))["items"]
    messages = (await chat.learner.read(f"/v1/threads/{thread['id']}/messages"))["items"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2


async def test_a_thread_can_be_named(chat: Chat) -> None:
    for text in ("uno", "dos"):
        await chat.say([{"role": "user", "content": text}], metadata={"thread_id": "mi hilo"})

    assert await chat.service.count("select count(*) from threads") == 1
    assert await chat.service.count("select count(*) from messages") == 4


async def test_a_repeated_request_of_a_broken_connection_is_one_run(chat: Chat) -> None:
    first = await chat.say(HELLO)

    again = await chat.say(HELLO, extra_headers={"X-Stainless-Retry-Count": "1"})

    assert again.id == first.id
    assert await chat.service.count("select count(*) from runs") == 1


@pytest.mark.parametrize("chat", [(PROPOSE,)], indirect=True)
async def test_a_plan_is_accepted_by_a_command_in_the_chat(chat: Chat) -> None:
    chunks = await chat.stream([{"role": "user", "content": "Quiero probar mi API"}])
    text = text_of(chunks)
    command = next(line for line in text.splitlines() if line.startswith("/accept"))
    assert await chat.service.count("select count(*) from goals") == 0

    messages = [
        {"role": "user", "content": "Quiero probar mi API"},
        {"role": "assistant", "content": text},
        {"role": "user", "content": command},
    ]
    answer = await chat.say(messages)

    assert await chat.service.count("select count(*) from goals") == 2
    titles = [goal["title"] for goal in (await chat.learner.read("/v1/goals"))["items"]]
    assert all(title in answer.choices[0].message.content for title in titles)
    with pytest.raises(openai.ConflictError) as raised:
        await chat.say(messages)
    assert raised.value.code == "INTERRUPT_STALE"


@pytest.mark.parametrize("chat", [(PROPOSE,)], indirect=True)
async def test_a_client_with_a_review_tool_decides_by_it(chat: Chat) -> None:
    tool = {"type": "function", "function": {"name": "review_plan", "parameters": {}}}
    asked = [{"role": "user", "content": "Quiero probar mi API"}]
    answer = await chat.say(asked, tools=[tool])
    [call] = answer.choices[0].message.tool_calls
    keys = [item["key"] for item in json.loads(call.function.arguments)["items"]]

    decided = {"role": "tool", "tool_call_id": call.id}
    decided["content"] = json.dumps(
        {"decisions": {keys[1]: {"action": "accept"}}, "rest": "reject"}
    )
    reply = answer.choices[0].message.model_dump(exclude_none=True)
    await chat.say([*asked, reply, decided], tools=[tool])

    assert answer.choices[0].finish_reason == "tool_calls"
    assert await chat.service.count("select count(*) from goals") == 1


async def test_a_second_run_in_a_thread_is_refused(service: Service) -> None:
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with opened(service.services, played(held)) as complete:
        ana = await complete.sign_in("ana")
        begun = (await ana.client.post("/v1/runs", json={"message": "uno"})).json()
        await held.begun.wait()

        second = await ana.client.post(
            "/v1/runs", json={"message": "dos", "thread_id": begun["thread_id"]}
        )

        assert (second.status_code, second.json()["code"]) == (409, "RUN_ACTIVE")
        assert held.wait is not None
        held.wait.set()


@pytest.mark.parametrize("chat", [(Turn(text=["A medi"], finish="length"),)], indirect=True)
async def test_a_cut_answer_is_an_error_and_is_not_kept(chat: Chat) -> None:
    with pytest.raises(openai.APIError) as raised:
        await chat.stream(HELLO)

    assert raised.value.code == "LLM_TRUNCATED"
    assert await chat.service.count("select count(*) from messages where role = 'assistant'") == 0


async def test_what_is_no_message_is_refused_as_openai_would(chat: Chat) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        await chat.say([{"role": "assistant", "content": "Yo primero"}])

    assert raised.value.code == "VALIDATION"
    assert "last message" in raised.value.message
