"""Proposals: sightings that programs propose, which wait as suggestions of a feed of their own until one decides.

They are no evidence. One event is one proposal, whatever its link is spelled like; what is recorded or was rejected
is not proposed again; and only so many wait at a time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from filelock import FileLock, Timeout

from forecast import ledger
from forecast.base.errors import BusyError, InputError, LedgerError
from forecast.base.files import make_folder, replace_file
from forecast.base.sanitise import is_web, one_line
from forecast.feeds.events import LONGEST_TEXT
from forecast.feeds.suggestions import NEAR, Suggestion, rejection, row_id

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from forecast.ledger.check import Vocabulary
    from forecast.ledger.rows import Entry


PROPOSALS = "proposals"  # what the feed is called, and the folder of what waits
FILE = "waiting.json"
MOST_WAITING = 200
LONGEST = {"indicator": 100, "date": 10, "reported_on": 10, "source": 120, "url": 500, "text": LONGEST_TEXT}
NEEDED = ("indicator", "date", "source", "url", "text")
ANY_GRADE = "C3"  # for the check of a row; the analyst gives the real one
PATIENCE = 10  # seconds to wait for another program that proposes
CAMPAIGN = "utm_"  # parameters of an address that lead nowhere else begin so


def read_proposal(cells: Mapping[str, str], coded_by: str, vocabulary: Vocabulary, today: dt.date) -> Suggestion:
    """Make a suggestion of the texts of a proposal: indicator, date, source, url, text and perhaps reported_on.

    Without ``reported_on`` it counts as known from today. ``coded_by`` names the program.

    Raises
    ------
    InputError
        If something is missing or too long, the link is none, or no row could say it.

    """
    told = {name: one_line(text) for name, text in cells.items()}
    if lacking := [name for name in NEEDED if not told.get(name)]:
        msg = f"this proposal lacks {', '.join(lacking)}; give {', '.join(NEEDED)}"
        raise InputError(msg)
    for name, most in LONGEST.items():
        if (size := len(told.get(name, ""))) > most:
            msg = f"this proposal: {name} has {size:,} characters; give at most {most}"
            raise InputError(msg)
    if not is_web(told["url"]):
        msg = "this proposal: url is no address of a page; give the http or https address at which it can be read"
        raise InputError(msg)
    row = _row(told | {"reported_on": told.get("reported_on") or today.isoformat()}, vocabulary)
    if row.indicator is None or row.indicator not in vocabulary.indicators:
        msg = f"this proposal: {told['indicator']!r} is no indicator; `forecast indicators WORDS` finds them"
        raise InputError(msg)
    return Suggestion(
        feed=PROPOSALS, event=_event(row.indicator, row.date, told["url"]), indicator=row.indicator, day=row.date,
        reported_on=row.reported_on, source=told["source"], target="", code="", size=1, link=told["url"],
        text=told["text"], stories=(), coded_by=one_line(coded_by)[: LONGEST["source"]],
    )  # fmt: skip


def _row(told: Mapping[str, str], vocabulary: Vocabulary) -> ledger.Observation:
    """Read the row that a proposal would become, so that what cannot be one is refused at once."""
    names = ("indicator", "date", "reported_on", "source", "url")
    cells = {name: told[name] for name in names} | {"grade": ANY_GRADE, "note": told["text"]}
    file = "this proposal"
    row = ledger.Row(file=file, line=0, kind="observation", cells=cells)
    try:
        (entry,) = ledger.check_entries([row], vocabulary)
    except LedgerError as error:  # there is one row, so its faults need not say where
        raise LedgerError(file, [fault.removeprefix(f"{file}: ") for fault in error.faults]) from None
    assert isinstance(entry, ledger.Observation)  # noqa: S101 - it was asked for
    return entry


def _event(indicator: str, day: dt.date, url: str) -> str:
    """Name an event by what it is of, its day and its page."""
    content = "\n".join((indicator, day.isoformat(), _address(url)))
    return f"p-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _address(url: str) -> str:
    """Spell an address in one way: without the mark of a campaign, a fragment, www or a last slash; http as https."""
    parts = urlsplit(url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].startswith(CAMPAIGN)]
    host = parts.netloc.lower().removeprefix("www.")
    return urlunsplit(("https", host, parts.path.rstrip("/"), urlencode(kept), ""))


def open_proposals(folder: Path, entries: Iterable[Entry]) -> tuple[Suggestion, ...]:
    """List what waits in ``folder``, with the stories that rows of about its day tell of, newest first."""
    rows = [row for row in entries if isinstance(row, ledger.Observation)]
    found = [
        dataclasses.replace(one, stories=_stories(one, rows))
        for one in _read(folder)
        if not _recorded(one, rows) and rejection(folder, one.event, one.indicator) is None
    ]
    return tuple(sorted(found, key=lambda one: (one.day, one.event), reverse=True))


def _stories(one: Suggestion, rows: Iterable[ledger.Observation]) -> tuple[str, ...]:
    near = [row for row in rows if row.indicator == one.indicator and abs(row.date - one.day) <= NEAR]
    return tuple(dict.fromkeys(row.story_key for row in near))


def _recorded(one: Suggestion, rows: Iterable[ledger.Observation]) -> str:
    """Give the id of the row that says the same, or nothing."""
    name = row_id(one.feed, one.event, one.indicator)
    return next(
        (
            row.id for row in rows
            if row.id == name
            or (row.indicator == one.indicator and row.url and _event(one.indicator, row.date, row.url) == one.event)
        ),
        "",
    )  # fmt: skip


def keep_proposal(folder: Path, one: Suggestion, entries: Iterable[Entry]) -> tuple[Suggestion, bool]:
    """Let a proposal wait in ``folder``; give the one that waits, and whether it is new.

    Raises
    ------
    InputError
        If a row says it already, it was rejected, or too many wait.
    BusyError
        If others propose for too long.

    """
    rows = [row for row in entries if isinstance(row, ledger.Observation)]
    if known := _recorded(one, rows):
        msg = f"this proposal: row {known!r} says so already; there is nothing to propose"
        raise InputError(msg)
    with _alone(folder):
        if (reason := rejection(folder, one.event, one.indicator)) is not None:
            msg = f"this proposal: an analyst rejected it ({one_line(reason)}); propose it again only with another page"
            raise InputError(msg)
        waiting = open_proposals(folder, rows)
        same = next((other for other in waiting if other.event == one.event), None)
        if same is not None:
            return same, False
        if len(waiting) >= MOST_WAITING:
            msg = (
                f"{len(waiting):,} proposals wait for an analyst, and no more are kept; somebody has to decide some"
                f" (`forecast feed suggest {PROPOSALS}`) before there can be others"
            )
            raise InputError(msg)
        _write(folder, [one, *waiting])
        return dataclasses.replace(one, stories=_stories(one, rows)), True


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Keep other programs from writing meanwhile."""
    make_folder(folder)
    try:
        with FileLock(folder / "waiting.lock", timeout=PATIENCE):
            yield
    except Timeout as error:
        msg = "other programs propose sightings at this moment; try again"
        raise BusyError(msg) from error


def _write(folder: Path, waiting: Iterable[Suggestion]) -> None:
    rows = [one.to_dict() | {"stories": []} for one in waiting]
    replace_file(folder / FILE, json.dumps(rows, ensure_ascii=True, indent=1).encode())


def _read(folder: Path) -> list[Suggestion]:
    path = folder / FILE
    if not path.exists():
        return []
    try:
        return [_suggestion(row) for row in json.loads(path.read_bytes())]
    except (OSError, ValueError, LookupError, TypeError) as error:
        msg = f"{path}: cannot be read ({error}); mend or delete it: what waits there was proposed and not decided"
        raise InputError(msg) from error


def _suggestion(row: dict[str, str]) -> Suggestion:
    days = {name: dt.date.fromisoformat(row[name]) for name in ("day", "reported_on")}
    return Suggestion(**(row | days | {"stories": ()}))  # pyright: ignore[reportArgumentType]
