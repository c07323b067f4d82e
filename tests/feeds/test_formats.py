"""Formats: each source's file gives the events that stand in it, and keeps aside what is no event."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from coded_events import (
    ACLED,
    ACLED_COLUMNS,
    GDELT,
    PLAIN,
    POLECAT,
    POLECAT_COLUMNS,
    TODAY,
    UCDP,
    UCDP_COLUMNS,
    Coded,
    acled_row,
    csv_content,
    feed_of,
    gdelt_content,
    polecat_row,
    tsv_content,
    ucdp_row,
    zipped,
)
from places import ROOT

from forecast.feeds import ucdp
from forecast.feeds.feed_file import load_feed
from forecast.feeds.kinds import read_delivery
from forecast.feeds.selection import is_selected

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.feeds.events import Reading
    from forecast.feeds.feed_file import Selection

STAMP = "20251201001500"


def read(text: str, content: bytes, file: str, folder: Path) -> Reading:
    """Read a file as its feed would."""
    return read_delivery(content, file, feed_of(text, folder), TODAY)[0]


def test_gdelt_gives_actors_code_days_and_link(tmp_path: Path) -> None:
    """The columns that matter are found among the 61."""
    event = Coded(7, "20251130", "RUS", "AZE", "1121", "20251201001500", "https://example.org/x")
    content = zipped(gdelt_content([event], STAMP), "x.CSV")
    (found,) = read(GDELT, content, f"{STAMP}.export.CSV.zip", tmp_path).events.rows(named=True)
    assert (found["id"], found["source"], found["target"], found["code"]) == ("7", "RUS", "AZE", "1121")
    assert (found["day"], found["added"]) == (dt.date(2025, 11, 30), dt.date(2025, 12, 1))
    assert (found["link"], found["place"], found["size"]) == ("https://example.org/x", "AJ", 10)
    assert found["text"] == "SIDE A → SIDE B"


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("00251201", "lies before 1900"),
        ("20251232", "is none of the calendar"),
        ("20251202", "lies after the day on which it was added"),
        ("", "is none of the calendar"),
    ],
)
def test_a_day_that_cannot_be_is_a_fault_with_its_row(day: str, said: str, tmp_path: Path) -> None:
    """The year 0025 and the like are named with their line, and the row is kept as it stood there."""
    events = [Coded(1, "20251201"), Coded(2, day or " "), Coded(3, "20251201"), Coded(4, "20251130")]
    found = read(GDELT, gdelt_content(events, STAMP), f"{STAMP}.export.CSV", tmp_path)
    (fault,) = found.faults
    assert fault.line == 2
    assert said in fault.why
    assert fault.row.startswith("2\t")
    assert found.read == found.events.height + len(found.faults) + found.repeated == 4


def test_gdelt_repeats_and_odd_lines_are_counted(tmp_path: Path) -> None:
    """A number that comes again is a repeat; a line of another width, or no UTF-8, is kept aside."""
    good = gdelt_content([Coded(1, "20251201"), Coded(1, "20251201"), Coded(2, "20251201")], STAMP)
    bad = gdelt_content([Coded(3, "20251201", link="https://example.org/é")], STAMP)
    content = good + b"1\t2\t3\n" + bad.decode().encode("latin-1")
    found = read(GDELT, content, f"{STAMP}.export.CSV", tmp_path)
    assert (found.read, found.repeated, found.events.height) == (5, 1, 2)
    assert [(fault.line, fault.why) for fault in found.faults] == [
        (4, "it has 3 columns, a GDELT 2.0 table of events has 61"),
        (5, "it is not UTF-8"),
    ]


def test_ucdp_takes_the_middle_of_days_and_counts_no_month(tmp_path: Path) -> None:
    """An event of some days has the middle one; one of which the month is known is vague, and that is said."""
    rows = [
        ucdp_row(1, "2025-11-03"),
        ucdp_row(2, "2025-11-03", date_end="2025-11-07 00:00:00.000", date_prec=2),
        ucdp_row(3, "2025-11-01", date_end="2025-11-30 00:00:00.000", date_prec=4),
        ucdp_row(4, "2025-11-31"),
        ucdp_row(5, "2025-11-10", source_article='Paper, ""quoted"", see https://example.org/5;'),
    ]
    content = csv_content(UCDP_COLUMNS, rows)
    reading, span, told = read_delivery(content, "GEDEvent_v25_0_11.csv", feed_of(UCDP, tmp_path), TODAY)
    days = {row["id"]: (row["day"].day, row["vague"]) for row in reading.events.rows(named=True)}
    assert days == {"1": (3, False), "2": (5, False), "3": (1 + 14, True), "5": (10, False)}
    assert reading.events.filter(id="5")["link"].to_list() == ["https://example.org/5"]
    assert reading.events["size"].to_list() == [3] * 4
    assert [fault.line for fault in reading.faults] == [5]
    assert '"4"' in reading.faults[0].row
    assert span == (dt.date(2025, 11, 1), dt.date(2025, 11, 30))
    assert told == dt.date(2025, 12, 20)
    assert reading.notes == ("1 events are known to no week, and count in none",)


@pytest.mark.parametrize(
    ("file", "first", "last"),
    [
        ("GEDEvent_v25_1.csv", "1989-01-01", "2024-12-31"),
        ("ged251.csv", None, None),
        ("GEDEvent_v25_0_11.csv", "2025-11-01", "2025-11-30"),
        ("GEDEvent_v25_01_25_03.csv", "2025-01-01", "2025-03-31"),
        ("GEDEvent_v24_0_2.csv.zip", "2024-02-01", "2024-02-29"),
    ],
)
def test_a_release_of_ucdp_says_its_days_by_its_version(file: str, first: str | None, last: str | None) -> None:
    """The version in the name is the span of the release."""
    span = ucdp.span(file)
    assert (span and tuple(map(str, span))) == ((first, last) if first else None)


def test_acled_reads_both_ways_of_writing_days(tmp_path: Path) -> None:
    """Days stand as 2025-01-08 or 08 January 2025; notes may hold line ends; the last change is when it was told."""
    rows = [
        acled_row("UKR1", "2025-12-01", notes="one\ntwo"),
        acled_row("UKR2", "02 December 2025", timestamp=1765238400, fatalities=30),
        acled_row("UKR3", "2025-12-03", time_precision=3),
        acled_row("UKR4", "3/12/25"),
    ]
    content = csv_content(ACLED_COLUMNS, rows)
    reading, span, told = read_delivery(content, "ukraine.csv", feed_of(ACLED, tmp_path), TODAY)
    found = {row["id"]: row for row in reading.events.rows(named=True)}
    assert [str(found[name]["day"]) for name in ("UKR1", "UKR2", "UKR3")] == ["2025-12-01", "2025-12-02", "2025-12-03"]
    assert found["UKR2"]["code"] == "Explosions/Remote violence/Air/drone strike"
    assert (found["UKR2"]["size"], found["UKR3"]["vague"]) == (30, True)
    assert [(fault.line, fault.row[:6]) for fault in reading.faults] == [(6, '"UKR4"')]
    assert span == (dt.date(2025, 12, 1), dt.date(2025, 12, 3))
    assert told == dt.date(2025, 12, 9)


def test_polecat_tells_an_event_for_each_pair(tmp_path: Path) -> None:
    """A number stands once for each pair of countries; the same pair and type again is a repeat."""
    rows = [
        polecat_row("e1", "2025-12-02"),
        polecat_row("e1", "2025-12-02"),
        polecat_row("e1", "2025-12-02", **{"Recipient Country": "GEO"}),
        polecat_row("e2", "0025-12-02"),
    ]
    found = read(POLECAT, tsv_content(POLECAT_COLUMNS, rows), "events-2025-12-01-2025-12-07.txt", tmp_path)
    assert (found.read, found.repeated, found.events.height) == (4, 1, 2)
    assert sorted(found.events["target"]) == ["AZE", "GEO"]
    assert set(found.events["code"]) == {"ACCUSE/disapprove"}
    assert found.faults[0].why == "day 0025-12-02 lies before 1900"


def test_a_plain_table_has_columns_of_its_own(tmp_path: Path) -> None:
    """The feed file says how columns are called and days written; without ids an equal row is a repeat."""
    content = b"when;what;who\n02.12.2025;march;a\n02.12.2025;march;a\n02.12.2025;march;b\n31.02.2025;march;b\n"
    found = read(PLAIN, content, "day-2025-12-02.csv", tmp_path)
    assert (found.read, found.repeated, found.events.height) == (4, 1, 2)
    assert found.events["day"].to_list() == [dt.date(2025, 12, 2)] * 2
    assert sorted(found.events["source"]) == ["a", "b"]
    assert found.faults[0].row == "31.02.2025;march;b"


@pytest.mark.parametrize("name", ["gdelt", "ucdp"])
def test_no_event_is_counted_by_two_channels_of_the_reference_feeds(name: str) -> None:
    """Channels are told apart by actors or codes, for one event would be evidence twice."""
    feed = load_feed(ROOT / "data" / "russia_azerbaijan" / "feeds" / f"{name}.toml")
    codes = sorted({code for one in feed.channels.values() for code in one.codes or ()})
    sides = sorted({side.rstrip("*") for one in feed.channels.values() for side in _sides(one)})
    rows = [(a, b, code) for a in sides for b in sides for code in codes]
    events = pl.DataFrame(rows, schema=["source", "target", "code"], orient="row").with_columns(place=pl.lit(""))
    counted = [events.select(is_selected(one)).to_series().cast(int) for one in feed.channels.values()]
    assert sum(counted[1:], counted[0]).max() == 1
    assert all(one.sum() for one in counted)


def _sides(one: Selection) -> list[str]:
    pairs = [side for pair in one.between or () for side in pair]
    return [*pairs, *(one.source or ()), *(one.target or ())]
