"""Work on slices of a range: each is done once, whoever asks and from wherever, and errors reach the caller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from forecast.engine.blocks import FEWEST, in_threads, one_thread

MANY = 4 * FEWEST


def slices(count: int) -> list[tuple[int, int]]:
    """Give the slices in which a range is worked on."""
    found: list[tuple[int, int]] = []
    in_threads(count, lambda first, last: found.append((first, last)))
    return sorted(found)


@pytest.mark.parametrize("count", [0, 1, FEWEST, MANY, MANY + 1])
def test_every_place_is_worked_on_once(count: int) -> None:
    """Slices follow each other from the first place to the last."""
    assert [place for first, last in slices(count) for place in range(first, last)] == list(range(count))


def test_many_may_ask_at_once_and_within_each_other() -> None:
    """Where every thread waits for slices of its own, the callers do them."""
    found: list[list[tuple[int, int]]] = []

    def nested(first: int, last: int) -> None:
        del first, last
        found.append(slices(MANY))

    def ask() -> None:
        for _ in range(20):
            in_threads(MANY, nested)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask) for _ in range(8)]:
            done.result(60)
    assert len(found) >= 160
    assert all(one == found[0] for one in found)


def test_who_asks_to_work_alone_does_it_alone() -> None:
    """Inside, all is one slice of the caller's thread; other threads, and the caller afterwards, share as before."""
    shared = slices(MANY)
    with one_thread(), ThreadPoolExecutor(1) as other:
        with one_thread():
            assert slices(MANY) == [(0, MANY)]
        assert slices(MANY) == [(0, MANY)]
        assert other.submit(slices, MANY).result(60) == shared
    assert slices(MANY) == shared


def test_an_error_of_any_slice_reaches_the_caller() -> None:
    """It is raised when all slices that were begun have ended; later calls are as before."""
    for wrong in {first for first, _ in slices(MANY)}:
        ended: list[int] = []

        def work(first: int, last: int, wrong: int = wrong, ended: list[int] = ended) -> None:
            del last
            ended.append(first)
            if first == wrong:
                raise ValueError(first)

        with pytest.raises(ValueError, match=f"^{wrong}$"):
            in_threads(MANY, work)
        assert wrong in ended
    assert len(slices(MANY)) >= 1
    assert threading.active_count() < 50
