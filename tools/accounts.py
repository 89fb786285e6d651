"""Accounts with a password: who registers here, and who signs in.

No transaction is open while a password is hashed. Whether an account is missing, closed, without a
password, or the password is wrong: the answer is the same, and takes as long.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from db import outbox
from db.base import new_id
from db.engine import Sessions
from db.events import UserCreated, UserLogin
from db.models import User
from db.users import Users
from tools.errors import AccountTaken, AuthError, InputError
from tools.passwords import Password, Passwords, is_guessable
from tools.schemas import UserOut
from tools.texts import Title
from tools.users import as_out

MAX_USERNAME: Final = 50
MAX_EMAIL: Final = 254
MAX_FULL_NAME: Final = 255
_USERNAME: Final = re.compile(r"[^\W_](?:[\w.-]*[^\W_])?")
_EMAIL: Final = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+")


def canonical(name: str) -> str:
    """Return a name or an address as it is stored: one form of what looks the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def _username(name: str) -> str:
    found = canonical(name)
    if not (3 <= len(found) <= MAX_USERNAME and _USERNAME.fullmatch(found)):
        raise PydanticCustomError(
            "username",
            "3 to 50 letters, digits, '.', '-' and '_'; a letter or a digit at both ends",
        )
    return found


def _email(address: str) -> str:
    found = canonical(address)
    readable = all(unicodedata.category(character)[0] != "C" for character in found)
    if not (readable and len(found) <= MAX_EMAIL and _EMAIL.fullmatch(found)):
        raise PydanticCustomError("email", "this is no e-mail address")
    return found


Username = Annotated[str, StringConstraints(max_length=200), AfterValidator(_username)]
Email = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_email)]


class RegisterIn(BaseModel):
    """A new account. Names and addresses are told apart without their case."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "username": "ana",
                    "email": "ana@example.com",
                    "password": "cuatro palabras al azar",
                    "full_name": "Ana Pérez",
                }
            ]
        },
    )

    username: Username
    email: Email
    password: Password
    full_name: Annotated[Title, Field(max_length=MAX_FULL_NAME)] | None = None


async def register(
    sessions: Sessions, asked: RegisterIn, *, passwords: Passwords, now: datetime, source: str
) -> UserOut:
    """Make an account and record USER_CREATED.

    Raises InputError for a password that is easily guessed, AccountTaken without saying whether it
    is the name or the address, and Overloaded.
    """
    password = asked.password.get_secret_value()
    if is_guessable(password, about=(asked.username, *re.split(r"[@.]", asked.email))):
        raise InputError("the password is easily guessed: take several words that are your own")
    hashed = await passwords.hash(password)
    user = User(
        id=new_id("usr"),
        email=asked.email,
        username=asked.username,
        hashed_password=hashed,
        full_name=asked.full_name,
        is_active=True,
        is_superuser=False,
        meta=None,
        created_at=now,
        updated_at=now,
    )
    async with sessions.begin() as session:
        users = Users(session)
        is_taken = await users.is_taken(username=asked.username, email=asked.email)
        if is_taken or not await users.insert(user):
            raise AccountTaken("there is an account of that name or address already")
        event = UserCreated(user_id=user.id, username=user.username)
        outbox.record(session, event, user_id=user.id, source=source, at=now)
    return as_out(user)


async def sign_in(
    sessions: Sessions,
    *,
    name: str,
    password: str,
    passwords: Passwords,
    now: datetime,
    source: str,
) -> str:
    """Return the id of the user whose name (or address) and password these are.

    Records USER_LOGIN and the moment. Raises AuthError, always the same one, and Overloaded.
    """
    async with sessions.begin() as session:
        found = await Users(session).find_credentials(canonical(name))
    right = await passwords.verify(password, None if found is None else found.hashed_password)
    if found is None or not right or not found.is_active:
        raise AuthError("the user name or the password is wrong", status=400)
    outdated = passwords.is_outdated(found.hashed_password)
    renewed = await passwords.hash(password) if outdated else None
    async with sessions.begin() as session:
        if not await Users(session).note_login(found.user_id, at=now, hashed_password=renewed):
            raise AuthError("the user name or the password is wrong", status=400)
        event = UserLogin(user_id=found.user_id)
        outbox.record(session, event, user_id=found.user_id, source=source, at=now)
    return found.user_id
