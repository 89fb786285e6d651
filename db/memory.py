"""What is remembered of one owner: the things that search finds, each with its chunks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from db.reads import execute, make_statement

_PAGE: Final = make_statement("""
select entity_type, entity_id,
       split_part(min(content) filter (where chunk = 0), chr(10), 1) as title,
       count(*) as chunks, sum(length(content)) as characters,
       count(*) filter (where model = '') as pending, max(created_at) as remembered_at
from embeddings
where user_id = :user_id
  and (cardinality(:entity_types::text[]) = 0 or entity_type = any(:entity_types::text[]))
  and (:before_id::text is null
       or (entity_id, entity_type) < (:before_id::text, :before_type::text))
group by entity_id, entity_type
order by entity_id desc, entity_type desc
limit :limit
""")
_FORGET: Final = make_statement("""
delete from embeddings
where user_id = :user_id and entity_type = :entity_type and entity_id = :entity_id
returning chunk
""")


class Remembered(NamedTuple):
    """A thing that search finds; `pending` of its chunks have no vector yet."""

    entity_type: str
    entity_id: str
    title: str | None
    chunks: int
    characters: int
    pending: int
    remembered_at: datetime


class Memory:
    """What is remembered of one owner."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def page(
        self, *, entity_types: Sequence[str], limit: int, before: tuple[str, str] | None
    ) -> list[Remembered]:
        """Return at most `limit` things by id and type, descending, from behind `before`."""
        before_id, before_type = before or (None, None)
        values = {
            "user_id": self._user_id,
            "entity_types": list(entity_types),
            "before_id": before_id,
            "before_type": before_type,
            "limit": limit,
        }
        rows = [Remembered(*row) for row in await execute(self._session, _PAGE, values)]
        return [row._replace(remembered_at=row.remembered_at.replace(tzinfo=UTC)) for row in rows]

    async def forget(self, entity_type: str, entity_id: str) -> bool:
        """Delete the chunks of a thing; False where there were none."""
        values = {
            "user_id": self._user_id,
            "entity_type": entity_type,
            "entity_id": entity_id,
        }
        return bool(await execute(self._session, _FORGET, values))
