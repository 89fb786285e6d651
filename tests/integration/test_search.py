"""Retrieval: by meaning, by words, by both; the owner's own rows, all of them that there are.

Vectors are made by hand: what a text means is what the test says.
"""

import numpy as np
import pytest
import pytest_asyncio

import db.retrieval
from db.engine import Sessions
from db.retrieval import Found, Retrieval, Scope
from tests.embedded_rows import MADE_AT, Row, Vector, axis, insert_rows, random_vector
from tools.indexing import ENTITY_TYPES
from tools.users import get_or_create_user

MODEL = "m"
EVERYTHING = Scope(entity_types=ENTITY_TYPES)
Owners = tuple[str, str]


@pytest_asyncio.fixture
async def owners(sessions: Sessions) -> Owners:
    """Return two users."""
    async with sessions.begin() as session:
        ana, bruno = [
            (await get_or_create_user(session, username=name, now=MADE_AT, source="tests")).id
            for name in ("ana", "bruno")
        ]
    return ana, bruno


async def store(sessions: Sessions, user: str, *rows: Row, model: str = MODEL) -> None:
    async with sessions.begin() as session:
        await insert_rows(session, user, rows, model=model)


async def nearest(
    sessions: Sessions, user: str, query: Vector, *, limit: int, model: str = MODEL
) -> list[str]:
    async with sessions.begin() as session:
        rows = await Retrieval(session, user).nearest(
            query, model=model, entity_types=["goal", "task"], limit=limit
        )
    return [row.entity_id for row in rows]


async def search(
    sessions: Sessions,
    user: str,
    words: str = "",
    *,
    vector: Vector | None = None,
    limit: int = 10,
    scope: Scope = EVERYTHING,
    least_similarity: float = -1.0,
    least_coverage: float = 0.0,
) -> list[Found]:
    async with sessions.begin() as session:
        return await Retrieval(session, user).search(
            words,
            vector,
            model=MODEL,
            scope=scope,
            limit=limit,
            least_similarity=least_similarity,
            least_coverage=least_coverage,
        )


async def found_ids(
    sessions: Sessions,
    user: str,
    words: str = "",
    *,
    vector: Vector | None = None,
    limit: int = 10,
    least_similarity: float = -1.0,
) -> list[str]:
    found = await search(
        sessions, user, words, vector=vector, limit=limit, least_similarity=least_similarity
    )
    return [one.entity_id for one in found]


def by_brute_force(rows: list[Row], query: Vector, *, limit: int) -> list[str]:
    def distance(row: Row) -> float:
        lengths = float(np.linalg.norm(query) * np.linalg.norm(row.vector))
        return 1 - float(query @ row.vector) / lengths

    return [row.entity_id for row in sorted(rows, key=distance)[:limit]]


both_paths = pytest.mark.parametrize("exact_up_to", [4_000, 0])


@both_paths
async def test_the_nearest_rows_are_those_of_brute_force(
    sessions: Sessions, owners: Owners, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    ana, bruno = owners
    mine = [Row(f"a{number}", random_vector(number)) for number in range(60)]
    await store(sessions, ana, *mine)
    await store(sessions, bruno, *[Row(f"b{n}", random_vector(1_000 + n)) for n in range(60)])
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", exact_up_to)

    found = await nearest(sessions, ana, random_vector(5_000), limit=10)

    assert found == by_brute_force(mine, random_vector(5_000), limit=10)


@both_paths
async def test_a_planted_nearest_neighbour_of_another_owner_is_never_found(
    sessions: Sessions, owners: Owners, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    ana, bruno = owners
    query = random_vector(1)
    mine = [f"a{number}" for number in range(5)]
    await store(sessions, ana, *[Row(name, random_vector(len(name) + 9)) for name in mine])
    planted = query + random_vector(2) * np.float32(1e-3)
    await store(sessions, bruno, *[Row(f"b{n}", planted, "same words") for n in range(50)])
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", exact_up_to)

    near = await nearest(sessions, ana, query, limit=10)
    found = await found_ids(sessions, ana, "same words", vector=query)

    assert sorted(near) == sorted(found) == mine


async def test_vectors_of_another_model_are_never_compared(
    sessions: Sessions, owners: Owners
) -> None:
    ana, _ = owners
    await store(sessions, ana, Row("old", random_vector(1)), model="older")
    await store(sessions, ana, Row("new", random_vector(2)))

    assert await nearest(sessions, ana, random_vector(1), limit=10) == ["new"]
    assert await nearest(sessions, ana, random_vector(1), limit=10, model="older") == ["old"]


async def test_what_waits_for_its_vector_is_found_by_words_and_never_by_meaning(
    sessions: Sessions, owners: Owners
) -> None:
    ana, _ = owners
    await store(sessions, ana, Row("ready", axis(1), "índices parciales"))
    await store(sessions, ana, Row("pending", axis(0), "índices de texto"), model="")

    by_meaning = await search(sessions, ana, "nada", vector=axis(1))
    by_words = await search(sessions, ana, "texto", vector=axis(0, 1), least_similarity=0.5)

    assert [one.entity_id for one in by_meaning] == ["ready"]
    assert [(one.entity_id, one.similarity) for one in by_words] == [("pending", None)]


async def test_a_text_in_another_language_is_found_by_its_meaning(
    sessions: Sessions, owners: Owners
) -> None:
    ana, _ = owners
    passwords = Row("hashing", axis(1, 0.1), "Guardar las contraseñas con sal")
    charts = Row("charts", axis(0, 1), "Dibujar un gráfico de barras")
    await store(sessions, ana, passwords, charts)

    found = await search(
        sessions, ana, "store passwords safely", vector=axis(1), least_similarity=0.3
    )

    assert [(one.entity_id, one.coverage) for one in found] == [("hashing", None)]
    assert found[0].similarity == pytest.approx(0.995, abs=1e-3)


@pytest.mark.parametrize(
    ("content", "query"),
    [
        ("Corregir parseHTTPToken", "parse token"),
        ("Corregir parse_http_token", "parse http"),
        ("Corregir parse-http-token", "parseHTTPToken"),
        ("Corregir parseHTTPToken", "parse_http_token"),
        ("Corregir ORDER_ID2name", "order id2name"),
        ("Usar getElementById", "element"),
        ("Validar los formularios de registro", "validación de un formulario"),
        ("Las funciones recursivas", "función recursiva"),
        ("Testing the parsers", "test a parser"),
        ("Loops that never ended", "endless loop ends"),
        ("Autenticación con tokens", "autenticacion token"),
        ("El año de la migración", "migracion"),
        ("Ordenacion rapida", "ordenación rápida"),
        ("Usa C++ y C#", "c++"),
        ("JWT", "jwt"),
    ],
)
async def test_words_find_what_is_written_otherwise(
    sessions: Sessions, owners: Owners, content: str, query: str
) -> None:
    ana, _ = owners
    await store(sessions, ana, Row("wanted", axis(1), content), Row("else", axis(1), "Otra cosa"))

    assert await found_ids(sessions, ana, query) == ["wanted"]


@pytest.mark.parametrize("query", ["the of and", "de la que", "¿?", "' | ! & <-> :*", "\\"])
async def test_words_that_say_nothing_find_nothing(
    sessions: Sessions, owners: Owners, query: str
) -> None:
    ana, _ = owners
    await store(sessions, ana, Row("a", axis(1), "the index of the table and de la que"))

    assert await found_ids(sessions, ana, query) == []


async def test_a_rare_word_weighs_more_than_a_common_one(
    sessions: Sessions, owners: Owners
) -> None:
    ana, _ = owners
    common = [Row(f"c{number}", axis(1), "función de prueba") for number in range(20)]
    await store(sessions, ana, *common, Row("rare", axis(1), "recursividad"))

    found = await search(sessions, ana, "función recursividad", least_coverage=0.5)

    assert [one.entity_id for one in found] == ["rare"]


async def test_what_both_rankings_have_first_scores_one(sessions: Sessions, owners: Owners) -> None:
    ana, _ = owners
    both = Row("both", axis(1), "usar índices")
    meaning = Row("meaning", axis(1, 0.5), "acelerar")
    words = Row("words", axis(0, 1), "índices de precios")
    await store(sessions, ana, both, meaning, words)

    found = await search(sessions, ana, "usar índices", vector=axis(1), least_similarity=0.5)

    assert [one.entity_id for one in found] == ["both", "meaning", "words"]
    assert found[0].score == pytest.approx(1.0)
    assert [one.similarity is None for one in found] == [False, False, True]
    assert [one.coverage is None for one in found] == [False, True, False]


@both_paths
@pytest.mark.parametrize("words", ["", "capítulo"])
async def test_one_entity_with_many_chunks_does_not_hide_the_others(
    sessions: Sessions,
    owners: Owners,
    monkeypatch: pytest.MonkeyPatch,
    exact_up_to: int,
    words: str,
) -> None:
    ana, _ = owners
    book = [Row("book", axis(1, n / 1e4), f"capítulo {n}", chunk=n) for n in range(600)]
    notes = [Row(f"n{n}", axis(1, 1 + n), f"capítulo aparte {n}") for n in range(12)]
    await store(sessions, ana, *book, *notes)
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", exact_up_to)

    few = await search(sessions, ana, words, vector=axis(1), limit=10)
    all_there_are = await search(sessions, ana, words, vector=axis(1), limit=50)

    assert len({one.entity_id for one in few}) == len(few) == 10
    assert few[0].entity_id == "book"
    assert len({one.entity_id for one in all_there_are}) == len(all_there_are) == 13


async def test_of_an_entity_the_best_chunk_is_shown(sessions: Sessions, owners: Owners) -> None:
    ana, _ = owners
    chunks = [Row("a", axis(1, abs(3 - n)), f"trozo {n}", chunk=n) for n in range(6)]
    await store(sessions, ana, *chunks)

    [found] = await search(sessions, ana, "nada", vector=axis(1))

    assert (found.chunk, found.content) == (3, "trozo 3")


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
async def test_both_paths_find_the_same_entities(
    sessions: Sessions, owners: Owners, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    ana, bruno = owners
    texts = ["índices", "contraseñas", "bucles", "pruebas"]
    mine = [
        Row(f"a{n}", random_vector(n), texts[n % 4], entity_type=("goal", "task")[n % 2])
        for n in range(80)
    ]
    await store(sessions, ana, *mine)
    await store(sessions, bruno, *[Row(f"b{n}", random_vector(n), texts[0]) for n in range(80)])
    query = random_vector(500)

    exact = await search(sessions, ana, "índices", vector=query, limit=limit)
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", 0)
    by_index = await search(sessions, ana, "índices", vector=query, limit=limit)

    assert [one.entity_id for one in by_index] == [one.entity_id for one in exact]
    assert len(exact) == min(limit, 80)


@both_paths
async def test_a_type_is_a_filter_and_none_is_all_types(
    sessions: Sessions, owners: Owners, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    ana, _ = owners
    rows = [Row(kind, axis(1), "índices", entity_type=kind) for kind in ENTITY_TYPES]
    await store(sessions, ana, *rows)
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", exact_up_to)

    everything = await search(sessions, ana, "índices", vector=axis(1), scope=Scope())

    assert {one.entity_id for one in everything} == set(ENTITY_TYPES)

    for kind in ENTITY_TYPES:
        scope = Scope(entity_types=(kind,))
        found = await search(sessions, ana, "índices", vector=axis(1), scope=scope)

        assert [one.entity_id for one in found] == [kind]


async def test_what_is_far_and_says_little_of_the_query_is_not_found(
    sessions: Sessions, owners: Owners
) -> None:
    ana, _ = owners
    await store(sessions, ana, Row("a", axis(0, 1), "recetas de cocina con tomate"))

    found = await search(
        sessions,
        ana,
        "sumar tomate árbol binario balanceado",
        vector=axis(1),
        least_similarity=0.2,
        least_coverage=0.3,
    )

    assert found == []
