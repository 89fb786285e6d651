"""One user, more than a hundred requests a second, two servers: one limit holds for both."""

import asyncio
import itertools
import time
from contextlib import ExitStack
from typing import Any, Final

import httpx2
import pytest

from tests.e2e.conftest import Program
from tests.e2e.conftest import program as program  # noqa: PLC0414 - pytest finds fixtures by name

pytestmark = pytest.mark.faults

LIMIT: Final = 400
BLOCK: Final = LIMIT // 50
REQUESTS: Final = 1_200
AT_ONCE: Final = 16
SECRET: Final = "a secret of fault tests, at least 32 bytes"


async def ask(urls: list[str], token: str) -> list[tuple[str, int]]:
    """Ask both servers in turns, `AT_ONCE` at a time; return who answered what."""
    turns = itertools.islice(itertools.cycle(urls), REQUESTS)
    answers = []
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:

        async def work() -> None:
            for url in turns:
                response = await client.get(f"{url}/v1/goals")
                answers.append((url, response.status_code))

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return answers


def test_a_user_of_two_servers_gets_the_limit_once(
    program: Program, database_url: str, app_url: str
) -> None:
    environment: dict[str, Any] = {
        "DATABASE_URL": database_url,
        "DATABASE_APP_URL": app_url,
        "GOALS_JWT_SECRET": SECRET,
        "GOALS_RATE_REQUESTS": f"{LIMIT}/hour",
    }
    token, other = (
        program.run("token", "--user", name, **environment).stdout.strip()
        for name in ("ana", "bruno")
    )
    with ExitStack() as stack:
        servers = [stack.enter_context(program.serve(workers=1, **environment)) for _ in range(2)]
        urls = [server.url for server in servers]

        began = time.monotonic()
        answers = asyncio.run(ask(urls, token))
        rate = REQUESTS / (time.monotonic() - began)
        neighbours = [server.call("GET", "/v1/goals", token=other)[0] for server in servers]

    passed = [url for url, status in answers if status == 200]
    assert {status for _, status in answers} == {200, 429}
    assert LIMIT - BLOCK <= len(passed) <= LIMIT
    assert min(passed.count(url) for url in urls) > LIMIT / 4
    assert rate > 100
    assert neighbours == [200, 200]
