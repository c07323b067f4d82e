"""What PostgreSQL raises, in words: one message with the address, without its password, and what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from forecast.base.errors import BusyError, InputError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Generator

    from forecast.ledger.address import Address


LOST = (
    "the server went away; what was being written is there whole or not at all: "
    "look with `forecast log` when it is back, and do it again if it is not there"
)
_BUSY = {
    "55P03": "another process has been writing for {wait} s",
    "40001": "another process changed what was read",
    "40P01": "another process waits for the same",
    "53300": "the server has as many connections as it takes",
    "57P03": "the server is starting or stopping",
}
_REMEDIES = {  # by the beginning of an SQLSTATE
    "42501": "you may not do this ({reason}); let the owner of the tables do it, or give rights: "
    "`forecast ledger grant ROLE`",
    "25006": "takes no writing: it is a copy of another server, or set to read only; name the server that writes",
    "53100": "could not grow: the server's disk is full; free some space there and try again",
    "42P01": "has no such table that you may use; ask the owner for rights (`forecast ledger grant ROLE`), or restore "
    "the ledger from a backup",
    "42703": "lacks a column; restore the ledger from a backup",
    "XX": "is damaged ({reason}); restore the ledger from a backup",
    "58": "could not be read or written ({reason}); check the server's disk and try again",
    "57P": LOST,
    "08": LOST,
}
_REFUSED = (  # what a server says before there is a connection, which has no SQLSTATE
    (r"too many (clients|connections)|remaining connection slots", "53300"),
    (r"database system is (starting up|shutting down|in recovery)", "57P03"),
    (
        r"password|no pg_hba\.conf entry|role .* does not exist|authentication",
        "refuses the user ({reason}); check the user, and the password in PGPASSWORD or ~/.pgpass",
    ),
    (r"database .* does not exist", "has no such database; make it with `createdb NAME`, or correct the address"),
    (r"connection option", "names something that PostgreSQL does not know ({reason}); correct the address"),
    (r"", "no server answers there ({reason}); start it, or correct the address"),
)


@contextmanager
def clear_errors(address: Address, wait: int) -> Generator[None]:
    """Turn what the database raises into `LedgerError`, `BusyError` or `InputError` with a remedy."""
    try:
        yield
    except DBAPIError as error:
        raise _told(address, error, wait) from error
    except UnicodeEncodeError as error:
        msg = f"{address.name}: a text holds half a character (a lone surrogate) at {error.start}; take it out"
        raise InputError(msg) from error


def _told(address: Address, error: DBAPIError, wait: int) -> LedgerError | BusyError | InputError:
    cause = error.orig
    code = getattr(cause, "sqlstate", None) or ""
    diagnosis = getattr(cause, "diag", None)
    reason = address.without_secrets(getattr(diagnosis, "message_primary", None) or _last_line(str(cause)))
    if "NUL (0x00)" in str(cause):
        return InputError(f"{address.name}: a text holds a NUL, which PostgreSQL cannot keep; take it out")
    if not code and error.statement is None and not error.connection_invalidated:
        said = next(said for pattern, said in _REFUSED if re.search(pattern, str(cause)))
        if said not in _BUSY:
            return LedgerError(address.name, [said.format(reason=reason)])
        code = said
    if code in _BUSY:
        return BusyError(f"{address.name}: {_BUSY[code].format(wait=wait)}; try again when it is done")
    if error.connection_invalidated or (not code and type(cause).__name__ == "OperationalError"):
        return LedgerError(address.name, [LOST])
    remedy = next((text for start, text in _REMEDIES.items() if code.startswith(start)), None)
    fault = remedy or "refused this ({reason}); check what was given"
    return LedgerError(address.name, [fault.format(reason=reason)])


def _last_line(text: str) -> str:
    """Give the reason of a failed connection: of the last of several tries, what comes after where it was tried."""
    lines = [line.strip() for line in text.splitlines() if "failed: " in line] or [text.strip() or "no reason given"]
    return re.sub(r"^\w+:\s+", "", lines[-1].rpartition("failed: ")[2]).strip().rstrip(".")
