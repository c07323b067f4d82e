"""Arrays that the kernels share: structure of a chain, cells of evidence, and what a step and a cell are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Masks = NDArray[np.bool_]


COVERED, SELECTIVE, ASSESSMENT, OBSERVABLE, COUNTED = 0, 1, 2, 3, 4
SERIES = 8.0  # from here on the terms of the series of log Γ and ψ are exact to 1e-13
HALF_LOG_2_PI = 0.9189385332046727


class Chain(NamedTuple):
    """Structure of a model (see `forecast.theory.statespace.StateSpace` for the axes)."""

    sizes: Ints  # (L,) phases of each stage: a state without phases is one
    phase_state: Ints  # (Σn,) which of its stage's states each phase belongs to; they do not fall along a stage
    rate_table: Ints  # (R, 4) stage, context, from, to
    pairs: Ints  # (L, K, K) position in the tables, put end to end, of the entry for z → z′
    emission_offset: Ints  # (I + C + 1,) first of each indicator and channel; a channel's last is its dispersion


class Cells(NamedTuple):
    """Evidence on the grid of T steps: N cells in the order of their steps.

    ``what`` holds for each cell: step, kind, stage, indicator (−1 if none; channels come after the indicators) and
    availability set (−1 if none). ``value`` holds: credibility w, exposure (covered cells: e·Δ in years; counts: the
    volume), odds p₀/(1 − p₀) of a false report (covered cells), unused otherwise. ``observed`` is what was reported:
    covered cells the credibility or 0 for *not seen*, selective cells the indicator told of, assessments the state,
    observables 1 in the set and 0 outside, counts how many.
    """

    years: Floats  # (T,) duration of each step
    what: Ints  # (N, 5)
    value: Floats  # (N, 3)
    observed: Floats  # (N,)
    available: Ints  # (G, I) 1 where an indicator could have been told of
    false: Floats  # (G, I) share of false reports that each indicator has among those of an availability set
    in_set: Ints  # (Σn,) 1 for phases of observable states


@kernel
def stay_and_move(q: float, years: float) -> tuple[float, float]:
    """P(stay) over ``years`` where all ways out add up to ``q`` a year; and P(leave) / q, which each way out takes."""
    if q > 0.0:
        leave = -np.expm1(-years * q)
        stay = 1.0 - leave if leave < 1 / 2 else np.exp(-years * q)  # exact to the last digit, and quicker
        return stay, leave / q
    return 1.0, 0.0


@kernel
def seen(w: float, odds: float, absent: float) -> float:
    """Likelihood of a covered cell that was seen with credibility ``w``, given the P(no event) of a state."""
    return w * (1.0 - absent) + (1.0 - w) * odds * absent


@kernel
def told(w: float, share: float, false: float) -> float:
    """Likelihood of a telling: the indicator's ``share`` of all events of its stage in a state, or a ``false`` one."""
    return w * share + (1.0 - w) * false


@kernel
def judged(w: float, states: Ints, named: int, phase: int) -> float:
    """Likelihood, in a phase of a stage, of an assessment with credibility ``w`` that names one of its states.

    ``states`` (n,) holds the state of each of the stage's phases; they count from 0, and the last has the highest.
    """
    return w if states[phase] == named else (1.0 - w) / states[-1]


@kernel
def log_gamma(x: float) -> float:
    """Log Γ(x) for x > 0, by Stirling's series: exact to 1e-12, and twice as fast as the library's."""
    below = 1.0
    while x < SERIES:
        below *= x
        x += 1.0
    square = 1.0 / (x * x)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / x
    return (x - 0.5) * np.log(x) - x + HALF_LOG_2_PI + series - (np.log(below) if below != 1.0 else 0.0)


@kernel
def digamma(x: float) -> float:
    """ψ(x), the derivative of log Γ, for x > 0: by recurrence up to where its asymptotic series is exact."""
    found = 0.0
    while x < SERIES:
        found -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    return found + np.log(x) - 0.5 / x - series


@kernel
def counted(count: float, ratio: float, dispersion: float) -> float:
    """Log-likelihood of a negative binomial ``count`` with mean ``ratio`` · ``dispersion`` φ.

    Left out is what all states have in common, Γ(count + φ) / (Γ(φ) count!).
    """
    told = count * np.log(ratio) if count > 0.0 else 0.0
    return told - (count + dispersion) * np.log1p(ratio)


@kernel
def table_offsets(sizes: Ints) -> Ints:
    """Where the table Pₗ (contexts, n, n) of each stage begins in one flat array; the last entry is its length."""
    offsets = np.zeros(sizes.size + 1, np.int64)
    contexts = 1
    for stage in range(sizes.size):
        n = sizes[stage]
        offsets[stage + 1] = offsets[stage] + contexts * n * n
        contexts *= n
    return offsets


@kernel
def stage_offsets(sizes: Ints) -> Ints:
    """Where each stage begins among the states of all stages put end to end; the last entry is their number."""
    offsets = np.zeros(sizes.size + 1, np.int64)
    for stage in range(sizes.size):
        offsets[stage + 1] = offsets[stage] + sizes[stage]
    return offsets


def cells_at(cells: Cells, places: list[int] | Ints | Masks | slice) -> Cells:
    """Give the same steps with some of their cells."""
    return cells._replace(what=cells.what[places], value=cells.value[places], observed=cells.observed[places])


def without_cells(cells: Cells) -> Cells:
    """Give the same steps, of none of which anything is known."""
    return cells_at(cells, slice(0))


def steps_between(cells: Cells, first: int, last: int) -> Cells:
    """Give the steps from ``first`` up to ``last`` with their cells, counted from there."""
    here = (cells.what[:, 0] >= first) & (cells.what[:, 0] < last)
    what = cells.what[here].copy()
    what[:, 0] -= first
    return cells._replace(
        years=cells.years[first:last], what=what, value=cells.value[here], observed=cells.observed[here]
    )


def used_sets(cells: Cells) -> Cells:
    """Give the same cells with those availability sets that they name, in the order of their first cells."""
    named = cells.what[:, 4]
    sets = np.array(list(dict.fromkeys(named[named >= 0].tolist())), dtype=np.int64)
    place = np.full(cells.available.shape[0] + 1, -1)
    place[sets] = np.arange(sets.size)
    what = cells.what.copy()
    what[:, 4] = place[named]
    return cells._replace(what=what, available=cells.available[sets], false=cells.false[sets])
