"""Limits by user: what passes, what is told, and what happens when nobody can count."""

from dataclasses import replace

from api.app import create_app
from api.rate_limits import RateLimits
from db.engine import Sessions
from tests.service import Learner, Service


def limited(service: Service, **limits: str) -> Service:
    """Return the service with these limits, as one more process of it would have them."""
    rates = make_rates(service.services.sessions, **limits)
    services = replace(service.services, rates=rates)
    return Service(create_app(services), services)


def make_rates(
    sessions: Sessions, *, requests: str = "none", models: str = "none", sign_in: str = "none"
) -> RateLimits:
    return RateLimits(sessions, requests=requests, models=models, sign_in=sign_in)


async def test_one_too_many_is_429_and_says_when_to_come_back(
    ana: Learner, service: Service
) -> None:
    strict = limited(service, requests="3/hour")

    async with strict.client(ana.token) as client:
        answers = [await client.get("/v1/goals") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "RATE_LIMITED"
    assert 0 < int(refused.headers["retry-after"]) <= 2 * 3_600
    assert refused.headers["ratelimit-policy"] == '"requests";q=3;w=3600'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert answers[0].headers["ratelimit"].startswith('"requests";r=2;t=')
