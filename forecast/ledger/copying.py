"""A ledger copied into another, whatever keeps either: every row with its number, and the chain, byte for byte."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import batched
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from forecast.base.errors import InputError, LedgerError
from forecast.ledger.chained import batch_of, head_of
from forecast.ledger.published import packed
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.tables import CHAIN, ISSUED, METADATA
from forecast.ledger.witness import witness_of

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.ledger.chain import Head
    from forecast.ledger.chained import ChainedStore


class Copied(NamedTuple):
    """What was copied: the rows of each table, and the end of the chain, which is that of both ledgers."""

    rows: dict[str, int]
    head: Head


def copy_ledger(source: ChainedStore, target: ChainedStore) -> Copied:
    """Copy a sound ledger into an empty one, all or nothing, and prove that they are equal.

    Both are checked row by row against their chains before the copy counts. Others may use ``source`` meanwhile: what
    is copied is one state of it.

    Raises
    ------
    InputError
        If ``target`` is not empty, or cannot keep what ``source`` holds.
    LedgerError
        If ``source`` is not sound, or the copy is not equal to it.

    """
    with target.transaction() as into, source.streaming() as out:
        with target.clear_errors():
            _require_empty(target, into)
        _require_sound(source, out)
        there = {table: _columns(out, table) for table in METADATA.tables.values()}
        rows = {table.name: _copy(table, columns, out, into, target) for table, columns in there.items()}
        with target.clear_errors():
            target.settle(into)
            with target.streamed(into):
                _require_sound(target, into)
            copied = Copied(rows, head_of(into))
            counted = {table.name: _count(into, table) for table in METADATA.tables.values()}
        if copied != Copied(counted, head_of(out)):
            raise LedgerError(target.where, [f"is not equal to {source.where} after copying; nothing was kept"])
    target.witness(copied.head)
    return copied


def back_up(source: ChainedStore, path: Path) -> None:
    """Copy a sound ledger to a new file, whole or not at all.

    Raises
    ------
    InputError
        If there is something at ``path``, or it cannot be written.
    LedgerError
        If ``source`` is not sound.

    """
    if not path.absolute().parent.is_dir():
        msg = f"{path}: cannot be written (there is no such folder); choose another place or make it first"
        raise InputError(msg)
    draft = path.absolute().with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        try:
            copy_ledger(source, SqliteLedger.open(draft))
            with closing(sqlite3.connect(draft)) as raw:
                raw.execute("PRAGMA journal_mode = DELETE").close()
            os.link(draft, path)  # which fails where there is something
        finally:
            for place in (draft, witness_of(draft)):
                place.unlink(missing_ok=True)
    except FileExistsError:
        msg = f"{path}: is there already; a backup overwrites nothing, give another name"
        raise InputError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}); choose another place or mend its permissions"
        raise InputError(msg) from error


def _copy(table: sa.Table, there: set[str], out: sa.Connection, into: sa.Connection, target: ChainedStore) -> int:
    """Copy a table in the order of its rows; a column that an earlier version lacks has no value."""
    if not there:
        return 0
    columns = [column for column in table.columns if column.name in there]
    rows = out.execute(sa.select(*columns).order_by(*table.primary_key.columns)).mappings()
    count = 0
    for part in batched(rows, batch_of(table)):
        values = [{str(name): value for name, value in row.items()} for row in part]
        if table is ISSUED:
            for row in values:  # reports of an earlier version too
                row |= {"content": None, "packed": row.get("packed") or packed(row["content"])}
        if not target.keeps_nul:
            _require_no_nul(table, values, target)
        with target.clear_errors():
            into.execute(sa.insert(table), values)
        count += len(values)
    return count


def _require_no_nul(table: sa.Table, rows: list[dict[str, object]], target: ChainedStore) -> None:
    for row in rows:
        if any(isinstance(value, str) and "\0" in value for value in row.values()):
            number = next(iter(row[column.name] for column in table.primary_key.columns))
            msg = (
                f"{target.where}: row {number} of {table.name} holds a NUL in a text, which PostgreSQL cannot keep; "
                "leave this ledger in its file"
            )
            raise InputError(msg)


def _columns(connection: sa.Connection, table: sa.Table) -> set[str]:
    """Name the columns of a table that are there; none if it is not."""
    if not sa.inspect(connection).has_table(table.name):
        return set()
    return set(connection.execute(sa.select(sa.literal_column("*")).select_from(table).limit(0)).keys())


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _require_empty(target: ChainedStore, connection: sa.Connection) -> None:
    counts = {name: _count(connection, table) for name, table in METADATA.tables.items()}
    if held := sum(counts.values()) - counts[CHAIN.name] or counts[CHAIN.name]:
        msg = f"{target.where}: holds {held:,} rows already; a ledger is copied into an empty one, give another place"
        raise InputError(msg)


def _require_sound(store: ChainedStore, connection: sa.Connection) -> None:
    if faults := tuple(store.chain_faults(connection, quick=False)):
        raise LedgerError(store.where, faults)
