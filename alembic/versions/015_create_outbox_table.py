"""Keep what is on its way to the lake in a narrow table of its own.

An event's row was written again at each step of its way, with all its indexes; now once, at the
end, in the same page and without its indexes (that is what the fill factor is for, and why no index
has a column that changes). Triggers keep the outbox equal to what is not in the lake, whoever
writes events.

Revision ID: 015
Revises: 014
"""

import sqlalchemy as sa
from alembic import op

revision: str = "015"
down_revision: str | None = "014"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("published_at", sa.DateTime),
        sa.Column("batch_id", sa.String(36)),
    )
    op.create_index(
        "idx_outbox_unpublished",
        "outbox",
        ["event_id"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index(
        "idx_outbox_batch_id",
        "outbox",
        ["batch_id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_table(
        "relay_claims",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("lease_until", sa.DateTime, nullable=False),
        sa.Column("event_ids", sa.ARRAY(sa.String(36)), nullable=False),
        sa.Column("entities", sa.ARRAY(sa.Text), nullable=False),
    )
    op.execute(
        "insert into outbox (event_id, published_at, batch_id)"
        " select events.id, published_at, batch_id"
        " from events left join parquet_batches on parquet_batches.id = batch_id"
        " where batch_id is null or state = 'frozen'"
    )
    op.drop_index("idx_events_unbatched", "events")
    op.drop_index("idx_events_batch_id", "events")
    op.drop_constraint("events_batch_id_fkey", "events", type_="foreignkey")
    op.execute("alter table events set (fillfactor = 50)")
    op.drop_column("events", "published_at")
    op.drop_column("events", "lease_until")
    op.execute("""
        create function events_enter_outbox() returns trigger language plpgsql as $$
        begin
            insert into outbox (event_id) select id from entered;
            return null;
        end
        $$
    """)
    op.execute("""
        create function events_leave_outbox() returns trigger language plpgsql as $$
        begin
            delete from outbox using gone where event_id = gone.id;
            return null;
        end
        $$
    """)
    op.execute("""
        create trigger events_enter_outbox after insert on events
        referencing new table as entered
        for each statement execute function events_enter_outbox()
    """)
    op.execute("""
        create trigger events_leave_outbox after delete on events
        referencing old table as gone
        for each statement execute function events_leave_outbox()
    """)


def downgrade() -> None:
    """Undo this revision, completely."""
    op.execute("drop trigger events_enter_outbox on events")
    op.execute("drop trigger events_leave_outbox on events")
    op.execute("drop function events_enter_outbox")
    op.execute("drop function events_leave_outbox")
    op.add_column("events", sa.Column("published_at", sa.DateTime))
    op.add_column("events", sa.Column("lease_until", sa.DateTime))
    op.execute("update events set published_at = coalesce(processed_at, created_at)")
    op.execute(
        "update events set published_at = outbox.published_at,"
        " batch_id = coalesce(outbox.batch_id, events.batch_id)"
        " from outbox where events.id = outbox.event_id"
    )
    op.create_index(
        "idx_events_unpublished",
        "events",
        ["id"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index(
        "idx_events_leased",
        "events",
        ["lease_until"],
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_index(
        "idx_events_unbatched", "events", ["id"], postgresql_where=sa.text("batch_id IS NULL")
    )
    op.execute("alter table events reset (fillfactor)")
    op.create_foreign_key(
        "events_batch_id_fkey",
        "events",
        "parquet_batches",
        ["batch_id"],
        ["id"],
        ondelete="RESTRICT",
    )
    op.create_index("idx_events_batch_id", "events", ["batch_id"])
    op.drop_table("relay_claims")
    op.drop_table("outbox")
