"""The weekly grid: steps of a model's time, the days that they hold, and how they are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.base.errors import InputError
from forecast.theory.faults import cells_fault

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from forecast.theory.statespace import StateSpace


def step_days(space: StateSpace, as_of: dt.date) -> NDArray[np.int64]:
    """(T,) days in each step from the model's start to ``as_of``, both included; the last may be shorter.

    Raises
    ------
    InputError
        If ``as_of`` lies before the model's start, or so long after it that the steps are too many.

    """
    header = space.spec.model
    days = (as_of - header.start).days + 1
    if days < 1:
        msg = f"as of {as_of}: model {space.spec.name!r} starts on {header.start}; give a date from then on"
        raise InputError(msg)
    _require_few(space, days, as_of)
    full, rest = divmod(days, header.step_days)
    return np.array([header.step_days] * full + [rest] * (rest > 0), dtype=np.int64)


def _require_few(space: StateSpace, days: int, until: dt.date) -> None:
    """Make sure that the steps of so many days since the model's start can be held in memory."""
    header = space.spec.model
    if fault := cells_fault(space.spec, -(-days // header.step_days), f"from {header.start} to {until}"):
        msg = f"model {space.spec.name!r}: {fault}"
        raise InputError(msg)


class Grid:
    """Steps: whole ones, a last one that ends on ``as_of``, and those behind it up to ``until``."""

    def __init__(self, space: StateSpace, as_of: dt.date, until: dt.date) -> None:
        """Cut the days from the model's start to ``until``."""
        _require_few(space, (until - space.spec.model.start).days + 1, until)
        days = step_days(space, as_of)
        self.known = days.size  # steps up to as_of
        left = (until - as_of).days
        rest = min(-int(days.sum()) % space.spec.model.step_days, left)
        full, tail = divmod(left - rest, space.spec.model.step_days)
        more = [rest] * (rest > 0) + [space.spec.model.step_days] * full + [tail] * (tail > 0)
        self.days = np.concatenate([days, np.array(more, dtype=np.int64)])
        self.ends = np.cumsum(self.days)

    @property
    def elapsed(self) -> int:
        """Days in all."""
        return int(self.ends[-1])

    def step(self, day: int) -> int:
        """Step of a day counted from the model's start."""
        return int(np.searchsorted(self.ends, day, side="right"))
