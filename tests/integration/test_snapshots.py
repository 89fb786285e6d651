"""Code snapshots: kept to the letter, with their verdict, and whose they are."""

import base64
import hashlib

import pytest

from db.verdicts import Verdicts
from tests.service import Learner, Service
from tools.schemas import SnapshotIn, Verdict
from tools.snapshots import record_snapshot

CODE = "def suma(a, b):\r\n\treturn a + b  # \u202e\u200b ¡ñ! 🙂\n\n"


async def test_code_is_kept_to_the_letter(ana: Learner) -> None:
    task = await ana.make("tasks", title="Sumar")

    created = await ana.make(
        "snapshots", task_id=task["id"], file_path="suma.py", language="Python", code=CODE
    )

    read = await ana.read(f"/v1/snapshots/{created['id']}")
    assert read == created
    assert read["code_content"] == CODE
    assert read["language"] == "python"
    assert read["validation_passed"] is None
    assert read["metadata"] == {
        "lines_of_code": 3,
        "sha256": hashlib.sha256(CODE.encode()).hexdigest(),
    }


async def test_a_submission_is_recorded_without_its_code(ana: Learner) -> None:
    created = await ana.make("snapshots", file_path="suma.py", language="python", code=CODE)

    [event] = (await ana.read("/v1/events", type="code.submitted"))["items"]

    assert event["entity_id"] == created["id"]
    assert event["payload"] == {
        "code_snapshot_id": created["id"],
        "task_id": None,
        "language": "python",
        "file_path": "suma.py",
        "sha256": created["metadata"]["sha256"],
        "lines": 3,
    }


async def test_an_empty_file_can_be_kept(ana: Learner) -> None:
    created = await ana.make("snapshots", file_path="vacío.py", language="python", code="")

    assert created["code_content"] == ""
    assert created["metadata"]["lines_of_code"] == 0


@pytest.mark.parametrize(
    ("content", "shown", "kept"),
    [
        (b"x = '\xff\xfe'\n", "x = '\ufffd\ufffd'\n", 1),
        (b"\x7fELF\0\1", "\x7fELF\ufffd\1", 1),
        (b"x = '\xc3\xb1'\r\n", "x = 'ñ'\r\n", 0),
    ],
)
async def test_a_file_that_is_no_utf_8_is_kept_to_the_byte_and_shown_as_text(
    ana: Learner, content: bytes, shown: str, kept: int
) -> None:
    encoded = base64.b64encode(content).decode()
    created = await ana.make("snapshots", file_path="a", language="text", code_base64=encoded)

    read = await ana.read(f"/v1/snapshots/{created['id']}")
    [listed] = (await ana.read("/v1/snapshots"))["items"]

    assert read == created
    assert read["code_content"] == shown
    assert read["code_base64"] == (encoded if kept else None)
    assert read["metadata"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert encoded not in str(listed)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"code_base64": "a"}, {"code_base64": "ñ"}, {"code": "a", "code_base64": "Yg=="}],
)
async def test_code_is_said_once_and_readably(ana: Learner, wrong: dict[str, str]) -> None:
    refused = await ana.client.post(
        "/v1/snapshots", json={"file_path": "a.py", "language": "python", **wrong}
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")


async def test_a_verdict_goes_into_the_columns_of_the_data_model(
    ana: Learner, service: Service
) -> None:
    issues = [{"line": 1, "text": "sin tipos"}]
    verdict = Verdict(
        passed=True, score=0.95, feedback="Bien.", issues=issues, meta={"complexity": "low"}
    )

    async with service.services.open_tools(ana.id) as tools:
        recorded = await record_snapshot(
            tools,
            SnapshotIn(file_path="suma.py", language="python", code=CODE),
            verdict=verdict,
        )

    read = await ana.read(f"/v1/snapshots/{recorded.id}")
    assert read["validation_passed"] is True
    assert read["validation_score"] == 0.95
    assert read["validation_feedback"] == "Bien."
    assert read["issues_found"] == issues
    assert read["metadata"]["complexity"] == "low"


async def test_lists_leave_the_code_out_and_are_filtered_by_task_and_language(
    ana: Learner,
) -> None:
    task = await ana.make("tasks", title="Sumar")
    made = [
        await ana.make(
            "snapshots", task_id=task["id"], file_path=f"{n}.py", language="python", code=CODE
        )
        for n in range(3)
    ]
    other = await ana.make("snapshots", file_path="a.sql", language="sql", code="select 1")

    page = await ana.read("/v1/snapshots", task_id=task["id"], limit=2)
    rest = await ana.read("/v1/snapshots", task_id=task["id"], cursor=page["next_cursor"])
    of_sql = await ana.read("/v1/snapshots", language="SQL")

    for item in made:
        del item["code_content"], item["code_base64"]
    assert [*page["items"], *rest["items"]] == list(reversed(made))
    assert [item["id"] for item in of_sql["items"]] == [other["id"]]


async def test_the_latest_verdict_of_a_task_is_the_newest_of_its_owner(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    task = await ana.make("tasks", title="Sumar")
    for number in range(2):
        last = await ana.make(
            "snapshots", task_id=task["id"], file_path="a.py", language="python", code=str(number)
        )

        async with service.services.open_tools(ana.id) as tools:
            found = await Verdicts(tools.session, ana.id).before(task["id"], most=1)
        async with service.services.open_tools(bruno.id) as tools:
            not_found = await Verdicts(tools.session, bruno.id).before(task["id"], most=1)

        assert found.latest is not None
        assert found.latest.id == last["id"]
        assert not_found.latest is None


async def test_a_deleted_snapshot_is_gone_from_the_index_too(
    ana: Learner, service: Service
) -> None:
    task = await ana.make("tasks", title="Sumar")
    of_task = await ana.make(
        "snapshots", task_id=task["id"], file_path="a.py", language="python", code=CODE
    )
    alone = await ana.make("snapshots", file_path="b.py", language="python", code=CODE)

    for snapshot in (of_task, alone):
        response = await ana.client.delete(f"/v1/snapshots/{snapshot['id']}")
        assert response.status_code == 204

    assert await service.count("select count(*) from code_snapshots") == 0
    indexed = "select count(*) from embeddings where entity_type = 'code_snapshot'"
    assert await service.count(indexed) == 0
    assert (await ana.event_types())[-2:] == ["task.updated", "user.updated"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_users_snapshot_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, method: str
) -> None:
    made = await ana.make("snapshots", file_path="a.py", language="python", code=CODE)

    others = await bruno.client.request(method, f"/v1/snapshots/{made['id']}")
    missing = await bruno.client.request(method, "/v1/snapshots/cs_missing")

    assert others.status_code == 404
    assert others.content == missing.content
    assert await ana.read(f"/v1/snapshots/{made['id']}") == made


async def test_code_cannot_join_another_users_task(ana: Learner, bruno: Learner) -> None:
    task = await ana.make("tasks", title="Sumar")

    response = await bruno.client.post(
        "/v1/snapshots",
        json={"task_id": task["id"], "file_path": "a.py", "language": "python", "code": "1"},
    )

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
