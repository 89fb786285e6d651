"""The API in service mode: a database without users, and the stub of their service as a process.

The application has one database connection: whoever waited for the service with it would hang.
"""

import asyncio
import io
import json
import zipfile
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import Engine, text

from api.directory import open_directory
from api.erase import run_erase
from api.erasures import forget_waiting
from api.migrations import migrate
from api.settings import Settings
from api.users_elsewhere import require_own_users
from db.base import utc_now
from db.engine import make_sync_engine
from db.external import externalize, internalize
from events.lake_folder import FolderLake
from events.sink import flush
from tests.conversations import converse
from tests.database import connect
from tests.integration.test_erase_command import (
    CANARY,
    CONVERSATIONS,
    files_with,
    settings_for,
    tables_with,
)
from tests.service import JsonObject, Learner, Service, fill_pending
from tests.users_elsewhere import (
    IMPATIENT,
    SERVICE_TOKEN,
    Stub,
    opened_there,
    over,
    sign_in,
)
from tools.directory import OWN_TABLES
from tools.errors import SetupError
from tools.users_service import UsersService

OTHER_FAULTS: Final = ("slow", "garbage", "oversized")
PAIRS: Final = "def pares(numeros):\n    return [n for n in numeros if n % 2 == 0]\n"


async def plan(learner: Learner) -> JsonObject:
    """Do what a learner does: suggest, break down, submit code, talk; return the suggestion."""
    suggested = await learner.client.post(
        "/v1/goals/suggest",
        json={"wish": "Quiero probar mi API", "course_id": "crs_api", "count": 1},
        headers={"Idempotency-Key": "k1"},
    )
    assert suggested.status_code == 201, suggested.text
    [suggestion] = suggested.json()["suggestions"]
    goal = suggestion["goal"]
    broken = await learner.client.post(f"/v1/goals/{goal['id']}/breakdown", json={})
    assert broken.status_code == 201, broken.text
    task = broken.json()["tasks"][0]
    judged = await learner.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json={"code": PAIRS, "programming_language": "python", "file_path": "pares.py"},
    )
    assert judged.status_code == 201, judged.text
    facts = await learner.client.post(
        "/v1/feedback",
        json={
            "code": PAIRS,
            "programming_language": "python",
            "file_path": "p.py",
            "mode": "facts",
        },
    )
    assert (facts.status_code, facts.json()["language"]) == (200, "es")
    talk = await learner.client.post(
        "/v1/chat/completions",
        json={"model": "goals-planner", "messages": [{"role": "user", "content": "Hola"}]},
    )
    assert talk.status_code == 200, talk.text
    answer: JsonObject = suggested.json()
    return answer


async def test_the_main_flows_work_on_a_database_that_never_had_users(external: Service) -> None:
    ana = sign_in(external, "usr_ana")

    suggestion = await plan(ana)
    goals = await ana.read("/v1/goals", course_id="crs_api")

    assert suggestion["language"] == "es"
    assert [goal["course_id"] for goal in goals["items"]] == ["crs_api"]
    assert await external.count("select count(*) from goals where user_id = 'usr_ana'") == 1
    assert len(await ana.event_types()) >= 5


async def test_an_existing_database_goes_there_and_comes_back(
    database_url: str, app_url: str, service: Service, users: UsersService, stub: Stub
) -> None:
    eva = await service.sign_in("eva")
    course = await eva.make("courses", title="Pintura")
    goal = await eva.make("goals", title="Un retrato", course_id=course["id"])
    row = {"id": eva.id, "username": "eva"}
    stub.put(f"users/{eva.id}", **row)
    stub.put(f"courses/{course['id']}", user_id=eva.id, title="Pintura al óleo")

    await asyncio.to_thread(migrate, database_url, afterwards=[partial(externalize, drop=False)])
    async with opened_there(database_url, app_url, users) as there:
        same = sign_in(there, eva.id)
        seen = await same.read(f"/v1/courses/{course['id']}")
        kept = await same.read(f"/v1/goals/{goal['id']}")
        broken = await same.client.post(f"/v1/goals/{goal['id']}/breakdown", json={})
    await asyncio.to_thread(migrate, database_url, afterwards=[internalize])

    assert seen["title"] == "Pintura al óleo"
    assert kept["course_id"] == course["id"]
    assert broken.status_code == 201, broken.text
    assert (await eva.read(f"/v1/courses/{course['id']}"))["title"] == "Pintura"
    assert (await eva.read("/v1/tasks"))["items"] != []
    assert (await eva.client.delete(f"/v1/courses/{course['id']}")).status_code == 204


async def test_courses_are_read_there_and_written_nowhere(external: Service) -> None:
    ana = sign_in(external, "usr_ana")

    page = await ana.read("/v1/courses", limit=1)
    rest = await ana.read("/v1/courses", limit=1, cursor=page["next_cursor"])
    one = await ana.read("/v1/courses/crs_api")
    odd = await ana.client.get("/v1/courses", params={"cursor": "odd"})
    statuses = [
        (await ana.client.request(method, path, json={})).status_code
        for method, path in [
            ("POST", "/v1/courses"),
            ("PATCH", "/v1/courses/crs_api"),
            ("DELETE", "/v1/courses/crs_api"),
        ]
    ]

    assert [row["id"] for row in page["items"] + rest["items"]] == ["crs_api", "crs_sql"]
    assert one["metadata"] == {"technologies": ["Python", "FastAPI"]}
    assert (odd.status_code, odd.json()["code"]) == (422, "VALIDATION")
    assert statuses == [405, 405, 405]


@pytest.mark.parametrize("course_id", ["crs_web", "crs_none"])
async def test_a_goal_of_another_users_course_is_not_found(
    external: Service, course_id: str
) -> None:
    ana = sign_in(external, "usr_ana")
    goal = await ana.make("goals", title="Uno")

    made = await ana.client.post("/v1/goals", json={"title": "Dos", "course_id": course_id})
    moved = await ana.client.patch(f"/v1/goals/{goal['id']}", json={"course_id": course_id})
    suggested = await ana.client.post("/v1/goals/suggest", json={"course_id": course_id})
    read = await ana.client.get(f"/v1/courses/{course_id}")

    answers = [made, moved, suggested, read]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "NOT_FOUND")] * 4
    assert len({one.json()["detail"] for one in answers}) == 1


async def test_a_goal_whose_course_went_there_is_broken_down_without_it(
    external: Service,
) -> None:
    ana = sign_in(external, "usr_ana")
    goal = await ana.make("goals", title="Uno")
    async with external.services.system.begin() as session:
        await session.execute(text("update goals set course_id = 'crs_deleted'"))

    broken = await ana.client.post(f"/v1/goals/{goal['id']}/breakdown", json={})

    assert broken.status_code == 201, broken.text


async def test_a_course_is_found_by_search_once_a_goal_refers_to_it(external: Service) -> None:
    ana, bruno = sign_in(external, "usr_ana"), sign_in(external, "usr_bruno")
    await ana.make("goals", title="Crear tablas", course_id="crs_sql")
    await fill_pending(external)

    async def found(learner: Learner, **narrower: str) -> list[str]:
        page = await learner.read("/v1/search", q="SQL para curiosos", type="course", **narrower)
        return [hit["entity_id"] for hit in page["hits"]]

    assert await found(ana) == ["crs_sql"]
    assert await found(ana, course_id="crs_sql") == ["crs_sql"]
    assert await found(ana, course_id="crs_api") == []
    assert await found(ana, status="active") == []
    assert await found(bruno) == []


async def test_what_is_done_to_the_goals_of_their_course_moves_nothing_there(
    external: Service,
) -> None:
    ana = sign_in(external, "usr_ana")
    goal = await ana.make("goals", title="Uno", course_id="crs_api")
    task = await ana.make("tasks", title="Dos", goal_id=goal["id"])

    begun = await ana.client.patch(f"/v1/tasks/{task['id']}", json={"status": "completed"})
    moved = await ana.client.patch(
        f"/v1/goals/{goal['id']}", json={"status": "completed", "course_id": "crs_sql"}
    )
    gone = [
        await ana.client.delete(f"/v1/tasks/{task['id']}"),
        await ana.client.delete(f"/v1/goals/{goal['id']}"),
    ]

    assert begun.status_code == 200, begun.text
    assert (moved.status_code, moved.json()["course_id"]) == (200, "crs_sql")
    assert moved.json()["progress_percentage"] == 100
    assert [one.status_code for one in gone] == [204, 204]


async def test_a_course_that_nobody_has_asked_for_serves_a_request_with_a_key(
    external: Service, stub: Stub
) -> None:
    ana = sign_in(external, "usr_ana")
    asked = {"title": "Uno", "course_id": "crs_sql"}
    named = {"Idempotency-Key": "k"}

    made = await ana.client.post("/v1/goals", json=asked, headers=named)
    unknown = await ana.client.post(
        "/v1/goals", json={"title": "Dos", "course_id": "crs_web"}, headers={"Idempotency-Key": "l"}
    )
    stub.fail("error")
    again = await ana.client.post("/v1/goals", json=asked, headers=named)

    assert made.status_code == 201, made.text
    assert again.json() == made.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")


async def test_who_asks_to_be_forgotten_is_out_until_they_are_and_has_a_copy(
    external: Service, external_url: str, lake: FolderLake
) -> None:
    ana, bruno = sign_in(external, "usr_ana"), sign_in(external, "usr_bruno")
    await ana.make("goals", title="Uno", course_id="crs_api")

    copy = await ana.client.get("/v1/users/me/export")
    asked = await ana.client.delete("/v1/users/me")
    refused = await ana.client.get("/v1/goals")
    other = await bruno.client.get("/v1/goals")
    engine = make_sync_engine(external_url)
    await asyncio.to_thread(forget_waiting, engine, settings_for(external_url, lake))
    engine.dispose()
    begins_anew = await ana.read("/v1/goals")

    with zipfile.ZipFile(io.BytesIO(copy.content)) as archive:
        names = set(archive.namelist())
    assert (copy.status_code, asked.status_code) == (200, 202)
    assert "goals.jsonl" in names
    assert not {"users.jsonl", "courses.jsonl"} & names
    assert (refused.status_code, refused.json()["code"]) == (401, "AUTH_INVALID")
    assert other.status_code == 200
    assert begins_anew["items"] == []
    assert await external.count("select count(*) from erasures") == 0


async def test_nobody_registers_here_and_no_account_is_read_or_changed(external: Service) -> None:
    ana = sign_in(external, "usr_ana")

    answers = [
        await ana.client.post("/v1/auth/register", json={}),
        await ana.client.post("/v1/auth/token"),
        await ana.client.get("/v1/users/me"),
        await ana.client.patch("/v1/users/me", json={}),
    ]

    assert [one.status_code for one in answers] == [404, 404, 405, 405]


async def test_an_account_that_is_closed_there_may_not_ask_here(external: Service) -> None:
    answers = [
        await sign_in(external, user_id).client.get("/v1/goals")
        for user_id in ("usr_gone", "usr_unknown")
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, "AUTH_INVALID")] * 2


@pytest.mark.parametrize(
    "fault",
    ["error", *(pytest.param(one, marks=pytest.mark.faults) for one in OTHER_FAULTS)],
)
async def test_while_their_service_fails_who_is_known_works_on_and_the_rest_is_told(
    external: Service, users: UsersService, stub: Stub, fault: str
) -> None:
    ana, bruno = sign_in(external, "usr_ana"), sign_in(external, "usr_bruno")
    await ana.make("goals", title="Uno", course_id="crs_api")
    stub.fail(fault)
    users.timeout = IMPATIENT

    known = await ana.client.post("/v1/goals", json={"title": "Dos", "course_id": "crs_api"})
    begun = asyncio.get_running_loop().time()
    unknown = await ana.client.post("/v1/goals", json={"title": "Tres", "course_id": "crs_sql"})
    stranger = await bruno.client.get("/v1/goals")
    suggested = await ana.client.post("/v1/goals/suggest", json={"course_id": "crs_sql"})
    waited = asyncio.get_running_loop().time() - begun

    assert known.status_code == 201, known.text
    for answer in (unknown, stranger, suggested):
        assert (answer.status_code, answer.json()["code"]) == (503, "USERS_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1
    assert waited < 6


async def test_nobody_waits_for_it_with_the_only_connection(
    external: Service, users: UsersService, stub: Stub
) -> None:
    ana = sign_in(external, "usr_ana")
    await ana.make("goals", title="Uno")
    users.timeout = 1.5
    before = stub.fail("slow")

    waiting = asyncio.create_task(
        ana.client.post("/v1/goals", json={"title": "Dos", "course_id": "crs_sql"})
    )
    await asyncio.to_thread(stub.wait_until_asked, before)
    others = await asyncio.gather(*(ana.client.get("/v1/goals") for _ in range(5)))

    assert not waiting.done()
    assert [one.status_code for one in others] == [200] * 5
    assert (await waiting).status_code == 503


async def test_a_process_that_never_saw_the_user_asks_with_the_token_of_the_service(
    external: Service, users: UsersService, stub: Stub
) -> None:
    fresh = UsersService(stub.url, client=users._client, token=SERVICE_TOKEN)
    services = over(external, fresh).services

    async with services.open_tools("usr_ana") as tools:
        course = await fresh.find_course(tools.session, "usr_ana", "crs_api")

    assert course is not None


async def test_an_erased_user_is_nowhere_where_no_foreign_key_leads_to_them(
    external: Service, external_url: str, lake: FolderLake
) -> None:
    ana, bruno = sign_in(external, "usr_ana"), sign_in(external, "usr_bruno")
    outbox = make_sync_engine(external_url)
    await plan(ana)
    await ana.make("goals", title=f"Más {CANARY}", course_id="crs_api")
    await bruno.make("goals", title="Pintar")
    for learner, about in ((ana, CANARY), (bruno, "Pintar")):
        await converse(external.services.system, learner.id, about=about, at=utc_now())
    await asyncio.to_thread(flush, outbox, lake)
    before = tables_with(external_url, CANARY, ana.id)

    settings = settings_for(external_url, lake)
    await asyncio.to_thread(run_erase, settings, user=ana.id, yes=True)
    outbox.dispose()

    assert set(before) >= CONVERSATIONS | {"goals", "tasks", "code_snapshots", "operations"}
    assert set(before) >= {"embeddings", "events"}
    assert tables_with(external_url, CANARY, ana.id) == []
    assert files_with(lake, CANARY, ana.id) == []
    assert set(tables_with(external_url, bruno.id, "Pintar")) >= CONVERSATIONS
    assert len((await bruno.read("/v1/goals"))["items"]) == 1


def test_the_kept_tables_forget_an_erased_user_too(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    with connect(database_url) as connection:
        for name in ("ana", "bruno"):
            connection.execute(
                "insert into users (id, email, username, hashed_password) values (%s, %s, %s, '')",
                [f"usr_{name}", name, name],
            )
            connection.execute(
                "insert into courses (id, user_id, title) values (%s, %s, 'C')",
                [f"crs_{name}", f"usr_{name}"],
            )
    migrate(database_url, afterwards=[partial(externalize, drop=False)])

    run_erase(settings_for(database_url, lake), user="usr_ana", yes=True)

    assert tables_with(database_url, "usr_ana") == []
    assert tables_with(database_url, "usr_bruno") == ["courses_local", "users_local"]


@pytest.mark.parametrize(
    ("place", "fixture", "way_out"),
    [
        ("service", "database_url", r"\./migrate\.sh externalize"),
        ("own", "external_url", "GOALS_USERS=service"),
    ],
)
async def test_a_service_refuses_a_database_that_is_not_made_for_it(
    request: pytest.FixtureRequest, place: str, fixture: str, way_out: str
) -> None:
    url: str = request.getfixturevalue(fixture)
    settings = Settings(_env_file=None, GOALS_USERS=place, GOALS_USERS_URL="http://127.0.0.1:9")

    with pytest.raises(SetupError, match=way_out):
        async with open_directory(settings, url):
            pass


async def test_a_service_is_opened_with_what_its_database_is_made_for(
    database_url: str, external_url: str
) -> None:
    there = Settings(_env_file=None, GOALS_USERS="service", GOALS_USERS_URL="http://127.0.0.1:9")
    nowhere = Settings(_env_file=None, GOALS_USERS="service")
    signing = there.model_copy(update={"sign_in": True})

    async with open_directory(Settings(_env_file=None), database_url) as own:
        pass
    async with open_directory(there, external_url) as elsewhere:
        pass
    for contradictory, named in ((nowhere, "GOALS_USERS_URL"), (signing, "GOALS_SIGN_IN")):
        with pytest.raises(SetupError, match=named):
            async with open_directory(contradictory, external_url):
                pass

    assert own is OWN_TABLES
    assert elsewhere.is_elsewhere
    with pytest.raises(SetupError, match="no account is made here"):
        require_own_users(there)


def test_openapi_has_no_way_to_write_a_course(external_app_schema: dict[str, Any]) -> None:
    paths = external_app_schema["paths"]

    assert set(paths["/v1/courses"]) == {"get"}
    assert set(paths["/v1/courses/{course_id}"]) == {"get"}
    assert "USERS_UNAVAILABLE" in json.dumps(paths["/v1/goals"]["post"]["responses"]["503"])


@pytest.fixture
def external_app_schema(external: Service) -> dict[str, Any]:
    return external.app.openapi()
