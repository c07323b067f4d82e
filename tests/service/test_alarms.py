"""Only the newest of what waits is worked out: nothing piles up behind rows that come fast."""

from __future__ import annotations

import gc
import time
import weakref
from concurrent.futures import CancelledError, Future

import pytest

from forecast.service import alarms
from forecast.service.alarms import Newest

WAIT = 30  # seconds, on a machine that others use


class Held:
    """What a piece of work holds on to, such as a forecast with its draws."""


def test_what_is_overtaken_is_dropped_at_once() -> None:
    """Of a hundred that come at once the last is worked out; the others are told so and hold nothing any more."""
    newest: Newest[int] = Newest()
    seen: list[weakref.ref[Held]] = []
    made: list[int] = []

    def work(number: int) -> Future[int]:
        held = Held()
        seen.append(weakref.ref(held))
        return newest.later("tiny", lambda: made.append(number) or (id(held) and number))

    found = [work(number) for number in range(100)]
    gc.collect()
    assert sum(one() is not None for one in seen) <= 1
    assert found[-1].result(WAIT) == 99
    assert made == [99]
    for one in found[:-1]:
        with pytest.raises(CancelledError):
            one.result(0)


def test_each_kind_waits_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another kind does holds none up; an error is for whoever asks; and more may come after all is done."""
    monkeypatch.setattr(alarms, "CALM", 0.05)
    newest: Newest[str] = Newest()
    wrong = newest.later("a", lambda: 1 // 0)
    good = newest.later("b", lambda: "b")
    with pytest.raises(ZeroDivisionError):
        wrong.result(WAIT)
    assert good.result(WAIT) == "b"
    assert newest.later("a", lambda: "again").result(WAIT) == "again"


def test_nothing_is_worked_out_while_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the pauses are short there is no answer; it comes when they end."""
    monkeypatch.setattr(alarms, "CALM", 1.0)
    newest: Newest[int] = Newest()
    found = []
    for number in range(20):
        found.append(newest.later("tiny", lambda number=number: number))
        time.sleep(0.01)
    assert found[-1].result(WAIT) == 19
    assert [one.exception(0) is None for one in found] == [False] * 19 + [True]
