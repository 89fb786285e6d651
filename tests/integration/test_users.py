"""Accounts: made once, whoever asks and however often."""

import asyncio
from datetime import UTC, datetime

import pytest

from db.engine import Sessions
from tests.service import Service
from tools.errors import Conflict, NotFound
from tools.users import get_or_create_user, get_user

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def test_an_account_is_made_once_with_its_event(service: Service) -> None:
    sessions = service.services.system
    meta = {"preferences": {"language": "es"}}

    async with sessions.begin() as session:
        made = await get_or_create_user(
            session, username="eva", now=NOW, source="cli", full_name="Eva", meta=meta
        )
    async with sessions.begin() as session:
        again = await get_or_create_user(session, username="eva", now=NOW, source="cli")
        read = await get_user(session, made.id)

    assert made == again == read
    assert made.email == "eva@localhost"
    assert made.language == "es"
    recorded = "select count(*) from events where event_type = 'user.created' and user_id = :id"
    assert await service.count(recorded, id=made.id) == 1


async def test_two_who_make_the_same_account_at_once_get_the_same(service: Service) -> None:
    async def make() -> str:
        async with service.services.system.begin() as session:
            user = await get_or_create_user(session, username="eva", now=NOW, source="cli")
        return user.id

    made = await asyncio.gather(*(make() for _ in range(8)))

    assert len(set(made)) == 1
    assert await service.count("select count(*) from users") == 1
    assert await service.count("select count(*) from events") == 1


async def test_a_taken_address_is_a_conflict_and_a_missing_account_is_not_found(
    sessions: Sessions,
) -> None:
    async with sessions.begin() as session:
        await get_or_create_user(session, username="eva", now=NOW, source="cli")

        with pytest.raises(Conflict):
            await get_or_create_user(
                session, username="adam", now=NOW, source="cli", email="eva@localhost"
            )
        with pytest.raises(NotFound):
            await get_user(session, "usr_nobody")


async def test_an_account_without_a_password_has_none_that_fits(service: Service) -> None:
    await service.sign_in("eva")

    assert await service.count("select count(*) from users where hashed_password = '!'") == 1
