"""Dismissed findings: whose they are, how they come back, and that they go with their user."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine

from events.erase import erase_user
from events.lake_folder import FolderLake
from tests.service import Learner, Service
from tools.schemas import SnapshotIn, Verdict
from tools.snapshots import record_snapshot
from tools.verdicts import read_before

FINGERPRINT = "0123456789abcdef"
ISSUES: list[dict[str, Any]] = [
    {"kind": "fact", "problem": "an old one, of no rule and no fingerprint"},
    {"kind": "fact", "rule": "ruff/F841", "fingerprint": FINGERPRINT, "problem": "unused"},
    {"kind": "essential", "rule": "review/essential", "fingerprint": "f" * 16, "problem": "wrong"},
]


async def submit(service: Service, learner: Learner) -> str:
    async with service.services.open_tools(learner.id) as tools:
        snapshot = await record_snapshot(
            tools,
            SnapshotIn(file_path="a.py", language="python", code="x = 1\n"),
            verdict=Verdict(passed=None, score=None, feedback=None, issues=ISSUES),
        )
    return snapshot.id


async def dismissed(service: Service, learner: Learner) -> frozenset[str]:
    async with service.services.open_tools(learner.id) as tools:
        return (await read_before(tools, None)).dismissed


async def test_a_dismissed_finding_is_listed_with_its_reason(
    ana: Learner, service: Service
) -> None:
    snapshot_id = await submit(service, ana)

    made = await ana.make(
        f"snapshots/{snapshot_id}/dismissals", fingerprint=FINGERPRINT, reason=" A propósito. "
    )

    assert await ana.read("/v1/dismissals") == {"items": [made], "next_cursor": None}
    assert made["id"].startswith("dsm_")
    assert {key: value for key, value in made.items() if key not in {"id", "created_at"}} == {
        "fingerprint": FINGERPRINT,
        "rule": "ruff/F841",
        "reason": "A propósito.",
        "code_snapshot_id": snapshot_id,
    }
    assert await dismissed(service, ana) == {FINGERPRINT}


async def test_to_dismiss_it_twice_changes_the_reason_and_makes_no_second_row(
    ana: Learner, service: Service
) -> None:
    first, second = await submit(service, ana), await submit(service, ana)
    path = f"snapshots/{first}/dismissals"

    made = await ana.make(path, fingerprint=FINGERPRINT, reason="one")
    again = await ana.make(path, fingerprint=FINGERPRINT, reason="one")
    changed = await ana.make(
        f"snapshots/{second}/dismissals", fingerprint=FINGERPRINT, reason="two"
    )

    assert again == made
    assert changed == {**made, "reason": "two", "code_snapshot_id": second}
    assert (await ana.read("/v1/dismissals"))["items"] == [changed]
    assert (await ana.event_types()).count("user.updated") == 2


async def test_a_restored_finding_is_dismissed_no_more(ana: Learner, service: Service) -> None:
    snapshot_id = await submit(service, ana)
    await ana.make(
        f"snapshots/{snapshot_id}/dismissals", fingerprint=FINGERPRINT, reason="a propósito"
    )

    restored = await ana.client.delete(f"/v1/dismissals/{FINGERPRINT}")
    again = await ana.client.delete(f"/v1/dismissals/{FINGERPRINT}")

    assert restored.status_code == 204
    assert (again.status_code, again.json()["code"]) == (404, "NOT_FOUND")
    assert await dismissed(service, ana) == frozenset()
    [event, _] = (await ana.read("/v1/events", type="user.updated"))["items"]
    assert event["payload"]["changed"] == ["dismissed_findings"]


async def test_dismissals_are_paged_newest_first(ana: Learner, service: Service) -> None:
    snapshot_id = await submit(service, ana)
    made = [
        await ana.make(f"snapshots/{snapshot_id}/dismissals", fingerprint=mark, reason="así")
        for mark in (FINGERPRINT, "f" * 16)
    ]

    page = await ana.read("/v1/dismissals", limit=1)
    rest = await ana.read("/v1/dismissals", limit=1, cursor=page["next_cursor"])

    assert [*page["items"], *rest["items"]] == list(reversed(made))
    assert rest["next_cursor"] is None


async def test_another_users_snapshot_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    snapshot_id = await submit(service, ana)
    body = {"fingerprint": FINGERPRINT, "reason": "no es mío"}

    others = await bruno.client.post(f"/v1/snapshots/{snapshot_id}/dismissals", json=body)
    missing = await bruno.client.post("/v1/snapshots/cs_missing/dismissals", json=body)

    assert (others.status_code, others.json()["code"]) == (404, "NOT_FOUND")
    assert others.content == missing.content
    assert await dismissed(service, ana) == await dismissed(service, bruno) == frozenset()


async def test_another_users_dismissal_is_neither_seen_nor_taken_back(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    snapshot_id = await submit(service, ana)
    await ana.make(f"snapshots/{snapshot_id}/dismissals", fingerprint=FINGERPRINT, reason="mío")

    taken_back = await bruno.client.delete(f"/v1/dismissals/{FINGERPRINT}")

    assert taken_back.status_code == 404
    assert (await bruno.read("/v1/dismissals"))["items"] == []
    assert await dismissed(service, ana) == {FINGERPRINT}


async def test_a_finding_that_the_snapshot_does_not_have_is_not_found(
    ana: Learner, service: Service
) -> None:
    snapshot_id = await submit(service, ana)

    response = await ana.client.post(
        f"/v1/snapshots/{snapshot_id}/dismissals", json={"fingerprint": "0" * 16, "reason": "x"}
    )

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"fingerprint": "not hexadecimal!", "reason": "x"},
        {"fingerprint": FINGERPRINT.upper(), "reason": "x"},
        {"fingerprint": FINGERPRINT + "0", "reason": "x"},
        {"fingerprint": FINGERPRINT, "reason": "  "},
        {"fingerprint": FINGERPRINT, "reason": "x" * 501},
        {"fingerprint": FINGERPRINT},
        {"fingerprint": FINGERPRINT, "reason": "x", "rule": "mine"},
    ],
)
async def test_a_bad_fingerprint_or_reason_is_refused(
    ana: Learner, service: Service, body: dict[str, str]
) -> None:
    snapshot_id = await submit(service, ana)

    response = await ana.client.post(f"/v1/snapshots/{snapshot_id}/dismissals", json=body)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


async def test_a_dismissal_outlives_its_snapshot(ana: Learner, service: Service) -> None:
    snapshot_id = await submit(service, ana)
    made = await ana.make(
        f"snapshots/{snapshot_id}/dismissals", fingerprint=FINGERPRINT, reason="así"
    )

    await ana.client.delete(f"/v1/snapshots/{snapshot_id}")

    assert (await ana.read("/v1/dismissals"))["items"] == [{**made, "code_snapshot_id": None}]


async def test_an_erased_users_dismissals_are_gone_and_another_ones_stay(
    ana: Learner, bruno: Learner, service: Service, outbox: Engine, lake: FolderLake
) -> None:
    for learner in (ana, bruno):
        snapshot_id = await submit(service, learner)
        path = f"snapshots/{snapshot_id}/dismissals"
        await learner.make(path, fingerprint=FINGERPRINT, reason="así")

    await asyncio.to_thread(erase_user, outbox, lake, user_id=ana.id)

    assert await dismissed(service, ana) == frozenset()
    assert await dismissed(service, bruno) == {FINGERPRINT}
