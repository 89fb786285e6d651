"""Versions over HTTP: every answer on one thing has its ETag, and who is late is told."""

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.reads import execute, make_statement
from tests.service import Learner, Service
from tools.versions import as_stored

CODE = {"file_path": "a.py", "language": "python", "code": "print(1)\n"}
KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("goals", {"title": "Aprender SQL", "criteria": ["Hay consultas"]}, {"title": "Otra"}),
    ("tasks", {"title": "SELECT", "estimated_hours": 2.5}, {"title": "Otra"}),
    ("courses", {"title": "FastAPI", "metadata": {"zz": 1, "a": {"bb": 2, "c": -0.0}}}, {}),
    ("snapshots", CODE, {}),
]
JSONB = make_statement("select :value::jsonb")
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


async def test_what_was_made_or_changed_has_the_version_that_is_read(ana: Learner) -> None:
    for kind, new, patch in KINDS:
        made = await ana.client.post(f"/v1/{kind}", json=new)
        path, version = made.headers["location"], made.headers["etag"]
        read = await ana.client.get(path)
        known = await ana.client.get(path, headers={"If-None-Match": version})

        assert (read.content, read.headers["etag"]) == (made.content, version)
        assert (known.status_code, known.content) == (304, b"")
        if not patch:
            continue
        changed = await ana.client.patch(path, json=patch, headers={"If-Match": version})
        again = await ana.client.get(path, headers={"If-None-Match": version})
        assert (changed.status_code, again.status_code) == (200, 200)
        assert (again.content, again.headers["etag"]) == (changed.content, changed.headers["etag"])
        assert changed.headers["etag"] != version


async def test_metadata_merged_in_any_order_read_as_they_were_answered(ana: Learner) -> None:
    path = "/v1/courses/" + (await ana.make("courses", title="FastAPI"))["id"]
    merged = {"metadata": {"ñandú": 1e300, "z": {"bb": [1.5, 1e16], "a": None}, "y": -0.0}}

    changed = await ana.client.patch(
        path,
        content=json.dumps(merged),
        headers={"content-type": "application/merge-patch+json"},
    )

    assert changed.status_code == 200, changed.text
    assert (await ana.client.get(path)).content == changed.content


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=VALUES)
async def test_a_value_is_as_jsonb_gives_it_back(service: Service, value: Any) -> None:
    written = json.dumps(value)

    async with service.services.sessions() as session:
        [(stored,)] = await execute(session, JSONB, {"value": written})

    assert json.dumps(as_stored(value)) == json.dumps(stored)


async def test_a_late_delete_is_refused_and_deletes_nothing(ana: Learner) -> None:
    for kind, new, _ in KINDS:
        made = await ana.client.post(f"/v1/{kind}", json=new)
        path, version = made.headers["location"], made.headers["etag"]

        late = await ana.client.delete(path, headers={"If-Match": '"old"'})
        malformed = await ana.client.delete(path, headers={"If-Match": "old"})
        in_time = await ana.client.delete(path, headers={"If-Match": f'"x", {version}'})
        gone = await ana.client.delete(path, headers={"If-Match": "*"})

        assert (late.status_code, late.json()["code"]) == (412, "CONFLICT_VERSION")
        assert (malformed.status_code, malformed.json()["code"]) == (422, "VALIDATION")
        assert (in_time.status_code, gone.status_code) == (204, 404)


async def test_of_50_changes_to_one_version_at_once_one_wins(ana: Learner) -> None:
    made = await ana.client.post("/v1/goals", json={"title": "Aprender SQL"})
    path, version = made.headers["location"], {"If-Match": made.headers["etag"]}

    answers = await asyncio.gather(
        *(ana.client.patch(path, json={"title": f"Título {n}"}, headers=version) for n in range(50))
    )

    statuses = sorted(answer.status_code for answer in answers)
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert statuses == [200] + [412] * 49
    assert (await ana.read(path)) == winner.json()
    assert await ana.event_types() == ["goal.created", "goal.updated"]


async def test_the_progress_that_follows_is_a_new_version(ana: Learner) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    path = f"/v1/goals/{goal['id']}"
    await ana.make("tasks", title="a", goal_id=goal["id"])
    task = await ana.make("tasks", title="b", goal_id=goal["id"])
    version = (await ana.client.get(path)).headers["etag"]

    await ana.client.patch(f"/v1/tasks/{task['id']}", json={"status": "completed"})

    late = await ana.client.patch(path, json={"title": "c"}, headers={"If-Match": version})
    assert late.status_code == 412


async def test_ones_own_account_has_versions_too(ana: Learner, bruno: Learner) -> None:
    read = await ana.client.get("/v1/users/me")
    patch = {"full_name": "Ana Pérez", "metadata": {"preferences": {"language": "es"}}}

    changed = await ana.client.patch(
        "/v1/users/me", json=patch, headers={"If-Match": read.headers["etag"]}
    )
    late = await ana.client.patch(
        "/v1/users/me", json={"full_name": None}, headers={"If-Match": read.headers["etag"]}
    )

    assert changed.json() == read.json() | patch
    assert changed.content == (await ana.client.get("/v1/users/me")).content
    assert late.status_code == 412
    assert (await bruno.read("/v1/users/me"))["full_name"] is None
    [event] = (await ana.read("/v1/events", type="user.updated"))["items"]
    assert event["payload"]["changed"] == ["full_name", "metadata"]
    for fields in ({"is_superuser": True}, {"email": "x@y.z"}, {"id": "usr_1"}):
        refused = await ana.client.patch("/v1/users/me", json=fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")
