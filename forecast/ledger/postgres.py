"""A ledger in a schema of a PostgreSQL database, which several machines may use at once."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from forecast.base.errors import BusyError, InputError, LedgerError
from forecast.ledger import postgres_schema as schema
from forecast.ledger.chain import Head
from forecast.ledger.chained import digest_at, head_of
from forecast.ledger.copying import back_up
from forecast.ledger.postgres_errors import clear_errors
from forecast.ledger.sql import SqlLedger
from forecast.ledger.witness import read_witness, witness_of, write_witness

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from forecast.ledger.address import Address
    from forecast.ledger.witness import Witness


WAIT_SECONDS = 30
_WRITERS, _RUNS = 0x53434C57, 0x53434C52  # "SCLW" and "SCLR": the two kinds of advisory locks
_SETTINGS = {  # of a connection, unless the address says otherwise
    "connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
    "tcp_user_timeout": "30000", "application_name": "scenario-cascade", "client_encoding": "utf8",
}  # fmt: skip
_BEGIN = sa.text("""
    SELECT set_config('search_path', :path, true), set_config('lock_timeout', :wait, true),
        CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END
""")
_WITHOUT_INDEX = sa.text("""
    SELECT set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true),
        set_config('enable_bitmapscan', 'off', true)
""")
_TAKE_TURNS = sa.text("SELECT pg_advisory_xact_lock(CAST(:kind AS int), CAST(:key AS int))")
_TRY_TO_RUN = sa.text("SELECT pg_try_advisory_lock(CAST(:kind AS int), CAST(:key AS int))")
_LET_RUN = sa.text("SELECT pg_advisory_unlock(CAST(:kind AS int), CAST(:key AS int))")
_HOLDER = sa.text("""
    SELECT a.usename::text, a.client_addr::text,
        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = :kind AND l.objid::bigint = :key & 4294967295
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
""")


class _Wide(sa.BigInteger):
    """A whole number as a parameter: its column has 64 bits, whatever `forecast.ledger.tables` calls it."""

    render_bind_cast = True


class Served(NamedTuple):
    """How a ledger is served: version of the server, of the ledger (0 if there is none), who asks, who holds locks."""

    server: str
    version: int
    role: schema.Role
    writes: str | None
    runs: str | None


class PostgresLedger(SqlLedger):
    """A ledger in a schema of a PostgreSQL database; it stays usable when the server was restarted.

    Writers take turns by a lock of their transaction (each waits up to 30 s for the others, then gives up with
    `BusyError`), so that rows become visible in the order of their ``seq``. Readers see one state of the database and
    wait for nobody. What a method has returned is on the server's disk. Every method raises `LedgerError` when the
    server cannot be used; then nothing is half written. ``kept`` names the file outside the database that knows its
    head, as ``KEPT.head``.
    """

    keeps_nul = False

    def __init__(self, address: Address, kept: Path | None = None) -> None:
        """Point at the ledger at ``address``; use `PostgresLedger.open`, which also makes sure that it is one."""
        super().__init__()
        self.address = address
        self.where = address.name
        self._kept = kept
        self._key = zlib.crc32(address.schema.encode()) - (1 << 31)  # a lock's key is a number with a sign
        engine = _engine(address.url)
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writer = engine.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=False)

    @classmethod
    def open(cls, address: Address, kept: Path | None = None) -> Self:
        """Open the ledger at ``address``; make its schema and tables on first use.

        `LedgerError` if it is of another version, if its guards are not as they were made, or if there was more in it
        before.
        """
        ledger = cls(address, kept)
        known = ledger._known()  # before the ledger, which can then only have more
        with ledger.reading() as connection:
            version = ledger._version(connection)
            ledger._require_none([*ledger._guard_faults(connection), *ledger._head_faults(connection, version, known)])
        if not version:
            with ledger.transaction() as connection:
                if not ledger._version(connection):  # nobody was faster
                    schema.make_tables(connection, address.schema)
        if known is None:
            ledger.witness(ledger.head())
        return ledger

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection to one state of the database."""
        with self.clear_errors(), self._reader.connect() as connection:
            self._begin(connection)
            yield connection

    @contextmanager
    def streamed(self, connection: sa.Connection) -> Generator[None]:
        """Let rows be read in parts, by cursors of the server, and without an index, which may be damaged."""
        connection.execute(_WITHOUT_INDEX)
        open_cursors: list[Any] = []

        def keep(_: sa.Connection, cursor: Any, *__: object) -> None:  # noqa: ANN401 - psycopg's, which may be missing
            open_cursors[:] = [one for one in open_cursors if not one.closed] + [cursor]

        event.listen(connection, "after_cursor_execute", keep)
        connection.execution_options(stream_results=True, max_row_buffer=5000)
        try:
            yield
        finally:
            connection.execution_options(stream_results=False)
            event.remove(connection, "after_cursor_execute", keep)
            with suppress(Exception):  # the connection may be gone, and its error is on the way
                for cursor in open_cursors:
                    cursor.close()

    @contextmanager
    def transaction(self) -> Generator[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error."""
        with self.working(alone=True) as connection:
            yield connection

    @contextmanager
    def working(self, *, alone: bool = False) -> Generator[sa.Connection]:
        """Give a transaction in which rows of a working table are locked one by one, or that is ``alone``."""
        with self.clear_errors(), self._writer.connect() as connection:
            self._begin(connection)
            if alone:
                connection.execute(_TAKE_TURNS, {"kind": _WRITERS, "key": self._key})
            yield connection
            connection.commit()

    def clear_errors(self) -> AbstractContextManager[None]:
        """Turn what PostgreSQL raises within the block into one message with the address and a remedy."""
        return clear_errors(self.address, WAIT_SECONDS)

    def _begin(self, connection: sa.Connection) -> None:
        path = f"{schema.quoted(self.address.schema)}, pg_temp"
        connection.execute(_BEGIN, {"path": path, "wait": str(int(WAIT_SECONDS * 1000))})

    def witness(self, head: Head) -> None:
        """Keep the head of the chain in a file outside the database."""
        if self._kept is not None:
            write_witness(self._kept, head, at_rest=False)

    def begun(self) -> bool:
        """Whether there is a ledger at the address."""
        with self.reading() as connection:
            return bool(self._version(connection))

    def served(self) -> Served:
        """Say by what it is served, what the role that asks may do, and who is writing or runs."""
        with self.reading() as connection:
            server = connection.execute(sa.text("SELECT current_setting('server_version')")).scalar_one()
            return Served(
                server.partition(" ")[0], self._version(connection), schema.role_of(connection, self.address.schema),
                self._holder(connection, _WRITERS), self._holder(connection, _RUNS),
            )  # fmt: skip

    def size(self) -> int:
        """Give how many bytes the tables take up."""
        query = """
            SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint
            FROM unnest(CAST(:names AS text[])) AS name
        """
        names = [f"{schema.quoted(self.address.schema)}.{schema.quoted(name)}" for name in schema.METADATA.tables]
        with self.reading() as connection:
            return connection.execute(sa.text(query), {"names": names}).scalar_one()

    def verify(self, *, quick: bool = False) -> tuple[str, ...]:
        """List what is wrong with the tables, their guards, their chain, and by what is known of it outside.

        A ``quick`` look leaves out the content of issued forecasts.
        """
        faults: list[str] = []
        try:
            known = self._known()
            with self.streaming() as connection:
                version = self._version(connection)
                faults += [*self._guard_faults(connection), *self._head_faults(connection, version, known)]
                if version:
                    faults += self.chain_faults(connection, quick=quick)
                else:
                    faults.append("holds no ledger yet; run a command that may make it, such as `forecast log`")
        except LedgerError as error:
            faults += error.faults
        return tuple(dict.fromkeys(faults))

    def backup(self, target: Path) -> None:
        """Copy the ledger to a new file ``target``, a ledger that can be used as it is, while others read and write.

        Raises
        ------
        LedgerError
            If the ledger is not sound.
        InputError
            If there is something at ``target``, or it cannot be written.

        """
        self._require_none(self.verify())
        back_up(self, target)

    def grant(self, role: str) -> None:
        """Let a role of the server read and add rows, but not change or delete any.

        Raises
        ------
        InputError
            If there is no such role, or it could change rows all the same.
        LedgerError
            If you do not own the tables.

        """
        with self.transaction() as connection:
            if fault := schema.grant(connection, self.address, role):
                msg = f"{self.where}: {fault}"
                raise InputError(msg)

    @contextmanager
    def run_lock(self) -> Generator[None]:
        """Be the one that runs, of all machines; the server drops the lock when the process or its machine is gone.

        Raises
        ------
        BusyError
            At once, if a run on any machine holds it.

        """
        with self.clear_errors():
            connection = self._writer.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with self.clear_errors():
                connection.detach()  # from the pool: what closes it drops the lock
                if not connection.scalar(_TRY_TO_RUN, {"kind": _RUNS, "key": self._key}):
                    holder = self._holder(connection, _RUNS)
                    who = f" ({holder})" if holder else ""
                    msg = f"{self.where}: another run holds the lock{who}; try again when it is done"
                    raise BusyError(msg)
            yield
        finally:
            with suppress(DBAPIError), connection:  # which may be gone, and the lock with it
                connection.execute(_LET_RUN, {"kind": _RUNS, "key": self._key})

    def _holder(self, connection: sa.Connection, kind: int) -> str | None:
        """Say who holds a lock; of another role the server may tell no more than its name."""
        found = connection.execute(_HOLDER, {"kind": kind, "key": self._key}).first()
        if found is None:
            return None
        at = f" at {found.client_addr}" if found.client_addr else ""
        return f"{found.usename}{at}{f', since {found.since} UTC' if found.since else ''}"

    def settle(self, connection: sa.Connection) -> None:
        """Make ready for the next rows after rows were put in with their numbers."""
        schema.settle_counters(connection, self.address.schema)

    def _known(self) -> Witness | None:
        return read_witness(self._kept) if self._kept else None

    def _version(self, connection: sa.Connection) -> int:
        found = schema.version_of(connection, self.address.schema)
        if isinstance(found, str):
            raise LedgerError(self.where, [found])
        return found

    def _guard_faults(self, connection: sa.Connection) -> Iterator[str]:
        return schema.guard_faults(connection, self.address.schema)

    def _head_faults(self, connection: sa.Connection, version: int, known: Witness | None) -> Iterator[str]:
        """Say whether there is less on the chain than there was."""
        if known is None or not known.head.links or self._kept is None:
            return
        head = head_of(connection) if version else Head()
        if not version or digest_at(connection, known.head.links) != known.head.digest:
            count = f"its chain has {head.links:,} rows" if head.links != known.head.links else "its rows are others"
            name = witness_of(self._kept).name
            yield (
                f"is not the ledger that was written last: {count}, {name} knows of {known.head.links:,}; correct the "
                f"address or restore a backup, or delete {name} if this one is known to be whole"
            )

    def _require_none(self, faults: tuple[str, ...] | list[str]) -> None:
        if faults:
            raise LedgerError(self.where, faults)


@functools.cache
def _engine(url: sa.URL) -> sa.Engine:
    """Give the connections of this process to a database: one is kept, and asked whether it still works."""
    settings = {name: value for name, value in _SETTINGS.items() if name not in url.query}
    try:
        engine = sa.create_engine(
            url, connect_args=settings, poolclass=QueuePool, pool_size=1, max_overflow=-1, pool_pre_ping=True,
            hide_parameters=True, use_native_hstore=False,
        )  # fmt: skip
    except ImportError:
        msg = "a ledger in PostgreSQL needs the extra for it: pip install 'scenario-cascade[postgres]'"
        raise InputError(msg) from None
    engine.dialect.colspecs = {**engine.dialect.colspecs, sa.Integer: _Wide}  # not of 32 bits only
    logging.getLogger("psycopg").addHandler(logging.NullHandler())  # a lost connection is told by an error of ours
    atexit.register(engine.dispose)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))  # it is the parent's
    return engine
