"""Many evidences in one pass: each has the likelihood that it has by itself."""

from __future__ import annotations

import numpy as np
import pytest
from weighted_scenes import random_scene
from worlds import SEEDS

from forecast.engine.arrays import cells_at
from forecast.engine.filtering import evaluate
from forecast.engine.many import likelihoods
from forecast.engine.simulate import simulate_reports, simulate_start


@pytest.mark.parametrize("times", [1, 400])
def test_reports_are_evaluated_as_by_themselves(times: int) -> None:
    """Simulated reports of the same cells, a few or crowded ones, have the likelihoods that `evaluate` gives them."""
    looked = 0
    for seed in SEEDS[:12]:
        scene = random_scene(seed)
        if scene is None or not scene.found.evidence.cells.what.size:
            continue
        blocks, rng = scene.found.anchor.blocks, np.random.default_rng(seed)
        cells = scene.found.evidence.cells
        cells = cells_at(cells, np.repeat(np.arange(len(cells.what)), times))
        rows = rng.integers(blocks.size, size=3)
        rate, emission, start = (part[rows] for part in blocks.draws)
        states = simulate_start(rng, blocks.chain, start)
        reports = simulate_reports(rng, blocks.chain, cells, rate, emission, states)
        found = likelihoods(blocks, cells, reports, blocks.start)
        for report, here in zip(reports, found, strict=True):
            alone = evaluate(blocks, cells._replace(observed=report)).log_likelihood
            np.testing.assert_allclose(here, alone, rtol=1e-9, atol=1e-9)
            looked += int(np.isfinite(alone).any())
    assert looked > 5
