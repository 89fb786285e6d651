"""What the figures are called in words, and which goals they are held against."""

from typing import Final

from events.bench.figures import Goal

WORDS: Final = {
    "select_1": "a bare select 1",
    "numpy": "numpy, the owner's rows in RAM",
    "ours": "ours, by meaning",
    "ours_unbound": "the same, not bound by row level security",
    "ours_typed": "ours, by meaning, one type",
    "fused": "ours, by meaning and words",
    "fused_unbound": "the same, not bound by row level security",
    "exact": "bare SQL, exact behind btree",
    "hnsw": "bare SQL, pgvector's defaults",
    "store_same_table": "PGVectorStore on our table",
    "store_own_table": "PGVectorStore on its own",
    "ingest.ours": "ours, the HNSW index in place",
    "ingest.copy": "bare binary COPY, the HNSW index in place",
    "ingest.ours_bare": "ours, without the HNSW index",
    "ingest.store": "PGVectorStore.add_embeddings, without index",
}
JUDGED_BY: Final[dict[str, tuple[str, ...]]] = {
    "select_1": (),
    "fused": ("missing",),
    "fused_unbound": ("missing",),
}
"""Ways that are not meant to find the nearest rows, and what of their answers counts."""


def _at_most(figure: str, bound: float, *, over: str | None = None) -> Goal:
    return Goal(figure=figure, over=over, sense="at most", bound=bound)


GOALS: Final = (
    *(
        Goal(figure=f"{way}.{part}", bound=bound)
        for way in ("ours", "ours_typed")
        for part, bound in (("recall", 0.99), ("recall_large", 0.99), ("recall_small", 1.0))
    ),
    *(_at_most(f"{way}.missing", 0) for way in ("ours", "ours_typed", "fused")),
    _at_most("ours.mean", 6, over="numpy.mean"),
    _at_most("ours.p50_learner", 0.15, over="store_same_table.p50_learner"),
    Goal(figure="ours.p50", over="store_same_table.p50"),
    Goal(figure="ours.qps_8", over="store_same_table.qps_8", bound=2),
    Goal(figure="store_own_table.p50_learner", over="ours.p50_learner", bound=10),
    Goal(figure="store_own_table.p50", over="ours.p50"),
    Goal(figure="store_own_table.p95", over="ours.p95", bound=10),
    _at_most("fused.p50_learner", 3, over="ours.p50_learner"),
    _at_most("fused.p50", 3, over="ours.p50"),
    Goal(figure="ours.p50_learner", over="select_1.p50_learner"),
    Goal(figure="ours.mean", over="exact.mean"),
    Goal(figure="ingest.ours", over="ingest.copy", bound=0.9),
    Goal(figure="ingest.ours_bare", over="ingest.store", bound=10),
)
