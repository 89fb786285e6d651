"""One run: the corpus, the server, the searches, the ingest."""

import asyncio
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from api.retrieval_bench.ingest import measure_ingest
from api.retrieval_bench.load import describe_server, fill_own_table, load, open_server
from api.retrieval_bench.owners import Corpus, Matrix, make_corpus
from api.retrieval_bench.plan import Plan, Site
from api.retrieval_bench.rounds import measure_ways
from api.retrieval_bench.ways import open_ways
from events.bench.figures import Figure


def measure(site: Site, plan: Plan) -> tuple[list[Figure], dict[str, Any]]:
    """Measure what `plan` has and return its figures, and what they depend on."""
    site.announce(f"making {plan.rows:,} rows")
    corpus = make_corpus(plan.rows, plan.queries, real_rows=plan.real_rows, embed=_embed)
    with open_server(site) as url:
        environment = describe(url, corpus)
        figures: list[Figure] = []
        if plan.sections & {"search", "throughput"}:
            load(url, corpus, plan=plan, site=site)
            figures += asyncio.run(_search(url, corpus, plan=plan, site=site))
        if "ingest" in plan.sections:
            figures += measure_ingest(corpus, plan, site)
    return figures, environment | {"load_after": round(os.getloadavg()[0], 2)}


async def _search(url: str, corpus: Corpus, *, plan: Plan, site: Site) -> list[Figure]:
    async with open_ways(url, corpus) as ways:
        fill_own_table(url, site)
        return await measure_ways(ways, corpus, plan=plan, site=site)


def _embed(sentences: Sequence[str]) -> Matrix:
    """Return the vectors of the local model; it is imported for real sentences only."""
    from tools.embedding_models import LocalEmbeddings

    return np.array(LocalEmbeddings().embed_documents(list(sentences)), dtype=np.float32)


def describe(url: str, corpus: Corpus) -> dict[str, Any]:
    """Return what a figure depends on: the machine, the server, the owners, the libraries."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **describe_server(url),
        "owners": len(corpus.sizes),
        "largest_owners": corpus.sizes[:5].tolist(),
        **{name: version(name) for name in ("psycopg", "sqlalchemy", "langchain-postgres")},
    }
