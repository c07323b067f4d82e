"""Suggested sightings: events that a machine coded and that may be sightings of an indicator; an analyst decides.

An accepted one becomes an observation that names the machine as its coder. A rejected one is remembered beside the
feed. An indicator that the source sees wholly is covered in the weeks of which every suggestion is decided.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from forecast import ledger
from forecast.base import prose
from forecast.base.errors import InputError, nearest
from forecast.base.files import make_folder, replace_file
from forecast.base.sanitise import bare_text, csv_text, inert, is_web
from forecast.base.shown import Shown, ShownTable
from forecast.feeds.kinds import CODERS
from forecast.feeds.selection import is_selected
from forecast.feeds.weeks import days_told, monday_of, week

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from forecast.feeds.feed_file import FeedFile
    from forecast.feeds.store import Store, Taken
    from forecast.ledger.check import Vocabulary
    from forecast.ledger.rows import Entry


REJECTED = "rejected.csv"
COLUMNS = ("event", "indicator", "reason", "decided_on")
NEAR = dt.timedelta(days=7)  # within which a row of the indicator may tell of the same event


@dataclass(frozen=True, repr=False, kw_only=True)
class Suggestion(Shown):
    """An event that may be a sighting of ``indicator``; ``stories`` are those that rows of about its day tell of.

    ``coded_by`` names the program that proposed it, blank where that is the machine of the feed.
    """

    feed: str
    event: str
    indicator: str
    day: dt.date
    reported_on: dt.date
    source: str
    target: str
    code: str
    size: int
    link: str
    text: str
    stories: tuple[str, ...]
    coded_by: str = ""

    @property
    def what(self) -> str:
        """What happened, and who says so where a program proposed it."""
        return f"{self.text} ({self.source}; proposed by {self.coded_by})" if self.coded_by else self.text

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        names = ("feed", "event", "indicator", "source", "target", "code", "size", "link", "text", "coded_by")
        days = {"day": self.day.isoformat(), "reported_on": self.reported_on.isoformat()}
        return {name: getattr(self, name) for name in names} | days | {"stories": list(self.stories)}

    def _said(self) -> tuple[str, ...]:
        return (f"{self.event}, {self.day}: {prose.spoken(self.indicator)}? {self.text}",)

    def _shown_table(self) -> ShownTable:
        return ShownTable(["", "value"], [[name, str(value)] for name, value in self.to_dict().items()])


class Verdict(NamedTuple):
    """What an analyst says of a suggestion that is accepted."""

    grade: str
    story: str
    note: str = ""


def row_id(feed: str, event: str, indicator: str) -> str:
    """Id of the observation that an accepted suggestion becomes."""
    return f"{indicator}-{feed}-{re.sub(r'[^A-Za-z0-9]+', '-', event).strip('-')}"


def suggest_sightings(name: str, feed: FeedFile, store: Store, entries: Iterable[Entry]) -> tuple[Suggestion, ...]:
    """List what is not decided yet, the newest first."""
    rows = [row for row in entries if isinstance(row, ledger.Observation)]
    decided = {row.id for row in rows} | {row_id(name, *pair) for pair in _rejected(store.folder)}
    found: list[Suggestion] = []
    events = _newest(feed, store)
    for indicator, selection in feed.sightings.items():
        near = [row for row in rows if row.indicator == indicator]
        for event in events.filter(is_selected(selection)).iter_rows(named=True):
            if row_id(name, event["id"], indicator) in decided or event["day"] < feed.window.from_:
                continue
            stories = dict.fromkeys(row.story_key for row in near if abs(row.date - event["day"]) <= NEAR)
            kept = {key: event[key] for key in ("day", "source", "target", "code", "size", "link", "text")}
            found.append(
                Suggestion(
                    feed=name, event=event["id"], indicator=indicator, reported_on=event["added"],
                    stories=tuple(stories), **kept,
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.day, one.event), reverse=True))


def _newest(feed: FeedFile, store: Store) -> pl.DataFrame:
    """Give every event once, as it was told last, with the day on which it was first told."""
    order = pl.DataFrame(
        [(one.digest, k, one.reported_on) for k, one in enumerate(store.taken)],
        schema={"delivery": pl.String, "order": pl.Int64, "told": pl.Date},
        orient="row",
    )
    events = store.events().join(order, on="delivery").sort("order", maintain_order=True)
    if not feed.kind.adds:
        events = events.with_columns(added=pl.col("told").min().over("id"))
    return events.unique("id", keep="last", maintain_order=True)


def find_suggestion(suggestions: Sequence[Suggestion], event: str, indicator: str | None) -> Suggestion:
    """Give the suggestion of an event; `InputError` if there is none, or several and no indicator is named."""
    found = [one for one in suggestions if one.event == event and indicator in {None, one.indicator}]
    if not found:
        known = [one.event for one in suggestions]
        msg = f"no suggestion waits under {event!r}; {nearest(event, known)} List them with `forecast feed suggest`"
        raise InputError(msg)
    if len(found) > 1:
        names = prose.listed([one.indicator for one in found])
        msg = f"{event!r} is suggested for {names}; name one of them with --indicator"
        raise InputError(msg)
    return found[0]


def accept_suggestion(
    one: Suggestion, feed: FeedFile | None, verdict: Verdict, vocabulary: Vocabulary
) -> ledger.Observation:
    """Make an observation of a suggestion; `InputError` if a grade or a story is missing, or the row cannot be one.

    A proposal comes from no ``feed``: it names its source and its program itself.
    """
    if not verdict.grade or not verdict.story:
        msg = (
            "to accept a suggestion takes its --grade and its --story: that of an event which rows tell of already, or"
            f" a new name{'; near it there is ' + prose.listed(one.stories) if one.stories else ''}"
        )
        raise InputError(msg)
    title = one.source if feed is None else feed.feed.title
    cells = {
        "id": row_id(one.feed, one.event, one.indicator), "indicator": one.indicator, "date": one.day.isoformat(),
        "reported_on": one.reported_on.isoformat(), "source": title, "grade": verdict.grade,
        "url": one.link if is_web(one.link) else "", "story": verdict.story, "note": verdict.note or one.text,
        "coded_by": one.coded_by if feed is None else CODERS.get(feed.feed.kind, title),
    }  # fmt: skip
    row = ledger.Row(file=f"event {one.event}", line=0, kind="observation", cells=cells)
    (entry,) = ledger.check_entries([row], vocabulary)
    assert isinstance(entry, ledger.Observation)  # noqa: S101 - it was asked for
    return entry


def reject_suggestion(one: Suggestion, folder: Path, reason: str, day: dt.date) -> None:
    """Remember that a suggestion is no sighting; `InputError` without a reason."""
    if not reason:
        msg = "to reject a suggestion takes its --reason, for whoever meets the event again"
        raise InputError(msg)
    make_folder(folder)
    lines = [list(COLUMNS), *_rows(folder), [inert(one.event), one.indicator, inert(reason), day.isoformat()]]
    replace_file(folder / REJECTED, csv_text(lines).encode())


def _rows(folder: Path) -> list[list[str]]:
    path = folder / REJECTED
    if not path.exists():
        return []
    try:
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))[1:]
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); mend it, for it says which suggestions were rejected"
        raise InputError(msg) from error


def _rejected(folder: Path) -> list[tuple[str, str]]:
    return [(bare_text(row[0]), row[1]) for row in _rows(folder) if len(row) == len(COLUMNS)]


def rejection(folder: Path, event: str, indicator: str) -> str | None:
    """Give the reason for which a suggestion was rejected; None if it was not."""
    rows = [row for row in _rows(folder) if len(row) == len(COLUMNS)]
    return next((bare_text(row[2]) for row in rows if (bare_text(row[0]), row[1]) == (event, indicator)), None)


def coverage_rows(
    name: str, feed: FeedFile, taken: Sequence[Taken], complete: Sequence[dt.date], waiting: Sequence[Suggestion]
) -> list[ledger.Coverage]:
    """Give the coverage that a source amounts to: complete weeks of which every suggestion is decided."""
    if feed.coverage is None:
        return []
    told: Mapping[dt.date, dt.date] = days_told(feed, taken)
    open_weeks = {(one.indicator, monday_of(one.day)) for one in waiting}
    return [
        ledger.Coverage(
            id=f"coverage-{indicator}-{name}-{monday}", indicator=indicator, from_=monday,
            to=monday + dt.timedelta(days=6), reported_on=max(told[day] for day in week(monday)),
            source=feed.feed.title, note="every event that could be a sighting was decided",
        )
        for indicator in feed.coverage.indicators for monday in complete if (indicator, monday) not in open_weeks
    ]  # fmt: skip
