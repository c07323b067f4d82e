"""The chain over everything that a ledger holds: each row's digest covers its content and the digest before it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


GENESIS = "0" * 64  # what stands before the first row


class Head(NamedTuple):
    """The end of a chain: how many ``links`` it has, and the ``digest`` that covers them all."""

    links: int = 0
    digest: str = GENESIS


class Link(NamedTuple):
    """One link: the ``row`` of the table ``kind``, the ``digest`` of its ``content`` (long text) and of all of it.

    ``before`` is the digest of the link before.
    """

    seq: int
    kind: str
    row: int
    content: str
    digest: str
    before: str


def text_digest(text: str) -> str:
    """Give the SHA-256 of a long text, which stands for it in the digest of its row."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(before: str, kind: str, values: Mapping[str, object], content: str) -> str:
    """Give the digest of a row of the table ``kind``: SHA-256 over the digest ``before`` and the row as JSON.

    Columns without a value do not count, so that a column that is added later changes no digest. ``content`` is the
    `text_digest` of a long text, or empty. Raises `TypeError` for what no row holds.
    """
    plain = {
        name: value if type(value) in _PLAIN else _plain(value) for name, value in values.items() if value is not None
    }
    return hashlib.sha256(_encode([before, kind, plain, content]).encode()).hexdigest()


_PLAIN = frozenset((str, int, float))  # written by every database alike

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def _plain(value: object) -> object:
    """Write a value as every database gives it."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return int(value) if isinstance(value, bool) else value
