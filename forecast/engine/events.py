"""What would be seen in simulated futures, and how much of it a rule counts on each day.

Kernels that follow one path after the other; days count from 0, the day behind the last known one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats, Ints, Masks

    type Counts = NDArray[np.int32]


class Watched(NamedTuple):
    """The n indicators whose events are simulated, as the kernel reads them."""

    stage: Ints  # (n,)
    column: Ints  # (n,) of the first state of its stage among the rates
    once: Masks  # (n,) whether it happens once
    reset_by: Ints  # (n,) which of them opens it again; −1 for none
    closed: Masks  # (n,) whether it has happened before the first day


class Events(NamedTuple):
    """What is seen, in the order of draws and of time."""

    draw: Ints  # whose path it is seen on
    day: Ints
    indicator: Ints  # a position among those watched


@kernel
def simulate_events(
    rng: np.random.Generator, watched: Watched, log_lambda: Floats, most: float, path: Ints, days: int
) -> Events:
    """Simulate what is seen by one who always looks on each ``path`` (S, T, L) of steps of so many ``days``.

    Rates ``log_lambda`` (S, columns) are per day, and each is at most ``most``. What happens once does not happen again
    before what resets it was seen.
    """
    size, n = path.shape[0], watched.stage.size
    draw, day, indicator = np.empty(64 * size, np.int64), np.empty(64 * size, np.int64), np.empty(64 * size, np.int64)
    found = 0
    edges, closed = np.zeros(n + 1), np.empty(n, np.bool_)
    opens = np.argsort(watched.reset_by)  # what each resets lies from its entry of ``first`` up to that of the next
    first = np.searchsorted(watched.reset_by[opens], np.arange(n + 1))
    for s in range(size):
        closed[:] = watched.closed
        for t in range(path.shape[1]):
            changed = t == 0
            for level in range(path.shape[2]):
                changed |= not changed and path[s, t, level] != path[s, t - 1, level]
            if changed:
                for k in range(n):
                    rate = np.exp(log_lambda[s, watched.column[k] + path[s, t, watched.stage[k]]])
                    edges[k + 1] = edges[k] + min(rate, most)
            when = rng.exponential() / edges[n]
            while when < days:
                k = _place(edges, rng.random() * edges[n])
                passed = int(when)
                when += rng.exponential() / edges[n]
                if watched.once[k]:
                    if closed[k]:
                        continue
                    closed[k] = True
                for other in opens[first[k] : first[k + 1]]:
                    closed[other] = False
                if found == draw.size:
                    draw, day, indicator = _twice(draw), _twice(day), _twice(indicator)
                draw[found], day[found], indicator[found] = s, t * days + passed, k
                found += 1
    return Events(draw[:found], day[:found], indicator[:found])


@kernel
def _place(edges: Floats, value: float) -> int:
    """Give the last of ascending ``edges`` that is not above ``value``, which lies from the first up to the last."""
    here, above = 0, edges.size - 1
    while above - here > 1:
        middle = (here + above) // 2
        if edges[middle] > value:
            above = middle
        else:
            here = middle
    return here


@kernel
def _twice(values: Ints) -> Ints:
    """Give the same values with room for as many again."""
    wider = np.empty(2 * values.size, np.int64)
    wider[: values.size] = values
    return wider


@kernel
def counted_by_day(events: Events, of: Masks, window: int, on_record: Masks, days: int) -> Counts:
    """(S, days) events of some indicators, ``of`` (n,), in the ``window`` of days that ends with each.

    ``on_record`` (S, days): on days of a stretch, what was seen before its beginning does not count. Days on which it
    is not so count for nothing.
    """
    size = on_record.shape[0]
    found = np.zeros((size, days), np.int32)
    total = np.zeros(days, np.int64)
    at = 0
    for s in range(size):
        total[:] = 0
        while at < events.draw.size and events.draw[at] == s:
            total[events.day[at]] += of[events.indicator[at]]
            at += 1
        for d in range(1, days):
            total[d] += total[d - 1]
        before = 0
        for d in range(days):
            if not on_record[s, d]:
                continue
            if d > 0 and not on_record[s, d - 1]:
                before = total[d - 1]
            first = total[d - window] if d >= window else 0
            found[s, d] = total[d] - max(before, first)
    return found
