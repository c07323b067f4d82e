"""Suggested sightings: events for an analyst to accept, with grade and story, or to reject for good."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from coded_events import GDELT, MONDAY, NOW, TODAY, UCDP, UCDP_COLUMNS, Coded, csv_content, feed_of, gdelt_day, ucdp_row

from forecast.base.errors import InputError
from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.store import Store
from forecast.feeds.suggestions import (
    Suggestion,
    Verdict,
    accept_suggestion,
    coverage_rows,
    find_suggestion,
    reject_suggestion,
    suggest_sightings,
)
from forecast.feeds.weeks import count_weeks
from forecast.ledger.check import Vocabulary
from forecast.ledger.rows import Observation

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.feeds.feed_file import FeedFile

VOCABULARY = Vocabulary(
    indicators={"entry_ban": ("Entry ban",), "mass_air_strikes": ("Strikes",)}, states={}, start=MONDAY, today=TODAY
)
EVENTS = [
    Coded(1, "20251201", code="163", link="https://example.org/ban"),
    Coded(2, "20251201", code="112"),
    Coded(3, "20251201", "AZE", "RUS", "163"),
    Coded(4, "20251130", code="1631"),
]


@pytest.fixture
def gdelt(tmp_path: Path) -> tuple[FeedFile, Store]:
    """Take in a day with one ban in the window, and one before it."""
    gdelt_day(tmp_path / "files", MONDAY, EVENTS)
    return _taken(GDELT, tmp_path)


def _taken(text: str, folder: Path) -> tuple[FeedFile, Store]:
    feed, store = feed_of(text, folder), Store(folder / "store")
    take_in(store, feed, listed_files(folder / "files"), NOW, TODAY)
    return feed, store


def _seen(day: dt.date, **other: str) -> Observation:
    return Observation(id="mine", indicator="entry_ban", date=day, reported_on=day, source="Paper", grade="B2", **other)


def test_what_could_be_a_sighting_is_suggested_with_its_link(gdelt: tuple[FeedFile, Store]) -> None:
    """Only events of the selection within the window are suggested, with the stories of rows near them."""
    near = _seen(MONDAY + dt.timedelta(days=3), story="the_ban")
    far = _seen(MONDAY + dt.timedelta(days=30), story="another")
    (one,) = suggest_sightings("coded", *gdelt, [near, far])
    assert (one.event, one.indicator, one.day, one.link) == ("1", "entry_ban", MONDAY, "https://example.org/ban")
    assert one.stories == ("the_ban",)
    assert repr(one).startswith("<Suggestion: 1, 2025-12-01: entry ban?")


def test_an_accepted_one_says_that_a_machine_proposed_it(gdelt: tuple[FeedFile, Store]) -> None:
    """It becomes a row with the grade and story of the analyst, and is suggested no more."""
    feed, store = gdelt
    (one,) = suggest_sightings("coded", feed, store, [])
    row = accept_suggestion(one, feed, Verdict("C3", "the_ban"), VOCABULARY)
    assert (row.id, row.indicator, row.coded_by) == ("entry_ban-coded-1", "entry_ban", "GDELT")
    assert (row.grade, row.story, row.url, row.source) == ("C3", "the_ban", "https://example.org/ban", "Made-up GDELT")
    assert (row.date, row.reported_on) == (MONDAY, MONDAY)
    assert suggest_sightings("coded", feed, store, [row]) == ()


@pytest.mark.parametrize("verdict", [Verdict("", "s"), Verdict("C3", "")])
def test_grade_and_story_are_asked_for(verdict: Verdict, gdelt: tuple[FeedFile, Store]) -> None:
    """A machine's event gets no grade by itself; the message names stories near it."""
    feed, store = gdelt
    (one,) = suggest_sightings("coded", feed, store, [_seen(MONDAY, story="the_ban")])
    with pytest.raises(InputError, match=r"takes its --grade and its --story: .* near it there is the_ban"):
        accept_suggestion(one, feed, verdict, VOCABULARY)


def test_a_grade_that_is_none_is_refused(gdelt: tuple[FeedFile, Store]) -> None:
    """What an analyst says is checked as any row is."""
    feed, store = gdelt
    (one,) = suggest_sightings("coded", feed, store, [])
    with pytest.raises(InputError, match="event 1: grade"):
        accept_suggestion(one, feed, Verdict("Z9", "s"), VOCABULARY)


def test_a_rejected_one_is_remembered(gdelt: tuple[FeedFile, Store]) -> None:
    """It stays rejected, with the reason, whatever is rejected after it; without a reason nothing is."""
    feed, store = gdelt
    (one,) = suggest_sightings("coded", feed, store, [])
    with pytest.raises(InputError, match="takes its --reason"):
        reject_suggestion(one, store.folder, "", TODAY)
    assert len(suggest_sightings("coded", feed, store, [])) == 1
    reject_suggestion(one, store.folder, "=an old ban, told again", TODAY)
    reject_suggestion(
        Suggestion(**{n: getattr(one, n) for n in one.__dataclass_fields__} | {"event": "9"}), store.folder, "no", TODAY
    )
    assert suggest_sightings("coded", feed, store, []) == ()
    assert "'=an old ban, told again" in (store.folder / "rejected.csv").read_text()


def test_an_event_that_does_not_wait_is_named(gdelt: tuple[FeedFile, Store]) -> None:
    """Who mistypes an event learns which one is near; one of two indicators has to be named."""
    (one,) = suggest_sightings("coded", *gdelt, [])
    with pytest.raises(InputError, match="no suggestion waits under '2'"):
        find_suggestion([one], "2", None)
    other = Suggestion(**{n: getattr(one, n) for n in one.__dataclass_fields__} | {"indicator": "food_ban"})
    with pytest.raises(InputError, match="entry_ban and food_ban; name one"):
        find_suggestion([one, other], "1", None)
    assert find_suggestion([one, other], "1", "food_ban") is other


def test_a_week_is_covered_when_all_its_suggestions_are_decided(tmp_path: Path) -> None:
    """UCDP sees every such event: weeks are coverage after the lag, but not one with an event nobody has judged."""
    rows = [ucdp_row(1, "2025-11-05", best=40), ucdp_row(2, "2025-11-12", best=3)]
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "GEDEvent_v25_0_11.csv").write_bytes(csv_content(UCDP_COLUMNS, rows))
    feed, store = _taken(UCDP, tmp_path)
    complete = count_weeks(feed, store.taken, store.events(), TODAY).complete
    waiting = suggest_sightings("coded", feed, store, [])
    assert [(one.event, one.size) for one in waiting] == [("1", 40)]
    looks = coverage_rows("coded", feed, store.taken, complete, waiting)
    assert [row.from_.day for row in looks] == [10, 17, 24]
    assert {(row.indicator, row.reported_on, row.source) for row in looks} == {
        ("mass_air_strikes", dt.date(2025, 12, 20), "Made-up UCDP")
    }
    reject_suggestion(waiting[0], store.folder, "shelling over weeks", TODAY)
    looks = coverage_rows("coded", feed, store.taken, complete, suggest_sightings("coded", feed, store, []))
    assert [row.from_.day for row in looks] == [3, 10, 17, 24]


def test_a_later_release_suggests_an_event_once_as_told_last(tmp_path: Path) -> None:
    """An event that two releases tell is one suggestion, public since the first."""
    (tmp_path / "files").mkdir()
    for name, best in (("GEDEvent_v25_0_11", 30), ("GEDEvent_v25_10_25_12", 50)):
        content = csv_content(UCDP_COLUMNS, [ucdp_row(1, "2025-11-05", best=best)])
        (tmp_path / "files" / f"{name}.csv").write_bytes(content)
    (one,) = suggest_sightings("coded", *_taken(UCDP, tmp_path), [])
    assert (one.size, one.reported_on) == (50, dt.date(2025, 12, 20))
