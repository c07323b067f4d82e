"""What an unattended run needs: a lock, a limit of time, a log of its own, and a word when something has moved."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import os
import signal
from contextlib import contextmanager, suppress
from functools import cached_property
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.errors import BusyError, InputError, OutOfTimeError, nearest
from forecast.publish import replace_file

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from filelock import BaseFileLock

    from forecast.ledger import Issued

__all__ = [
    "MOVED",
    "Notice",
    "RunLock",
    "RunLog",
    "TimeLimit",
    "check_timeout",
    "find_moves",
    "leave_word",
    "read_notices",
    "time_limit",
]

MOVED = 10  # exit code of a run after which an outcome has moved
LOG_BYTES = 1_000_000  # at most, of each of the files of a log
LOG_FILES = 4
LONGEST = 7 * 24 * 3600
AGAIN_SECONDS = 5.0  # a limit that was lost in code that ignores exceptions strikes again


# One run at a time.


class RunLock:
    """The lock of a project: whoever holds it may write reports. The system drops it when its process ends."""

    def __init__(self, path: Path) -> None:
        """Point at the file that is locked."""
        self.path = path

    @cached_property
    def _lock(self) -> BaseFileLock:
        from filelock import FileLock  # noqa: PLC0415 - quick --help

        # A soft lock, the file's being there, would outlive a killed process.
        return FileLock(self.path, fallback_to_soft=False)

    @contextmanager
    def held(self, now: dt.datetime) -> Generator[bool]:
        """Hold the lock, from ``now`` on; gives whether it was not held before. It can be held within itself.

        Raises
        ------
        BusyError
            At once, if another process (or thread) holds it.
        InputError
            If the file cannot be locked.

        """
        first = not self._lock.is_locked
        self._acquire()
        try:
            if first:
                self._sign({"pid": os.getpid(), "since": f"{now:%Y-%m-%d %H:%M:%S} UTC"})
            yield first
        finally:
            if first:
                self._sign({})
            self._lock.release()

    def _acquire(self) -> None:
        from filelock import Timeout  # noqa: PLC0415 - quick --help

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout:
            msg = f"{self.path}: another run holds the lock{self._holder()}; try again when it is done"
            raise BusyError(msg) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"{self.path}: cannot be locked ({reason}); check the folder's permissions and space"
            raise InputError(msg) from error

    def _sign(self, holder: Mapping[str, object]) -> None:
        """Say who holds the lock; a full disk is no reason not to run."""
        with suppress(OSError):
            self.path.write_text(json.dumps(holder) if holder else "", encoding="utf-8")

    def _holder(self) -> str:
        try:
            holder = json.loads(self.path.read_text(encoding="utf-8"))
            return f" (process {holder['pid']}, since {holder['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""


# A limit of time.


class _Alarm(BaseException):
    """Time is up; no `Exception`, so that nothing on the way takes it for one."""


class TimeLimit:
    """A limit of time that can be lifted: from then on what was begun is ended."""

    def __init__(self, seconds: float | None) -> None:
        """Set no clock yet; see `time_limit`."""
        self.seconds = seconds
        self._open = True

    def lift(self) -> None:
        """Let time no longer matter."""
        self._open = False
        if self.seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def strike(self, _signal: int, _frame: object) -> None:
        """Stop what is being done, unless the limit was lifted."""
        if self._open:
            raise _Alarm


def check_timeout(seconds: float | None) -> None:
    """Make sure that a limit can be kept; `InputError` otherwise."""
    if seconds is not None and not 0 < seconds <= LONGEST:
        msg = f"--timeout {seconds:g}: give seconds above 0, at most {LONGEST} (a week)"
        raise InputError(msg)
    if seconds is not None and not hasattr(signal, "setitimer"):
        msg = "--timeout needs a system with alarm signals; leave it out"
        raise InputError(msg)


@contextmanager
def time_limit(seconds: float | None) -> Generator[TimeLimit]:
    """Stop what is done in the block after so many seconds, never without a number. For the main thread only.

    Raises
    ------
    OutOfTimeError
        If time ran out before the limit was lifted.
    InputError
        If there can be no such limit.

    """
    check_timeout(seconds)
    limit = TimeLimit(seconds)
    if seconds is None:
        yield limit
        return
    before = signal.signal(signal.SIGALRM, limit.strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
        yield limit
    except _Alarm:
        msg = f"the run took longer than --timeout {seconds:g} s and was stopped; nothing was issued"
        raise OutOfTimeError(msg) from None
    finally:
        limit.lift()
        signal.signal(signal.SIGALRM, before)


# The log.


class _Handler(RotatingFileHandler):
    """Appends lines to a file that may hold half a line of a killed process; what goes wrong is nobody's business."""

    def _open(self) -> io.TextIOWrapper:
        stream = super()._open()
        if not _ends_a_line(Path(self.baseFilename)):
            stream.write("\n")
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Pass over what cannot be written."""


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


class RunLog:
    """A log of one JSON object a line: ``time``, ``event``, what is ``about`` every line, and what an event adds."""

    def __init__(self, path: Path, clock: Callable[[], dt.datetime], about: Mapping[str, Any]) -> None:
        """Point at a file; nothing is written yet."""
        self.path = path
        self.about = about  # it may change between lines
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Seconds since this log was opened."""
        return (self._clock() - self._began).total_seconds()

    def add(self, event: str, *, rotate: bool = False, **fields: object) -> None:
        """Append a line, after a full file was put aside if it may (one process at a time); never raises an error."""
        line = {"time": self._clock().isoformat(timespec="milliseconds"), "event": event, **self.about, **fields}
        with suppress(OSError, ValueError):
            handler = _Handler(
                self.path, maxBytes=LOG_BYTES if rotate else 0, backupCount=LOG_FILES - 1, encoding="utf-8", delay=True
            )
            try:
                handler.emit(logging.makeLogRecord({"msg": json.dumps(line)}))
            finally:
                handler.close()


# What has moved.


class Notice(NamedTuple):
    """Somebody wants to know when ``outcome`` has moved by ``points`` percentage points or more."""

    outcome: str
    points: float


def read_notices(texts: Iterable[str], outcomes: Iterable[str]) -> tuple[Notice, ...]:
    """Read ``OUTCOME:POINTS``.

    Raises
    ------
    InputError
        If the outcome is none of ``outcomes``, or the number is none or not above 0 and at most 100.

    """
    known = tuple(outcomes)
    found: list[Notice] = []
    for text in texts:
        outcome, _, number = text.rpartition(":")
        points = math.nan
        with suppress(ValueError):
            points = float(number)
        if not outcome or not 0 < points <= 100:  # noqa: PLR2004 - percent
            msg = f"--notify-if {text!r}: give an outcome and percentage points above 0, such as {known[0]}:10"
            raise InputError(msg)
        if outcome not in known:
            msg = f"--notify-if {text!r}: there is no outcome {outcome!r}; {nearest(outcome, known)}"
            raise InputError(msg)
        found.append(Notice(outcome, points))
    return tuple(found)


class _Move(NamedTuple):
    """A probability of one date, as it was said before and is said now."""

    date: dt.date
    before: float
    after: float

    @property
    def points(self) -> float:
        return abs(100 * (self.after - self.before))


def find_moves(notices: Iterable[Notice], issued: Issued, archive: Sequence[Issued]) -> str | None:
    """Say in one line which outcomes moved since the issue before by what the notices ask for; None if none did.

    The issue before is the latest of those in ``archive`` that were made before ``issued``, of the same date or an
    earlier one. For each outcome the date counts that moved most.
    """
    from forecast.result import percent  # noqa: PLC0415 - quick --help

    earlier = [row for row in archive if row.seq < issued.seq and row.as_of <= issued.as_of]
    if not earlier:
        return None
    before = max(earlier, key=lambda row: (row.as_of, row.seq))
    then, now = (json.loads(row.content) for row in (before, issued))
    said: dict[str, str] = {}
    for outcome, points in notices:
        move = max(_moves(then, now, outcome), key=lambda one: one.points, default=None)
        if move is not None and move.points >= points - 1e-9:
            verb = "rose" if move.after > move.before else "fell"
            amount = f"{move.points:.0f}" if move.points >= 10 else f"{move.points:.2g}"  # noqa: PLR2004
            said[outcome] = (
                f"{outcome} on {move.date.day} {move.date:%b %Y} {verb} by {amount} points to {percent(move.after)} "
                f"(was {percent(move.before)} on {before.as_of})"
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
    from forecast.issues import issued_of  # noqa: PLC0415 - imports NumPy

    for row in now["forecast"]["quantities"]:
        if (row["outcome"], row["kind"]) == (outcome, "at"):
            date = dt.date.fromisoformat(row["date"])
            was = issued_of(then, outcome, date)
            if was is not None:
                yield _Move(date, was.mean, row["estimate"]["mean"])
