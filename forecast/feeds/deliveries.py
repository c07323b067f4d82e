"""Taking in deliveries: which files are new, which are refused, and what is kept of the others."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from forecast.base.errors import InputError
from forecast.feeds.events import DeliveryError, Fault
from forecast.feeds.kinds import UNNAMED, named_span, read_delivery
from forecast.feeds.selection import is_recent, is_watched, watched
from forecast.feeds.store import IDS, KEPT, Group, Taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from forecast.feeds.feed_file import FeedFile
    from forecast.feeds.store import Store


REPEAT_DAYS = 7  # before and after a delivery, in which a source that adds may have told of its events as well
SLOTS_A_DAY = 96  # quarters of an hour
IGNORED = (".part", ".draft", ".tmp", ".crdownload")


class Refused(NamedTuple):
    """A file that was not taken in, and why."""

    file: str
    why: str


class Intake(NamedTuple):
    """What became of the files of a folder: ``new`` deliveries, files that were ``refused`` and how many were known."""

    new: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    known: int


class _Read(NamedTuple):
    taken: Taken
    events: pl.DataFrame
    faults: tuple[Fault, ...]


def take_in(store: Store, feed: FeedFile, files: Iterable[Path], now: dt.datetime, today: dt.date) -> Intake:
    """Take new files into a store, each as a whole or not at all; ``today`` is the day until which files can tell."""
    mark = watched(feed)
    known = {(one.file, one.bytes, one.modified) for one in store.taken if one.watched == mark}
    fresh: list[Path] = []
    old = 0
    for path in files:
        status = path.stat()
        if (path.name, status.st_size, status.st_mtime_ns) in known:
            old += 1
        else:
            fresh.append(path)
    refused, new = list[Refused](), list[Taken]()
    digests = {one.digest: one for one in store.taken}
    for day, paths in sorted(_by_group(feed, fresh, refused).items()):
        taken, same = _take_group(store, feed, day, paths, digests, refused, now, today)
        new += taken
        old += same
    return Intake(tuple(new), tuple(sorted(refused)), old)


def listed_files(folder: Path) -> list[Path]:
    """List the files of a folder that may be deliveries; `InputError` if there is no such folder."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        msg = f"{folder}: cannot be listed ({error.strerror}); make the folder, or mend `feed.folder`"
        raise InputError(msg) from error
    return [path for path in found if path.is_file() and path.name[0] != "." and path.suffix not in IGNORED]


def _by_group(feed: FeedFile, files: Iterable[Path], refused: list[Refused]) -> dict[str, list[Path]]:
    """Share files among groups: those of one day together where a file comes every quarter of an hour."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in files:
        if feed.every != "15 minutes":
            found[path.name].append(path)
        elif span := named_span(path.name, feed):
            found[f"day-{span[0]}"].append(path)
        else:
            refused.append(Refused(path.name, UNNAMED))
    return found


def _take_group(  # noqa: PLR0913, PLR0917 - what a reading depends on
    store: Store, feed: FeedFile, day: str, files: Sequence[Path], digests: dict[str, Taken],
    refused: list[Refused], now: dt.datetime, today: dt.date,
) -> tuple[list[Taken], int]:  # fmt: skip
    """Take the files of one group; give those that are new, and how many were known."""
    mark = watched(feed)
    reads, same = list[_Read](), 0
    for path in files:
        try:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if before := digests.get(digest):
                _require_own(path, before, feed)
                if before.watched == mark:
                    same += 1
                    continue
            read = _read_file(path, content, digest, feed, now, today)
            if (before := digests.get(read.taken.digest)) and before.watched == mark:  # one that tells of nothing
                same += 1
                continue
        except DeliveryError as error:
            refused.append(Refused(path.name, str(error)))
        except OSError as error:
            refused.append(Refused(path.name, f"cannot be read ({error.strerror}); mend its permissions"))
        else:
            digests[read.taken.digest] = read.taken
            reads.append(read)
    if not reads:
        return [], same
    if feed.every == "15 minutes":
        return _write(store, feed, day, reads), same
    return [one for read in reads for one in _write(store, feed, f"file-{read.taken.digest[:12]}", [read])], same


def _require_own(path: Path, before: Taken, feed: FeedFile) -> None:
    """Refuse the content of another delivery under this name, unless the file was only renamed."""
    if before.file == path.name:
        return
    named = named_span(path.name, feed)
    if named in {None, (before.first, before.last)} and not (path.parent / before.file).exists():
        return
    msg = (
        f"has the very content of {before.file}, which tells of {before.first} to {before.last} and was taken in: it is"
        " that file under another name; delete one of them, or get it again"
    )
    raise DeliveryError(msg)


def _read_file(  # noqa: PLR0913, PLR0917 - what a reading depends on
    path: Path, content: bytes, digest: str, feed: FeedFile, now: dt.datetime, today: dt.date
) -> _Read:
    reading, (first, last), told = read_delivery(content, path.name, feed, today)
    if not reading.read:  # headers alone are the same on every day
        digest = hashlib.sha256(path.name.encode() + b"\0" + content).hexdigest()
    status = path.stat()
    events = reading.events.with_columns(pl.col("added").fill_null(pl.lit(told)), delivery=pl.lit(digest))
    taken = Taken(
        file=path.name, digest=digest, bytes=status.st_size, modified=status.st_mtime_ns, first=first, last=last,
        reported_on=told, read=reading.read, kept=0, faulty=len(reading.faults), repeated=reading.repeated,
        watched=watched(feed), taken_at=now.isoformat(timespec="seconds"), notes=reading.notes,
    )  # fmt: skip
    return _Read(taken, events.select(*KEPT), reading.faults)


def _write(store: Store, feed: FeedFile, name: str, reads: Sequence[_Read]) -> list[Taken]:
    """Put deliveries into a group, in place of those of the same name or content; give them as they were taken."""
    files, digests = {read.taken.file for read in reads}, [read.taken.digest for read in reads]
    if feed.kind.adds:
        _leave_older(store, name, files, digests)
    old = store.group(name)
    stay = [one for one in old.taken if one.file not in files and one.digest not in digests]
    staying = [one.digest for one in stay]
    ids = old.ids.filter(pl.col("delivery").is_in(staying))
    events = pl.concat([read.events for read in reads])
    if feed.kind.adds:
        elsewhere = store.ids(_near(store, name, reads))
        fresh = events.unique("id", keep="first", maintain_order=True)
        fresh = fresh.join(pl.concat([ids, elsewhere]).select("id"), on="id", how="anti")
    else:
        fresh = events
    recent = fresh.filter(is_recent(feed))
    kept = recent.filter(is_watched(feed))
    counts = [dict(frame.group_by("delivery").len().iter_rows()) for frame in (events, fresh, kept)]
    volumes: defaultdict[str, list[tuple[dt.date, dt.date, int]]] = defaultdict(list)
    dated = recent.filter(~pl.col("vague")).group_by("delivery", "day", "added").len().sort("delivery", "day", "added")
    for digest, day, added, size in dated.iter_rows():
        volumes[digest].append((day, added, size))
    new = [_counted(read.taken, [count.get(read.taken.digest, 0) for count in counts], volumes) for read in reads]
    faults = [(file, fault) for file, fault in old.faults if file not in files]
    faults += [(read.taken.file, fault) for read in reads for fault in read.faults]
    before = old.events.filter(pl.col("delivery").is_in(staying))
    store.write(
        name,
        Group(
            tuple(sorted((*stay, *new), key=lambda one: one.file)),
            pl.concat([before, kept]),
            pl.concat([ids, fresh.select(*IDS)]) if feed.kind.adds else ids,
            tuple(faults),
        ),
    )
    return new


def _counted(taken: Taken, counts: Sequence[int], volumes: dict[str, list[tuple[dt.date, dt.date, int]]]) -> Taken:
    """Say of a delivery what was found when it was held against the others."""
    once, fresh, kept = counts
    return replace(
        taken, kept=kept, repeated=taken.repeated + once - fresh, volume=tuple(volumes.get(taken.digest, ()))
    )


def _leave_older(store: Store, name: str, files: set[str], digests: Sequence[str]) -> None:
    """Drop from other groups what comes anew: a file of the same name with other content."""
    for other, taken in list(store.groups.items()):
        if other != name and all(one.file in files or one.digest in digests for one in taken):
            store.drop(other)


def _near(store: Store, name: str, reads: Sequence[_Read]) -> list[str]:
    """Name the other groups that may hold the same events."""
    reach = dt.timedelta(days=REPEAT_DAYS)
    first = min(read.taken.first for read in reads) - reach
    last = max(read.taken.last for read in reads) + reach
    return [
        other
        for other, taken in store.groups.items()
        if other != name and any(one.first <= last and one.last >= first for one in taken)
    ]
