"""What lies ahead of each state, and many draws at once, agree with the enumeration of all future paths."""

from __future__ import annotations

import datetime as dt

import numpy as np
import oracle
import pytest
from kernels import Values, filter_draws, smooth_draws, values_at
from worlds import SEEDS, World, credibility_of, small_world

from forecast.engine.blocks import BLOCK, Draws
from forecast.quantities.from_draws import horizons_of
from forecast.theory.statespace import StateSpace, chain_of

WEEKS = (1, 2, 3)
AFTER = (("outcome", "condition", 1), ("both", "condition", 2), ("condition", "outcome", 2), ("outcome", "both", 1))


def look_ahead(world: World, names: tuple[str, ...], after: tuple[tuple[str, str], ...], weeks: int) -> Values:
    """Values of one world's outcomes, and of its beginnings with the outcome ``weeks`` weeks later."""
    space = world.space

    def members(name: str) -> np.ndarray:
        return space.members(world.spec.outcomes[name].states)

    horizons = horizons_of(space, world.as_of)
    sets = np.array([members(name) for name in names])
    pairs = np.array([members(a) for a, _ in after]), np.array([members(b) for _, b in after])
    return values_at(chain_of(space), world.draws, horizons, sets, pairs, weeks)


def now_of(world: World) -> np.ndarray:
    """(S, K) filtered probabilities at ``as_of``."""
    return filter_draws(chain_of(world.space), world.evidence.cells, world.draws).now


def ledger_of(world: World) -> tuple:
    """Give what the oracle asks for after the model and the draw."""
    return world.rows, world.coverage, world.as_of, credibility_of


@pytest.mark.parametrize("seed", SEEDS)
def test_at_and_reached_equal_the_oracle(seed: int) -> None:
    """P(in a set at h), P(enters it by h, not in it now) and P(in it now) are those of all future paths."""
    world = small_world(seed)
    names = ("outcome", "condition", "both")
    values, now = look_ahead(world, names, (("outcome", "condition"),), 1), now_of(world)
    for m, name in enumerate(names):
        states = world.spec.outcomes[name].states
        inside = world.space.members(states)
        for h in {seed % 3, 2 - seed % 2}:
            args = (world.spec, world.parameters[0], *ledger_of(world), states, WEEKS[h])
            already, reached = oracle.forecast_reached(*args)
            assert now[0] @ values.at[0, h, m] == pytest.approx(oracle.forecast_at(*args), rel=0, abs=1e-10)
            assert now[0] @ values.reached[0, h, m] == pytest.approx(reached, rel=0, abs=1e-10)
            assert now[0] @ inside == pytest.approx(already, rel=0, abs=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_equals_the_oracle(seed: int) -> None:
    """P(condition begins, outcome some weeks after that) and P(it begins) are those of all future paths."""
    world = small_world(seed)
    outcome, condition, weeks = AFTER[seed % len(AFTER)]
    values, now = look_ahead(world, ("outcome",), ((outcome, condition),), weeks), now_of(world)
    states = [world.spec.outcomes[name].states for name in (outcome, condition)]
    args = (world.spec, world.parameters[0], *ledger_of(world), *states, weeks, max(WEEKS))
    expected = oracle.forecast_after(*args)
    np.testing.assert_allclose(values.after[0, 0] @ now[0], expected, rtol=0, atol=1e-10)


def test_worlds_end_steps_and_break_them() -> None:
    """Some worlds stand at the end of a step, some at each other day of it."""
    ends = {oracle.elapsed_days(small_world(seed).spec, small_world(seed).as_of) % 7 for seed in SEEDS}
    assert ends == set(range(7))


@pytest.mark.parametrize("elapsed", range(1, 15))
def test_horizons_follow_the_grid(elapsed: int) -> None:
    """Rest, whole steps and tail are the pieces of the model's grid up to each horizon's date."""
    spec = small_world(0).spec
    as_of = spec.model.start + dt.timedelta(days=elapsed - 1)
    horizons = horizons_of(StateSpace(spec), as_of)
    for weeks, full in zip(WEEKS, horizons.full, strict=True):
        pieces = [horizons.rest, *[horizons.step] * full, horizons.tail]
        found = [round(piece * 365.25) for piece in pieces if piece > 0]
        assert found == oracle.horizon_steps(spec, elapsed, 7 * weeks)


@pytest.mark.parametrize("step_days", [1, 7])
def test_horizons_end_on_their_date(step_days: int) -> None:
    """Whatever length of a step is allowed, the pieces ahead add up to the days until each horizon's date."""
    world = small_world(0)
    header = world.spec.model.model_copy(update={"step_days": step_days})
    spec = world.spec.model_copy(update={"model": header})
    for elapsed in range(1, 2 * step_days + 1):
        horizons = horizons_of(StateSpace(spec), header.start + dt.timedelta(days=elapsed - 1))
        for weeks, full in zip(WEEKS, horizons.full, strict=True):
            days = (horizons.rest + full * horizons.step + horizons.tail) * 365.25
            assert round(days) == 7 * weeks, (elapsed, weeks)


# Many draws.


def _many(world: World, size: int, rng: np.random.Generator) -> Draws:
    pick = rng.integers(2, size=size)
    jitter = 0.1 * rng.standard_normal((2, size, 1))
    start = world.draws.start[pick]
    return Draws(world.draws.log_rate[pick] + jitter[0], world.draws.log_lambda[pick] + jitter[1], start)


def test_many_draws_equal_one_by_one(rng: np.random.Generator) -> None:
    """Draws in blocks and threads give the same numbers as each draw alone, in their order."""
    world = small_world(9)
    chain, cells, draws = chain_of(world.space), world.evidence.cells, _many(world, 2 * BLOCK + 9, rng)
    found = filter_draws(chain, cells, draws, path=True)
    back = smooth_draws(chain, cells, draws)
    assert found.path is not None
    for d in range(0, draws.size, 7):
        one = Draws(*(part[d : d + 1] for part in draws))
        alone = filter_draws(chain, cells, one, path=True)
        assert found.log_likelihood[d] == alone.log_likelihood[0]
        np.testing.assert_array_equal(found.path[d], alone.path[0])  # type: ignore[index]
        np.testing.assert_array_equal(back[d], smooth_draws(chain, cells, one)[0])
    np.testing.assert_allclose(found.now, found.path[:, -1], rtol=0, atol=1e-14)
    assert np.ptp(found.log_likelihood) > 0.1


def test_values_of_many_draws_equal_one_by_one(rng: np.random.Generator) -> None:
    """Looking ahead for many draws gives what looking ahead for each alone gives."""
    world = small_world(10)
    draws = _many(world, 11, rng)
    sets = np.array([world.space.members(row.states) for row in world.spec.outcomes.values()])
    horizons, chain = horizons_of(world.space, world.as_of), chain_of(world.space)
    whole = values_at(chain, draws, horizons, sets, (sets[:1], sets[1:2]), 2)
    for d in range(draws.size):
        one = values_at(chain, Draws(*(part[d : d + 1] for part in draws)), horizons, sets, (sets[:1], sets[1:2]), 2)
        for many, alone in zip(whole, one, strict=True):
            np.testing.assert_array_equal(many[d], alone[0])


def test_sets_partition_and_grow(rng: np.random.Generator) -> None:
    """Probabilities at a horizon of a set and its complement sum to one; what is reached stays reached."""
    world = small_world(7)
    draws = _many(world, 20, rng)
    inside = world.space.members(world.spec.outcomes["both"].states)
    none = np.zeros((0, world.space.size), dtype=bool)
    sets = np.array([inside, ~inside])
    values = values_at(chain_of(world.space), draws, horizons_of(world.space, world.as_of), sets, (none, none), 0)
    np.testing.assert_allclose(values.at.sum(axis=2), 1, rtol=0, atol=1e-12)
    assert (np.diff(values.reached, axis=1) >= -1e-15).all()
    np.testing.assert_array_equal(values.reached[:, :, 0, inside], 0)
    assert (values.reached[:, :, 0, ~inside] > 0).any()
    assert (values.reached[:, :, 0, ~inside] <= 1).all()
