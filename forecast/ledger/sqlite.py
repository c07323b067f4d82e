"""A ledger in one SQLite file: opened, locked, guarded against change, checked, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Literal, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from forecast.base.errors import BusyError, InputError, LedgerError
from forecast.ledger.chained import DAMAGED, digest_at, head_of
from forecast.ledger.published import packed
from forecast.ledger.sql import SqlLedger
from forecast.ledger.tables import CHAIN, ISSUED, METADATA, RESOLVED, ROWS
from forecast.ledger.witness import checksum, read_witness, witness_of, write_witness

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from forecast.ledger.chain import Head
    from forecast.ledger.witness import Witness


APPLICATION_ID = 0x53434C47  # "SCLG", in the header of the file: how a ledger is told from any other database
SCHEMA_VERSION = 5  # 1 had no chain, 2 neither `coded_by` nor `language`, 3 no counts, 4 no people nor short parts
CHAINED_SINCE = 2
WAIT_SECONDS = 30

# REPLACE deletes without firing a DELETE trigger, so INSERT must refuse a seq that is taken or passed.
_NEVER = "CREATE TRIGGER {0}_no_{1} BEFORE {2} BEGIN SELECT RAISE(ABORT, '{0} is append-only: {3}'); END"
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
    returned is on the disk. Every method raises `LedgerError` when the file cannot be used. Where the file or its
    folder may not be written, it can be read.
    """

    def __init__(self, path: Path) -> None:
        """Point at the ledger in ``path``; use `SqliteLedger.open`, which also makes sure that it is one."""
        super().__init__()
        self.path = path
        self.where = str(path)
        self._engine = sa.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger in ``path``; create it, and the folders above it, on first use.

        One of an earlier version is given what is new. `LedgerError` if its guards are not as they were made, or if
        there was more in it before.
        """
        path = path.absolute()
        _require_access(path)
        known = read_witness(path)  # before the ledger, which can then only have more
        _require_there(path, known)
        ledger, writable = cls(path), _may_write(path)
        if writable:
            with _clear_errors(path), closing(_connect(path, "rwc")):
                pass
        with ledger.reading() as connection:  # one snapshot: another process may be creating it just now
            version = _version(path, connection)
            _require_none(path, [*_guard_faults(connection), *_head_faults(path, connection, version, known)])
            settled = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        ledger.chained = version >= CHAINED_SINCE
        if writable and not (version == SCHEMA_VERSION and settled):
            if ledger.chained:
                write_witness(path, ledger.head(), at_rest=False)
            with ledger.transaction() as connection:
                ledger._bring_up_to_date(connection)
            with _clear_errors(path), closing(_connect(path)) as raw, suppress(sqlite3.OperationalError):
                raw.execute("PRAGMA journal_mode = WAL").close()  # unless another process is just setting it
            ledger.chained = True
            ledger.witness(ledger.head())
        return ledger

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection to one state of the file."""
        with _clear_errors(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def transaction(self) -> Generator[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error."""
        if not _may_write(self.path):
            raise LedgerError(self.where, [_REMEDIES["SQLITE_READONLY"]])
        with _clear_errors(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def clear_errors(self) -> AbstractContextManager[None]:
        """Turn what SQLite raises within the block into one message with the path and a remedy."""
        return _clear_errors(self.path)

    def witness(self, head: Head) -> None:
        """Keep the head of the chain, and a checksum of the file, in a file beside it."""
        write_witness(self.path, head)

    def verify(self, *, quick: bool = False) -> tuple[str, ...]:
        """List what is wrong with the file, its guards, its chain, and by what is known of it outside.

        A ``quick`` look leaves out SQLite's own check, the content of issued forecasts and bytes that hold no row.
        """
        faults: list[str] = []
        try:
            known = read_witness(self.path)
            found = None if quick else checksum(self.path)
            with self.reading() as connection:
                version = _version(self.path, connection)
                faults += [*_guard_faults(connection), *_head_faults(self.path, connection, version, known)]
                if version < CHAINED_SINCE:
                    return (*faults, "has no chain yet; run a command that may write to it, such as `forecast log`")
                at_rest = known and known.head == head_of(connection) and None not in {found, known.checksum}
                if known and at_rest and found != known.checksum:
                    faults.append(f"is damaged: its bytes are not those that were written last; {DAMAGED}")
                faults += self.chain_faults(connection, quick=quick)
                if not quick:
                    checks = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()
                    faults += [f"SQLite finds: {text}; {DAMAGED}" for text in checks if text != "ok"]
        except OSError as error:
            faults.append(f"cannot be read ({error.strerror}); check the path and its permissions")
        except LedgerError as error:
            faults += error.faults
        return tuple(dict.fromkeys(faults))

    def backup(self, target: Path) -> None:
        """Copy the ledger to ``target``, whole or not at all, while others may read and write.

        Raises
        ------
        LedgerError
            If the ledger is not sound.
        InputError
            If there is something at ``target``, or it cannot be written.

        """
        _require_none(self.path, self.verify())
        draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
        try:
            try:
                with (
                    _clear_errors(self.path),
                    closing(_connect(self.path)) as source,
                    closing(sqlite3.connect(draft)) as copy,
                ):
                    source.backup(copy)
                    copy.execute("PRAGMA journal_mode = DELETE").close()
                os.link(draft, target)  # which fails where there is something
            finally:
                draft.unlink(missing_ok=True)
        except FileExistsError:
            msg = f"{target}: is there already; a backup overwrites nothing, give another name"
            raise InputError(msg) from None
        except OSError as error:
            msg = f"{target}: cannot be written ({error.strerror}); choose another place or mend its permissions"
            raise InputError(msg) from error

    def _bring_up_to_date(self, connection: sa.Connection) -> None:
        """Make what is not there yet, and put rows that were there before there was a chain on it."""
        if _version(self.path, connection) == SCHEMA_VERSION:  # another process was faster
            return
        there = set(sa.inspect(connection).get_table_names())
        for table in (ROWS, ISSUED):
            if table.name in there:
                _renew(connection, table)
                there.remove(table.name)
        if RESOLVED.name in there:
            _add_columns(connection, RESOLVED)
        METADATA.create_all(connection)
        for table, text in _guards().values():
            if table not in there:
                connection.exec_driver_sql(text)
        for name in _INDICES:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
        if CHAIN.name not in there:
            self.begin_chain(connection)
        self.chained = True
        self.publish_earlier(connection)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


# The file.


def _connect(path: Path, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
    """Connect; where nothing may be written, to read what is there.

    Without a log beside the file nobody is writing to it, so that no lock is needed, which could not be taken there.
    """
    options = f"mode={mode}"
    if not _may_write(path):
        options = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
    except BaseException:
        connection.close()
        raise
    return connection


def _allowed(place: Path, mode: int) -> bool:
    return os.access(place, mode, effective_ids=os.access in os.supports_effective_ids)


def _may_write(path: Path) -> bool:
    """Whether the file and its folder, which holds SQLite's log, may be written; true for a file that vanished."""
    return all(_allowed(place, os.R_OK | os.W_OK) for place in (path.parent, path) if place.exists())


def _require_access(path: Path) -> None:
    """Make sure that there is a file to read, or a place for it; it is not opened here, which could drop locks."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            fault = "is a folder; give the path of a file, such as data/ledger.db"
            raise LedgerError(str(path), [fault])
        there = path.exists()
    except OSError as error:
        fault = f"its folder cannot be used ({error.strerror}); choose another or mend its permissions"
        raise LedgerError(str(path), [fault]) from error
    if there and not _allowed(path, os.R_OK):
        fault = f"you may not read {path}; mend the permissions (chmod u+rw) or choose another place"
        raise LedgerError(str(path), [fault])
    if not there and not _may_write(path):
        fault = f"you may not write {path.parent}; mend the permissions (chmod u+rw) or choose another place"
        raise LedgerError(str(path), [fault])


def _require_there(path: Path, known: Witness | None) -> None:
    """Make sure that a ledger that held something is not begun anew."""
    if known and known.head.links and (not path.exists() or not path.stat().st_size):
        word = "is empty" if path.exists() else "is missing"
        fault = f"{word}, but held {known.head.links:,} rows by {witness_of(path).name}; restore it from a backup"
        raise LedgerError(str(path), [fault])


def _require_none(path: Path, faults: Sequence[str]) -> None:
    if faults:
        raise LedgerError(str(path), faults)


def _version(path: Path, connection: sa.Connection) -> int:
    """Give the schema of a ledger, 0 of an empty file; `LedgerError` for anything else."""
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if application == APPLICATION_ID and 1 <= version <= SCHEMA_VERSION:
        made = {name for name, table in METADATA.tables.items() if table.info.get("since", 0) <= version}
        missing = made - set(sa.inspect(connection).get_table_names())
        if version >= CHAINED_SINCE and missing:
            raise LedgerError(str(path), [f"lacks its table {min(missing)}; {DAMAGED}"])
        return version
    if application == APPLICATION_ID:
        fault = f"has schema {version}, this program knows {SCHEMA_VERSION}; install the version that wrote it"
        raise LedgerError(str(path), [fault])
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() or application or version:
        fault = "is a database of another program; choose another path for the ledger"
        raise LedgerError(str(path), [fault])
    return 0


def _renew(connection: sa.Connection, table: sa.Table) -> None:
    """Put rows of an earlier version into the present table, which holds more; what they lack has no value.

    SQLite changes no constraint of a table that is there. The rows are the same to the last character, so that they
    stand on the chain as before, and reports are compressed; all of it happens in the transaction of the caller.
    """
    there = [column["name"] for column in sa.inspect(connection).get_columns(table.name)]
    for name, (guarded, _) in _guards().items():
        if guarded == table.name:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO earlier")
    table.create(connection)
    source = {name: f'"{name}"' for name in there}
    if table is ISSUED and "packed" not in there:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - by this module's own function
        raw.create_function("compressed", 1, packed, deterministic=True)
        source = {name: text for name, text in source.items() if name != "content"} | {"packed": "compressed(content)"}
    into = ", ".join(f'"{name}"' for name in source)
    values = ", ".join(source.values())
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({into}) SELECT {values} FROM earlier ORDER BY seq")  # noqa: S608 - names of our own
    connection.exec_driver_sql("DROP TABLE earlier")


def _add_columns(connection: sa.Connection, table: sa.Table) -> None:
    """Give a table the columns that it lacks, all of which may be without a value."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in known:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.type}")


def _guards() -> dict[str, tuple[str, str]]:
    """Give the table and the statement of each trigger."""
    return {
        f"{table}_no_{name}": (table, _NEVER.format(table, name, event.format(table), remedy))
        for table, kept in METADATA.tables.items()
        if not kept.info.get("working")
        for name, event, remedy in _TRIGGERS
    }


def _guard_faults(connection: sa.Connection) -> Iterator[str]:
    """List triggers that are not as they were made, for the tables that are there."""
    tables = set(sa.inspect(connection).get_table_names())
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    found = {str(row[0]): str(row[1]) for row in rows}
    made = {name: text for name, (table, text) in _guards().items() if table in tables}
    for name in sorted(made.keys() | found.keys()):
        if made.get(name) != found.get(name):
            word = "changed" if name in made and name in found else "missing" if name in made else "not of this program"
            yield f"the trigger {name} is {word}, so that rows may have been changed; {DAMAGED}"


def _head_faults(path: Path, connection: sa.Connection, version: int, known: Witness | None) -> Iterator[str]:
    """Say whether there is less on the chain than there was."""
    if known is None or not known.head.links:
        return
    links = head_of(connection).links if version >= CHAINED_SINCE else 0
    held = digest_at(connection, known.head.links) if links else None
    if held != known.head.digest:
        count = f"its chain has {links:,} rows" if links != known.head.links else "its rows are others"
        yield (
            f"is not the ledger that was written last: {count}, {witness_of(path).name} knows of {known.head.links:,}; "
            "put the newest copy back, or restore a backup as docs/guide.md says"
        )


_INDICES = ("entries_by_id", "forecasts_by_model", "resolutions_by_model")  # of schema 1


_REMEDIES = {
    "SQLITE_NOTADB": "is not a database; choose another path, or restore the ledger from a backup",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup, or try `sqlite3 FILE .recover`",
    "SQLITE_ERROR": "is damaged; restore it from a backup, or try `sqlite3 FILE .recover`",  # our own SQL has no fault
    "SQLITE_TOOBIG": "is damaged; restore it from a backup, or try `sqlite3 FILE .recover`",
    "SQLITE_READONLY": "cannot be written; mend its permissions (chmod u+rw) or choose another place",
    "SQLITE_CANTOPEN": "cannot be opened; check that it is still there and that you may read and write it",
    "SQLITE_FULL": "could not grow: the disk is full; free some space and try again",
    "SQLITE_IOERR_SHMSIZE": "could not be opened: the disk is full; free some space and try again",  # even to read
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
        if "decode to UTF-8" in str(cause):
            name = "SQLITE_CORRUPT"
        fault = next((text for code, text in _REMEDIES.items() if name.startswith(code)), None)
        raise LedgerError(str(path), [fault or f"refused this ({cause}); check what was given"]) from error
    except (UnicodeDecodeError, MemoryError) as error:
        raise LedgerError(str(path), [_REMEDIES["SQLITE_CORRUPT"]]) from error
    except UnicodeEncodeError as error:
        msg = f"{path}: a text holds half a character (a lone surrogate) at {error.start}; take it out"
        raise InputError(msg) from error
