"""`GET /v1/search`: finds one's own things, narrows as asked, and never breaks on odd input."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from sqlalchemy import text

from api.app import create_app
from tests.embedded_rows import Row, axis, insert_rows
from tests.service import Learner, Service, fill_pending
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.search import MAX_QUERY_CHARACTERS

CODES = {"VALIDATION", "TEXT_INVALID"}
OPERATORS = ["'", '"', "\\", "|", "!", "&", "<->", ":*", "(", ")", "%", "_", "$1", ":name", "--"]
ODD_TEXT = st.lists(
    st.one_of(st.sampled_from([*OPERATORS, "camelCase", "año", "\0", "🙂"]), st.text(max_size=20)),
    max_size=12,
).map(" ".join)


class Silent(Embeddings):
    """An embedding service that is down."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise ConnectionError("no route to host")

    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("no route to host")


@dataclass(frozen=True)
class Shelf:
    """Two courses of ana's, each with a goal, a task and code; one query finds all of it."""

    ids: dict[str, str]

    def named(self, hits: list[dict[str, Any]]) -> set[str]:
        names = {identifier: name for name, identifier in self.ids.items()}
        return {names[hit["entity_id"]] for hit in hits}


@pytest_asyncio.fixture
async def shelf(service: Service, ana: Learner) -> Shelf:
    """Return what ana has: everything is about indexes."""
    ids: dict[str, str] = {}
    for name, language in (("one", "python"), ("two", "sql")):
        course = await ana.make("courses", title=f"Índices {name}", status="active")
        goal = await ana.make("goals", title=f"Índices {name}", course_id=course["id"])
        task = await ana.make("tasks", title=f"Índices {name}", goal_id=goal["id"])
        code = {"file_path": "índices.txt", "language": language, "code": name}
        snapshot = await ana.make("snapshots", task_id=task["id"], **code)
        ids |= {
            f"course {name}": course["id"],
            f"goal {name}": goal["id"],
            f"task {name}": task["id"],
            f"code {name}": snapshot["id"],
        }
    await ana.client.patch(f"/v1/goals/{ids['goal two']}", json={"status": "in_progress"})
    await fill_pending(service)
    return Shelf(ids)


async def search(learner: Learner, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await learner.read("/v1/search", **query))["hits"]
    return found


async def test_all_kinds_are_found_at_once(ana: Learner, shelf: Shelf) -> None:
    assert shelf.named(await search(ana, q="índices")) == set(shelf.ids)


@pytest.mark.parametrize(
    ("narrowed", "wanted"),
    [
        ({"type": "goal"}, {"goal one", "goal two"}),
        (
            {"type": ["course", "code_snapshot"]},
            {"course one", "course two", "code one", "code two"},
        ),
        ({"course_id": "course one"}, {"course one", "goal one", "task one", "code one"}),
        ({"goal_id": "goal two"}, {"goal two", "task two", "code two"}),
        ({"goal_id": "goal two", "type": "task"}, {"task two"}),
        ({"status": "pending"}, {"goal one"}),
        ({"status": ["in_progress", "todo"]}, {"goal two", "task one", "task two"}),
        ({"status": "active"}, {"course one", "course two"}),
        ({"status": "cancelled"}, set()),
        ({"language": "sql"}, {"code two"}),
        ({"language": ["SQL", "Python"]}, {"code one", "code two"}),
        ({"language": "cobol"}, set()),
        ({"course_id": "course one", "goal_id": "goal two"}, set()),
        ({"goal_id": "nobody's"}, set()),
    ],
)
async def test_a_filter_narrows(
    ana: Learner, shelf: Shelf, narrowed: dict[str, Any], wanted: set[str]
) -> None:
    query = {
        name: shelf.ids.get(value, "gol_0") if name.endswith("_id") else value
        for name, value in narrowed.items()
    }

    assert shelf.named(await search(ana, q="índices", **query)) == wanted


async def test_since_is_inclusive_and_until_is_not(
    service: Service, ana: Learner, shelf: Shelf
) -> None:
    async with service.services.system.begin() as session:
        for table, name, day in (("goals", "goal one", 1), ("tasks", "task one", 2)):
            await session.execute(
                text(f"update {table} set created_at = make_date(2020, 5, {day}) where id = :id"),
                {"id": shelf.ids[name]},
            )
    first, second = "2020-05-01T00:00:00Z", "2020-05-02T02:00:00+02:00"

    both = await search(ana, q="índices", since=first, until="2020-06-01T00:00:00Z")
    until_second = await search(ana, q="índices", since=first, until=second)
    since_second = await search(ana, q="índices", since=second, until="2020-06-01T00:00:00Z")

    assert shelf.named(both) == {"goal one", "task one"}
    assert shelf.named(until_second) == {"goal one"}
    assert shelf.named(since_second) == {"task one"}


async def test_a_filter_by_what_belongs_to_another_finds_nothing(
    ana: Learner, bruno: Learner, shelf: Shelf
) -> None:
    assert await search(bruno, q="índices", course_id=shelf.ids["course one"]) == []
    assert await search(bruno, q="índices", goal_id=shelf.ids["goal one"]) == []
    assert await search(bruno, q="índices") == []


async def test_nothing_relevant_is_an_empty_answer(ana: Learner, shelf: Shelf) -> None:
    found = await ana.read("/v1/search", q="recetas de cocina italiana")

    assert found == {"hits": [], "mode": "fused"}


async def test_a_learner_without_rows_gets_an_empty_answer(bruno: Learner) -> None:
    assert await bruno.read("/v1/search", q="índices") == {"hits": [], "mode": "fused"}


@pytest_asyncio.fixture
async def ana_without_embeddings(service: Service, ana: Learner) -> AsyncIterator[Learner]:
    """Yield ana, signed in to a service whose embedding model does not answer."""
    services = replace(service.services, embedder=Embedder(SCRIPTED_MODEL, Silent()))
    token = ana.client.headers["authorization"].removeprefix("Bearer ")
    client = Service(create_app(services), services).client(token)
    async with client:
        yield Learner(ana.id, client)


async def test_without_the_embedding_model_words_are_searched_and_the_answer_says_so(
    ana: Learner, shelf: Shelf, ana_without_embeddings: Learner
) -> None:
    found = await ana_without_embeddings.read("/v1/search", q="indice one", type="goal")
    nothing = await ana_without_embeddings.read("/v1/search", q="recetas")

    assert found["mode"] == "text"
    assert found["hits"][0]["entity_id"] == shelf.ids["goal one"]
    assert [hit["similarity"] for hit in found["hits"]] == [None] * len(found["hits"])
    assert nothing == {"hits": [], "mode": "text"}


async def test_what_waits_for_its_vector_is_found_by_its_words(
    service: Service, ana: Learner
) -> None:
    async with service.services.system.begin() as session:
        await insert_rows(session, ana.id, [Row("gol_1", axis(0), "Índices parciales")], model="")

    [hit] = await search(ana, q="indices parciales")

    assert (hit["entity_id"], hit["similarity"], hit["coverage"]) == ("gol_1", None, 1.0)


async def test_of_a_long_text_the_answer_has_its_beginning(ana: Learner) -> None:
    await ana.make("goals", title="Índices", description="índices " * 1_000)

    [hit] = await search(ana, q="índices")

    assert hit["title"] == "Índices"
    assert len(hit["snippet"]) <= 500


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * 65_000},  # the client sends no more
        {"q": "x" * (MAX_QUERY_CHARACTERS + 1)},
        {"q": "\t\n"},
        {"q": "x", "limit": 10_000},
        {"q": "x", "limit": -1},
        {"q": "x", "limit": "1e3"},
        {"q": "x", "type": ""},
        {"q": "x", "type": "ai_feedback,goal"},
        {"q": "x", "status": "done"},
        {"q": "x", "language": ""},
        {"q": "x", "language": "x" * 51},
        {"q": "x", "course_id": "'; select 1"},
        {"q": "x", "goal_id": "x" * 37},
        {"q": "x", "since": "yesterday"},
        {"q": "x", "since": "2026-01-01T00:00:00"},
        {"q": "x", "until": "0001-01-01T00:00:00Z"},
        {"q": "x", "until": "9999-12-31T23:59:59-12:00"},
        {"q": "x", "since": "nan"},
    ],
)
async def test_input_that_makes_no_sense_gets_a_code(ana: Learner, query: Any) -> None:
    response = await ana.client.get("/v1/search", params=query)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")
    assert len(response.content) < 2_000


@pytest.mark.parametrize("query", ["q=a%00b", "q=%ED%A0%80", "q=x&language=%00", "q=%FF"])
async def test_bytes_that_are_no_text_get_a_code_or_an_answer(ana: Learner, query: str) -> None:
    response = await ana.client.get(f"/v1/search?{query}")

    assert response.status_code == 200 or response.json()["code"] in CODES


@pytest.mark.parametrize(
    "words",
    [
        *OPERATORS,
        " ".join(OPERATORS),
        "índices' & !x | y:*",
        "índices <-> one",
        "'; drop table embeddings; --",
        "x" * MAX_QUERY_CHARACTERS,
        "🙂" * 500,
        "a b " * 500,
        "\\'\\'",
        "%s %(a)s {0}",
        "\u202eíndices",
        "http://índices.example/a?b=c&d=e#f",
        "a" * 1_999 + "'",
    ],
)
async def test_any_text_is_answered(ana: Learner, shelf: Shelf, words: str) -> None:
    response = await ana.client.get("/v1/search", params={"q": words})

    assert response.status_code == 200, response.text


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the rows are only read
)
@given(words=ODD_TEXT)
async def test_no_text_at_all_breaks_the_search(ana: Learner, words: str) -> None:
    response = await ana.client.get("/v1/search", params={"q": words})

    assert response.status_code == 200 or response.json()["code"] in CODES


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example adds its own row
)
@given(words=st.text(min_size=1, max_size=60).filter(lambda words: "\0" not in words))
async def test_whatever_is_stored_can_be_searched_beside(
    service: Service, ana: Learner, words: str
) -> None:
    async with service.services.system.begin() as session:
        await session.execute(text("delete from embeddings"))
        await insert_rows(session, ana.id, [Row("gol_1", axis(1), words)], model="other")

    response = await ana.client.get("/v1/search", params={"q": words})

    assert response.status_code == 200 or not words.strip()


async def test_every_parameter_is_documented(service: Service) -> None:
    async with service.client() as client:
        schema = (await client.get("/openapi.json")).json()

    parameters = schema["paths"]["/v1/search"]["get"]["parameters"]
    assert {one["name"] for one in parameters} == {
        *("q", "limit", "type", "course_id", "goal_id", "status", "language", "since", "until")
    }
    assert [one["name"] for one in parameters if not one.get("description")] == []
