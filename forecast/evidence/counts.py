"""Counts of channels as cells: one for each channel and step that has been counted."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from forecast.engine.arrays import COUNTED
from forecast.evidence.observables import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.evidence.grid import Grid
    from forecast.ledger.rows import Count
    from forecast.theory.statespace import StateSpace


def count_cells(space: StateSpace, counts: Iterable[Count], grid: Grid) -> tuple[list[Cell], list[tuple[str, str]]]:
    """Give the cells of counts, and the ids of those left out with the reason.

    A count belongs to the step that holds the middle of its days. Counts of one channel and step are added up, and so
    are their volumes. A step of which there is none has no cell: nobody counted, which is not zero.
    """
    found: dict[tuple[int, int], list[Count]] = defaultdict(list)
    left_out: list[tuple[str, str]] = []
    for row in counts:
        middle = middle_day(space, row)
        if row.channel not in space.channels:
            left_out.append((row.id, f"the model has no channel {row.channel!r}"))
        elif middle < 0:
            left_out.append((row.id, f"before the model's start on {space.spec.model.start}"))
        elif middle >= grid.elapsed:
            left_out.append((row.id, "most of its days are still to come"))
        else:
            found[space.channels.index(row.channel), grid.step(middle)].append(row)
    cells = [
        Cell(
            step=step,
            kind=COUNTED,
            stage=int(space.channel_stage[channel]),
            indicator=len(space.indicators) + channel,
            group=(),
            value=(0.0, float(sum(row.exposure for row in rows)), 0.0),
            observed=float(sum(row.count for row in rows)),
            rows=tuple(sorted(row.id for row in rows)),
        )
        for (channel, step), rows in found.items()
    ]
    return cells, left_out


def middle_day(space: StateSpace, row: Count) -> int:
    """Give the middle of the days of a count, counted from the model's start."""
    start = space.spec.model.start
    return ((row.from_ - start).days + (row.to - start).days) // 2
