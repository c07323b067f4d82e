"""Probabilities of the past, week by week, under today's parameters."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.engine.filtering import evaluate
from forecast.evidence.grid import step_days
from forecast.quantities.from_draws import summed_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.engine.arrays import Floats, Masks
    from forecast.engine.blocks import Blocks
    from forecast.evidence.compilation import Evidence
    from forecast.theory.statespace import StateSpace


# The past.


def week_path(space: StateSpace, evidence: Evidence, blocks: Blocks, weights: Floats) -> WeekPath:
    """Probabilities of every state and outcome at the end of each past step, with today's parameters."""
    sets = {
        **{name: _in_state(space, name) for name in space.stage_states},
        **{name: space.members(row.states) for name, row in space.spec.outcomes.items()},
    }
    masks = np.array(list(sets.values()), dtype=float).T
    series: list[dict[str, tuple[tuple[float, float, float], ...]]] = []
    for kind in ("filtered", "smoothed"):
        states = evaluate(blocks, evidence.cells, path=kind).path
        assert states is not None  # noqa: S101 - asked for
        part = np.ascontiguousarray((states @ masks).transpose(2, 1, 0))  # (sets, T, S)
        steps = part.shape[1]
        part = part.reshape(-1, blocks.size)
        triples = [(mean, low, high) for mean, low, high, _ in summed_up(part, np.ones_like(part), weights).tolist()]
        series.append({name: tuple(triples[k * steps : (k + 1) * steps]) for k, name in enumerate(sets)})
    days = np.cumsum(step_days(space, evidence.as_of)) - 1
    dates = tuple(space.spec.model.start + dt.timedelta(days=int(day)) for day in days)
    return WeekPath(dates, *series)


def _in_state(space: StateSpace, name: str) -> Masks:
    stage, _, state = name.partition(".")
    return space.members({stage: (state,)})


@dataclass(frozen=True)
class WeekPath:
    """Probabilities at the end of each past step: of each state (``stage.state``) and each outcome.

    ``filtered`` uses the evidence up to that step, ``smoothed`` all of it; both with today's parameters. Each series is
    a list of (mean, low, high).
    """

    dates: tuple[dt.date, ...]
    filtered: Mapping[str, tuple[tuple[float, float, float], ...]]
    smoothed: Mapping[str, tuple[tuple[float, float, float], ...]]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "dates": [date.isoformat() for date in self.dates],
            "filtered": {name: [list(part) for part in rows] for name, rows in self.filtered.items()},
            "smoothed": {name: [list(part) for part in rows] for name, rows in self.smoothed.items()},
        }
