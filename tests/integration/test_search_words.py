"""The words of a text, as migration 018 makes them: those of revision 016, in less time."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import connect, open_database

OF_REVISION_016 = """
select tsvector_to_array(
  to_tsvector('search_spanish', text)
  || to_tsvector('search_spanish', search_plain(text || ' ' || search_parts(text)))
  || to_tsvector('search_english', search_plain(text || ' ' || search_parts(text)))
  || to_tsvector('search_words', search_plain(text || ' ' || search_parts(text)))
), tsvector_to_array(search_lexemes(text))
from (select %s::text as text) as given
"""
PIECES = [
    *("índices", "El", "JWT", "funciones.", "never,", "end;", "¿qué?", "(loop)", "año", "Ñandú"),
    *("parseHTTPToken", "parse_http_token", "id2name", "JWTs", "C++", "a.b", "e.g.", "x=1", "-5"),
    *("/etc/passwd", "http://a.b/c?d=e", "<b>", "<a", "href='x'>", "&amp;", "&", "foo-bar", "3.14"),
    *("@x", "#tag", "a:b", "b: c", "user@example.com", "!", "\\", "'", '"', "\n", "\t", "\u00a0"),
]
TEXT = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), min_size=1, max_size=14
).flatmap(lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda gap: gap.join(parts)))


@pytest.fixture(scope="module")
def connection(server_url: str, template_database: str) -> Iterator[psycopg.Connection]:
    """Yield a connection to a migrated database, which is only read."""
    with (
        open_database(server_url, template=template_database) as url,
        connect(url) as opened,
    ):
        yield opened


@settings(max_examples=1_000)
@given(text=TEXT.filter(lambda text: "\0" not in text))
def test_any_text_has_the_words_that_it_had_before(
    connection: psycopg.Connection, text: str
) -> None:
    found = connection.execute(OF_REVISION_016, [text]).fetchone()

    assert found is not None
    before, now = found
    assert now == before
