"""A ledger goes from a file to PostgreSQL and back with every row, number and link, or not at all."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from databases import address_in, drop, new_schema, run_sql
from entries import NOW, answer, counted, day, delivered, issued, refusal, sighting, watch
from projects import call
from tampering import tampered

from forecast.base.errors import BusyError, LedgerError
from forecast.ledger import copying
from forecast.ledger.copying import copy_ledger
from forecast.ledger.postgres import PostgresLedger
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.ledger.chained import ChainedStore


@pytest.fixture
def there() -> Iterator[PostgresLedger]:
    """Open an empty ledger in a schema of its own."""
    schema = new_schema()
    yield PostgresLedger.open(address_in(schema))
    drop([schema])


@pytest.fixture
def here(tmp_path: Path) -> SqliteLedger:
    """Give a file with rows of every kind, which were recorded bit by bit."""
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    ledger.add("caucasus", [sighting(), watch(), counted(count=2**40, exposure=1 / 3), delivered()], now=NOW)
    ledger.archive(issued(content='{"p": 0.1, "name": "☃"}'))
    ledger.add("caucasus", [sighting(grade="A1"), sighting("b", distinct=True, note="line\nline '")], now=NOW)
    ledger.resolve([answer(), answer(since=day(5, 1), frozen=day(6, 1))])
    ledger.retract("caucasus", "b", reason="denied", now=NOW)
    return ledger


def contents(store: ChainedStore) -> dict[str, list[tuple[object, ...]]]:
    """Give every row of every table with its types."""
    with store.reading() as connection:
        return {
            table.name: [
                tuple((type(value), value) for value in row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in METADATA.tables.values()
        }


def test_a_ledger_goes_there_and_back(here: SqliteLedger, there: PostgresLedger, tmp_path: Path) -> None:
    """Every row, number, moment, digest and head is the same, in both ways, and both go on from there."""
    back = SqliteLedger.open(tmp_path / "back.db")
    copied, again = copy_ledger(here, there), copy_ledger(there, back)
    assert copied == again
    assert copied.head == here.head()
    assert copied.rows["entries"] == 7
    assert copied.rows["chain"] == copied.head.links == 11
    assert contents(here) == contents(there) == contents(back)
    for store in (here, there, back):
        store.add("caucasus", [sighting("next")], now=NOW)
        store.archive(issued(model="next"))
        assert store.verify() == ()
    assert here.head() == there.head() == back.head()


def test_rows_go_in_parts(here: SqliteLedger, there: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows go at a time changes nothing."""
    monkeypatch.setattr(copying, "batch_of", lambda _: 2)
    copy_ledger(here, there)
    assert contents(here) == contents(there)


def test_only_an_empty_ledger_is_filled(here: SqliteLedger, there: PostgresLedger) -> None:
    """Where there is a row nothing is written."""
    there.add("d", [sighting()], now=NOW)
    before = contents(there)
    message = refusal(lambda: copy_ledger(here, there))
    assert message.startswith(f"{there.where}: holds 1 rows already; a ledger is copied into an empty one")
    assert contents(there) == before


def test_a_ledger_that_is_not_sound_is_not_copied(here: SqliteLedger, there: PostgresLedger) -> None:
    """What was tampered with stays where it is, and the fault names it."""
    with tampered(here.path) as raw:
        raw.execute("UPDATE forecasts SET packed = x'00'")
    message = refusal(lambda: copy_ledger(here, there), LedgerError)
    assert message.startswith(f"{here.where}: 1 fault\n  row 1 of forecasts is not what was written")
    assert not any(contents(there).values())


def test_a_nul_stays_in_its_file(here: SqliteLedger, there: PostgresLedger) -> None:
    """PostgreSQL keeps no NUL: the row is named, and nothing was copied."""
    here.add("d", [sighting(note="a\0b")], now=NOW)
    assert "row 8 of entries holds a NUL in a text" in refusal(lambda: copy_ledger(here, there))
    assert not any(contents(there).values())


def test_a_fault_on_either_side_names_that_side(
    here: SqliteLedger, there: PostgresLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is gone and a file that others write to are told with their own names and remedies."""
    copy_ledger(here, there)
    target = SqliteLedger.open(tmp_path / "target.db")
    with closing(sqlite3.connect(target.path)) as raw:
        raw.execute("DROP TABLE resolutions")
    assert refusal(lambda: copy_ledger(there, target), LedgerError).startswith(f"{target.where}: ")
    monkeypatch.setattr("forecast.ledger.sqlite.WAIT_SECONDS", 0.05)
    other = SqliteLedger.open(tmp_path / "other.db")
    with closing(sqlite3.connect(other.path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        assert refusal(lambda: copy_ledger(there, other), BusyError).startswith(f"{other.where}: ")
    run_sql(f"DROP TABLE {there.address.schema}.resolutions")
    assert refusal(lambda: copy_ledger(there, other), LedgerError).startswith(f"{there.where}: ")


def test_a_backup_is_a_ledger_in_a_file(here: SqliteLedger, there: PostgresLedger, tmp_path: Path) -> None:
    """It holds the same, overwrites nothing, and leaves nothing beside it."""
    copy_ledger(here, there)
    path = tmp_path / "backups" / "ledger.db"
    path.parent.mkdir()
    there.backup(path)
    assert [one.name for one in path.parent.iterdir()] == ["ledger.db"]
    assert "is there already" in refusal(lambda: there.backup(path))
    assert "cannot be written" in refusal(lambda: there.backup(tmp_path / "none" / "ledger.db"))
    assert contents(SqliteLedger.open(path)) == contents(there)


def test_the_command_copies(here: SqliteLedger, there: PostgresLedger, tmp_path: Path) -> None:
    """`forecast ledger copy` takes a path or an address on either side, and tells what is equal."""
    schema = there.address.schema
    url = there.address.url.update_query_dict({"schema": schema}).render_as_string(hide_password=False)
    done = call("ledger", "copy", "ledger.db", url, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "entries 7" in done.out
    assert f"11 links, and end in {here.head().digest}" in done.out
    done = call("ledger", "copy", url, "back.db", "--json", cwd=tmp_path)
    assert json.loads(done.out)["head"] == {"links": 11, "digest": here.head().digest}
    done = call("ledger", "copy", "none.db", "new.db", cwd=tmp_path)
    assert done.code == 2
    assert "there is no ledger to copy" in done.err
    assert not (tmp_path / "new.db").exists()
