"""Which provider is chosen, and what is never chosen silently."""

from typing import Any

import pytest

from api.settings import Settings


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GOALS_CHAT", "GOALS_EMBEDDINGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    without_file: dict[str, Any] = {"_env_file": None}
    return Settings(**without_file)


@pytest.mark.parametrize(
    ("environment", "chat", "embeddings"),
    [
        ({}, "local", "local"),
        ({"OPENAI_API_KEY": "k"}, "openai", "openai"),
        ({"OPENAI_API_KEY": ""}, "local", "local"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "openai", "local"),
        (
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
            "openai",
            "local",
        ),
        ({"GOALS_CHAT": "scripted"}, "scripted", "local"),
        ({"OPENAI_API_KEY": "k", "GOALS_CHAT": "local"}, "local", "openai"),
    ],
)
def test_a_key_means_openai_and_nothing_means_local(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], chat: str, embeddings: str
) -> None:
    chosen = settings(monkeypatch, **environment)

    assert chosen.chat_provider == chat
    assert chosen.embeddings_provider == embeddings


def test_a_key_does_not_show_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sk-canary" not in repr(settings(monkeypatch, OPENAI_API_KEY="sk-canary"))
