import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from agent.answers import ask
from agent.outputs import Output
from agent.talk import Spoken, talk
from evals.canonical import make_asked, request_key
from evals.model import make_model
from evals.recordings import Live, NotRecorded, Recordings, Refused, asked_by
from evals.suite import Json
from tests.secret_samples import CANARY, TOKENS
from tools.errors import ModelUnavailable

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=90)
SEARCH = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}

words = st.text(st.characters(codec="utf-8"), max_size=40)
hexadecimal = st.text("0123456789abcdef", min_size=32, max_size=32)
names_of_a_run = st.one_of(
    st.builds(str.__add__, st.sampled_from(["gol_", "tsk_", "int_", "run_", "usr_"]), hexadecimal),
    hexadecimal.map(lambda digits: f"data-{digits[:8]}"),
    st.uuids(version=4).map(str),
    st.integers(-40, 40).map(lambda hours: (NOW + timedelta(hours=hours)).isoformat()),
)


class Sentence(Output):
    text: str


def said(text: str = "", *, calls: list[Json] | None = None) -> Json:
    return {
        "text": text,
        "tool_calls": calls or [],
        "finish_reason": "tool_calls" if calls else "stop",
        "input_tokens": 11,
        "output_tokens": 7,
    }


def asking(*contents: str, **more: Any) -> Json:
    messages = [{"role": "user", "content": content} for content in contents]
    return {"model": "m", "messages": messages, **more}


def saying(answer: Json) -> Live:
    async def live(request: Json) -> Json:
        assert not request.get("stream")
        return answer

    return live


def echo(change: Callable[[str], str] = str) -> Live:
    async def live(request: Json) -> Json:
        return said(change(request["messages"][-1]["content"]))

    return live


async def silent(request: Json) -> Json:
    raise AssertionError(f"nobody is to be asked: {request}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.jsonl"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def cut_off(path: Path, rest: str) -> None:
    path.write_text(written(path) + rest)


def with_names(pieces: list[str], names: list[str]) -> str:
    return " ".join(f"{piece} {name}," for piece, name in zip(pieces, names, strict=True))


@given(st.lists(st.tuples(words, names_of_a_run), max_size=6))
@settings(max_examples=40)
def test_a_canonical_request_is_its_own_canonical_form(pairs: list[tuple[str, str]]) -> None:
    request = asking(*(f"{text}{name}" for text, name in pairs), tools=[SEARCH])

    once = make_asked(request, now=NOW)
    twice = make_asked(once.request, now=NOW)

    assert twice.request == once.request
    assert twice.key == once.key == request_key(once.request)


@given(
    pieces=st.lists(st.sampled_from(["goal", "id:", "\n", '"', "{", "«"]), min_size=4, max_size=4),
    order=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    ours=st.lists(hexadecimal, min_size=3, max_size=3, unique=True),
    theirs=st.lists(hexadecimal, min_size=3, max_size=3, unique=True),
    prefix=st.sampled_from(["gol_", "tsk_", "thr_"]),
)
@settings(max_examples=40)
def test_the_key_does_not_depend_on_the_ids_of_a_run(
    pieces: list[str], order: list[int], ours: list[str], theirs: list[str], prefix: str
) -> None:
    def request(ids: list[str]) -> Json:
        return asking(with_names(pieces, [prefix + ids[place] for place in order]))

    assert make_asked(request(ours), now=NOW).key == make_asked(request(theirs), now=NOW).key


def test_which_id_is_named_where_makes_another_question() -> None:
    one, other = "gol_" + "a" * 32, "gol_" + "b" * 32

    same = make_asked(asking(f"{one} {one}"), now=NOW)
    different = make_asked(asking(f"{one} {other}"), now=NOW)

    assert same.key != different.key


def test_a_present_moment_is_no_part_of_the_question_and_another_one_is() -> None:
    def key(moment: datetime, now: datetime) -> str:
        return make_asked(asking(f"made {moment.isoformat()}"), now=now).key

    assert key(NOW, NOW) == key(LATER, LATER)
    assert key(NOW, LATER) != key(NOW - timedelta(days=1), LATER)


def test_ids_that_a_server_gave_to_calls_are_no_part_of_the_question() -> None:
    def request(call_id: str) -> Json:
        function = {"name": "search", "arguments": "{}"}
        call = {"id": call_id, "type": "function", "function": function}
        asked = asking("find")
        asked["messages"] += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "[]", "tool_call_id": call_id},
        ]
        return asked

    assert make_asked(request("x1"), now=NOW).key == make_asked(request("qQ9"), now=NOW).key


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": "hello."}]},
        {"messages": [{"role": "system", "content": "hello"}]},
        {"temperature": 0.1},
        {"model": "another"},
        {"tools": [SEARCH]},
        {"response_format": {"type": "json_object"}},
    ],
)
async def test_a_changed_question_is_a_miss(path: Path, change: Json) -> None:
    asked = asking("hello", temperature=0.0)
    await Recordings(path, live=saying(said("hi"))).answer(asked)
    recordings = Recordings(path)

    with pytest.raises(NotRecorded):
        await recordings.answer({**asked, **change})

    assert len(recordings.misses) == 1
    assert await recordings.answer(asked) == said("hi")


async def test_a_miss_names_the_nearest_question_and_how_they_differ(path: Path) -> None:
    live = Recordings(path, live=saying(said("hi")))
    for text in ("Which goals?", "List the tasks.\nAll of them."):
        with asked_by(f"product/{text[:4]}"):
            await live.answer(asking(text))
    recordings = Recordings(path)

    with asked_by("product/new"), pytest.raises(NotRecorded) as miss:
        await recordings.answer(asking("List the tasks.\nThree of them."))

    assert "product/new asks the model what is not recorded" in str(miss.value)
    assert "nearest is" in str(miss.value)
    assert "of product/List" in str(miss.value)
    assert "-All of them.\n+Three of them." in str(miss.value)


async def test_equal_questions_of_a_case_are_answered_first_in_first_out(path: Path) -> None:
    answers = iter(["one", "two", "three"])

    async def live(_request: Json) -> Json:
        return said(next(answers))

    recording = Recordings(path, live=live)
    given = [(await recording.answer(asking("again")))["text"] for _ in range(3)]
    recorded = Recordings(path)
    repeated = [(await recorded.answer(asking("again")))["text"] for _ in range(3)]

    assert given == repeated == ["one", "two", "three"]
    with pytest.raises(NotRecorded, match="3 recorded answers have all been given"):
        await recorded.answer(asking("again"))


async def test_a_case_never_takes_the_answer_of_another_one(path: Path) -> None:
    recording = Recordings(path, live=saying(said("mine")))
    with asked_by("product/a"):
        await recording.answer(asking("the same"))

    with asked_by("product/b"), pytest.raises(NotRecorded):
        await Recordings(path).answer(asking("the same"))


async def test_an_answer_speaks_of_the_ids_of_the_run_that_asks(path: Path) -> None:
    ours, theirs = "gol_" + "a1" * 16, "gol_" + "b2" * 16
    call = {"name": "show", "arguments": json.dumps({"why": f"a\n{ours}"})}
    recording = Recordings(path, live=saying(said(f"«{ours}»", calls=[call])))
    await recording.answer(asking(f"goal {ours}"))

    answer = await Recordings(path).answer(asking(f"goal {theirs}"))

    assert answer["text"] == f"«{theirs}»"
    assert json.loads(answer["tool_calls"][0]["arguments"]) == {"why": f"a\n{theirs}"}
    assert ours not in written(path)


@given(
    kind=st.sampled_from(sorted(TOKENS)),
    before=st.sampled_from(["", "key = '", "Authorization: Bearer ", '{"a": "']),
)
@settings(max_examples=60)
def test_a_secret_is_in_no_canonical_request_and_in_no_recorded_answer(
    kind: str, before: str
) -> None:
    secret = f"{before}{TOKENS[kind]}'"

    asked = make_asked(asking(secret), now=NOW)

    assert TOKENS[kind] not in json.dumps(asked.request)
    assert TOKENS[kind] not in asked.canonical_text(secret)


async def test_a_secret_never_reaches_the_file(path: Path) -> None:
    recordings = Recordings(path, live=echo())

    await recordings.answer(asking(f"db_password = '{CANARY}'"))
    await recordings.answer(asking("a question", user=f"password = '{CANARY}'"))

    assert CANARY not in written(path)
    assert "<secret:1:" in written(path)


async def test_what_is_recorded_is_there_at_once_and_never_asked_again(path: Path) -> None:
    recording = Recordings(path, live=echo())
    await recording.answer(asking("first"))
    cut_off(path, '{"case": "", "key": "cut in the midd')

    again = Recordings(path, live=silent)

    assert (await again.answer(asking("first")))["text"] == "first"
    assert [json.loads(line)["case"] for line in written(path).splitlines()] == [""]


async def test_a_whole_run_drops_what_nobody_asked_for_and_sorts_the_rest(path: Path) -> None:
    recording = Recordings(path, live=echo())
    for case in ("product/b", "product/a", "product/gone"):
        with asked_by(case):
            await recording.answer(asking("hello"))

    again = Recordings(path, live=silent)
    for case in ("product/b", "product/a"):
        with asked_by(case):
            await again.answer(asking("hello"))
    again.save()

    cases = [json.loads(line)["case"] for line in written(path).splitlines()]
    assert cases == ["product/a", "product/b"]


@given(text=st.text(max_size=200))
@settings(max_examples=50)
async def test_any_text_is_recorded_and_read_as_it_was(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "recordings.jsonl"

    given = await Recordings(path, live=saying(said(text))).answer(asking("say it"))

    assert await Recordings(path).answer(asking("say it")) == given


async def test_the_product_reads_a_recorded_answer_as_its_servers(
    path: Path, stack: AsyncExitStack
) -> None:
    model = make_model(stack, Recordings(path, live=saying(said('{"text": "Ñandú"}'))))

    answer = await ask(
        model.chat,
        [HumanMessage("Say it")],
        shape=Sentence,
        max_tokens=20,
        deadline=10.0,
        temperature=0.0,
    )

    assert answer.value == Sentence(text="Ñandú")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    request = json.loads(written(path))["request"]
    assert request["response_format"]["json_schema"]["name"] == "Sentence"
    assert request["seed"] == 7
    assert "stream" not in request


async def listen(model: Any, text: str, *, tools: bool = True) -> tuple[Spoken, list[str]]:
    pieces: list[str] = []
    spoken = await talk(
        model.chat,
        [{"role": "user", "content": text}],
        tools=[SEARCH] if tools else [],
        max_tokens=20,
        deadline=10.0,
        on_text=pieces.append,
    )
    return spoken, pieces


async def test_a_stream_brings_the_recorded_words_in_pieces_with_their_usage(
    path: Path, stack: AsyncExitStack
) -> None:
    text = "  One line,\nand  another. \n"
    model = make_model(stack, Recordings(path, live=saying(said(text))))

    spoken, pieces = await listen(model, "Talk")

    assert spoken.text == "".join(pieces) == text
    assert len(pieces) > 3
    assert (spoken.usage.input_tokens, spoken.usage.output_tokens) == (11, 7)


async def test_a_stream_brings_recorded_calls_each_with_an_id_of_its_own(
    path: Path, stack: AsyncExitStack
) -> None:
    calls = [{"name": "search", "arguments": '{"q": "a"}'}, {"name": "search", "arguments": "{}"}]
    model = make_model(stack, Recordings(path, live=saying(said(calls=calls))))

    spoken, _ = await listen(model, "Search")
    again, _ = await listen(model, "Search more")

    assert [call.arguments for call in spoken.calls] == [{"q": "a"}, {}]
    ids = {call.id for call in (*spoken.calls, *again.calls)}
    assert len(ids) == 4


async def test_the_product_does_not_ask_again_what_is_not_recorded(
    path: Path, stack: AsyncExitStack
) -> None:
    recordings = Recordings(path)
    model = make_model(stack, recordings)

    with pytest.raises(ModelUnavailable):
        await listen(model, "Talk")

    assert len(recordings.misses) == 1


async def test_a_live_server_that_is_away_is_remembered_and_nothing_is_recorded(
    path: Path,
) -> None:
    async def live(_request: Json) -> Json:
        raise httpx2.ConnectError("nobody listens")

    recordings = Recordings(path, live=live)

    with pytest.raises(httpx2.ConnectError):
        await recordings.answer(asking("hello"))

    assert len(recordings.away) == 1
    assert written(path) == ""


async def test_what_a_live_server_refuses_is_refused_and_not_recorded(
    path: Path, stack: AsyncExitStack
) -> None:
    async def live(_request: Json) -> Json:
        raise Refused(401, b"{}")

    model = make_model(stack, Recordings(path, live=live))

    with pytest.raises(ModelUnavailable, match="refuses the key"):
        await listen(model, "Talk")

    assert written(path) == ""


async def test_what_a_case_has_asked_is_told_to_the_report(path: Path) -> None:
    recordings = Recordings(path, live=echo(str.upper))

    with asked_by("product/a"):
        await recordings.answer(asking("one"))
        await recordings.answer(asking("two"))

    talked = recordings.talked("product/a")
    assert [each.exchange.answer for each in talked] == ["ONE", "TWO"]
    assert [re.sub(r"\s", " ", each.exchange.prompt) for each in talked] == [
        "[user] one",
        "[user] two",
    ]
    assert [each.tokens for each in talked] == [18, 18]
