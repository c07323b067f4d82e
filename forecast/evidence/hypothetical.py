"""Evidence that is imagined: everybody looks from tomorrow on and sees nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from forecast.engine.arrays import COVERED, steps_between
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.ledger.rows import Coverage, Observation, with_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.engine.arrays import Cells
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


def closed_one_offs(space: StateSpace, entries: Iterable[Entry], as_of: dt.date) -> set[str]:
    """One-offs that had happened by ``as_of``: one who looks on the day after does not expect to see them."""
    after = as_of + dt.timedelta(days=1)
    look = _looks(space, after, after, as_of)
    # what is known has happened, so a date that is exact to the month says nothing of the rest of that month
    known = [replace(row, precision="day") if isinstance(row, Observation) else row for row in entries]
    evidence = compile_evidence(space, known, as_of, look)
    what = evidence.cells.what
    looked = what[(what[:, 0] >= step_days(space, as_of).size) & (what[:, 1] == COVERED), 3]
    return set(space.indicators) - {space.indicators[k] for k in looked.tolist()}


def imagined_silence(space: StateSpace, entries: Sequence[Entry], as_of: dt.date, until: dt.date) -> Cells:
    """Cells of the steps from ``as_of`` to ``until`` in which everybody looks and nothing is seen."""
    first = as_of + dt.timedelta(days=1)
    look = _looks(space, first, until, as_of)
    # what is known has happened, so a date that is exact to the month says nothing of the rest of that month
    known = [replace(row, precision="day") if isinstance(row, Observation) else row for row in entries]
    evidence = compile_evidence(space, known, as_of, look)
    return steps_between(evidence.cells, step_days(space, as_of).size, evidence.steps)


def _looks(space: StateSpace, first: dt.date, last: dt.date, as_of: dt.date) -> list[Coverage]:
    """Look for every indicator by name, so for those too that the vocabulary has only later."""
    return [
        with_id(Coverage(indicator=name, from_=first, to=last, reported_on=as_of, source="imagined"))
        for name in space.indicators
    ]
