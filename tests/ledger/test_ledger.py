"""The ledger keeps what it was given, in order, and replays what was known when."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.base.errors import BusyError, ForecastError, InputError, LedgerError
from forecast.ledger import sqlite as module
from forecast.ledger.admiralty import CREDIBILITY, credibility
from forecast.ledger.records import Added, Issued
from forecast.ledger.rows import Coverage, Observation, make_id, with_id
from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = dt.datetime(2026, 1, 8, 12, 30, tzinfo=dt.UTC)
NOBODY = 65534


def day(month: int, date: int) -> dt.date:
    """Give a day of 2025."""
    return dt.date(2025, month, date)


def sighting(row_id: str = "a", **changes: object) -> Observation:
    """One observation, with changes."""
    base = Observation(
        id=row_id,
        indicator="cyberattack",
        date=day(2, 20),
        reported_on=day(2, 22),
        source="APA",
        url="https://apa.az/1",
        grade="B2",
    )
    return dataclasses.replace(base, **changes)


def watch(row_id: str = "w", **changes: object) -> Coverage:
    """One coverage, with changes."""
    base = Coverage(
        id=row_id, indicator="*", from_=day(3, 1), to=day(3, 31), reported_on=day(4, 2), source="our own reading"
    )
    return dataclasses.replace(base, **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Open an empty ledger."""
    return SqliteLedger.open(tmp_path / "data" / "ledger.db")


def ids(ledger: SqliteLedger, **known: object) -> list[str]:
    """Give the ids in force, in order."""
    return [entry.id for entry in ledger.entries("caucasus", **known)]


def refusal(act: object, kind: type[ForecastError] = InputError) -> str:
    """Give the message of the error that ``act`` must raise."""
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


# Credibility.


def test_better_grades_are_more_credible() -> None:
    """A worse source or worse information never raises credibility, where the scale judges at all."""
    for source in "ABCDEF":
        row = [credibility(f"{source}{k}") for k in range(1, 6)]
        assert row == sorted(row, reverse=True)
        assert len(set(row)) == 5
    for information in "123456":
        column = [credibility(f"{source}{information}") for source in "ABCDE"]
        assert column == sorted(column, reverse=True)


def test_the_table_is_the_documented_product() -> None:
    """There are 36 grades, rounded to two digits; "cannot be judged" is even odds on each scale."""
    assert len(CREDIBILITY) == 36
    assert (credibility("A1"), credibility("B2"), credibility("E5"), credibility("F6")) == (0.96, 0.81, 0.06, 0.25)
    assert credibility("E2") < credibility("F2") < credibility("D2")
    assert credibility("B6") == credibility("B4")


@pytest.mark.parametrize("grade", ["", "G1", "B7", "b2", "B 2", "B22"])
def test_what_is_not_a_grade_is_refused(grade: str) -> None:
    """The message names the grade and what is allowed."""
    assert refusal(lambda: credibility(grade)).startswith(f"{grade!r} is not an Admiralty grade; give source A to F")


# Adding.


def test_what_is_added_is_given_back(ledger: SqliteLedger) -> None:
    """Every field of both kinds survives, and a state stands where an indicator could."""
    full = sighting("f", story="raid", distinct=True, note="line\nline ' \"", precision="month")
    assessed = sighting("s", indicator=None, state="relations.truce")
    assert ledger.add("caucasus", [full, assessed, watch()], now=NOW) == Added(new=("f", "s", "w"))
    assert ledger.entries("caucasus") == (full, assessed, watch())


def test_entries_come_by_date_then_id(ledger: SqliteLedger) -> None:
    """The order of writing does not show."""
    rows = [sighting("b"), watch("a", from_=day(2, 20)), sighting("c", date=day(1, 5))]
    ledger.add("caucasus", rows, now=NOW)
    assert ids(ledger) == ["c", "a", "b"]


def test_adding_again_changes_nothing(ledger: SqliteLedger) -> None:
    """Equal content under a known id is unchanged, and no row is written."""
    rows = [sighting("a"), watch()]
    ledger.add("caucasus", rows, now=NOW)
    before = ledger.watermark("caucasus")
    assert ledger.add("caucasus", rows, now=NOW) == Added(unchanged=("a", "w"))
    assert ledger.watermark("caucasus") == before == 2


def test_other_content_supersedes(ledger: SqliteLedger) -> None:
    """The last content of an id is in force, and the earlier one stays on record."""
    ledger.add("caucasus", [sighting("a"), sighting("b")], now=NOW)
    mended = sighting("a", grade="A1")
    assert ledger.add("caucasus", [mended, sighting("b"), sighting("c")], now=NOW) == Added(("c",), ("a",), ("b",))
    assert ledger.entries("caucasus", watermark=2)[0] == sighting("a")
    assert ledger.entries("caucasus")[0] == mended


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Observation) if f.name != "id"])
def test_every_field_is_content(ledger: SqliteLedger, field: str) -> None:
    """A change of any one field supersedes, and gives a row without an id another one."""
    other = {
        "indicator": None,
        "state": "x.y",
        "date": day(1, 1),
        "precision": "month",
        "reported_on": day(3, 3),
        "distinct": True,
    }
    changed = sighting("a", **{field: other.get(field, "other")})
    ledger.add("caucasus", [sighting("a")], now=NOW)
    assert ledger.add("caucasus", [changed], now=NOW).superseded == ("a",)
    if field != "indicator":  # a row of neither indicator nor state has no name to make an id from
        assert make_id(changed) != make_id(sighting("a"))


def test_an_id_is_made_from_content() -> None:
    """Rows without an id get the same one every time, whatever id they had; coverage says that it is coverage."""
    assert make_id(sighting("a")) == make_id(sighting("")) == "cyberattack-2025-02-20-" + make_id(sighting())[-6:]
    assert make_id(sighting(indicator=None, state="relations.truce")).startswith("relations.truce-2025-02-20-")
    assert make_id(watch()).startswith("coverage-all-2025-03-01-")
    assert make_id(watch(indicator="cyberattack")).startswith("coverage-cyberattack-2025-03-01-")
    assert with_id(sighting("mine")).id == "mine"
    assert with_id(sighting("")).id == make_id(sighting())


def test_rows_without_an_id_are_added_once(ledger: SqliteLedger) -> None:
    """Adding is idempotent for them as well."""
    added = ledger.add("caucasus", [sighting("")], now=NOW)
    assert added.new == (make_id(sighting()),)
    assert ledger.add("caucasus", [sighting("")], now=NOW).unchanged == added.new


def test_one_id_with_two_contents_writes_nothing(ledger: SqliteLedger) -> None:
    """An ambiguous batch is refused whole; the same row twice is one row."""
    batch = [sighting("z"), sighting("a"), sighting("a", note="other")]
    assert "two rows have the id 'a'" in refusal(lambda: ledger.add("caucasus", batch, now=NOW))
    assert ledger.watermark("caucasus") == 0
    assert ledger.add("caucasus", [sighting("a"), sighting("a")], now=NOW).new == ("a",)


def test_a_failure_in_mid_transaction_leaves_nothing(ledger: SqliteLedger) -> None:
    """The row before the one that fails is undone, and the message has the path."""
    batch = [sighting("a"), sighting("b", source=None), sighting("c", note="\ud800")]
    assert str(ledger.path) in refusal(lambda: ledger.add("caucasus", batch, now=NOW))
    assert ledger.watermark("caucasus") == 0
    with pytest.raises(RuntimeError, match="the reader broke"):
        ledger.seed_once("caucasus", _broken, now=NOW)
    assert ledger.watermark("caucasus") == 0


def _broken() -> list[Observation]:
    msg = "the reader broke"
    raise RuntimeError(msg)


@pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), NOW.astimezone(dt.timezone(dt.timedelta(hours=4)))])
def test_the_moment_of_recording_is_utc(ledger: SqliteLedger, now: dt.datetime) -> None:
    """A naive time, or that of another zone, is refused, also when there would be nothing to write."""
    assert "must be in UTC" in refusal(lambda: ledger.add("caucasus", [], now=now))
    ledger.add("caucasus", [sighting()], now=NOW)
    assert "must be in UTC" in refusal(lambda: ledger.retract("caucasus", "a", reason="wrong", now=now))


def test_datasets_are_apart(ledger: SqliteLedger) -> None:
    """An id of one dataset is unknown in another, and so is its retraction."""
    ledger.add("caucasus", [sighting("a")], now=NOW)
    ledger.add("baltic", [sighting("a", note="other")], now=NOW)
    ledger.retract("baltic", "a", reason="wrong", now=NOW)
    assert ledger.entries("caucasus") == (sighting("a"),)
    assert ledger.entries("baltic") == ()
    assert (ledger.watermark("caucasus"), ledger.watermark("baltic"), ledger.watermark("none")) == (1, 3, 0)


# Replay.


def test_as_of_shows_what_the_public_could_know(ledger: SqliteLedger) -> None:
    """A row shows from the day it was reported, that day included; coverage likewise."""
    ledger.add("caucasus", [sighting("a"), watch("w")], now=NOW)
    assert ids(ledger, as_of=day(2, 21)) == []
    assert ids(ledger, as_of=day(2, 22)) == ["a"]
    assert ids(ledger, as_of=day(4, 1)) == ["a"]
    assert ids(ledger, as_of=day(4, 2)) == ["a", "w"]


def test_a_correction_shows_from_its_own_report_on(ledger: SqliteLedger) -> None:
    """Before the correction was public, the earlier content is what was known."""
    later = sighting("a", grade="A1", reported_on=day(5, 1))
    ledger.add("caucasus", [sighting("a")], now=NOW)
    ledger.add("caucasus", [later], now=NOW)
    assert ledger.entries("caucasus", as_of=day(4, 30)) == (sighting("a"),)
    assert ledger.entries("caucasus", as_of=day(5, 1)) == (later,)


def test_a_mistake_never_was(ledger: SqliteLedger) -> None:
    """A retraction without a date withdraws the row, with its corrections, on every day."""
    ledger.add("caucasus", [sighting("a"), sighting("b")], now=NOW)
    ledger.add("caucasus", [sighting("a", reported_on=day(5, 1))], now=NOW)
    ledger.retract("caucasus", "a", reason="another country", now=NOW)
    for date in (day(2, 22), day(4, 30), day(5, 1), None):
        assert ids(ledger, as_of=date) == ["b"]
    assert ids(ledger, watermark=3) == ["a", "b"]


def test_a_dated_retraction_is_known_from_that_day(ledger: SqliteLedger) -> None:
    """Until the public learned that it was false, the row was part of what was known."""
    ledger.add("caucasus", [sighting("a")], now=NOW)
    ledger.retract("caucasus", "a", reason="denied", now=NOW, reported_on=day(6, 1))
    assert ids(ledger, as_of=day(5, 31)) == ["a"]
    assert ids(ledger, as_of=day(6, 1)) == ids(ledger) == []


def test_a_row_comes_back_when_it_is_added_again(ledger: SqliteLedger) -> None:
    """After a retraction even equal content is new; withdrawing it again does not reach into its earlier life."""
    ledger.add("caucasus", [sighting("a")], now=NOW)
    ledger.retract("caucasus", "a", reason="denied", now=NOW, reported_on=day(6, 1))
    again = sighting("a", reported_on=day(8, 1))
    assert ledger.add("caucasus", [again], now=NOW).new == ("a",)
    assert ledger.entries("caucasus") == (again,)
    ledger.retract("caucasus", "a", reason="denied again", now=NOW)
    assert ids(ledger, as_of=day(5, 31)) == ["a"]
    assert ids(ledger, as_of=day(8, 1)) == []


def test_a_retraction_says_what_is_wrong(ledger: SqliteLedger) -> None:
    """Unknown (with the nearest), already retracted, in the future, without a reason: each is refused."""
    ledger.add("caucasus", [sighting("cyberattack-1"), sighting("b")], now=NOW)
    ledger.retract("caucasus", "b", reason="wrong", now=NOW)
    for row_id, reason, reported_on, message in (
        ("cyberatack-1", "wrong", None, "there is no row 'cyberatack-1' in 'caucasus'; did you mean 'cyberattack-1'?"),
        ("b", "wrong", None, "'b' in 'caucasus' is already retracted"),
        ("cyberattack-1", " ", None, "needs a reason"),
        ("cyberattack-1", "wrong", dt.date(2026, 1, 10), "which is in the future"),
    ):
        act = lambda i=row_id, r=reason, d=reported_on: ledger.retract("caucasus", i, reason=r, now=NOW, reported_on=d)  # noqa: E731
        assert message in refusal(act)
    assert ledger.watermark("caucasus") == 3


actions = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 6)), max_size=12
)  # (id, 0 = retract or the content, days)


@settings(max_examples=60, deadline=None)
@given(actions)
def test_replay_equals_a_plain_fold(steps: list[tuple[str, int, int]]) -> None:
    """For any history, watermark and day, the entries are those of a naive replay of the log."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger.open(Path(folder) / "ledger.db")
        history: list[tuple[str, Observation | None, dt.date]] = []
        for row_id, content, days in steps:
            reported = day(3, 1) + dt.timedelta(days)
            if content:
                row = sighting(row_id, note=str(content), reported_on=reported)
                added = ledger.add("caucasus", [row], now=NOW)
                history += [(row_id, row, reported)] if added.unchanged == () else []
                continue
            try:
                ledger.retract("caucasus", row_id, reason="wrong", now=NOW, reported_on=reported)
            except InputError:
                continue
            history.append((row_id, None, reported))
        for mark in range(len(history) + 1):
            for days in range(-1, 7):
                as_of = day(3, 1) + dt.timedelta(days)
                known = {row_id: row for row_id, row, reported in history[:mark] if reported <= as_of}
                expected = [row for _, row in sorted(known.items()) if row]
                assert list(ledger.entries("caucasus", as_of=as_of, watermark=mark)) == expected


text = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=60, deadline=None)
@given(text.filter(bool), text, text, text, st.booleans())
def test_any_text_survives(row_id: str, source: str, story: str, note: str, distinct: bool) -> None:  # noqa: FBT001
    """Any Unicode comes back as it was, quotes, NUL and line ends included."""
    row = sighting(row_id, source=source, story=story, note=note, distinct=distinct)
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger.open(Path(folder) / "ledger.db")
        ledger.add(note, [row], now=NOW)
        assert ledger.entries(note) == (row,)
        assert ledger.add(note, [row], now=NOW).unchanged == (row_id,)


# Log, seed, forecasts.


def test_the_log_is_newest_first(ledger: SqliteLedger) -> None:
    """Each record says when, what and whether a later row replaced it; the limit does not hide a later row."""
    ledger.add("caucasus", [sighting("a"), watch()], now=NOW)
    ledger.add("baltic", [sighting("a")], now=NOW)
    ledger.add("caucasus", [sighting("b", indicator=None, state="x.y")], now=NOW + dt.timedelta(seconds=1))
    ledger.retract("caucasus", "a", reason="denied", now=NOW + dt.timedelta(seconds=2))
    records = ledger.log("caucasus")
    assert [(r.seq, r.action, r.id, r.superseded) for r in records] == [
        (5, "retract", "a", False),
        (4, "add", "b", False),
        (2, "add", "w", False),
        (1, "add", "a", True),
    ]
    assert [r.recorded_at for r in records[:3]] == [NOW + dt.timedelta(seconds=s) for s in (2, 1, 0)]
    assert [r.summary for r in records] == [
        "retracted: denied",
        "x.y on 2025-02-20, B2, APA",
        "* watched 2025-03-01 to 2025-03-31, our own reading",
        "cyberattack on 2025-02-20, B2, APA",
    ]
    assert ledger.log("caucasus", limit=2) == records[:2]


def test_a_dataset_is_seeded_once(ledger: SqliteLedger) -> None:
    """A dataset with any row, even one that is retracted, is not seeded again."""
    assert ledger.seed_once("caucasus", lambda: [sighting("a")], now=NOW).new == ("a",)
    ledger.retract("caucasus", "a", reason="wrong", now=NOW)
    assert ledger.seed_once("caucasus", _broken, now=NOW) == Added()
    assert ledger.entries("caucasus") == ()


def test_two_that_seed_at_once_do_it_once(ledger: SqliteLedger) -> None:
    """The seed is read inside the write transaction, by the first of them only."""
    ready = threading.Barrier(4)
    read: list[int] = []

    def seed() -> None:
        ready.wait()
        ledger.seed_once("caucasus", lambda: read.append(1) or [sighting("a"), sighting("b")], now=NOW)

    threads = [threading.Thread(target=seed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [1]
    assert ids(ledger) == ["a", "b"]


def test_many_that_create_at_once_share_one_ledger(tmp_path: Path) -> None:
    """Nobody takes a ledger that another is just creating for something else, and every row is there."""
    failed: list[Exception] = []
    for trial in range(25):
        ready = threading.Barrier(6)

        def create(name: str, path: Path, ready: threading.Barrier = ready) -> None:
            ready.wait()
            try:
                SqliteLedger.open(path).add("caucasus", [sighting(name)], now=NOW)
            except Exception as error:  # noqa: BLE001 - a thread would swallow it
                failed.append(error)

        path = tmp_path / f"{trial}.db"
        threads = [threading.Thread(target=create, args=(str(k), path)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert ids(SqliteLedger.open(path)) == list("012345")


def test_issued_forecasts_are_kept(ledger: SqliteLedger) -> None:
    """The one issued last is the latest, whatever day it is about; models are apart unless none is named."""
    base = Issued(
        model="theory",
        as_of=day(6, 1),
        issued_at=NOW,
        evidence_hash="e",
        model_hash="m",
        fit="f",
        watermark=7,
        content='{"p": 0.5}',
    )
    assert ledger.latest_forecast() is None
    first = ledger.archive(base)
    second = ledger.archive(dataclasses.replace(base, as_of=day(5, 1)))
    rival = ledger.archive(dataclasses.replace(base, model="rival"))
    assert first == dataclasses.replace(base, seq=1)
    assert ledger.latest_forecast("theory") == second
    assert ledger.latest_forecast() == rival
    assert ledger.latest_forecast("none") is None
    assert ledger.forecasts("theory") == (first, second)
    assert ledger.forecasts() == (first, second, rival)
    assert "must be in UTC" in refusal(
        lambda: ledger.archive(dataclasses.replace(base, issued_at=NOW.replace(tzinfo=None)))
    )


# The file.


@pytest.mark.parametrize("table", ["entries", "forecasts"])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE {0} SET seq = 9", "nothing is changed"),
        ("UPDATE OR REPLACE {0} SET seq = 9", "nothing is changed"),
        ("DELETE FROM {0}", "nothing is deleted"),
        ("REPLACE INTO {0} SELECT * FROM {0}", "nothing is replaced"),
        ("INSERT OR IGNORE INTO {0} SELECT * FROM {0}", "nothing is replaced"),
        ("INSERT INTO {0} SELECT * FROM {0} WHERE 1 ON CONFLICT DO UPDATE SET seq = 9", "nothing is replaced"),
    ],
)
def test_the_database_refuses_to_change_the_past(ledger: SqliteLedger, table: str, statement: str, reason: str) -> None:
    """Even another program, with none of our settings, gets a clear refusal and leaves the rows as they are."""
    ledger.add("caucasus", [sighting()], now=NOW)
    ledger.archive(
        Issued(
            model="m", as_of=NOW.date(), issued_at=NOW, evidence_hash="", model_hash="", fit="", watermark=1, content=""
        )
    )
    with closing(sqlite3.connect(ledger.path)) as raw:
        before = raw.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only: {reason}"):
            raw.execute(statement.format(table))
        raw.rollback()
        assert raw.execute(f"SELECT * FROM {table}").fetchall() == before  # noqa: S608
        assert len(before) == 1


def test_rows_go_to_the_end_only(ledger: SqliteLedger) -> None:
    """A row can be slipped in neither before those that are there nor into a gap between them."""
    ledger.add("caucasus", [sighting()], now=NOW)
    insert = "INSERT INTO entries (seq, dataset, id, action, kind, recorded_at, reported_on) VALUES (?{})"
    insert = insert.format(", 'd', 'i', 'retract', 'coverage', '', '2025-01-01'")
    with closing(sqlite3.connect(ledger.path)) as raw:
        raw.execute(insert, (9,))
        for seq, reason in ((-1, "seq > 0"), (0, "seq > 0"), (5, "rows go to the end")):
            with pytest.raises(sqlite3.IntegrityError, match=reason):
                raw.execute(insert, (seq,))
        raw.execute(insert, (None,))
        assert [seq for (seq,) in raw.execute("SELECT seq FROM entries ORDER BY seq")] == [1, 9, 10]


def test_the_file_is_durable(ledger: SqliteLedger) -> None:
    """Write-ahead log, full synchronisation, foreign keys, and a wait of 30 s for other writers."""
    with closing(module._connect(ledger.path)) as connection:
        values = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 30_000]


def test_opening_again_changes_nothing(ledger: SqliteLedger) -> None:
    """A second opening finds the rows, and nothing is left beside the file but its head."""
    ledger.add("caucasus", [sighting()], now=NOW)
    before = ledger.path.read_bytes()
    assert SqliteLedger.open(ledger.path).entries("caucasus") == (sighting(),)
    assert ledger.path.read_bytes() == before
    assert sorted(path.name for path in ledger.path.parent.iterdir()) == ["ledger.db", "ledger.db.head"]


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    """What a process killed before its first write leaves behind is no obstacle."""
    path = tmp_path / "Ümläut #1 ?%.db"
    path.touch()
    assert SqliteLedger.open(path).add("caucasus", [sighting()], now=NOW).new == ("a",)


def _database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Junk, a folder, another program's database and a newer ledger each get the path, the reason and a remedy."""
    junk, other, marked, newer = (tmp_path / name for name in ("junk", "other.db", "marked.db", "newer.db"))
    junk.write_bytes(b"id,indicator\n" * 100)
    _database(other, "CREATE TABLE entries (seq)")
    _database(marked, "PRAGMA user_version = 1")
    SqliteLedger.open(newer)
    _database(newer, "PRAGMA user_version = 3")
    for path, reason in (
        (junk, "is not a database; choose another path"),
        (tmp_path, "is a folder; give the path of a file"),
        (junk / "ledger.db", "its folder cannot be used"),
        (other, "is a database of another program; choose another path"),
        (marked, "is a database of another program"),
        (newer, "has schema 3, this program knows 2; install the version that wrote it"),
    ):
        message = refusal(lambda path=path: SqliteLedger.open(path), LedgerError)
        assert message.startswith(f"{path}: 1 fault\n  {reason}")
    assert junk.read_bytes() == b"id,indicator\n" * 100


def test_a_ledger_that_vanished_is_named(ledger: SqliteLedger) -> None:
    """No empty ledger is put in its place."""
    ledger.add("caucasus", [sighting()], now=NOW)
    ledger.path.unlink()
    assert "cannot be opened; check that it is still there" in refusal(lambda: ledger.entries("caucasus"), LedgerError)
    assert "is missing, but held 1 rows" in refusal(lambda: SqliteLedger.open(ledger.path), LedgerError)
    assert not ledger.path.exists()


def test_a_damaged_ledger_is_named(ledger: SqliteLedger) -> None:
    """Pages overwritten with noise give one message, not a traceback."""
    ledger.add("caucasus", [sighting(str(k), note="x" * 500) for k in range(50)], now=NOW)
    content = bytearray(ledger.path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    ledger.path.write_bytes(content)
    assert "is damaged; restore it from a backup" in refusal(lambda: ledger.entries("caucasus"), LedgerError)


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere for a while (nothing to do for anybody else)."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_no_permission_is_named(ledger: SqliteLedger) -> None:
    """A file or a folder that may not be written, and a folder that may not be entered, say so with a remedy."""
    assert ids(ledger) == []
    assert "no row" in refusal(lambda: ledger.retract("caucasus", "a", reason="x", now=NOW))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = SqliteLedger.open(folder / "ledger.db").path
        for file_mode, folder_mode, act, message in (
            (0o000, 0o777, lambda: SqliteLedger.open(path), f"you may not read {path}; mend the permissions"),
            (0o666, 0o555, lambda: SqliteLedger.open(folder / "new.db"), f"you may not write {folder}; mend"),
            (
                0o666,
                0o555,
                lambda: SqliteLedger.open(path).add("caucasus", [sighting()], now=NOW),
                "cannot be written; mend",
            ),
            (0o666, 0o555, lambda: SqliteLedger.open(folder / "new" / "l.db"), "its folder cannot be used (Permission"),
            (0o666, 0o000, lambda: SqliteLedger.open(path), "(Permission denied)"),
            (
                0o444,
                0o777,
                lambda: SqliteLedger(path).add("caucasus", [sighting()], now=NOW),
                "cannot be written; mend",
            ),
        ):
            path.chmod(file_mode)
            folder.chmod(folder_mode)
            try:
                with _unprivileged():
                    found = refusal(act, LedgerError)
            finally:
                folder.chmod(0o777)
            assert message in found


def test_a_writer_that_waits_in_vain_says_so(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers do not wait; a writer does, and then names the path and gives up as busy."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ids(SqliteLedger.open(ledger.path)) == []
        message = refusal(lambda: ledger.add("caucasus", [sighting()], now=NOW), BusyError)
        other.execute("ROLLBACK")
    assert message.startswith(f"{ledger.path}: another process has been writing")
    assert ledger.add("caucasus", [sighting()], now=NOW).new == ("a",)


# Processes.

COMMON = """
import datetime as dt, json, os, random, signal, sqlite3, sys, time
from contextlib import closing
from pathlib import Path
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.rows import Observation
NOW = dt.datetime(2026, 1, 8, tzinfo=dt.UTC)
def row(name):
    date = dt.date(2025, 2, 20)
    return Observation(id=name, indicator="cyberattack", date=date, reported_on=date, source="APA", grade="B2")
"""

WRITER = """
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
ledger = SqliteLedger.open(Path(sys.argv[1]))
for k in range(100):
    assert ledger.add("d", [row(f"{sys.argv[2]}-{k}")], now=NOW).new
print(json.dumps([began, time.monotonic()]))
"""

KILLER = """
random = random.Random(20260108)
def write(path, prefix, pipe):
    ledger = SqliteLedger.open(path)
    for k in range(10**6):
        ledger.add("d", [row(f"{prefix}-{k}")], now=NOW)
        os.write(pipe, f"{prefix}-{k}\\n".encode())
promised = {}
for kill in range(60):
    path = Path(sys.argv[1]) / f"ledger-{kill // 3}.db"
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(path, kill, into)
        finally:
            os._exit(1)
    os.close(into)
    head = os.read(out, 1) if kill % 2 else b""  # every other one is hit when it has begun to write
    time.sleep(random.uniform(0, 0.06))
    alive = os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(out) as pipe:
        returned = set((head.decode() + pipe.read()).split())
    promised.setdefault(path, set()).update(returned)
    held = {entry.id for entry in SqliteLedger.open(path).entries("d")}
    with closing(sqlite3.connect(path)) as raw:
        check = raw.execute("PRAGMA integrity_check").fetchone()[0]
    print(json.dumps({"alive": alive, "check": check, "returned": len(returned),
                      "lost": sorted(promised[path] - held), "extra": len(held - promised[path])}))
"""


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", COMMON + script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    )


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    """Two processes that create one ledger and write a hundred rows each, one by one, end with two hundred rows."""
    path = tmp_path / "data" / "ledger.db"
    writers = [_start(WRITER, path, name) for name in ("left", "right")]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    outputs = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    spans = [json.loads(output) for output in outputs]
    ledger = SqliteLedger.open(path)
    assert {entry.id for entry in ledger.entries("d")} == {f"{n}-{k}" for n in ("left", "right") for k in range(100)}
    assert max(begin for begin, _ in spans) < min(end for _, end in spans), "the two never met"


def test_a_killed_writer_loses_nothing_it_was_told(tmp_path: Path) -> None:
    """After SIGKILL at 60 random moments the ledger opens, is sound, and holds every row whose add had returned."""
    killer = _start(KILLER, tmp_path)
    output, _ = killer.communicate(timeout=120)
    assert killer.returncode == 0
    kills = [json.loads(line) for line in output.splitlines()]
    assert len(kills) == 60
    assert all(kill["alive"] and kill["check"] == "ok" and kill["lost"] == [] for kill in kills)
    assert all(kill["extra"] <= 3 for kill in kills), "at most one row for each kill was written but not yet announced"
    assert sum(kill["returned"] > 0 for kill in kills) >= 30, "too few writers got to write"
