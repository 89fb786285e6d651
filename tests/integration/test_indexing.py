"""What is indexed of an entity: saved without the embedding service, cut, kept up to date."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from tests.embedding_services import PlayedEmbeddings, with_embeddings
from tests.service import Learner, Service, fill_pending
from tools.embedders import SCRIPTED_MODEL

PARAGRAPHS = [f"Parte {number}. " + "Leer, probar y repetir. " * 38 for number in range(3)]
LONG = "\n\n".join(PARAGRAPHS)
FUNCTIONS = "\n\n".join(
    f"def paso{number}():\n" + "    total = total + 1  # suma uno\n" * 25 for number in range(4)
)
CODE = {"file_path": "pasos.py", "language": "python"}
ROWS = """
select entity_type, chunk, content, model, metadata, vector_norm(embedding) as norm
from embeddings order by entity_type, chunk
"""


@pytest.fixture
def embeddings() -> PlayedEmbeddings:
    """Return an embedding service that counts."""
    return PlayedEmbeddings()


@pytest.fixture
def played(service: Service, embeddings: PlayedEmbeddings) -> Service:
    """Return the application over the embedding service that counts."""
    return with_embeddings(service, embeddings)


@pytest_asyncio.fixture
async def eva(played: Service) -> AsyncIterator[Learner]:
    """Yield a learner of that application."""
    learner = await played.sign_in("eva")
    async with learner.client:
        yield learner


async def rows(service: Service) -> list[Any]:
    async with service.services.system() as session:
        return list((await session.execute(text(ROWS))).all())


async def search(learner: Learner, query: str) -> dict[str, Any]:
    return await learner.read("/v1/search", q=query)


async def test_a_row_is_saved_while_the_embedding_service_is_down_and_found_by_meaning_later(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    embeddings.go_down()

    goal = await eva.make("goals", title="Cifrar contraseñas", description="Con sal")
    patched = await eva.client.patch(f"/v1/goals/{goal['id']}", json={"description": "Con scrypt"})
    by_words = await search(eva, "scrypt")
    embeddings.come_back()
    pending = await search(eva, "cifrar contraseñas")
    filled = await fill_pending(played)
    by_meaning = await search(eva, "cifrar contraseñas")

    assert patched.status_code == 200
    assert (by_words["mode"], [hit["entity_id"] for hit in by_words["hits"]]) == (
        "text",
        [goal["id"]],
    )
    assert [hit["similarity"] for hit in pending["hits"]] == [None]
    assert filled.embedded == 1
    assert by_meaning["hits"][0]["similarity"] > 0.5


async def test_a_write_never_asks_the_embedding_service(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    await eva.make("courses", title="FastAPI")
    await eva.make("goals", title="Probar")
    await eva.make("tasks", title="Escribir")
    await eva.make("snapshots", code="x = 1\n", **CODE)

    assert embeddings.calls == []
    assert {(row.model, row.norm) for row in await rows(played)} == {("", 0.0)}


async def test_a_vector_that_is_remembered_is_written_at_once(
    played: Service, eva: Learner
) -> None:
    await played.services.embedder.embed_documents(["Probar"])

    await eva.make("goals", title="Probar")

    [row] = await rows(played)
    assert (row.model, round(row.norm, 4)) == (SCRIPTED_MODEL, 1.0)


async def test_only_the_chunk_that_changed_is_embedded_again(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    goal = await eva.make("goals", title="Leer", description=LONG)
    await fill_pending(played)
    first = len(embeddings.texts)
    changed = LONG.replace("Parte 2", "Final")

    await eva.client.patch(f"/v1/goals/{goal['id']}", json={"description": changed})
    await fill_pending(played)

    assert first == 3
    assert [content.splitlines()[:2] for content in embeddings.texts[first:]] == [
        ["Leer", "Final. " + PARAGRAPHS[2].removeprefix("Parte 2. ")]
    ]


async def test_a_change_of_something_else_writes_no_row(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    goal = await eva.make("goals", title="Leer", description=LONG)
    await fill_pending(played)

    await eva.client.patch(f"/v1/goals/{goal['id']}", json={"priority": "high"})

    assert (await fill_pending(played)).embedded == 0
    assert len(embeddings.texts) == 3


async def test_chunks_that_are_gone_are_deleted(played: Service, eva: Learner) -> None:
    goal = await eva.make("goals", title="Leer", description=LONG)

    await eva.client.patch(f"/v1/goals/{goal['id']}", json={"description": "Corto"})

    assert [(row.chunk, row.content) for row in await rows(played)] == [(0, "Leer\nCorto")]


async def test_code_is_found_by_its_function_with_its_lines_and_without_its_secret(
    played: Service, eva: Learner
) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPL3"
    code = f'"""Pasos."""\nCLAVE = "{key}"\n\n\n{FUNCTIONS}'

    snapshot = await eva.make("snapshots", code=code, **CODE)

    stored = await rows(played)
    assert [row.metadata["symbol"] for row in stored] == [f"paso{number}" for number in range(4)]
    assert key not in "".join(row.content for row in stored)
    lines = code.splitlines()
    starts = [row.metadata["start_line"] for row in stored]
    assert starts[0] == 1
    assert [lines[start - 1] for start in starts[1:]] == [f"def paso{n}():" for n in range(1, 4)]
    found = await search(eva, "paso2")
    assert found["hits"][0]["entity_id"] == snapshot["id"]
    assert found["hits"][0]["title"] == "pasos.py · paso2"


async def test_very_long_code_is_indexed_as_far_as_64_chunks_and_says_so(
    played: Service, eva: Learner
) -> None:
    await eva.make("snapshots", code="a = 1; " * 100_000, **CODE)

    stored = await rows(played)
    assert len(stored) == 64
    assert stored[-1].metadata["left_out"] == 700_000 - sum(
        len(row.content.partition("\n")[2]) for row in stored
    )


async def test_feedback_is_found_by_what_it_says_and_goes_with_its_snapshot(
    scripted: Service,
) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="doble(4) == 8")
    judged = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json={
            "file_path": "doble.py",
            "programming_language": "python",
            "code": "def doble(n):\n    return n\n",
        },
    )
    snapshot_id = judged.json()["code_snapshot_id"]

    found = await ana.read("/v1/search", q="doblar", type="ai_feedback")
    await ana.client.delete(f"/v1/snapshots/{snapshot_id}")

    assert [(hit["entity_id"], hit["title"]) for hit in found["hits"]] == [
        (snapshot_id, "Doblar · doble.py")
    ]
    assert [row.entity_type for row in await rows(scripted)] == ["task"]


@pytest.mark.parametrize("kind", ["goals", "tasks"])
async def test_what_is_deleted_leaves_nothing_in_the_index(scripted: Service, kind: str) -> None:
    ana = await scripted.sign_in("ana")
    goal = await ana.make("goals", title="Meta")
    task = await ana.make("tasks", title="Doblar", goal_id=goal["id"])
    await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json={"file_path": "a.py", "programming_language": "python", "code": FUNCTIONS},
    )
    ids = {"goals": goal["id"], "tasks": task["id"]}

    deleted = await ana.client.delete(f"/v1/{kind}/{ids[kind]}")

    assert deleted.status_code == 204
    left = {"goals": [], "tasks": ["goal"]}
    assert [row.entity_type for row in await rows(scripted)] == left[kind]


async def test_the_vector_index_leaves_pending_rows_out(played: Service, eva: Learner) -> None:
    await eva.make("goals", title="Con vector")
    await fill_pending(played)
    for number in range(20):
        await eva.make("goals", title=f"Pendiente {number}")

    async with played.services.system() as session:
        await session.execute(text("set local enable_seqscan = off"))
        await session.execute(text("set local enable_sort = off"))
        query = "select content from embeddings order by embedding <=> :query limit 50"
        values = {"query": await played.services.embedder.embed_query("vector")}
        plan = (await session.execute(text(f"explain {query}"), values)).scalars().all()
        found = (await session.execute(text(query), values)).scalars().all()

    assert "idx_embeddings_vector_hnsw" in "".join(plan)
    assert found == ["Con vector"]
