"""Pulling: the ledger gets deliveries, counts and coverage, once; what was killed or retracted is dealt with."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from coded_events import (
    GDELT,
    MONDAY,
    NOW,
    TODAY,
    UCDP,
    UCDP_COLUMNS,
    Coded,
    csv_content,
    feed_of,
    gdelt_day,
    gdelt_week,
    ucdp_row,
)

from forecast.base.errors import InputError
from forecast.feeds import pull as pulling
from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.pull import Feed, pull_feed
from forecast.feeds.store import Store
from forecast.ledger.rows import Count, Coverage, Delivery
from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.feeds.pull import Pulled

WEEK = dt.timedelta(days=7)
SUNDAY = MONDAY + dt.timedelta(days=6)


@pytest.fixture
def log(tmp_path: Path) -> SqliteLedger:
    """Give an empty ledger."""
    return SqliteLedger.open(tmp_path / "ledger.db")


def pull(text: str, folder: Path, log: SqliteLedger, **how: bool) -> Pulled:
    """Pull the feed in a folder."""
    feed = Feed(name="coded", path=folder / "coded.toml", file=feed_of(text, folder))
    return pull_feed(feed, log, "made_up", now=NOW, today=TODAY, **how)


def counts(log: SqliteLedger, as_of: dt.date | None = None) -> dict[dt.date, int]:
    """Give the counts in force."""
    rows = log.entries("made_up", as_of=as_of)
    return {row.from_: row.count for row in rows if isinstance(row, Count)}


def _lay(folder: Path) -> None:
    gdelt_week(folder / "files", MONDAY, [Coded(1, "20251201")])
    gdelt_week(folder / "files", MONDAY + WEEK, [Coded(2, "20251203"), Coded(3, "20251208")])


def test_the_ledger_gets_each_day_and_each_week_once(tmp_path: Path, log: SqliteLedger) -> None:
    """Deliveries and counts are recorded with their sums; a second pull adds nothing."""
    _lay(tmp_path)
    first = pull(GDELT, tmp_path, log)
    assert first.recorded == {"delivery": (14, 0), "count": (3, 1)}
    rows = log.entries("made_up")
    days = {row.from_: row for row in rows if isinstance(row, Delivery)}
    assert sorted(days) == [MONDAY + dt.timedelta(days=k) for k in range(14)]
    one = days[MONDAY]
    assert (one.id, one.file, one.read, one.kept, one.faulty, one.repeated) == (
        f"coded-{MONDAY}", f"1 file of {MONDAY}", 2, 1, 0, 0,
    )  # fmt: skip
    (week,) = (row for row in rows if isinstance(row, Count) and row.from_ == MONDAY)
    assert (week.id, week.to, week.exposure, week.source) == (f"hostility-{MONDAY}", SUNDAY, 9, "Made-up GDELT")
    assert week.delivery == f"coded-{SUNDAY + WEEK}"
    assert pull(GDELT, tmp_path, log).recorded == {}
    assert len(log.entries("made_up")) == len(rows)


def test_a_replay_knows_what_was_known(tmp_path: Path, log: SqliteLedger) -> None:
    """As of the first Sunday a late event is not known; as of the second it is, and the day before neither week is."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    assert counts(log, SUNDAY - dt.timedelta(days=1)) == {}
    assert counts(log, SUNDAY) == {MONDAY: 1}
    assert counts(log, SUNDAY + WEEK) == {MONDAY: 2, MONDAY + WEEK: 1} == counts(log)


def test_a_week_that_comes_later_revises_the_one_before(tmp_path: Path, log: SqliteLedger) -> None:
    """Pulled week by week, the ledger holds the same as pulled at once, and each revision once."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201")])
    assert pull(GDELT, tmp_path, log).recorded["count"] == (1, 0)
    _lay(tmp_path)
    assert pull(GDELT, tmp_path, log).recorded["count"] == (2, 1)
    assert counts(log, SUNDAY) == {MONDAY: 1}
    assert counts(log) == {MONDAY: 2, MONDAY + WEEK: 1}


def test_other_codes_count_anew(tmp_path: Path, log: SqliteLedger) -> None:
    """A feed file that selects other codes supersedes its counts, as known on each day."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    pull(GDELT.replace('["11", "12"]', '["19"]'), tmp_path, log)
    assert counts(log) == {MONDAY: 0, MONDAY + WEEK: 0}
    assert counts(log, SUNDAY) == {MONDAY: 0}


def test_a_dry_run_leaves_everything_as_it_is(tmp_path: Path, log: SqliteLedger) -> None:
    """It counts what a pull would count, and neither the store nor the ledger has anything afterwards."""
    _lay(tmp_path)
    result = pull(GDELT, tmp_path, log, dry_run=True)
    assert [row.count for row in result.latest] == [2, 1]
    assert "Nothing was recorded (dry run)." in result.sentences
    assert not (tmp_path / "coded").exists()
    assert log.entries("made_up") == ()


def test_a_pull_that_was_killed_is_made_good(
    tmp_path: Path, log: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the store and the ledger, or between two kinds of rows, the next pull records what is lacking."""
    _lay(tmp_path)
    feed = Feed(name="coded", path=tmp_path / "coded.toml", file=feed_of(GDELT, tmp_path))
    take_in(feed.store(), feed.file, listed_files(feed.files), NOW, TODAY)
    monkeypatch.setattr(pulling, "count_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pull(GDELT, tmp_path, log)
    assert counts(log) == {}
    monkeypatch.undo()
    pull(GDELT, tmp_path, log)
    assert counts(log) == {MONDAY: 2, MONDAY + WEEK: 1}


def test_what_a_killed_pull_left_in_the_store_is_cleared(tmp_path: Path, log: SqliteLedger) -> None:
    """Tables that no index names, and drafts, are of no account and are deleted."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    kept = {path.name for path in (tmp_path / "coded").iterdir()}
    for name in ("day-2025-12-01.0123456789ab.events.parquet", ".day-2025-12-01.json.1.1.draft"):
        (tmp_path / "coded" / name).write_bytes(b"half")
    assert pull(GDELT, tmp_path, log).recorded == {}
    assert {path.name for path in (tmp_path / "coded").iterdir()} == kept


def test_a_store_that_is_damaged_says_what_to_do(tmp_path: Path, log: SqliteLedger) -> None:
    """An index or a table that cannot be read is named; deleted, the files are read again."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    table = next((tmp_path / "coded").glob("day-2025-12-01.*.events.parquet"))
    table.write_bytes(b"no table")
    with pytest.raises(InputError, match=r"cannot be read; delete day-2025-12-01\.json beside it"):
        pull(GDELT, tmp_path, log)
    (tmp_path / "coded" / "day-2025-12-01.json").unlink()
    assert pull(GDELT, tmp_path, log).recorded == {}
    assert counts(log) == {MONDAY: 2, MONDAY + WEEK: 1}


def test_what_was_retracted_stays_so(tmp_path: Path, log: SqliteLedger) -> None:
    """An analyst who withdraws a count has the last word."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    log.retract("made_up", f"hostility-{MONDAY}", reason="the source failed", now=NOW)
    assert pull(GDELT, tmp_path, log).recorded == {}
    assert counts(log) == {MONDAY + WEEK: 1}


def test_files_of_other_actors_that_are_gone_are_named(tmp_path: Path, log: SqliteLedger) -> None:
    """Weeks that were read for other actors do not count on for the new ones; the files have to be put back."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    for path in (tmp_path / "files").glob("20251203*"):
        path.unlink()
    result = pull(GDELT.replace('[["RUS", "AZE"]]', '[["RUS", "UKR"]]'), tmp_path, log)
    assert result.weeks.complete == (MONDAY + WEEK,)
    assert result.stale == ("20251203000000.export.CSV.zip",)
    assert any("put them back" in line for line in result.sentences)


def test_a_release_is_a_delivery_and_coverage(tmp_path: Path, log: SqliteLedger) -> None:
    """UCDP's file is a row with its digest, and its weeks are coverage of what it sees."""
    (tmp_path / "files").mkdir()
    content = csv_content(UCDP_COLUMNS, [ucdp_row(k, "2025-11-05") for k in range(3)])
    (tmp_path / "files" / "GEDEvent_v25_0_11.csv").write_bytes(content)
    assert pull(UCDP, tmp_path, log).recorded == {"delivery": (1, 0), "count": (4, 0), "coverage": (4, 0)}
    rows = log.entries("made_up")
    (one,) = (row for row in rows if isinstance(row, Delivery))
    assert (one.id, one.file, one.read) == (f"coded-{one.digest[:12]}", "GEDEvent_v25_0_11.csv", 3)
    assert {row.delivery for row in rows if isinstance(row, Count)} == {one.id}
    looks = [row for row in rows if isinstance(row, Coverage)]
    assert {(row.indicator, (row.to - row.from_).days) for row in looks} == {("mass_air_strikes", 6)}
    assert pull(UCDP, tmp_path, log).recorded == {}


def test_a_folder_that_is_not_there_is_told_and_stops_no_other_feed(tmp_path: Path, log: SqliteLedger) -> None:
    """Nothing was delivered then: no week counts, and the message says where files are looked for."""
    result = pull(GDELT, tmp_path, log)
    assert result.recorded == {}
    assert result.weeks.complete == ()
    assert (
        f"{tmp_path / 'files'}: is not there; lay the source's files there, or mend `feed.folder`." in result.sentences
    )


def test_a_group_is_written_as_a_whole_or_not_at_all(
    tmp_path: Path, log: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before its index is written, a revised day is as it was; the next pull revises it."""
    _lay(tmp_path)
    pull(GDELT, tmp_path, log)
    gdelt_day(tmp_path / "files", MONDAY, [Coded(1, "20251201"), Coded(8, "20251201")])
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write_index", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pull(GDELT, tmp_path, log)
    assert sorted(Store(tmp_path / "coded").events()["id"]) == ["1", "2", "3"]
    assert pull(GDELT, tmp_path, log).recorded["count"][1]
    assert counts(log) == {MONDAY: 3, MONDAY + WEEK: 1}
