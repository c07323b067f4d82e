"""Work behind the requests, such as alarms, which take seconds: nobody would read that of an older forecast."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


CALM = 1.0  # seconds without a newer one after which something is worked out


class _Waiting[Found](NamedTuple):
    due: float
    work: Callable[[], Found]
    found: Future[Found]


class Newest[Found]:
    """Works things out one after the other, of each kind the newest, once none has come for `CALM` seconds.

    What a newer one overtakes is dropped at once, with all that it holds; whoever waits for it gets `CancelledError`.
    """

    def __init__(self) -> None:
        """Wait for the first."""
        self._waiting: OrderedDict[Hashable, _Waiting[Found]] = OrderedDict()  # what is due first comes first
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "newest")
        self._busy = False

    def later(self, kind: Hashable, work: Callable[[], Found]) -> Future[Found]:
        """Have something worked out after a while, in the place of what waits of its ``kind``."""
        found: Future[Found] = Future()
        with self._lock:
            overtaken = self._waiting.pop(kind, None)
            self._waiting[kind] = _Waiting(time.monotonic() + CALM, work, found)
            if not self._busy:
                self._busy = True
                self._pool.submit(self._work)
        if overtaken is not None:
            overtaken.found.set_exception(CancelledError())
        return found

    def _work(self) -> None:
        while (due := self._next()) is not None:
            try:
                due.found.set_result(due.work())
            except BaseException as error:  # noqa: BLE001 - it is for whoever asks
                due.found.set_exception(error)

    def _next(self) -> _Waiting[Found] | None:
        """Take what is due next, as soon as it is; None if nothing waits."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return None
                kind = next(iter(self._waiting))  # its name alone: who sleeps holds nothing that may be overtaken
                left = self._waiting[kind].due - time.monotonic()
                if left <= 0:
                    return self._waiting.pop(kind)
            time.sleep(left)
