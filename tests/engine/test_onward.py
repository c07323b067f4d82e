"""Pushing the present on once gives what going back from every horizon gives, which enumeration is held against."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from kernels import filter_draws
from worlds import SEEDS, small_world

from forecast.engine.blocks import Blocks, Draws, split
from forecast.engine.onward import Onward
from forecast.engine.propagate import Ahead, Questions
from forecast.quantities.from_draws import horizons_of
from forecast.theory.statespace import chain_of


@pytest.mark.parametrize("later", [1, 2, 4])
@pytest.mark.parametrize("days", range(8))
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_one_reading_is_any_reading(seed: int, days: int, later: int) -> None:
    """Whatever is asked, from any day of the week and from evidence behind the day of the forecast, it is the same."""
    world = small_world(seed)
    space, chain = world.space, chain_of(world.space)
    rng = np.random.default_rng(seed)
    draws = Draws(*(np.repeat(part, 40, axis=0) for part in world.draws))
    draws = draws._replace(log_rate=draws.log_rate + rng.normal(0, 1, draws.log_rate.shape))
    now = filter_draws(chain, world.evidence.cells, draws).now
    sets = np.array([space.members(row.states) for row in world.spec.outcomes.values()])
    asked = Questions(
        at=sets, reached=sets, outcome=sets[:2], begins=sets[1:3], later=np.array([later, later + 1], dtype=np.int64)
    )
    blocks = Blocks(chain, draws)
    horizons = horizons_of(space, world.as_of, world.as_of + dt.timedelta(days=days))
    back, on = (way(blocks, horizons, asked).read(split(now)) for way in (Ahead, Onward))
    for one, other in zip(back, on, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)
        assert np.ptp(one) > 1e-3


def test_nothing_is_asked() -> None:
    """Kinds of questions that are not asked have no answers."""
    world = small_world(SEEDS[0])
    none = np.zeros((0, world.space.size), dtype=bool)
    sets = np.array([world.space.members(row.states) for row in world.spec.outcomes.values()])
    asked = Questions(at=none, reached=sets, outcome=none, begins=none, later=np.zeros(0, dtype=np.int64))
    chain = chain_of(world.space)
    now = filter_draws(chain, world.evidence.cells, world.draws).now
    found = Onward(Blocks(chain, world.draws), horizons_of(world.space, world.as_of), asked).read(split(now))
    assert found.at.shape[1] == found.after.shape[0] == 0
    assert (np.diff(found.reached, axis=0) >= -1e-15).all()
