"""What the API counts of tokens, keys and limits. No label has a value that comes from a user."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics

# Else every counter comes with a second series, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
IDENTITY: Final = CollectorRegistry()

RATE_LIMITED: Final = Counter(
    "goals_rate_limited_requests_total",
    "Requests answered with 429 RATE_LIMITED.",
    ["limit"],
    registry=IDENTITY,
)
RATE_STORE_FAILURES: Final = Counter(
    "goals_rate_limit_store_failures_total",
    "Times that the rate limits could not be counted; for five seconds nothing is limited.",
    registry=IDENTITY,
)
KEY_FETCHES: Final = Counter(
    "goals_jwks_fetches_total",
    "Fetches of the keys at GOALS_JWKS_URL.",
    ["result"],
    registry=IDENTITY,
)
