"""How much each user or address has asked for lately: one row a key, one statement a taking.

The count is a sliding one: the present window's, and of the one before the share that still lies
within a window's length. All processes go by PostgreSQL's clock. The table is not logged, so that
it costs no disk and is empty after a crash of PostgreSQL.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Connection, LargeBinary, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.reads import make_statement, read, write, write_alone

# A row is written also where nothing is granted: what it returns is as of this very taking.
_TAKE: Final = make_statement("""
with moment as materialized (
    select extract(epoch from clock_timestamp())::float8 as at
), place as materialized (
    select floor(at / :seconds::float8)::bigint as number,
           :seconds::float8 - (at - floor(at / :seconds::float8) * :seconds::float8) as left_over
    from moment
)
insert into rate_windows as kept (key, seconds, number, previous, current, granted)
select :key::bytea, :seconds::float8::int, number, 0,
       case when :amount::int <= :most::int then :amount::int else 0 end,
       :amount::int <= :most::int
from place
on conflict (key) do update set (number, previous, current, granted) = (
    select greatest(place.number, kept.number),
           base.previous,
           base.current + case when verdict.fits then :amount::int else 0 end,
           verdict.fits
    from place,
    lateral (
        select case when kept.number >= place.number then kept.previous
                    when kept.number = place.number - 1 then kept.current
                    else 0 end as previous,
               case when kept.number >= place.number then kept.current else 0 end as current
    ) as base,
    lateral (
        select floor(base.previous * place.left_over / :seconds::float8)
               + base.current + :amount::int <= :most::int as fits
    ) as verdict
)
returning granted, previous, current, (select left_over from place)
""")
_LOOK: Final = make_statement("""
with moment as materialized (
    select extract(epoch from clock_timestamp())::float8 as at
), place as materialized (
    select floor(at / :seconds::float8)::bigint as number,
           :seconds::float8 - (at - floor(at / :seconds::float8) * :seconds::float8) as left_over
    from moment
)
select true,
       case when kept.number >= place.number then kept.previous
            when kept.number = place.number - 1 then kept.current
            else 0 end,
       case when kept.number >= place.number then kept.current else 0 end,
       place.left_over
from place left join rate_windows kept on kept.key = :key::bytea
""")
_LAST: Final = make_statement("""
select current, ((number + 1) * seconds)::float8 from rate_windows where key = :key::bytea
""")
_FORGET: Final = make_statement("delete from rate_windows where key = :key::bytea")
_FORGET_ALL: Final = make_statement("delete from rate_windows")
_FORGET_OLD: Final = text("""
delete from rate_windows
where (number + 2) * seconds < extract(epoch from clock_timestamp())
""")


class RateWindow(Base):
    """How much a key has taken in window `number` of `seconds` since 1970, and in the one before.

    `granted` is the answer to whoever wrote the row last.
    """

    __tablename__ = "rate_windows"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seconds: Mapped[int]
    number: Mapped[int] = mapped_column(BigInteger)
    previous: Mapped[int]
    current: Mapped[int]
    granted: Mapped[bool]


@dataclass(frozen=True)
class Window:
    """What a key has taken in this window and the one before; this one ends in `left` seconds."""

    granted: bool
    previous: int
    current: int
    left: float


async def take(
    sessions: async_sessionmaker[AsyncSession], key: bytes, *, amount: int, most: int, seconds: int
) -> Window:
    """Take `amount` of the `most` that `key` may have in `seconds`, all of it or nothing.

    `granted` says which. It is a transaction of its own that does not wait for the disk.
    """
    values = {"key": key, "amount": amount, "most": most, "seconds": seconds}
    rows = await write_alone(sessions, _TAKE, values)
    return Window(*rows[0])


async def look(session: AsyncSession, key: bytes, *, seconds: int) -> Window:
    """Return what `key` has taken, and take nothing."""
    granted, previous, current, left = (
        await read(session, _LOOK, {"key": key, "seconds": seconds})
    )[0]
    return Window(granted, previous or 0, current or 0, left)


async def last(session: AsyncSession, key: bytes) -> tuple[int, float]:
    """Return the count of the window that `key` wrote last, and its end in seconds since 1970."""
    rows = await read(session, _LAST, {"key": key})
    return (rows[0][0], rows[0][1]) if rows else (0, 0.0)


async def forget(session: AsyncSession, key: bytes) -> None:
    """Give a key all of its allowance back."""
    await write(session, _FORGET, {"key": key})


async def forget_all(session: AsyncSession) -> None:
    """Give every key all of its allowance back."""
    await write(session, _FORGET_ALL, {})


def forget_old(connection: Connection) -> int:
    """Delete the rows that count for nothing any more; return their number."""
    return connection.execute(_FORGET_OLD).rowcount
