"""Short parts of reports in ledgers: kept beside the report, on the chain, and for the reports of earlier versions."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from chains import stands
from entries import NOW, REPORT, answer, day, issued, sighting
from permissions import read_only
from tampering import tampered

from forecast.base.errors import LedgerError
from forecast.ledger.chain import Head
from forecast.ledger.copying import copy_ledger
from forecast.ledger.published import LEVEL, Published, agrees, packed, short_part, unpacked
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.tables import PUBLISHED
from forecast.ledger.witness import write_witness

HEAD = Head(6, "c11bb64503784516bf181f2d0406ea7362aa442ee79268a960f4d274490cfcfa")  # what that version made of them


def made(path: Path) -> Path:
    """Make the ledger of schema_4.sql, which holds one issue."""
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(Path(__file__).with_name("schema_4.sql").read_text(encoding="utf-8"))
    write_witness(path, HEAD)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a ledger with two issues and an answer."""
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    ledger.archive(issued(content=REPORT))
    ledger.archive(issued(content=REPORT.replace("0.25", "0.75"), as_of=day(6, 2)))
    ledger.resolve([answer()])
    return tmp_path / "ledger.db"


def raw_values(path: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the file itself."""
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(query).fetchall()


def test_a_ledger_of_schema_4_is_given_short_parts(tmp_path: Path) -> None:
    """Its reports are compressed under the same links; each has a short part on a link of its own after them."""
    path = made(tmp_path / "ledger.db")
    ledger = SqliteLedger.open(path)
    assert (stands(ledger, HEAD), ledger.head().links, ledger.verify()) == (True, 7, ())
    assert ledger.forecasts() == (issued(seq=1),)
    assert [row.published for row in ledger.headings()] == [issued().published]
    ((content, data),) = raw_values(path, "SELECT content, packed FROM forecasts")
    assert (content, unpacked(None, data)) == (None, issued().content)  # type: ignore[arg-type]
    assert SqliteLedger.open(path).head() == ledger.head()  # once
    ledger.archive(issued(content=REPORT))
    assert [row.seq for row in ledger.headings()] == [1, 2]
    with closing(sqlite3.connect(path)) as raw:
        for statement in ("UPDATE forecasts SET packed = x'00'", "DELETE FROM published", "DELETE FROM forecasts"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)


def test_a_report_that_was_changed_before_is_not_published(tmp_path: Path) -> None:
    """What is not as it was written stays as it is, and is named."""
    path = made(tmp_path / "ledger.db")
    with tampered(path) as raw:
        raw.execute("UPDATE forecasts SET content = '{}'")
    with pytest.raises(LedgerError, match="row 1 of forecasts is not what was written"):
        SqliteLedger.open(path)
    assert raw_values(path, "SELECT content FROM forecasts") == [("{}",)]


def test_a_ledger_of_schema_4_has_headings_where_nothing_may_be_written() -> None:
    """They are taken from whole reports."""
    with tempfile.TemporaryDirectory() as name:
        path = made(Path(name) / "ledger.db")
        with read_only(path.parent):
            (heading,) = SqliteLedger.open(path).headings()
            assert heading == issued(seq=1)


def test_a_copy_of_an_earlier_ledger_is_given_short_parts_when_it_is_written_to(tmp_path: Path) -> None:
    """Until then headings are taken from whole reports; its chain is that of the source."""
    path = made(tmp_path / "ledger.db")
    copy = SqliteLedger.open(tmp_path / "copy.db")
    assert copy_ledger(SqliteLedger(path), copy).head == copy.head() == HEAD
    assert (copy.headings(), copy.verify()) == ((issued(seq=1),), ())
    copy.archive(issued(content=REPORT))
    assert [type(row).__name__ for row in copy.headings()] == ["Heading", "Heading"]
    assert copy.verify() == ()


def test_a_copy_holds_the_same(path: Path, tmp_path: Path) -> None:
    """Reports, short parts, and the chain over both."""
    ledger, copy = SqliteLedger.open(path), SqliteLedger.open(tmp_path / "copy.db")
    copy_ledger(ledger, copy)
    assert (copy.forecasts(), copy.headings(), copy.head()) == (ledger.forecasts(), ledger.headings(), ledger.head())
    assert copy.verify() == ()


def read_all(ledger: SqliteLedger) -> tuple[object, ...]:
    """Read every short part and every report."""
    return [row.published.report for row in ledger.headings()], ledger.forecasts()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE published SET packed = (SELECT max(packed) FROM published)", "of published"),
        ("UPDATE published SET packed = x'00' WHERE seq = 1", "row 1 of published"),
        ("UPDATE published SET packed = 'text' WHERE seq = 1", "row 1 of published"),
        ("UPDATE forecasts SET packed = x'00' WHERE seq = 1", "row 1 of forecasts"),
        ("DELETE FROM published WHERE seq = 2", "row 2 of published"),
    ],
)  # fmt: skip
def test_tampering_is_found(path: Path, statement: str, fault: str) -> None:
    """By whoever reads it, and by `verify`."""
    with tampered(path) as raw:
        raw.execute(statement)
    ledger = SqliteLedger(path)
    assert any(fault in found for found in ledger.verify())
    with pytest.raises(LedgerError, match=f"{fault} is not what was written"):
        read_all(ledger)


def test_a_short_part_that_says_something_else_is_found(tmp_path: Path) -> None:
    """Also where its link stands, for `verify` reads the report as well; a quick look does not."""
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    with ledger.writing() as connection:
        values = {"issued_at": NOW.isoformat(timespec="microseconds"), "packed": packed(REPORT)}
        row = issued()
        columns = ("model", "as_of", "evidence_hash", "model_hash", "fit", "watermark")
        from forecast.ledger.tables import ISSUED  # noqa: PLC0415 - what a program of somebody else would do

        connection.execute(sa.insert(ISSUED).values(**values, **{name: getattr(row, name) for name in columns}))
        lie = short_part(REPORT.replace("0.25", "0.75"))
        connection.execute(sa.insert(PUBLISHED).values(seq=1, packed=packed(lie)))
    assert ledger.verify(quick=True) == ()
    assert "row 1 of published is not what was written" in ledger.verify()[0]


def test_a_report_takes_a_quarter_of_the_room() -> None:
    """The one that tests keep, at the level that is used; its short part takes a twentieth."""
    text = (Path(__file__).parents[1] / "data" / "report.json").read_text(encoding="utf-8")
    assert len(packed(text)) < len(text.encode()) / 4
    assert len(packed(short_part(text))) < len(text.encode()) / 20
    assert unpacked(None, packed(text)) == text
    assert LEVEL == 6


def test_a_later_version_may_keep_more() -> None:
    """What a short part lacks is no lie, what it says otherwise is; what is no report has an empty one."""
    model, rules, rest = short_part(REPORT).split("\n")
    fewer = json.dumps({key: value for key, value in json.loads(rest).items() if key != "lead"})
    assert agrees(f"{model}\n{rules}\n{fewer}", REPORT)
    assert not agrees("\n".join([model, rules, fewer.replace("true", "false")]), REPORT)
    assert not agrees(f"{model}\n[]\n{rest}", REPORT)
    assert not agrees("no such thing", REPORT)
    assert (Published.of("[]").report, Published.of("{").rules) == ({"model": {}}, [])


def test_writing_rows_reads_no_report(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do headings, until something of them is asked for."""

    def refuse(*_: object) -> None:
        raise AssertionError

    ledger = SqliteLedger.open(path)
    monkeypatch.setattr("forecast.ledger.chained.unpacked", refuse)
    ledger.add("caucasus", [sighting()], now=NOW)
    assert [row.as_of for row in ledger.headings()] == [day(6, 1), day(6, 2)]
    monkeypatch.undo()
    assert [row.published.rules[0].probability for row in ledger.headings()] == [0.25, 0.75]
