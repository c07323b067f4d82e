"""Assumptions that a sensitivity moves, one after the other, with what to call each move."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.engine.arrays import COUNTED
from forecast.inference.shifted_prior import grades_moved, moved
from forecast.theory.assumptions import CHANNELS, CONTRAST, DIAGNOSTICITY, assumptions
from forecast.theory.indicators import GRADES
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Moved, Parameters
    from forecast.ledger.rows import Entry

    type Move = Callable[[Posterior, Parameters], Moved]


def assumption_moves(found: Posterior, entries: Sequence[Entry]) -> Iterator[tuple[str, str, str, Move]]:
    """Move each assumption down and up by a prior standard deviation, the draws with it.

    Those about channels matter only where something was counted.
    """
    spec = found.space.spec
    counted = (found.evidence.cells.what[:, 1] == COUNTED).any()
    for key, (low, high) in assumptions(spec).items():
        if key.startswith(CHANNELS) and not counted:
            continue
        factor = math.exp(log_normal((low, high))[1])
        kind = _kind(key)
        for by in (1 / factor, factor):
            change = f"{_what(key)} {prose.multiple(by)} ({prose.number(low * by)} to {prose.number(high * by)})"
            yield kind, key, change, partial(_interval_moved, entries, {key: (low * by, high * by)})
    spread = 1 / math.sqrt(2 * spec.priors.grades.concentration + 1)  # of an increment 2 m Beta(c, c), over m
    before = 1.0
    for grade, median in zip(GRADES, spec.priors.grades.medians, strict=True):
        for step in (-spread, spread):
            new = median * (median / before) ** step
            change = f"{grade} indicators at {prose.multiple(new)} instead of {prose.multiple(median)}"
            yield "grade", f"priors.grades.{grade}", change, partial(_grade_moved, entries, grade, step)
        before = median


def _interval_moved(
    entries: Sequence[Entry], intervals: Mapping[str, tuple[float, float]], found: Posterior, parameters: Parameters
) -> Moved:
    return moved(found, parameters, entries, intervals)


def _grade_moved(
    entries: Sequence[Entry], grade: str, step: float, found: Posterior, parameters: Parameters
) -> Moved:  # fmt: skip
    return grades_moved(found, parameters, entries, grade, step)


def _kind(key: str) -> str:
    if key == DIAGNOSTICITY:
        return "grade"
    return "class" if key.startswith("priors.") else "effect" if ".effects." in key else "rate"


def _what(key: str) -> str:
    """Name an assumption in words."""
    parts = key.split(".")
    if key == DIAGNOSTICITY:
        return "the scale of all grades"
    if key.startswith(CHANNELS):
        name = prose.spoken(parts[2])
        return f"how far grades hold in {name} counts" if key.endswith(CONTRAST) else f"what {name} channels count"
    if parts[0] == "priors":
        return f"indicators of the {prose.spoken(parts[-1])} class"
    if parts[2] == "effects":
        return f"the effect {prose.spoken(parts[-1])}"
    from_, _, to = parts[-1].partition(">")
    return f"the rate of {parts[1]} from {prose.spoken(from_)} to {prose.spoken(to)}"
