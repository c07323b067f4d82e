"""What the filter hands to its kernel where nothing is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from worlds import SEEDS, small_world

from forecast.engine import filtering
from forecast.engine.arrays import without_cells
from forecast.engine.blocks import Blocks
from forecast.theory.statespace import chain_of


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_without_cells_no_emission_is_looked_at(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates of indicators are not laid out, and no set is left whose sum would need them: kernels check no bounds."""
    world = small_world(seed)
    silent = without_cells(world.evidence.cells)
    assert world.evidence.cells.available.size
    blocks = Blocks(chain_of(world.space), world.draws)
    seen: list[tuple[int, int]] = []

    def look(chain: Any, cells: Any, _edges: Any, _rate: Any, emission: Any, *_rest: Any) -> None:
        sums = np.empty((cells.available.shape[0], max(chain.sizes), emission.shape[2]))
        filtering.block_sums.py_func(chain, cells, emission[0], sums)  # type: ignore[attr-defined]
        seen.append((len(cells.available), emission.shape[1]))

    monkeypatch.setattr(filtering, "_evaluate_range", look)
    filtering.evaluate(blocks, silent)
    assert seen == [(0, 0)]
    assert "emission" not in vars(blocks)
