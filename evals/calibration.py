"""Fit what is taken off the local model's vectors: the mean, and the directions of language.

`python -m evals.calibration` writes `tools/e5_calibration.npz` again from the pairs of sentences in
`fixtures/calibration.tsv` (Spanish, tab, English), none of which is in the retrieval set. A new fit
needs a new name of the model (`tools/embedders.py`): its vectors are not comparable to the old.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tools.embedding_models import CALIBRATION, Engine, load_engine

PAIRS: Final = Path(__file__).with_name("fixtures") / "calibration.tsv"
DIRECTIONS: Final = 3

Matrix = NDArray[np.float32]


def fit(engine: Engine) -> dict[str, Matrix]:
    """Return `mean_passage` and `mean_query` (384,) and `directions` (3, 384), orthonormal."""
    pairs = [line.split("\t") for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    sentences = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    passages, queries = _unit(engine.passage(sentences)), _unit(engine.query(sentences))
    mean_passage, mean_query = passages.mean(axis=0), queries.mean(axis=0)
    centred = np.vstack([passages - mean_passage, queries - mean_query])
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return {
        "mean_passage": mean_passage.astype(np.float32),
        "mean_query": mean_query.astype(np.float32),
        "directions": axes[:DIRECTIONS].astype(np.float32),
    }


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    np.savez(CALIBRATION, **fit(load_engine()))  # type: ignore[arg-type]  # numpy's own stub
