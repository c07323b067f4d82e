"""Which evidence contains which: the cells that one compiled evidence has and another lacks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import COVERED, OBSERVABLE, SELECTIVE, Cells, cells_at

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence


def news(before: Evidence | None, after: Evidence) -> Cells:
    """Give the cells of ``after`` that ``before`` has not: what one more week has brought."""
    return cells_at(after.cells, added(before, after))


def added(before: Evidence | None, after: Evidence) -> list[int]:
    """Give the places of the cells of ``after`` that ``before`` has not."""
    old = Counter(_keys(before.cells)) if before else Counter[tuple[float, ...]]()
    found: list[int] = []
    for k, key in enumerate(_keys(after.cells)):
        if old[key]:
            old[key] -= 1
        else:
            found.append(k)
    return found


def _keys(cells: Cells) -> list[tuple[float, ...]]:
    """Say what a cell says; the last column of what it is counts sets of one evidence only."""
    return [
        (*what[:4], *value, observed)
        for what, value, observed in zip(
            cells.what.tolist(), cells.value.tolist(), cells.observed.tolist(), strict=True
        )
    ]


SAME_YEARS = 1e-9


# The choice of an anchor.


def contains(cells: Cells, part: Cells | None) -> bool:
    """Whether evidence ``cells`` holds all that ``part`` says, so that going from one to the other only adds.

    Where a step or its coverage has grown since, what is said of it now stands for what was said then; and what was
    told is held if it is still told, whatever else could have been, or if it was seen by somebody who looked.
    """
    if part is None:
        return True
    last = part.years.size - 1
    if cells.years.size <= last or np.abs(cells.years[:last] - part.years[:last]).max(initial=0) > SAME_YEARS:
        return False
    longer = cells.years[last] - part.years[last]
    if longer < -SAME_YEARS:
        return False
    running = last if longer > SAME_YEARS else -1
    here, there = watched_cells(cells), watched_cells(part)
    for key, (exposure, seen) in there.items():
        now = here.get(key)
        if now is None or now[0] < exposure - SAME_YEARS or (now[1] != seen and now[0] < exposure + SAME_YEARS):
            return False
    lost = Counter(cell_keys(part, running)) - Counter(cell_keys(cells, running))
    return all(key[1] == SELECTIVE and here.get((int(key[0]), int(key[-1])), (0.0, 0.0))[1] > 0.0 for key in lost)


def watched_cells(cells: Cells) -> dict[tuple[int, int], tuple[float, float]]:
    """Exposure and what was seen of each covered step and indicator."""
    covered = cells.what[:, 1] == COVERED
    places = cells.what[covered][:, [0, 3]].tolist()
    values = np.stack([cells.value[covered, 1], cells.observed[covered]], axis=1).tolist()
    return {
        (step, indicator): (exposure, seen) for (step, indicator), (exposure, seen) in zip(places, values, strict=True)
    }


def cell_keys(cells: Cells, running: int) -> list[tuple[float, ...]]:
    """Say what tells cells apart that are not covered; of records in the ``running`` step, only what they are about."""
    keys: list[tuple[float, ...]] = []
    for (step, kind, stage, of, _), value, seen in zip(
        cells.what.tolist(), cells.value.tolist(), cells.observed.tolist(), strict=True
    ):
        if kind == OBSERVABLE and step == running:
            keys.append((step, kind, stage))
        elif kind != COVERED:
            keys.append((step, kind, stage, of, *value, seen))
    return keys


def same_cells(one: Cells, other: Cells) -> bool:
    """Whether two sets of cells are equal to the last bit."""
    return all(a.shape == b.shape and bool((a == b).all()) for a, b in zip(one, other, strict=True))
