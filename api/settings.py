"""Everything that a person can configure, read from the environment and `.env`."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from events.lake_location import parse_location

APPLICATION = "ai-goals-tracker"
DEFAULT_MODEL_FILE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"

ChatProvider = Literal["openai", "local", "scripted"]
EmbeddingsProvider = Literal["openai", "local", "scripted"]
UsersPlace = Literal["own", "service"]


def _data_folder() -> Path:
    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False))


def _model_file() -> Path:
    cache = Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False))
    return cache / "models" / DEFAULT_MODEL_FILE


class Settings(BaseSettings):
    """Settings by their environment names; an empty variable counts as not set."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")
    database_app_url: SecretStr | None = Field(default=None, alias="DATABASE_APP_URL")
    amqp_url: SecretStr | None = Field(default=None, alias="AMQP_URL")

    openai_api_key: SecretStr | None = Field(default=None, alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, alias="OPENAI_BASE_URL")
    chat: ChatProvider | None = Field(default=None, alias="GOALS_CHAT")
    chat_model: str = Field(default="gpt-4o-mini", alias="GOALS_CHAT_MODEL")
    embeddings: EmbeddingsProvider | None = Field(default=None, alias="GOALS_EMBEDDINGS")
    embeddings_model: str = Field(default="text-embedding-3-small", alias="GOALS_EMBEDDINGS_MODEL")
    local_model: Path = Field(default_factory=_model_file, alias="GOALS_LOCAL_MODEL")
    llm_timeout: float | None = Field(default=None, gt=0, alias="GOALS_LLM_TIMEOUT")

    day_tokens: int = Field(default=2_000_000, ge=0, alias="GOALS_DAY_TOKENS")
    day_calls: int = Field(default=4_000, ge=0, alias="GOALS_DAY_CALLS")
    run_tokens: int = Field(default=60_000, gt=0, alias="GOALS_RUN_TOKENS")
    run_calls: int = Field(default=24, gt=0, alias="GOALS_RUN_CALLS")
    run_lease: float = Field(default=20.0, gt=0, alias="GOALS_RUN_LEASE")
    input_price: Decimal | None = Field(default=None, ge=0, alias="GOALS_INPUT_PRICE")
    output_price: Decimal | None = Field(default=None, ge=0, alias="GOALS_OUTPUT_PRICE")

    home: Path = Field(default_factory=_data_folder, alias="GOALS_HOME")
    lake: str | None = Field(default=None, alias="GOALS_LAKE")
    flush_seconds: float = Field(default=60.0, gt=0, alias="GOALS_FLUSH_SECONDS")

    jwt_secret: SecretStr | None = Field(default=None, alias="GOALS_JWT_SECRET")
    jwt_issuer: str = Field(default=APPLICATION, alias="GOALS_JWT_ISSUER")
    jwt_audience: str = Field(default=APPLICATION, alias="GOALS_JWT_AUDIENCE")
    jwks_url: str | None = Field(default=None, alias="GOALS_JWKS_URL")
    sign_in: bool | None = Field(default=None, alias="GOALS_SIGN_IN")
    token_hours: float = Field(default=12.0, gt=0, le=8_760, alias="GOALS_TOKEN_HOURS")

    rate_requests: str = Field(default="1200/minute", alias="GOALS_RATE_REQUESTS")
    rate_models: str = Field(default="60/minute", alias="GOALS_RATE_MODELS")
    rate_sign_in: str = Field(default="20/minute", alias="GOALS_RATE_SIGN_IN")

    users: UsersPlace = Field(default="own", alias="GOALS_USERS")
    users_url: str | None = Field(default=None, alias="GOALS_USERS_URL")
    users_token: SecretStr | None = Field(default=None, alias="GOALS_USERS_TOKEN")
    users_timeout: float = Field(default=0.9, gt=0, le=2, alias="GOALS_USERS_TIMEOUT")
    users_fresh: float = Field(default=30.0, ge=0, alias="GOALS_USERS_FRESH")
    users_stale: float = Field(default=3_600.0, ge=0, alias="GOALS_USERS_STALE")

    host: str = Field(default="127.0.0.1", alias="GOALS_HOST")
    port: int = Field(default=8000, ge=0, le=65535, alias="GOALS_PORT")
    metrics_host: str = Field(default="127.0.0.1", alias="GOALS_METRICS_HOST")
    metrics_port: int | None = Field(default=None, ge=0, le=65535, alias="GOALS_METRICS_PORT")
    model_server: str | None = Field(default=None, alias="GOALS_MODEL_SERVER")
    model_server_key: SecretStr | None = Field(default=None, alias="GOALS_MODEL_SERVER_KEY")
    """Where the local model is served already: `goals serve` tells its own processes."""
    workers: int = Field(default=1, ge=1, le=64, alias="GOALS_WORKERS")
    otlp_endpoint: str | None = Field(default=None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    trace_content: bool = Field(default=False, alias="GOALS_TRACE_CONTENT")

    @property
    def chat_provider(self) -> ChatProvider:
        """Return the provider named, else OpenAI with a key or a base URL, else the local one."""
        if self.chat is not None:
            return self.chat
        return "openai" if self.openai_api_key or self.openai_base_url else "local"

    @property
    def offers_sign_in(self) -> bool:
        """Tell whether people register and sign in here.

        Not where another issuer has the keys, or another service the users.
        """
        is_ours = self.jwks_url is None and self.users == "own"
        return is_ours if self.sign_in is None else self.sign_in

    @property
    def call_seconds(self) -> float:
        """Return the deadline of one model call; one on this machine's own cores gets longer."""
        if self.llm_timeout is not None:
            return self.llm_timeout
        return 600.0 if self.chat_provider == "local" else 120.0

    @property
    def embeddings_provider(self) -> EmbeddingsProvider:
        """Return the embeddings provider: the one named, else OpenAI's own with a key, else local.

        A base URL alone does not count: many compatible chat servers have no embeddings.
        """
        if self.embeddings is not None:
            return self.embeddings
        return "openai" if self.openai_api_key and not self.openai_base_url else "local"

    @property
    def lake_location(self) -> str:
        """Return what holds `events/year=…/month=…/*.parquet`: a folder, or s3://bucket/prefix."""
        return self.lake or str(self.home / "lake")

    @field_validator("lake")
    @classmethod
    def _check_lake(cls, location: str | None) -> str | None:
        """Refuse what can be no lake."""
        if location is not None:
            parse_location(location)
        return location
