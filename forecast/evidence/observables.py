"""Observables as cells: which states are on record in each step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import OBSERVABLE
from forecast.ledger.admiralty import CREDIBLE, credibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.evidence.grid import Grid
    from forecast.ledger.rows import Observation
    from forecast.theory.statespace import StateSpace


@dataclass(frozen=True)
class Cell:
    """One cell of evidence, as a row of `forecast.engine.arrays.Cells`, with the ledger rows that it comes from."""

    step: int
    kind: int
    stage: int
    indicator: int
    group: tuple[int, ...]
    value: tuple[float, float, float]
    observed: float
    rows: tuple[str, ...]


def record_cells(
    space: StateSpace, rows: Iterable[Observation], grid: Grid, supposed: set[str]
) -> tuple[list[Cell], set[str]]:
    """One cell for each known step of each stage with observables; and the ids of the rows that were records.

    A row whose grade stands for less than `CREDIBLE` is no record, whatever it names.
    """
    in_force = {stage: np.zeros(grid.days.size) for stage in range(len(space.stages)) if space.observable(stage).any()}
    known = dict.fromkeys(in_force, grid.known)
    changes: dict[tuple[int, int], list[str]] = defaultdict(list)
    records: set[str] = set()
    for row in sorted(rows, key=lambda row: (row.date, row.reported_on)):
        if row.state is None or credibility(row.grade) < CREDIBLE:
            continue
        stage, state = space.state(row.state)
        if stage not in in_force:
            continue
        day = (row.date - space.spec.model.start).days
        step = grid.step(day)
        inside = bool(space.observable(stage)[state])
        if inside or in_force[stage][step] > 0:
            in_force[stage][grid.ends > day] = inside
            changes[stage, step].append(row.id)
            records.add(row.id)
            if row.id in supposed:
                known[stage] = max(known[stage], step + 1)
    cells = [
        Cell(step, OBSERVABLE, stage, -1, (), (0.0, 0.0, 0.0), float(inside), tuple(changes[stage, step]))
        for stage, series in in_force.items()
        for step, inside in enumerate(series[: known[stage]])
    ]
    return cells, records
