"""Does PostgreSQL keep users apart for whoever is connected? What is wrong, with what mends it."""

from typing import Final

from psycopg import sql
from sqlalchemy import Connection, text

from db.tenancy import APP_ROLE, SYSTEM_ROLE

CHILDREN: Final = ("users",)
"""Tables with a user's rows that say so by another column than `user_id`."""
KEPT: Final = ("users_local",)
"""Such tables as they are named where users are elsewhere."""

GUARDED: Final = """
select c.oid, c.relname as name, c.relowner, c.relrowsecurity and c.relforcerowsecurity as forced
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname = current_schema()
  and (c.relname = any(:children)
       or exists (select from pg_attribute a
                  where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped))
"""
_LOOK: Final = text(f"""
with guarded as ({GUARDED})
select current_user as role, rolsuper or rolbypassrls as is_above,
       rolsuper,
       exists (select from pg_roles r
               where r.rolname = :system
                 and pg_has_role(current_user, r.oid, 'member')) as is_system,
       exists (select from pg_roles r
               where r.rolname = :app and pg_has_role(current_user, r.oid, 'usage')) as is_app,
       array(select name::text from guarded
             where pg_has_role(current_user, relowner, 'member') order by name) as owned,
       array(select name::text from guarded where not forced order by name) as open,
       array(select name::text || '.' || p.polname
             from guarded join pg_policy p on p.polrelid = guarded.oid
             where p.polname <> 'tenant' and p.polpermissive
               and exists (select from unnest(p.polroles) as of (role)
                           where role = 0 or pg_has_role(current_user, role, 'usage'))
             order by 1) as others
from pg_roles where rolname = current_user
""")  # noqa: S608 - a constant
_SEES_ALL: Final = text("""
select current_user,
       rolsuper or rolbypassrls
         or exists (select from pg_roles r
                    where r.rolname = :system and pg_has_role(current_user, r.oid, 'usage'))
from pg_roles where rolname = current_user
""")


def find_faults(connection: Connection) -> list[str]:
    """Return why whoever is connected might see another user's rows, each with what mends it."""
    values = {"children": [*CHILDREN, *KEPT], "system": SYSTEM_ROLE, "app": APP_ROLE}
    found = connection.execute(_LOOK, values).one()
    role = _quoted(connection, found.role)
    if found.is_above:
        kind = "a superuser" if found.rolsuper else "a role with BYPASSRLS"
        mend = f"alter role {role} nobypassrls" if not found.rolsuper else f"use {APP_ROLE}"
        return [f"{found.role} is {kind}, whom row level security does not bind: {mend}"]
    faults = []
    if found.owned:
        faults.append(
            f"{found.role} owns the tables ({_some(found.owned)}) or may become who does, and "
            f"could switch row level security off: use {APP_ROLE}"
        )
    elif found.is_system:
        faults.append(f"{found.role} may see the rows of all: revoke {SYSTEM_ROLE} from {role}")
    elif not found.is_app:
        faults.append(f"{found.role} may not work for users: grant {APP_ROLE} to {role}")
    faults += [
        f"row level security is off or not forced for {table}: alter table {table} "
        "enable row level security, force row level security"
        for table in found.open
    ]
    if not found.owned and not found.is_system:
        faults += [
            f"the policy {policy} shows more than the tenant's rows: drop policy "
            f"{policy.partition('.')[2]} on {policy.partition('.')[0]}"
            for policy in found.others
        ]
    return faults


def find_system_fault(connection: Connection) -> str | None:
    """Return why whoever is connected does not see every row, with what mends it; else None."""
    role, sees_all = connection.execute(_SEES_ALL, {"system": SYSTEM_ROLE}).one()
    if sees_all:
        return None
    return (
        f"{role} does not see all rows, and works for all users (runs of stopped processes, "
        f"vectors, events): grant {SYSTEM_ROLE} to {_quoted(connection, role)}"
    )


def set_password(connection: Connection, role: str, password: str) -> None:
    """Give `role` this password. Raises DBAPIError where whoever is connected may not."""
    driver = connection.connection.driver_connection
    statement = sql.SQL("alter role {} login password {}").format(
        sql.Identifier(role), sql.Literal(password)
    )
    connection.exec_driver_sql(statement.as_string(driver).replace("%", "%%"))


def _quoted(connection: Connection, role: str) -> str:
    quoted: str = connection.execute(text("select quote_ident(:role)"), {"role": role}).scalar_one()
    return quoted


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
