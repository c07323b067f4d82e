"""Time limit of a run."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from forecast.base.errors import InputError, OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Generator


LONGEST = 7 * 24 * 3600
AGAIN_SECONDS = 5.0  # a limit that was lost in code that ignores exceptions strikes again


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
