"""Lock of a project: one run at a time."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from forecast.base.errors import BusyError, InputError
from forecast.base.files import lives

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from filelock import BaseFileLock


# One run at a time.


class RunLock:
    """The lock of a project: whoever holds it may write reports. The system drops it when its process ends."""

    def __init__(self, path: Path) -> None:
        """Point at the file that is locked."""
        self.path = path

    @cached_property
    def _lock(self) -> BaseFileLock:
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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout:
            msg = f"{self.path}: another run holds the lock{self._signed()}; try again when it is done"
            raise BusyError(msg) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"{self.path}: cannot be locked ({reason}); check the folder's permissions and space"
            raise InputError(msg) from error

    def _sign(self, holder: Mapping[str, object]) -> None:
        """Say who holds the lock; a full disk is no reason not to run."""
        with suppress(OSError):
            self.path.write_text(json.dumps(holder) if holder else "", encoding="utf-8")

    def holder(self) -> str:
        """Say who has signed for the lock, if that process is there; nothing otherwise. The lock is not touched."""
        try:
            pid = int(json.loads(self.path.read_text(encoding="utf-8"))["pid"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return self._signed() if lives(pid) else ""

    def _signed(self) -> str:
        try:
            holder = json.loads(self.path.read_text(encoding="utf-8"))
            return f" (process {holder['pid']}, since {holder['since']})"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""
