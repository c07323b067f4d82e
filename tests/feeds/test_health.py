"""How a feed does: gaps, age, thin days and revisions are told; a dead feed is called dead."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from coded_events import GDELT, MONDAY, NOW, TODAY, UCDP, UCDP_COLUMNS, Coded, csv_content, feed_of, gdelt_day, ucdp_row

from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.health import check_feed, feed_ages
from forecast.feeds.pull import Feed

if TYPE_CHECKING:
    from pathlib import Path

LAST = MONDAY + dt.timedelta(days=13)


def made(text: str, folder: Path) -> Feed:
    """Take in what lies in the folder of a feed."""
    feed = Feed(name="coded", path=folder / "coded.toml", file=feed_of(text, folder))
    (folder / "files").mkdir(exist_ok=True)
    take_in(feed.store(), feed.file, listed_files(feed.files), NOW, TODAY)
    return feed


def _days(folder: Path, lacking: tuple[int, ...] = ()) -> None:
    for k in range(14):
        if k not in lacking:
            events = [Coded(100 * k + j, f"{MONDAY + dt.timedelta(days=k):%Y%m%d}", "USA", "CAN") for j in range(20)]
            gdelt_day(folder / "files", MONDAY + dt.timedelta(days=k), events if k != 5 else ())


def test_a_feed_that_comes_has_nothing_to_look_after(tmp_path: Path) -> None:
    """Asked soon after its last day, a whole feed is sound, and its age is told."""
    for k in range(14):
        gdelt_day(tmp_path / "files", MONDAY + dt.timedelta(days=k))
    feed = made(GDELT, tmp_path)
    health = check_feed(feed, LAST + dt.timedelta(days=2))
    assert health.sound
    assert health.complete == 2
    assert health.sentences[0] == "coded (Made-up GDELT): delivered to 14 Dec 2025, 2 days ago."


def test_a_dead_feed_is_called_dead(tmp_path: Path) -> None:
    """Weeks after its last day it says so, and that nothing is known since."""
    _days(tmp_path)
    (age,) = feed_ages([made(GDELT, tmp_path)], TODAY)
    assert (age.last, age.age_days, age.dead) == (LAST, 26, True)
    assert "it is dead or late, and what came since is not known" in age.sentences[0]
    assert repr(age).startswith("<FeedAge: coded (Made-up GDELT): delivered to 14 Dec 2025")


def test_an_age_is_as_of_a_day(tmp_path: Path) -> None:
    """For a report as of an earlier day, what came later is not known."""
    _days(tmp_path)
    feed = made(GDELT, tmp_path)
    (age,) = feed_ages([feed], MONDAY + dt.timedelta(days=3))
    assert (age.last, age.age_days, age.dead) == (MONDAY + dt.timedelta(days=3), 0, False)
    (before,) = feed_ages([feed], MONDAY - dt.timedelta(days=3))
    assert before.dead
    assert "nothing was delivered yet" in before.sentences[0]


def test_gaps_and_thin_days_are_named(tmp_path: Path) -> None:
    """Days without files and days with a tenth of the usual volume are listed, with what to do."""
    _days(tmp_path, lacking=(2, 3, 9))
    health = check_feed(made(GDELT, tmp_path), LAST + dt.timedelta(days=1))
    day = [MONDAY + dt.timedelta(days=k) for k in range(14)]
    assert health.gaps == ((day[2], day[3]), (day[9], day[9]))
    assert health.thin == (day[5],)
    assert not health.sound
    said = " ".join(health.sentences)
    assert "3 days lacking, whose weeks are not counted: 2025-12-03 to 2025-12-04 and 2025-12-10" in said
    assert "1 day with less than a tenth of the usual volume, such as 2025-12-06" in said


def test_revisions_are_told_with_the_largest(tmp_path: Path) -> None:
    """A release that changes a week is named, with what it was and is."""
    (tmp_path / "files").mkdir()
    for name, days in (("GEDEvent_v25_0_11", (3, 3, 4)), ("GEDEvent_v25_10_25_12", (3, 12))):
        rows = [ucdp_row(k, f"2025-11-{day:02}") for k, day in enumerate(days)]
        (tmp_path / "files" / f"{name}.csv").write_bytes(csv_content(UCDP_COLUMNS, rows))
    feed = Feed(name="coded", path=tmp_path / "coded.toml", file=feed_of(UCDP, tmp_path))
    later = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    take_in(feed.store(), feed.file, listed_files(feed.files), later, later.date())
    health = check_feed(feed, later.date())
    assert len(health.revised) == 2
    assert (
        "2 counts revised; most that of battles in the week from 2025-11-03, 3 → 1, on 2026-01-20." in health.sentences
    )


def test_a_feed_without_any_file_is_all_gap(tmp_path: Path) -> None:
    """Nothing was delivered: it is dead, and every day that should be there is lacking."""
    health = check_feed(made(GDELT, tmp_path), TODAY)
    assert health.age.dead
    assert health.gaps == ((MONDAY, TODAY - dt.timedelta(days=health.age.due_days)),)
