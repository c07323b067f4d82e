"""Ledgers of the version before people and their jobs: brought up when they are opened, read as they are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from chains import stands
from entries import NOW, answer, issued, sighting
from tampering import tampered

from forecast.base.errors import LedgerError
from forecast.ledger.chain import Head
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.witness import write_witness

HEAD = Head(6, "c11bb64503784516bf181f2d0406ea7362aa442ee79268a960f4d274490cfcfa")  # what that version made of them


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Make the ledger of schema_4.sql."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(Path(__file__).with_name("schema_4.sql").read_text(encoding="utf-8"))
    write_witness(path, HEAD)
    return path


def test_a_ledger_of_schema_4_names_people_from_now_on(older: Path) -> None:
    """What it holds, its chain and its guards stay; what is written then says by whom, and is sealed."""
    assert SqliteLedger(older).verify() == ()
    ledger = SqliteLedger.open(older)
    assert (stands(ledger, HEAD), ledger.verify()) == (True, ())
    assert (ledger.forecasts(), ledger.resolutions()) == ((issued(seq=1),), (answer(seq=1),))
    ada = ledger.signed("ada")
    ada.add("caucasus", [sighting("c")], now=NOW)
    ada.tokens.make("night", "read", NOW)
    assert [row.by for row in SqliteLedger.open(older).log("caucasus")] == ["ada", "", "", "", ""]
    assert SqliteLedger(older).verify() == ()
    with closing(sqlite3.connect(older)) as raw:
        for table in ("tokens", "judgements", "resolutions"):
            raw.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE 0")  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute("DELETE FROM tokens")


def test_nobody_can_say_later_that_another_wrote_it(older: Path) -> None:
    """The name is on the chain, and a token that is made good again is noticed."""
    ledger = SqliteLedger.open(older)
    ledger.signed("ada").add("caucasus", [sighting("c")], now=NOW)
    made, _ = ledger.tokens.make("night", "read", NOW)
    with tampered(older) as raw:
        raw.execute("UPDATE tokens SET scope = 'admin'")
    with pytest.raises(LedgerError, match="row 1 of tokens is not what was written"):
        ledger.tokens.every()
    with tampered(older) as raw:
        raw.execute("UPDATE tokens SET scope = 'read'")
        raw.execute("UPDATE entries SET recorded_by = 'bob' WHERE id = 'c'")
    assert [one.id for one in ledger.tokens.every()] == [made.id]
    with pytest.raises(LedgerError, match="row 5 of entries is not what was written"):
        ledger.log("caucasus")
