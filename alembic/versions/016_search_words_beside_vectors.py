"""Let embeddings be found by their words too, in Spanish, English and code.

Revision ID: 016
Revises: 015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision: str = "016"
down_revision: str | None = "015"

WORD_TOKENS = "asciiword, asciihword, hword_asciipart, word, hword, hword_part"
STOPS = {"spanish": "search_without_spanish_stops", "english": "search_without_english_stops"}

# Each language's stemmer sees the text without the other's stop words: «the» says nothing in
# Spanish either. Words as they stand find identifiers.
CONFIGURATIONS = {
    "search_spanish": ("spanish", f"{STOPS['english']}, spanish_stem"),
    "search_english": ("english", f"{STOPS['spanish']}, english_stem"),
    "search_words": ("simple", f"{STOPS['spanish']}, {STOPS['english']}, search_as_it_stands"),
}

FUNCTIONS = {
    # Learners leave accents out; PostgreSQL's own `unaccent` is an extension that may be missing.
    "search_plain": "translate(lower(content), 'áéíóúüñàèìòùâêîôûç', 'aeiouunaeiouaeiouc')",
    # parseHTTPToken, parse_http_token and parse-http-token are the words parse, HTTP and token.
    "search_parts": (
        "regexp_replace(regexp_replace(content, '([[:lower:][:digit:]])([[:upper:]])"
        "|([[:upper:]])(?=[[:upper:]][[:lower:]])', '\\1\\3 \\2', 'g'), '[^[:alnum:]]+', ' ', 'g')"
    ),
    "search_lexemes": (
        "to_tsvector('search_spanish', content)"
        " || to_tsvector('search_spanish', search_plain(content || ' ' || search_parts(content)))"
        " || to_tsvector('search_english', search_plain(content || ' ' || search_parts(content)))"
        " || to_tsvector('search_words', search_plain(content || ' ' || search_parts(content)))"
    ),
    # The first line is the title; its words weigh more.
    "search_document": (
        "setweight(search_lexemes(split_part(content, E'\\n', 1)), 'A')"
        " || search_lexemes(substr(content, length(split_part(content, E'\\n', 1)) + 2))"
    ),
}
RESULTS = {"search_lexemes": "tsvector", "search_document": "tsvector"}


def upgrade() -> None:
    """Apply this revision."""
    for language, name in STOPS.items():
        op.execute(
            f"create text search dictionary {name}"
            f" (template = simple, stopwords = {language}, accept = false)"
        )
    op.execute("create text search dictionary search_as_it_stands (template = simple)")
    for name, (parent, dictionaries) in CONFIGURATIONS.items():
        op.execute(f"create text search configuration {name} (copy = {parent})")
        op.execute(
            f"alter text search configuration {name}"
            f" alter mapping for {WORD_TOKENS} with {dictionaries}"
        )
    for name, body in FUNCTIONS.items():
        op.execute(
            f"create function {name}(content text) returns {RESULTS.get(name, 'text')}"
            f" language sql immutable parallel safe strict as $$ select {body} $$"
        )
    op.add_column(
        "embeddings",
        sa.Column("search", TSVECTOR, sa.Computed("search_document(content)", persisted=True)),
    )
    op.create_index("idx_embeddings_search", "embeddings", ["search"], postgresql_using="gin")
    op.create_index("idx_embeddings_model", "embeddings", ["model", "id"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_index("idx_embeddings_model", "embeddings")
    op.drop_column("embeddings", "search")
    for name in reversed(FUNCTIONS):
        op.execute(f"drop function {name}(text)")
    for name in CONFIGURATIONS:
        op.execute(f"drop text search configuration {name}")
    op.execute("drop text search dictionary search_as_it_stands")
    for name in STOPS.values():
        op.execute(f"drop text search dictionary {name}")
