"""Notices of an outcome that moved and of an alarm that rings, for the caller of a scheduled run."""

from __future__ import annotations

import datetime as dt
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast import record
from forecast.base.errors import InputError, nearest
from forecast.base.files import replace_file
from forecast.base.prose import chance, gap

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.issued import Issue


MOVED = 10  # exit code of a run after which an outcome has moved
RINGS = 11  # exit code of a run whose forecast is under alarm, if that was asked; it goes before the other
ALARM = "alarm"  # what asks for it


# What has moved.


class Notice(NamedTuple):
    """Somebody wants to know when ``outcome`` has moved by ``points`` percentage points or more."""

    outcome: str
    points: float


def read_notices(texts: Iterable[str], outcomes: Iterable[str]) -> tuple[Notice, ...]:
    """Read ``OUTCOME:POINTS``; `ALARM` by itself is no such notice and passed over.

    Raises
    ------
    InputError
        If the outcome is none of ``outcomes``, or the number is none or not above 0 and at most 100.

    """
    known = tuple(outcomes)
    found: list[Notice] = []
    for text in texts:
        if text == ALARM:
            continue
        outcome, _, number = text.rpartition(":")
        points = math.nan
        with suppress(ValueError):
            points = float(number)
        if not outcome or not 0 < points <= 100:  # noqa: PLR2004 - percent
            msg = (
                f"--notify-if {text!r}: give an outcome and percentage points above 0, such as {known[0]}:10, or alarm"
            )
            raise InputError(msg)
        if outcome not in known:
            msg = f"--notify-if {text!r}: there is no outcome {outcome!r}; {nearest(outcome, known)}"
            raise InputError(msg)
        found.append(Notice(outcome, points))
    return tuple(found)


def find_alarm(report: Mapping[str, Any]) -> str | None:
    """Say in one line that the alarm of a report rings; None if it does not."""
    alarm = report.get("alarm")
    return f"{alarm['as_of']} {' '.join(alarm['sentences'])}" if alarm and alarm["rings"] else None


class _Move(NamedTuple):
    """A probability of one date and its error, as it was said before and is said now."""

    date: dt.date
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def points(self) -> float:
        return abs(100 * (self.after[0] - self.before[0]))


def find_moves(notices: Iterable[Notice], issued: Issue, archive: Sequence[Issue]) -> str | None:
    """Say in one line which outcomes moved since the issue before by what the notices ask for; None if none did.

    The issue before is the latest of those in ``archive`` that were made before ``issued``, of the same date or an
    earlier one. For each outcome the date counts that moved most.
    """
    earlier = [row for row in archive if row.seq < issued.seq and row.as_of <= issued.as_of]
    if not earlier:
        return None
    before = max(earlier, key=lambda row: (row.as_of, row.seq))
    then, now = (row.published.report for row in (before, issued))
    said: dict[str, str] = {}
    for outcome, points in notices:
        move = max(_moves(then, now, outcome), key=lambda one: one.points, default=None)
        if move is not None and move.points >= points - 1e-9:
            verb = "rose" if move.after > move.before else "fell"
            shown = round(abs(gap(move.before, move.after)))
            amount = f"{shown}" if shown else f"{move.points:.1g}"
            said[outcome] = (
                f"{outcome} on {move.date.day} {move.date:%b %Y} {verb} by {amount} points to {chance(*move.after)} "
                f"(was {chance(*move.before)} on {before.as_of})"
            )
    return f"{issued.as_of} {'; '.join(said.values())}" if said else None


def leave_word(path: Path, word: str | None) -> None:
    """Write a word to a file, whole, or delete the file without one; `InputError` if that cannot be done."""
    if word:
        replace_file(path, f"{word}\n".encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be deleted ({error.strerror}); check the folder's permissions"
        raise InputError(msg) from error


def _moves(then: Mapping[str, Any], now: Mapping[str, Any], outcome: str) -> Generator[_Move]:
    """Compare two reports at each horizon of the later one that the earlier one covers."""
    for row in now["forecast"]["quantities"]:
        if (row["outcome"], row["kind"]) == (outcome, "at"):
            date = dt.date.fromisoformat(row["date"])
            was = record.issued_of(then, outcome, date)
            if was is not None:
                now_is = row["estimate"]
                yield _Move(date, (was.mean, was.mcse), (now_is["mean"], now_is["mcse"]))
