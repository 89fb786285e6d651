"""What the OpenAPI document promises, held against what is answered to thousands of requests."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract import ENDS_A_USER, USERS, Exploration, explore

# Hypothesis writes down what it sent, and warns where that is long. The service draws numbers by
# chance in its own thread, which looks to Hypothesis as if a strategy had done so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

WITHOUT_SUCCESS: Final = {
    "POST /v1/snapshots/{snapshot_id}/dismissals",
    "DELETE /v1/dismissals/{fingerprint}",
    "POST /v1/auth/token",
}
"""They take a finding, or a password: nobody guesses its fingerprint, or it."""


def of(examples: int) -> dict[str, Any]:
    """Return the settings of a phase that sends so many examples."""
    return {"enabled": True, "generation": {"max-examples": examples}}


def summary(found: Exploration) -> str:
    return f"{sum(found.sent.values())} requests, {found.followed} followed, {dict(found.statuses)}"


def test_hundreds_of_requests_of_two_users_get_what_is_documented(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    off = {"enabled": False}

    found = explore(
        database_url,
        app_url,
        folder=tmp_path,
        examples=off,
        coverage=off,
        fuzzing=of(2),
        stateful={**of(18), "max-steps": 12},
        rounds=2,
    )

    assert not found.wrong, "\n\n".join([summary(found), *found.wrong])
    assert sum(found.sent.values()) >= 400, summary(found)
    assert found.followed >= 80, summary(found)


def test_who_asks_to_be_forgotten_gets_what_is_documented(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    off = {"enabled": False}

    found = explore(
        database_url,
        app_url,
        folder=tmp_path,
        only=ENDS_A_USER,
        examples=off,
        coverage={"enabled": True},
        fuzzing=of(10),
        stateful=off,
    )

    assert not found.wrong, "\n\n".join([summary(found), *found.wrong])
    assert found.succeeded["DELETE /v1/users/me"] in range(1, len(USERS) + 1), summary(found)


@pytest.mark.faults
def test_thousands_of_requests_of_two_users_get_what_is_documented(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    def enough(found: Exploration) -> bool:
        return sum(found.sent.values()) >= 2_000 and found.never_succeeded == WITHOUT_SUCCESS

    found = explore(
        database_url,
        app_url,
        folder=tmp_path,
        examples={"enabled": True},
        coverage={"enabled": True},
        fuzzing=of(20),
        stateful={**of(60), "max-steps": 15},
        rounds=20,
        enough=enough,
    )

    assert not found.wrong, "\n\n".join([summary(found), *found.wrong])
    assert sum(found.sent.values()) >= 2_000, summary(found)
    assert found.never_succeeded == WITHOUT_SUCCESS
