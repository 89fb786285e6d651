"""Every error that a caller of the product can meet.

GoalsError
├── InputError            VALIDATION 422 and its relatives TEXT_INVALID, TOO_LARGE, TOO_DEEP
├── AuthError             AUTH_MISSING, AUTH_INVALID, AUTH_EXPIRED 401
├── NotFound              NOT_FOUND 404 (also for another user's ids)
├── Conflict              CONFLICT_VERSION 409, IDEMPOTENCY_IN_PROGRESS 409, …_MISMATCH 422
│   ├── StateConflict     CONFLICT_STATE 409
│   ├── VersionConflict   CONFLICT_VERSION 412
│   ├── LimitReached      LIMIT_REACHED 409
│   ├── RunActive         RUN_ACTIVE 409
│   ├── InterruptStale    INTERRUPT_STALE 409
│   └── AccountTaken      ACCOUNT_TAKEN 409
├── BudgetExceeded        BUDGET_EXCEEDED 429
├── RateLimited           RATE_LIMITED 429
├── KeysUnavailable       AUTH_KEYS_UNAVAILABLE 503
├── DatabaseUnavailable   DB_UNAVAILABLE, OVERLOADED 503
├── Overloaded            OVERLOADED 503
├── Stopping              STOPPING 503: this process ends, another one goes on
├── UsersUnavailable      USERS_UNAVAILABLE 503
├── LakeAway              LAKE_UNAVAILABLE 503
├── ModelError            what the chat model did not give
│   ├── ModelTimeout      LLM_TIMEOUT 504
│   ├── ModelUnavailable  LLM_UNAVAILABLE 503
│   ├── ModelBadOutput    LLM_BAD_OUTPUT 502
│   ├── ModelTruncated    LLM_TRUNCATED 502
│   └── ModelRefused      LLM_REFUSED 422
├── StepLimit             AGENT_STEP_LIMIT 422
├── EmbeddingError        EMBEDDING_INVALID 502
│   └── EmbeddingRefused
└── SetupError            the installation lacks something; the text says what to do
"""


class GoalsError(Exception):
    """Root: a stable `code`, the HTTP `status` it means, and a sentence for the caller."""

    code = "INTERNAL"
    status = 500
    retry_after: int | None = None

    def __init__(self, detail: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class InputError(GoalsError):
    """The caller's input cannot be used."""

    code, status = "VALIDATION", 422


class AuthError(GoalsError):
    """The caller did not prove who they are."""

    code, status = "AUTH_INVALID", 401


class NotFound(GoalsError):
    """No such thing, or it belongs to somebody else: the two look the same."""

    code, status = "NOT_FOUND", 404


class Conflict(GoalsError):
    """The request does not fit what is stored now."""

    code, status = "CONFLICT_VERSION", 409


class StateConflict(Conflict):
    """A thing in its present state cannot become what is asked for."""

    code = "CONFLICT_STATE"


class VersionConflict(Conflict):
    """The thing is not any more what the caller's `If-Match` names."""

    status = 412


class LimitReached(Conflict):
    """The user has as many things of this kind as one may have."""

    code = "LIMIT_REACHED"


class RunActive(Conflict):
    """The thread has a run that has not ended: one at a time."""

    code = "RUN_ACTIVE"


class InterruptStale(Conflict):
    """The question was answered, cancelled or has expired: it is answered once."""

    code = "INTERRUPT_STALE"


class AccountTaken(Conflict):
    """The name or the address of a new account is another one's; which of them is not said."""

    code = "ACCOUNT_TAKEN"


class RateLimited(GoalsError):
    """Too many requests of one user, or from one address; `retry_after` is in seconds."""

    code, status = "RATE_LIMITED", 429

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"too many requests: try again in {retry_after} s")
        self.retry_after = retry_after


class KeysUnavailable(GoalsError):
    """The issuer's keys cannot be fetched, and the token's is not among those that are known."""

    code, status = "AUTH_KEYS_UNAVAILABLE", 503

    def __init__(self, *, retry_after: int) -> None:
        super().__init__("the keys that tokens are checked with cannot be fetched at the moment")
        self.retry_after = retry_after


class BudgetExceeded(GoalsError):
    """What models may take, of a user's day or of one run, is used up or reserved."""

    code, status = "BUDGET_EXCEEDED", 429

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        """Keep the seconds until there is a budget again, None where waiting does not help."""
        super().__init__(detail)
        self.retry_after = retry_after


class DatabaseUnavailable(GoalsError):
    """PostgreSQL does not answer, or has no connection left."""

    code, status, retry_after = "DB_UNAVAILABLE", 503, 2


class Overloaded(GoalsError):
    """This process has more of one kind of work waiting than it takes on."""

    code, status, retry_after = "OVERLOADED", 503, 2


class Stopping(GoalsError):
    """This process is about to end; what it was asked for goes on in another one."""

    code, status = "STOPPING", 503
    retry_after = 1


class UsersUnavailable(GoalsError):
    """The service that users and courses live in does not answer, and nothing kept is of use."""

    code, status, retry_after = "USERS_UNAVAILABLE", 503, 2

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        """Keep the seconds after which it is asked again."""
        super().__init__(detail)
        self.retry_after = retry_after


class LakeAway(GoalsError):
    """The lake cannot be read now; everything else goes on without it."""

    code, status, retry_after = "LAKE_UNAVAILABLE", 503, 10


class ModelError(GoalsError):
    """The chat model did not give an answer that can be used."""

    code, status = "LLM_UNAVAILABLE", 503


class ModelTimeout(ModelError):
    """The chat model did not finish by the deadline."""

    code, status = "LLM_TIMEOUT", 504


class ModelUnavailable(ModelError):
    """The chat model cannot be reached, refuses the key, or is overloaded."""

    code, status, retry_after = "LLM_UNAVAILABLE", 503, 5


class ModelBadOutput(ModelError):
    """The chat model answered what does not fit the schema or the checks."""

    code, status = "LLM_BAD_OUTPUT", 502


class ModelTruncated(ModelError):
    """The chat model's answer was cut before its end."""

    code, status = "LLM_TRUNCATED", 502


class ModelRefused(ModelError):
    """The chat model, or its content filter, declined."""

    code, status = "LLM_REFUSED", 422


class StepLimit(GoalsError):
    """The agent used up its steps."""

    code, status = "AGENT_STEP_LIMIT", 422


class EmbeddingError(GoalsError):
    """The embedding model gave nothing that can be stored."""

    code, status = "EMBEDDING_INVALID", 502


class EmbeddingRefused(EmbeddingError):
    """The embedding model answers, but not for a text among these."""


class SetupError(GoalsError):
    """The installation lacks something; `detail` names it and the way out."""

    code, status = "SETUP", 503
