"""Let PostgreSQL itself keep each user to their own rows.

Requests connect as `goals_app`, which is bound by the policies `tenant`; the owner joins
`goals_system`, whose policies see all rows, for FORCE binds the owner too. Both roles belong to the
whole server: other databases may make them at this very moment, or have them already.

Revision ID: 023
Revises: 022
"""

import sqlalchemy as sa
from alembic import op

from db.external import TENANCY, name_here
from db.tenancy import ALL, IS_TENANT, protect, unprotect

revision: str = "023"
down_revision: str | None = "022"

CHECKPOINT_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
CHILDREN = (("messages", "thread_id", "threads"), ("run_events", "run_id", "runs"))
OWNED = f"user_id = {IS_TENANT}"
TABLES = {
    "erasures": (OWNED, "select, insert"),
    **TENANCY,
    "goals": (OWNED, ALL),
    "tasks": (OWNED, ALL),
    "code_snapshots": (OWNED, ALL),
    "events": (OWNED, "select, insert"),
    # No index is ever chosen for this one, so it leaves every statement its own access path; the
    # subquery is asked once a statement, not once a row.
    "embeddings": (f"case when user_id = (select {IS_TENANT}) then true end", ALL),
    "operations": (OWNED, ALL),
    "dismissed_findings": (OWNED, ALL),
    "threads": (OWNED, ALL),
    "messages": (OWNED, ALL),
    "runs": (OWNED, ALL),
    "run_events": (OWNED, "select, insert"),
    "interrupts": (OWNED, ALL),
    "usage_records": (OWNED, ALL),
    "usage_days": (OWNED, ALL),
    **dict.fromkeys(CHECKPOINT_TABLES, (OWNED, ALL)),
}
TRIGGERS = ("events_enter_outbox", "events_leave_outbox")

MAKE_ROLES = """
do $$
declare
    refused boolean := false;
begin
    for attempt in 1 .. 50 loop
        begin
            if not exists (select from pg_roles where rolname = 'goals_app') then
                create role goals_app login;
            end if;
            if not exists (select from pg_roles where rolname = 'goals_system') then
                create role goals_system nologin;
            end if;
            if not pg_has_role(current_user, 'goals_system', 'usage') then
                execute format('grant goals_system to %I', current_user);
            end if;
            return;
        exception
            -- Another database of this server makes them at this moment ("tuple concurrently
            -- updated" is an internal error): look again.
            when duplicate_object or unique_violation or internal_error then
                perform pg_sleep(0.02 * random() * attempt);
            when insufficient_privilege then
                refused := true;
        end;
        exit when refused;
    end loop;
    raise exception using
        errcode = 'insufficient_privilege',
        message = format(
            'the role %s may not make the roles of row level security. Let an administrator run: '
            'create role goals_app login; create role goals_system nologin; '
            'grant goals_system to %I; and migrate again', current_user, current_user);
end
$$
"""

# A policy is a barrier: no operator that might tell of a row, such as `@@`, reaches an index below
# it. This function asks for one owner's rows itself, so it may; it is the only one of its kind.
MAKE_WORDS = f"""
create function embeddings_with_words(owner text, any_word tsquery)
returns table (id varchar, entity_type varchar, entity_id varchar, search tsvector)
language plpgsql stable security definer rows 100 as $$
begin
    if owner is distinct from {IS_TENANT}
            and not pg_has_role(session_user, 'goals_system', 'usage') then
        return;
    end if;
    return query
        select e.id, e.entity_type, e.entity_id, e.search
        from embeddings e
        where e.user_id = owner and e.search @@ any_word;
end
$$
"""  # noqa: S608 - a constant of ours

IN_OUR_SCHEMA = """
do $$
begin
    execute format('{statement}', current_schema());
end
$$
"""

DROP_ROLES = """
do $$
begin
    begin
        drop role goals_app;
    exception when others then null;
    end;
    begin
        drop role goals_system;
    exception when others then null;
    end;
end
$$
"""


def upgrade() -> None:
    """Apply this revision."""
    op.execute(MAKE_ROLES)
    _in_our_schema("grant usage on schema %I to goals_app")
    for table in CHECKPOINT_TABLES:
        op.add_column(table, sa.Column("user_id", sa.String(36), server_default=sa.text(IS_TENANT)))
    _name_owners_of_checkpoints()
    # Their own columns: a statement that makes a thread and a run with what was said and told does
    # not see the two yet.
    for table, key, parent in CHILDREN:
        op.add_column(table, sa.Column("user_id", sa.String(36)))
        op.execute(
            f"update {table} set user_id = {parent}.user_id from {parent}"  # noqa: S608 - constants
            f" where {parent}.id = {table}.{key}"
        )
        op.alter_column(table, "user_id", nullable=False)
    for table, (owned, grants) in TABLES.items():
        here = name_here(op.get_context(), table)
        for statement in protect(here, owned=owned, grants=grants) if here else ():
            op.execute(statement)
    op.execute("grant select on alembic_version to goals_app")
    # Nobody's rows: the keys are hashes, and a limit on signing in is asked for before a user.
    op.execute("grant select, insert, update, delete on rate_windows to goals_app")
    # What is on its way belongs to nobody; whoever may record an event queues it by this.
    for trigger in TRIGGERS:
        op.execute(f"alter function {trigger}() security definer")
        _in_our_schema(f"alter function {trigger}() set search_path = %I, pg_temp")
    op.execute(MAKE_WORDS)
    _in_our_schema(
        "alter function embeddings_with_words(text, tsquery) set search_path = %I, pg_temp"
    )
    op.execute("revoke all on function embeddings_with_words(text, tsquery) from public")
    op.execute("grant execute on function embeddings_with_words(text, tsquery) to goals_app")


def _in_our_schema(statement: str) -> None:
    op.execute(IN_OUR_SCHEMA.format(statement=statement))


def _name_owners_of_checkpoints() -> None:
    """Name the owners of what waits; LangGraph's own inserts take the default from now on."""
    op.execute("update checkpoints set user_id = metadata ->> 'user_id'")
    op.execute(
        "update checkpoints set user_id = runs.user_id from runs"
        " where checkpoints.user_id is null and runs.checkpoint_id = checkpoints.thread_id"
    )
    for table in CHECKPOINT_TABLES[1:]:
        op.execute(
            f"update {table} set user_id = checkpoints.user_id from checkpoints"  # noqa: S608 - constants
            f" where {table}.thread_id = checkpoints.thread_id"
        )


def downgrade() -> None:
    """Undo this revision; the roles stay where another database uses them."""
    op.execute("drop function embeddings_with_words")
    for trigger in TRIGGERS:
        op.execute(f"alter function {trigger}() security invoker")
        op.execute(f"alter function {trigger}() reset search_path")
    op.execute("revoke all on alembic_version, rate_windows from goals_app")
    for table in reversed(TABLES):
        here = name_here(op.get_context(), table)
        for statement in unprotect(here) if here else ():
            op.execute(statement)
    for table in CHECKPOINT_TABLES:
        op.drop_column(table, "user_id")
    for table, _, _ in CHILDREN:
        op.drop_column(table, "user_id")
    _in_our_schema("revoke usage on schema %I from goals_app")
    op.execute(DROP_ROLES)
