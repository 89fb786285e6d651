"""Vectors that are known before a row is committed follow it, and never hold it up."""

from dataclasses import replace

import pytest

from api.bootstrap import Services
from tests.service import Service
from tools.goals import create_goal, update_goal
from tools.indexing import goal_text
from tools.known_vectors import KnownVectors
from tools.schemas import GoalIn, GoalPatch

GOAL = GoalIn(title="Aprender a usar grafos", description="Recorrer un grafo.", criteria=["Uno"])
TEXT = goal_text("Aprender a usar grafos", "Recorrer un grafo.", ["Uno"])
WAITING = "select count(*) from embeddings where model = ''"


@pytest.fixture
def known() -> KnownVectors:
    return KnownVectors()


@pytest.fixture
async def services(service: Service, known: KnownVectors) -> Services:
    """Return services that know the vector of `TEXT`, and give it when its row is committed."""
    await service.services.embedder.embed_documents([TEXT])
    return replace(service.services, known_vectors=known)


async def test_a_row_gets_the_vector_that_was_known_once_it_is_committed(
    service: Service, services: Services, known: KnownVectors
) -> None:
    ana = await service.sign_in("ana")

    async with services.open_tools(ana.id) as tools:
        await create_goal(tools, GOAL)
    waited = await service.count(WAITING)
    await known.aclose()

    assert (waited, await service.count(WAITING)) == (1, 0)


async def test_a_row_whose_text_has_changed_since_keeps_waiting(
    service: Service, services: Services, known: KnownVectors
) -> None:
    ana = await service.sign_in("ana")

    async with services.open_tools(ana.id) as tools:
        goal = await create_goal(tools, GOAL)
        late = list(tools.known or ())
        await update_goal(tools, goal.id, GoalPatch(title="Otra cosa"))
    await known.aclose()

    assert len(late) == 1
    assert await service.count(WAITING) == 1
