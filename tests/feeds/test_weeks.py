"""Weekly counts: only weeks whose deliveries are all there, zeros included, as known first and as revised."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from coded_events import (
    ACLED,
    ACLED_COLUMNS,
    GDELT,
    MONDAY,
    NOW,
    PLAIN,
    TODAY,
    UCDP,
    UCDP_COLUMNS,
    Coded,
    acled_row,
    csv_content,
    export,
    feed_of,
    gdelt_day,
    gdelt_week,
    ucdp_row,
)

from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.store import Store
from forecast.feeds.weeks import WeekCount, Weeks, count_weeks, mondays

if TYPE_CHECKING:
    from pathlib import Path

WEEK = dt.timedelta(days=7)
SUNDAY = MONDAY + dt.timedelta(days=6)


def weeks_of(text: str, folder: Path, *, now: dt.datetime = NOW) -> Weeks:
    """Take in what lies in the folder and count."""
    store, feed = Store(folder / "store"), feed_of(text, folder)
    intake = take_in(store, feed, listed_files(folder / "files"), now, now.date())
    assert not intake.refused
    return count_weeks(feed, store.taken, store.events(), now.date())


def lay(folder: Path, **files: bytes) -> None:
    """Write files into the folder of a feed."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "files" / f"{name}.csv").write_bytes(content)


def test_a_late_event_goes_to_its_own_week_and_is_told_on_its_own_day(tmp_path: Path) -> None:
    """What was known on the Sunday stays on record; a late event revises the week at the end of the next one."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201"), Coded(2, "20251201", "AZE", "RUS", "1241")])
    gdelt_week(tmp_path / "files", MONDAY + WEEK, [Coded(3, "20251203"), Coded(4, "20251208")])
    weeks = weeks_of(GDELT, tmp_path)
    assert weeks.complete == (MONDAY, MONDAY + WEEK)
    assert weeks.counts["hostility", MONDAY] == (
        WeekCount("hostility", MONDAY, 2, 7 + 2, SUNDAY),
        WeekCount("hostility", MONDAY, 3, 7 + 3, SUNDAY + WEEK),
    )
    assert weeks.counts["hostility", MONDAY + WEEK] == (WeekCount("hostility", MONDAY + WEEK, 1, 7 + 1, SUNDAY + WEEK),)


def test_only_what_the_channel_selects_counts(tmp_path: Path) -> None:
    """Other pairs and other codes are volume; a week without an event of the channel is a zero."""
    others = [Coded(1, "20251201", "RUS", "UKR"), Coded(2, "20251201", code="010"), Coded(3, "20251201", "AZE", "AZE")]
    gdelt_week(tmp_path / "files", MONDAY, others)
    (row,) = weeks_of(GDELT, tmp_path).counts["hostility", MONDAY]
    assert (row.count, row.exposure) == (0, 7 + 3)


@pytest.mark.parametrize(("slots", "counted"), [(10, True), (5, True), (4, False), (0, False)])
def test_a_week_counts_only_if_its_days_are_there(slots: int, counted: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """A day may lack what the feed file allows, here 95 % of its 96 files; less leaves the whole week out."""
    gdelt_week(tmp_path / "files", MONDAY, slots=10)
    for path in sorted((tmp_path / "files").glob("20251204*"))[slots:]:
        path.unlink()
    weeks = weeks_of(GDELT.replace("0.99", "0.95"), tmp_path)
    assert (MONDAY in weeks.complete) == counted == (("hostility", MONDAY) in weeks.counts)
    assert (MONDAY in weeks.lacking) != counted


def test_an_event_that_is_told_again_counts_once(tmp_path: Path) -> None:
    """GDELT tells of an event again on a later day under its number: it is a repeat, and volume counts it once."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201")])
    stamp = "20251205120000"
    export(tmp_path / "files", stamp, [Coded(1, "20251201"), Coded(99, "20251205", "USA", "CAN")])
    store, feed = Store(tmp_path / "store"), feed_of(GDELT, tmp_path)
    intake = take_in(store, feed, listed_files(tmp_path / "files"), NOW, TODAY)
    assert sum(one.repeated for one in intake.new) == 1
    (row,) = count_weeks(feed, store.taken, store.events(), TODAY).counts["hostility", MONDAY]
    assert (row.count, row.exposure) == (1, 7 + 2)


def test_days_come_in_any_order(tmp_path: Path) -> None:
    """One pull of everything, and one pull a day from the last to the first, count the same."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201")])
    whole = weeks_of(GDELT, tmp_path)
    (tmp_path / "slow").mkdir()
    store, feed = Store(tmp_path / "slow" / "store"), feed_of(GDELT, tmp_path)
    for k in reversed(range(7)):
        day = f"{MONDAY + dt.timedelta(days=k):%Y%m%d}"
        files = [path for path in listed_files(tmp_path / "files") if path.name.startswith(day)]
        take_in(store, feed, files, NOW, TODAY)
    assert count_weeks(feed, store.taken, store.events(), TODAY) == whole


def test_a_release_replaces_what_was_said_of_its_days(tmp_path: Path) -> None:
    """A later release drops an event, adds one and moves one: the week is revised on the day of that release."""
    lay(tmp_path, GEDEvent_v25_0_11=csv_content(UCDP_COLUMNS, [ucdp_row(k, "2025-11-03") for k in range(3)]))
    first = weeks_of(UCDP, tmp_path)
    monday = dt.date(2025, 11, 3)
    assert first.complete == tuple(monday + k * WEEK for k in range(4))
    assert first.counts["battles", monday] == (WeekCount("battles", monday, 3, 1, dt.date(2025, 12, 20)),)
    assert first.counts["battles", monday + WEEK] == (WeekCount("battles", monday + WEEK, 0, 1, dt.date(2025, 12, 20)),)
    rows = [ucdp_row(1, "2025-11-03"), ucdp_row(2, "2025-11-10"), ucdp_row(7, "2025-11-10"), ucdp_row(8, "2025-10-30")]
    lay(tmp_path, GEDEvent_v25_10_25_12=csv_content(UCDP_COLUMNS, rows))
    later = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    weeks = weeks_of(UCDP, tmp_path, now=later)
    assert [(row.count, row.reported_on.isoformat()) for row in weeks.counts["battles", monday]] == [
        (3, "2025-12-20"),
        (1, "2026-01-20"),
    ]
    assert [row.count for row in weeks.counts["battles", monday + WEEK]] == [0, 2]


def test_an_export_counts_after_its_lag(tmp_path: Path) -> None:
    """Days within the lag before the export are not wholly coded yet, so their week does not count."""
    rows = [acled_row(f"UKR{k}", f"2025-12-{k:02}", timestamp=1766361600) for k in range(1, 22)]  # 22 December
    lay(tmp_path, **{"2025-12-01-2025-12-21": csv_content(ACLED_COLUMNS, rows)})
    weeks = weeks_of(ACLED, tmp_path)
    assert weeks.complete == (MONDAY, MONDAY + WEEK)
    assert [row.count for (_, _), rows in sorted(weeks.counts.items()) for row in rows] == [7, 7]
    assert {row.reported_on for rows in weeks.counts.values() for row in rows} == {dt.date(2025, 12, 22)}


def test_vague_days_count_in_no_week(tmp_path: Path) -> None:
    """An event of which the month is known is no event of the week in the middle of the month."""
    vague = ucdp_row(2, "2025-11-01", date_end="2025-11-30 00:00:00.000", date_prec=4)
    lay(tmp_path, GEDEvent_v25_0_11=csv_content(UCDP_COLUMNS, [ucdp_row(1, "2025-11-04"), vague]))
    weeks = weeks_of(UCDP, tmp_path)
    assert [rows[-1].count for rows in weeks.counts.values()] == [1, 0, 0, 0]


def test_a_source_that_is_dead_never_reads_as_quiet(tmp_path: Path) -> None:
    """A week that was delivered without one event of anybody is silent: it is not counted."""
    feed = feed_of(PLAIN.replace('license = "none"', 'license = "none"\nexposure = "events"'), tmp_path)
    header = b"when;what;who\n"
    days = [MONDAY + dt.timedelta(days=k) for k in range(14)]
    content = {day: header + (f"{day:%d.%m.%Y};walk;b\n".encode() if day < MONDAY + WEEK else b"") for day in days}
    lay(tmp_path, **{f"day-{day}": text for day, text in content.items()})
    store = Store(tmp_path / "store")
    take_in(store, feed, listed_files(tmp_path / "files"), NOW, TODAY)
    weeks = count_weeks(feed, store.taken, store.events(), TODAY)
    assert weeks.silent == (MONDAY + WEEK,)
    assert {monday: rows[-1].count for (_, monday), rows in weeks.counts.items()} == {MONDAY: 0}


def test_the_window_bounds_what_counts(tmp_path: Path) -> None:
    """Only whole weeks within the window count, and only those that have passed."""
    feed = feed_of(GDELT.replace("from = 2025-12-01", "from = 2025-12-03\nuntil = 2025-12-27"), tmp_path)
    assert list(mondays(feed, TODAY)) == [MONDAY + WEEK, MONDAY + 2 * WEEK]
    assert list(mondays(feed, MONDAY + WEEK + dt.timedelta(days=6))) == []
    assert list(mondays(feed, MONDAY + WEEK + dt.timedelta(days=7))) == [MONDAY + WEEK]


def test_a_file_that_comes_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """A corrected file of the same name replaces what was read from it, events and volume."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201")])
    weeks_of(GDELT, tmp_path)
    gdelt_day(tmp_path / "files", MONDAY, [Coded(1, "20251201"), Coded(2, "20251201")], slots=1)
    weeks = weeks_of(GDELT, tmp_path)
    (row,) = weeks.counts["hostility", MONDAY]
    assert (row.count, row.exposure) == (2, 7 + 2)


def test_a_plain_table_that_is_corrected_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """So it is with a file of its own day."""
    lay(tmp_path, **{"day-2025-12-01": b"when;what;who\n01.12.2025;march;a\n01.12.2025;row;a\n"})
    weeks_of(PLAIN, tmp_path)
    lay(tmp_path, **{"day-2025-12-01": b"when;what;who\n01.12.2025;march;a\n"})
    weeks_of(PLAIN, tmp_path)
    store = Store(tmp_path / "store")
    assert store.events()["code"].to_list() == ["march"]
    assert len(store.taken) == 1


def test_other_actors_have_files_read_again(tmp_path: Path) -> None:
    """What a feed newly asks for is found in files that were taken in before."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201"), Coded(2, "20251201", "RUS", "UKR")])
    assert weeks_of(GDELT, tmp_path).counts["hostility", MONDAY][0].count == 1
    more = GDELT.replace('[["RUS", "AZE"]]', '[["RUS", "AZE"], ["RUS", "UKR"]]')
    assert weeks_of(more, tmp_path).counts["hostility", MONDAY][0].count == 2


def test_reading_again_changes_nothing(tmp_path: Path) -> None:
    """A second look at the same folder takes in nothing and counts the same."""
    gdelt_week(tmp_path / "files", MONDAY, [Coded(1, "20251201")])
    weeks = weeks_of(GDELT, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "store").iterdir()}
    assert weeks_of(GDELT, tmp_path) == weeks
    assert {path: path.read_bytes() for path in (tmp_path / "store").iterdir()} == before
    (row,) = weeks.counts["hostility", MONDAY]
    assert replace(row, count=2) != row
