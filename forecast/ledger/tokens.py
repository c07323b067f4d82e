"""Tokens of a service: made, looked up and revoked; the ledger holds their digests alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from forecast.base.errors import InputError, nearest
from forecast.ledger.clock import utc
from forecast.ledger.tables import TOKENS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from forecast.ledger.chained import ChainedStore


type Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")  # each may do what those before it may
PREFIX = "fc"
NOBODY = hashlib.sha256(b"nobody").hexdigest()  # what a token is compared with that names no row


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token on record: whose it is, and what it is good for. ``revoked_at`` is blank while it is good."""

    id: str
    person: str
    scope: Scope
    made_at: str
    made_by: str = ""
    revoked_at: str = ""


class Tokens:
    """The tokens of a ledger; a token is 256 random bits, so that a plain SHA-256 keeps it."""

    def __init__(self, store: ChainedStore) -> None:
        """Read and write through a store."""
        self._store = store

    def make(self, person: str, scope: Scope, now: dt.datetime) -> tuple[Token, str]:
        """Make a token for a person and give it with its text, which is nowhere else; `InputError` without a name."""
        if not person.strip():
            msg = "a token needs a name: that of the person or program who will use it"
            raise InputError(msg)
        secret, name = secrets.token_urlsafe(32), secrets.token_hex(4)
        values = {"id": name, "action": "new", "person": person, "scope": scope, "digest": _digest(secret)}
        with self._store.writing() as connection:
            connection.execute(sa.insert(TOKENS).values(values | {"recorded_at": utc(now)} | self._store.stamp))
        made = Token(id=name, person=person, scope=scope, made_at=utc(now), made_by=self._store.by)
        return made, f"{PREFIX}_{name}_{secret}"

    def revoke(self, name: str, now: dt.datetime) -> Token:
        """Make a token good for nothing; `InputError` if there is none of this id, or it is revoked already."""
        known = {one.id: one for one in self.every()}
        if name not in known:
            msg = f"there is no token {name!r}; {nearest(name, known)}"
            raise InputError(msg)
        if known[name].revoked_at:
            msg = f"token {name!r} was revoked at {known[name].revoked_at}"
            raise InputError(msg)
        with self._store.writing() as connection:
            values = {"id": name, "action": "revoke", "recorded_at": utc(now)} | self._store.stamp
            connection.execute(sa.insert(TOKENS).values(values))
        return next(one for one in self.every() if one.id == name)

    def every(self) -> tuple[Token, ...]:
        """List all tokens in the order in which they were made."""
        return tuple(one for one, _ in self._read().values())

    def find(self, text: str) -> Token | None:
        """Give the token of which this is the text, if it is good; see `TokenBook.find`."""
        return self.book().find(text)

    def book(self) -> TokenBook:
        """Give the tokens as they are now."""
        return TokenBook(self._read())

    def _read(self) -> dict[str, tuple[Token, str]]:
        known: dict[str, tuple[Token, str]] = {}
        with self._store.reading() as connection:
            for row in self._store.checked(connection, TOKENS):
                known[row["id"]] = _after(known.get(row["id"]), row)
        return known


class TokenBook:
    """The tokens of a ledger at a moment, to look texts up."""

    def __init__(self, known: Mapping[str, tuple[Token, str]]) -> None:
        """Take tokens with the digests of their secrets, by id."""
        self._known = known

    def find(self, text: str) -> Token | None:
        """Give the token of which this is the text, if it is good; it takes as long for one that is not."""
        _, _, rest = text.partition("_")
        name, _, secret = rest.partition("_")
        token, digest = self._known.get(name, (None, NOBODY))
        same = hmac.compare_digest(_digest(secret), digest)
        return token if same and token is not None and not token.revoked_at else None


def _after(before: tuple[Token, str] | None, row: Mapping[str, Any]) -> tuple[Token, str]:
    """Give a token, and the digest of its secret, after one more row."""
    if row["action"] == "revoke" and before is not None:
        old, digest = before
        gone = Token(
            id=old.id, person=old.person, scope=old.scope, made_at=old.made_at, made_by=old.made_by,
            revoked_at=row["recorded_at"],
        )  # fmt: skip
        return gone, digest
    made = Token(
        id=row["id"], person=row["person"], scope=row["scope"], made_at=row["recorded_at"],
        made_by=row["recorded_by"] or "",
    )  # fmt: skip
    return made, row["digest"]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
