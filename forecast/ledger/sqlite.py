"""A ledger in one SQLite file: opened, locked, guarded against change, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Literal, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from forecast.base.errors import BusyError, InputError, LedgerError
from forecast.ledger.sql import METADATA, SqlLedger

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["SqliteLedger"]

APPLICATION_ID = 0x53434C47  # "SCLG", in the header of the file: how a ledger is told from any other database
SCHEMA_VERSION = 1
WAIT_SECONDS = 30

# REPLACE deletes without firing a DELETE trigger, so INSERT must refuse a seq that is taken or passed.
_NEVER = "CREATE TRIGGER IF NOT EXISTS {0}_no_{1} BEFORE {2} BEGIN SELECT RAISE(ABORT, '{0} is append-only: {3}'); END"
_TRIGGERS = (
    ("update", "UPDATE ON {0}", "nothing is changed; add a row that supersedes"),
    ("delete", "DELETE ON {0}", "nothing is deleted; add a row that retracts"),
    (
        "replace",
        "INSERT ON {0} WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM {0})",
        "nothing is replaced; rows go to the end",
    ),
)


class SqliteLedger(SqlLedger):
    """A ledger in one SQLite file; it holds no connection between calls, so there is nothing to close.

    Writers take turns (each waits up to 30 s for the others, then gives up with `BusyError`), and what a method has
    returned is on the disk. Every method raises `LedgerError` when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """Point at the ledger in ``path``; use `SqliteLedger.open`, which also makes sure that it is one."""
        self.path = path
        self._engine = sa.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger in ``path``; create it, and the folders above it, on first use."""
        path = path.absolute()
        _require_access(path)
        ledger = cls(path)
        with _clear_errors(path), closing(_connect(path, "rwc")):
            pass
        with ledger.reading() as connection:
            connection.exec_driver_sql("BEGIN")  # one snapshot: another process may be creating it just now
            ours = _is_ours(path, connection)
        if not ours:
            with ledger.writing() as connection:
                _create(path, connection)
        with ledger.reading() as connection, suppress(OperationalError):  # another process is just setting it
            connection.exec_driver_sql("PRAGMA journal_mode = WAL").close()
        return ledger

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection for reading."""
        with _clear_errors(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error."""
        with self.reading() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


# The file.


def _connect(path: Path, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
    except BaseException:
        connection.close()
        raise
    return connection


def _require_access(path: Path) -> None:
    """Make sure that there is a file to read and write; it is not opened here, which could drop SQLite's locks."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            fault = "is a folder; give the path of a file, such as data/ledger.db"
            raise LedgerError(str(path), [fault])
    except OSError as error:
        fault = f"its folder cannot be used ({error.strerror}); choose another or mend its permissions"
        raise LedgerError(str(path), [fault]) from error
    effective = os.access in os.supports_effective_ids
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK, effective_ids=effective):
            fault = f"you may not read and write {place}; mend the permissions (chmod u+rw) or choose another place"
            raise LedgerError(str(path), [fault])


def _is_ours(path: Path, connection: sa.Connection) -> bool:
    """Tell a ledger (True) from one without all its tables, or an empty file (False); `LedgerError` for anything else.

    A table that came with a later version is missing in the ledger of an earlier one, which is not changed otherwise.
    """
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if application == APPLICATION_ID and version == SCHEMA_VERSION:
        return set(METADATA.tables) <= set(sa.inspect(connection).get_table_names())
    if application == APPLICATION_ID:
        fault = f"has schema {version}, this program knows {SCHEMA_VERSION}; install the version that wrote it"
        raise LedgerError(str(path), [fault])
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() or application or version:
        fault = "is a database of another program; choose another path for the ledger"
        raise LedgerError(str(path), [fault])
    return False


def _create(path: Path, connection: sa.Connection) -> None:
    if _is_ours(path, connection):  # another process was faster
        return
    METADATA.create_all(connection)
    for table in METADATA.tables:
        for name, event, remedy in _TRIGGERS:
            connection.exec_driver_sql(_NEVER.format(table, name, event.format(table), remedy))
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


_REMEDIES = {
    "SQLITE_NOTADB": "is not a database; choose another path, or restore the ledger from a backup",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup, or try `sqlite3 FILE .recover`",
    "SQLITE_READONLY": "cannot be written; mend its permissions (chmod u+rw) or choose another place",
    "SQLITE_CANTOPEN": "cannot be opened; check that it is still there and that you may read and write it",
    "SQLITE_FULL": "could not grow: the disk is full; free some space and try again",
    "SQLITE_IOERR": "could not be read or written; check the disk and try again",
}


@contextmanager
def _clear_errors(path: Path) -> Generator[None]:
    """Turn what the database raises into one message with the path and a remedy."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        name = str(getattr(cause, "sqlite_errorname", ""))
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            msg = f"{path}: another process has been writing for {WAIT_SECONDS} s; try again when it is done"
            raise BusyError(msg) from error
        fault = next((text for code, text in _REMEDIES.items() if name.startswith(code)), None)
        raise LedgerError(str(path), [fault or f"refused this ({cause}); check what was given"]) from error
    except UnicodeEncodeError as error:
        msg = f"{path}: a text holds half a character (a lone surrogate) at {error.start}; take it out"
        raise InputError(msg) from error
