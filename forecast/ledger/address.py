"""The address of a ledger in a PostgreSQL database, as it is given, used and shown: without its password."""

from __future__ import annotations

import re
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from forecast.base.errors import InputError

EXAMPLE = "postgresql+psycopg://USER@HOST/DATABASE?schema=NAME"
SCHEMES = ("postgresql", "postgresql+psycopg")
SECRETS = ("password", "sslpassword")  # keys that may follow the question mark
_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", re.ASCII)


class Address(NamedTuple):
    """Where a ledger is: the ``url`` of the database, the ``schema`` in it, and the ``name`` that messages show."""

    url: sa.URL
    schema: str
    name: str

    def without_secrets(self, text: str) -> str:
        """Give a text without the passwords of the address."""
        found = [self.url.password, *(self.url.query.get(key) for key in SECRETS)]
        for secret in found:
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        return text


def is_address(text: str) -> bool:
    """Whether a text is meant as the address of a server, and not as the path of a file."""
    return "://" in text


def read_address(text: str, where: str) -> Address:
    """Read an address; ``where`` says in the message who gave it.

    Raises
    ------
    InputError
        If it is none, of another kind of database, or names no schema that can be.

    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):  # which may quote a password: nothing of it is passed on
        msg = f"{where}: {_hidden(text)!r} cannot be read as an address; write it as {EXAMPLE}"
        raise InputError(msg) from None
    if url.drivername not in SCHEMES:
        msg = f"{where}: {url.drivername!r} is no kind of ledger; write {EXAMPLE}, or leave it out for data/ledger.db"
        raise InputError(msg)
    schema = url.query.get("schema", "public")
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
        msg = f"{where}: schema: needs one name of small letters, digits and underscores, got {schema!r}"
        raise InputError(msg)
    if not url.database:
        msg = f"{where}: names no database; write it as {EXAMPLE}"
        raise InputError(msg)
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["schema"])
    shown = url.update_query_dict({key: "***" for key in SECRETS if key in url.query} | {"schema": schema})
    return Address(url, schema, shown.render_as_string(hide_password=True))


def _hidden(text: str) -> str:
    """Give what cannot be read without whatever may be a password."""
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else text
