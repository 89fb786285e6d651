"""What must be known before a user is forgotten, and what no foreign key leads to."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from db import checkpoints, external


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A user who is to be forgotten, and the number of events by or about them."""

    id: str
    username: str
    events: int


FIND: Final = text("""
select id, username,
       (select count(*) from events
        where user_id = users.id or (entity_type = 'user' and entity_id = users.id)) as events
from users
where id = :given or username = :given
order by (id = :given) desc
limit 1
""")

# Users are elsewhere: whoever has an event here is known by their id, and whoever has none may have
# rows all the same.
FIND_ELSEWHERE: Final = text("""
select cast(:given as text) as id, cast(:given as text) as username,
       (select count(*) from events
        where user_id = :given or (entity_type = 'user' and entity_id = :given)) as events
""")

# A checkpoint knows no owner. Its run does, and a question that waits on it; its operation does, as
# long as there is one; that of a run without a caller's key has an id made of user, job and
# thread (`db.operations`); and what a run read of the user's rows names the user.
OF_USER: Final = text(r"""
select thread_id from checkpoints
where metadata ->> 'user_id' = :user
   or checkpoint #>> '{channel_values,operation_id}' in (
          select id from operations where user_id = :user
      )
   or checkpoint #>> '{channel_values,operation_id}' = 'opr_' || left(encode(sha256(
          convert_to(cast(:user as text), 'UTF8') || cast('\x00' as bytea)
          || convert_to(checkpoint #>> '{channel_values,job}', 'UTF8') || cast('\x00' as bytea)
          || convert_to(thread_id, 'UTF8')
      ), 'hex'), 32)
union
select thread_id from checkpoint_blobs
where position(convert_to(cast(:user as text), 'UTF8') in blob) > 0
union
select thread_id from checkpoint_writes
where position(convert_to(cast(:user as text), 'UTF8') in blob) > 0
union
select checkpoint_id from runs where user_id = :user
union
select checkpoint_id from interrupts where user_id = :user
""")


def find_subject(connection: Connection, name_or_id: str) -> Subject | None:
    """Return the user of that id or, where it is nobody's, of that name.

    Where users are elsewhere any id may be a user's, and nobody is known by a name.
    """
    find = FIND_ELSEWHERE if external.is_external(connection) else FIND
    row = connection.execute(find, {"given": name_or_id}).mappings().first()
    return None if row is None else Subject(**row)


def delete_checkpoints(connection: Connection, user_id: str) -> int:
    """Delete the checkpoints of a user's runs, as far as they can be told; return their number.

    Before the user is deleted: the runs and operations, which most of them are told by, go too.
    """
    threads = connection.execute(OF_USER, {"user": user_id}).scalars().all()
    return checkpoints.delete_checkpoints(connection, threads)
