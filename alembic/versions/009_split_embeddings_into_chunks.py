"""Split the text of an entity into chunks, each embedded once.

Revision ID: 009
Revises: 008
"""

import sqlalchemy as sa
from alembic import op

revision: str = "009"
down_revision: str | None = "008"

UNIQUE_CHUNK = "embeddings_entity_type_entity_id_chunk_key"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "embeddings",
        sa.Column("chunk", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("embeddings", sa.Column("content_hash", sa.String(64)))
    op.create_unique_constraint(UNIQUE_CHUNK, "embeddings", ["entity_type", "entity_id", "chunk"])
    op.create_index("idx_embeddings_user_entity_type", "embeddings", ["user_id", "entity_type"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_index("idx_embeddings_user_entity_type", "embeddings")
    op.drop_constraint(UNIQUE_CHUNK, "embeddings")
    op.drop_column("embeddings", "content_hash")
    op.drop_column("embeddings", "chunk")
