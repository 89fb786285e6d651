"""The bare route of `goals bench api` leaves the rows that ours does, or it measures nothing."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio

from api.agent_bench.crud_peer import create_bare
from tests.service import Learner, Service

NEW: Final = {"title": "Escribir una API", "description": "Con pruebas para cada error."}
COUNTS: Final = """
select 'goals ' || count(*) || ' ' || count(distinct title) from goals where user_id = :user
union all select 'embeddings ' || count(*) || ' ' || max(content_hash) from embeddings
  where user_id = :user
union all select event_type::text || ' ' || count(*) || ' ' || count(outbox.event_id)
  from events left join outbox on outbox.event_id = events.id
  where user_id = :user and event_type::text <> 'USER_CREATED' group by event_type
order by 1
"""


@pytest_asyncio.fixture
async def bare(service: Service, bruno: Learner) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of the bare application, who is taken for bruno."""
    transport = httpx2.ASGITransport(app=create_bare(service.services.sessions))
    signed = {"Authorization": f"Bearer {bruno.id}"}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://bare/", headers=signed
    ) as client:
        yield client


async def write(client: httpx2.AsyncClient, prefix: str) -> Mapping[str, Any]:
    """Make a goal, change its title, and return it as it is read."""
    made = (await client.post(f"{prefix}/goals", json=NEW)).json()
    await client.patch(f"{prefix}/goals/{made['id']}", json={"title": "Escribir dos"})
    answer = await client.get(f"{prefix}/goals/{made['id']}")
    read: Mapping[str, Any] = answer.json()
    return read


async def test_ours_and_the_bare_route_leave_the_same_rows(
    service: Service, ana: Learner, bruno: Learner, bare: httpx2.AsyncClient
) -> None:
    of_ours = await write(ana.client, "/v1")
    of_bare = await write(bare, "")

    assert of_ours["title"] == of_bare["title"] == "Escribir dos"
    ours = await service.rows(COUNTS, user=ana.id)
    assert len(ours) >= 4
    assert await service.rows(COUNTS, user=bruno.id) == ours


@pytest.mark.parametrize("goals", [0, 25])
async def test_a_page_of_the_bare_route_has_what_ours_reads(
    ana: Learner, bruno: Learner, bare: httpx2.AsyncClient, goals: int
) -> None:
    for number in range(goals):
        for learner in (ana, bruno):
            await learner.make("goals", title=f"Meta {number}")

    ours = (await ana.read("/v1/goals", limit=20))["items"]
    page = (await bare.get("/goals", params={"limit": 20})).json()

    assert [goal["title"] for goal in page[:20]] == [goal["title"] for goal in ours]
