"""`python -m evals.retrieval`: the report as JSON, or as Markdown and pictures in a folder."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from evals.retrieval.cases import FOLDER, load_retrieval_set
from evals.retrieval.measure import measure_offline
from evals.retrieval.modes import ByMeaning, ByWords, Fused, make_naive
from evals.vectors import FILE, RecordedEngine
from tools.embedders import LOCAL_MODEL, Embedder
from tools.embedding_models import LocalEmbeddings, load_engine


def main() -> None:
    """Measure every mode on the retrieval set."""
    asked = _arguments()
    cases = load_retrieval_set()
    vectors = RecordedEngine(FOLDER / FILE, live=load_engine if asked.record else None)
    engine = load_engine() if asked.live else vectors
    naive = make_naive(
        cases,
        engine.passage([document.text for document in cases.documents]),
        engine.query([query.text for query in cases.queries]),
    )
    report = asyncio.run(
        measure_offline(
            [naive, ByWords(), ByMeaning(), Fused()],
            Embedder(LOCAL_MODEL, LocalEmbeddings(engine)),
            cases=cases,
        )
    )
    if asked.record:
        sys.stderr.write(f"recorded: {vectors.save():,} bytes\n")
    if asked.report is None:
        sys.stdout.write(report.as_json() + "\n")
        return
    from evals.retrieval.report import write_report

    bench = None if asked.bench is None else json.loads(asked.bench.read_text(encoding="utf-8"))
    for path in write_report(report, asked.report, bench=bench):
        sys.stdout.write(f"{path}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals.retrieval", description=main.__doc__)
    parser.add_argument("--report", type=Path, help="folder for Markdown, JSON and pictures")
    parser.add_argument("--bench", type=Path, help="JSON of `goals bench retrieval`, for a picture")
    parser.add_argument("--live", action="store_true", help="ask the model, not the recording")
    parser.add_argument("--record", action="store_true", help="ask and record what is missing")
    return parser.parse_args()
