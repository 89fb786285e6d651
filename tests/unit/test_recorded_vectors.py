"""Recorded vectors: found by their text, alike when recorded and when replayed."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.recordings import NotRecorded
from evals.vectors import FILE, RecordedEngine
from tools.embedding_models import LocalEmbeddings


class Drawing:
    """An engine that draws a vector for each text, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._draw = np.random.default_rng(7)

    def passage(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked += texts
        return self._draw.normal(size=(len(texts), 384)).astype(np.float32)

    query = passage


def test_what_was_recorded_is_replayed_to_the_last_bit(tmp_path: Path) -> None:
    live = Drawing()
    recorder = RecordedEngine(tmp_path / FILE, live=lambda: live)
    passages = LocalEmbeddings(recorder).embed_documents(["uno", "dos", "uno"])
    query = LocalEmbeddings(recorder).embed_query("uno")
    recorder.save()

    replayed = RecordedEngine(tmp_path / FILE)

    assert live.asked == ["uno", "dos", "uno"], "a text is a passage once, and a query once"
    assert LocalEmbeddings(replayed).embed_documents(["uno", "dos", "uno"]) == passages
    assert LocalEmbeddings(replayed).embed_query("uno") == query
    assert np.linalg.norm(replayed.passage(["dos"])) == pytest.approx(1, abs=1e-3)


def test_the_same_texts_make_the_same_file_whatever_came_first(tmp_path: Path) -> None:
    path, texts = tmp_path / FILE, ["uno", "dos", "tres"]
    first = RecordedEngine(path, live=Drawing)
    first.passage(texts)
    first.save()
    before = path.read_bytes()

    again = RecordedEngine(path)
    again.passage(texts[::-1])
    again.save()

    assert path.read_bytes() == before


def test_only_what_is_missing_is_asked_and_what_nobody_asks_for_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / FILE
    before = RecordedEngine(path, live=Drawing)
    before.passage(["uno", "dos"])
    before.save()

    live = Drawing()
    after = RecordedEngine(path, live=lambda: live)
    after.passage(["dos", "tres"])
    after.save()

    assert live.asked == ["tres"]
    RecordedEngine(path).passage(["dos", "tres"])
    with pytest.raises(NotRecorded):
        RecordedEngine(path).passage(["uno"])


def test_a_text_that_was_not_recorded_is_refused_and_told(tmp_path: Path) -> None:
    misses: list[NotRecorded] = []
    recorder = RecordedEngine(tmp_path / FILE, live=Drawing)
    recorder.passage(["uno"])
    recorder.save()

    with pytest.raises(NotRecorded, match=r"vector of a query is not recorded: 'uno'.*--record"):
        RecordedEngine(tmp_path / FILE, missed=misses.append).query(["uno"])

    assert len(misses) == 1


def test_vectors_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    np.savez(path, engine=np.array("e6"), keys=np.zeros((0, 16)), rows=np.zeros((0, 384)))

    with pytest.raises(NotRecorded, match="are of e6"):
        RecordedEngine(path)
