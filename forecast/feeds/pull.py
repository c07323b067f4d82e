"""Pulling a feed: download, take in, count, and record what the ledger lacks.

Files come into the store first and into the ledger after; every pull holds the ledger against the whole store, so what
a killed one left undone is done by the next.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from forecast.base import prose
from forecast.base.shown import Shown, ShownTable
from forecast.feeds.deliveries import Intake, listed_files, take_in
from forecast.feeds.selection import watched
from forecast.feeds.store import Store
from forecast.feeds.suggestions import coverage_rows, suggest_sightings
from forecast.feeds.weeks import Weeks, count_weeks, days_told
from forecast.ledger.rows import Count, Delivery, delivery_id, with_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from forecast.feeds.download import Downloaded
    from forecast.feeds.feed_file import FeedFile
    from forecast.feeds.store import Taken
    from forecast.feeds.weeks import WeekCount
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Entry


DOWNLOADS = "files"  # folder in that of a feed with what was downloaded
SHOWN_REFUSED = 10


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A feed of a dataset: its file as it was read, and the folder of its store."""

    name: str
    path: Path
    file: FeedFile

    @property
    def folder(self) -> Path:
        """Folder of what is kept of its deliveries."""
        return self.path.with_suffix("")

    @property
    def files(self) -> Path:
        """Folder in which its files lie; a relative one counts from the feed file."""
        if self.file.feed.folder is None:
            return self.folder / DOWNLOADS
        return self.path.parent / Path(self.file.feed.folder).expanduser()

    def store(self, aside: Path | None = None) -> Store:
        """Give what is kept of its deliveries."""
        return Store(self.folder, aside)


@dataclass(frozen=True, repr=False, kw_only=True)
class Pulled(Shown):
    """What a pull did: what was taken in, what refused, which weeks are counted, and what the ledger got.

    ``recorded`` counts rows of the ledger by kind: new and superseding ones. Nothing is recorded by a ``dry_run``.
    """

    feed: str
    intake: Intake
    downloaded: Downloaded | None
    weeks: Weeks
    suggestions: int
    stale: tuple[str, ...]
    no_folder: str
    dry_run: bool
    recorded: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    @property
    def latest(self) -> tuple[WeekCount, ...]:
        """The newest knowledge of each channel and week, by week."""
        rows = [rows[-1] for rows in self.weeks.counts.values()]
        return tuple(sorted(rows, key=lambda row: (row.monday, row.channel)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell: files, rows, weeks, and everything that was not taken."""
        new = self.intake.new
        sums = [sum(getattr(one, name) for one in new) for name in ("read", "kept", "faulty", "repeated")]
        files = (
            f"{prose.count(len(new), 'new file')}, {self.intake.known:,} known, {len(self.intake.refused):,} refused"
        )
        rows = "{:,} rows read, {:,} events kept, {:,} rows faulty and set aside, {:,} repeated".format(*sums)
        said = [f"{self.feed}: {files}; {rows}."]
        said += [f"Refused: {one.file}: {one.why}." for one in self.intake.refused[:SHOWN_REFUSED]]
        more = len(self.intake.refused) - SHOWN_REFUSED
        said += [f"{more:,} more files were refused (--json has all)."] * (more > 0)
        said += [f"{one.file}: {note}." for one in new for note in one.notes][:SHOWN_REFUSED]
        if self.no_folder:
            said.append(f"{self.no_folder}: is not there; lay the source's files there, or mend `feed.folder`.")
        said += self._of_download()
        if self.stale:
            said.append(
                f"{prose.count(len(self.stale), 'file')}, such as {self.stale[0]}, taken in for other actors than the"
                " feed file names now, and not in the folder any more: put them back; till then their days are lacking."
            )
        weeks = self.weeks
        lacking = f"{len(weeks.lacking):,} not counted for want of deliveries"
        said.append(f"{prose.count(len(weeks.complete), 'week')} complete, {lacking}.")
        if weeks.silent:
            said.append(
                f"{prose.count(len(weeks.silent), 'week')} without one event of anybody, such as that of"
                f" {weeks.silent[0]}: the source was dead and not the world quiet, so nothing is counted."
            )
        for kind, (added, superseded) in self.recorded.items():
            said.append(f"Recorded {prose.count(added, f'{kind} row')}, {superseded:,} in place of earlier ones.")
        said += ["Nothing was recorded (dry run)."] * self.dry_run
        if self.suggestions:
            wait = prose.count(self.suggestions, "suggestion")
            said.append(f"{wait} to decide: `forecast feed suggest {self.feed}`.")
        return tuple(said)

    def _of_download(self) -> list[str]:
        got = self.downloaded
        if got is None:
            return []
        said = [f"Downloaded {prose.count(len(got.files), 'file')}, {prose.megabytes(got.bytes)}."]
        if got.missing:
            said.append(f"{prose.count(len(got.missing), 'file')} not there, such as {got.missing[0]}.")
        return said + [f"Stopped: {got.stopped}."] * bool(got.stopped)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        new = self.intake.new
        return {
            "feed": self.feed,
            "dry_run": self.dry_run,
            "new": [
                {"file": one.file, "digest": one.digest, "first": str(one.first), "last": str(one.last),
                 "reported_on": str(one.reported_on), "read": one.read, "kept": one.kept, "faulty": one.faulty,
                 "repeated": one.repeated, "notes": list(one.notes)}
                for one in new
            ],
            "known": self.intake.known,
            "refused": [one._asdict() for one in self.intake.refused],
            "downloaded": self.downloaded and self.downloaded._asdict(),
            "weeks": {"complete": len(self.weeks.complete), "lacking": [str(day) for day in self.weeks.lacking],
                      "silent": [str(day) for day in self.weeks.silent]},
            "counts": [
                {"channel": row.channel, "week": str(row.monday), "count": row.count, "exposure": row.exposure,
                 "reported_on": str(row.reported_on)}
                for row in self.latest
            ],
            "suggestions": self.suggestions,
            "stale": list(self.stale),
            "no_folder": self.no_folder or None,
            "recorded": {kind: {"rows": rows, "superseding": old} for kind, (rows, old) in self.recorded.items()},
        }  # fmt: skip

    def _shown_table(self) -> ShownTable:
        rows = [[row.channel, str(row.monday), f"{row.count:,}", f"{row.exposure:,.0f}"] for row in self.latest]
        return ShownTable(["channel", "week from", "count", "of"], rows[-20:], max(0, len(rows) - 20))


def pull_feed(  # noqa: PLR0913 - the ledger's and the clock's part
    feed: Feed, log: Ledger, dataset: str, *, now: dt.datetime, today: dt.date, downloaded: Downloaded | None = None,
    dry_run: bool = False,
) -> Pulled:  # fmt: skip
    """Take in what lies in a feed's folder; ``dry_run`` reads and counts, and leaves store and ledger as they are.

    ``downloaded`` is what `download_feed` brought there before. `InputError` if the folder or the store cannot be used.
    """
    mark = watched(feed.file)
    with tempfile.TemporaryDirectory() as aside:
        store = feed.store(Path(aside) if dry_run else None)
        files = listed_files(feed.files) if feed.files.exists() else []
        intake = take_in(store, feed.file, files, now, today)
        taken = [one for one in store.taken if one.watched == mark]
        stale = [one.file for one in store.taken if one.watched != mark]
        events = store.events().filter(pl.col("delivery").is_in([one.digest for one in taken]))
        weeks = count_weeks(feed.file, taken, events, today)
        entries = log.entries(dataset)
        waiting = suggest_sightings(feed.name, feed.file, store, entries) if feed.file.sightings else ()
        recorded: dict[str, tuple[int, int]] = {}
        if not dry_run:
            store.finish()
            rows: dict[str, Iterable[Sequence[Entry]]] = {
                "delivery": [delivery_rows(feed, taken)],
                "count": count_rows(feed, taken, weeks, entries),
                "coverage": [coverage_rows(feed.name, feed.file, taken, weeks.complete, waiting)],
            }
            gone = {row.id for row in log.log(dataset, sys.maxsize) if row.action == "retract" and not row.superseded}
            recorded = {kind: _add(log, dataset, rounds, gone, now) for kind, rounds in rows.items()}
    return Pulled(
        feed=feed.name, intake=intake, downloaded=downloaded, weeks=weeks, suggestions=len(waiting), stale=tuple(stale),
        no_folder="" if feed.files.exists() or feed.file.feed.url else str(feed.files), dry_run=dry_run,
        recorded={kind: counts for kind, counts in recorded.items() if any(counts)},
    )  # fmt: skip


def download_feed(feed: Feed, now: dt.datetime) -> Downloaded:
    """Get a feed's files into its folder, beside the store; what was taken in before is not asked for."""
    from forecast.feeds.download import download  # noqa: PLC0415 - an HTTP client, which few feeds need

    return download(feed.file, feed.files, {one.file for one in feed.store().taken}, now)


def _add(
    log: Ledger, dataset: str, rounds: Iterable[Sequence[Entry]], gone: Collection[str], now: dt.datetime
) -> tuple[int, int]:
    """Record rows round by round, for rows of a later one may take the place of earlier ones; count them.

    What somebody has retracted, ``gone``, stays so.
    """
    new = superseded = 0
    for rows in rounds:
        if wanted := [row for row in map(with_id, rows) if row.id not in gone]:
            done = log.add(dataset, wanted, now=now)
            new += len(done.new) + len(done.superseded)
            superseded += len(done.superseded)
    return new, superseded


def delivery_rows(feed: Feed, taken: Sequence[Taken]) -> list[Entry]:
    """Give a row for each delivery; for each whole day where a file comes every quarter of an hour."""
    if feed.file.every != "15 minutes":
        return [
            Delivery(
                feed=feed.name, file=one.file, digest=one.digest, from_=one.first, to=one.last, read=one.read,
                kept=one.kept, faulty=one.faulty, repeated=one.repeated, reported_on=one.reported_on,
                note="; ".join(one.notes),
            )
            for one in taken
        ]  # fmt: skip
    days: defaultdict[dt.date, list[Taken]] = defaultdict(list)
    for one in taken:
        days[one.first].append(one)
    return [_day_row(feed, day, days[day]) for day in sorted(days_told(feed.file, taken))]


def _day_row(feed: Feed, day: dt.date, taken: Sequence[Taken]) -> Delivery:
    digests = "".join(sorted(one.digest for one in taken))
    return Delivery(
        id=_day_id(feed, day), feed=feed.name, file=f"{prose.count(len(taken), 'file')} of {day}",
        digest=hashlib.sha256(digests.encode()).hexdigest(), from_=day, to=day, reported_on=day,
        read=sum(one.read for one in taken), kept=sum(one.kept for one in taken),
        faulty=sum(one.faulty for one in taken), repeated=sum(one.repeated for one in taken),
    )  # fmt: skip


def _day_id(feed: Feed, day: dt.date) -> str:
    return f"{feed.name}-{day}"


def count_rows(feed: Feed, taken: Sequence[Taken], weeks: Weeks, entries: Iterable[Entry]) -> list[list[Entry]]:
    """Give the rows of counts that the ledger lacks, in rounds: what was known first, then each revision.

    Where the ledger has the state of knowledge before a revision, the revision alone is given; where it has something
    else, such as a count by other codes, all states are.
    """
    recorded = {row.id: row for row in entries if isinstance(row, Count)}
    rounds: defaultdict[int, list[Entry]] = defaultdict(list)
    for states in weeks.counts.values():
        rows = [_row(feed, taken, state) for state in states]
        before = recorded.get(rows[0].id)
        known = next((k for k, row in enumerate(rows) if row == before), -1)
        for k, row in enumerate(rows[known + 1 :]):
            rounds[k].append(row)
    return [rounds[k] for k in sorted(rounds)]


def _row(feed: Feed, taken: Sequence[Taken], state: WeekCount) -> Count:
    return with_id(
        Count(
            channel=state.channel, from_=state.monday, to=state.monday + dt.timedelta(days=6), count=state.count,
            exposure=state.exposure, reported_on=state.reported_on, source=feed.file.feed.title,
            delivery=_rests_on(feed, taken, state),
        )
    )  # fmt: skip


def _rests_on(feed: Feed, taken: Sequence[Taken], state: WeekCount) -> str:
    """Id of the last delivery that a count rests on."""
    if feed.file.every == "15 minutes":
        return _day_id(feed, state.reported_on)
    last = next(one for one in reversed(taken) if one.reported_on <= state.reported_on)
    return delivery_id(feed.name, last.digest)
