"""Filter, smoother, likelihood and gradient agree with the sum over all hidden paths."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from kernels import filter_draws, smooth_draws
from worlds import SEEDS, World, credibility_of, small_world

from forecast.engine.arrays import COVERED, OBSERVABLE, SELECTIVE, Cells, Chain
from forecast.engine.blocks import Draws
from forecast.engine.gradient import log_likelihood_and_gradient, transition_tables
from forecast.theory.statespace import chain_of


def ledger_of(world: World) -> tuple:
    """Give what the oracle asks for after the model and the draw."""
    return world.rows, world.coverage, world.as_of, credibility_of


def filter_one(world: World, k: int, cells: Cells | None = None) -> tuple[float, np.ndarray]:
    """Log-likelihood and filtered path of one draw."""
    draw = [part[k] for part in world.draws]
    return one_draw(chain_of(world.space), cells or world.evidence.cells, draw)


def one_draw(chain: Chain, cells: Cells, draw: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """Log-likelihood and filtered path of any draw, by the kernel for many."""
    found = filter_draws(chain, cells, Draws(*(part[None] for part in draw)), path=True)
    assert found.path is not None
    return float(found.log_likelihood[0]), found.path[0]


def smoothed(chain: Chain, cells: Cells, draw: list[np.ndarray]) -> np.ndarray:
    """Smoothed path of any draw."""
    return smooth_draws(chain, cells, Draws(*(part[None] for part in draw)))[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_likelihood_ratio_equals_the_oracle(seed: int) -> None:
    """Two draws differ in log-likelihood as by enumeration of all hidden paths."""
    world = small_world(seed)
    first, second = (oracle.log_likelihood(world.spec, p, *ledger_of(world)) for p in world.parameters)
    assert np.isfinite([first, second]).all()
    assert first != second
    assert filter_one(world, 0)[0] - filter_one(world, 1)[0] == pytest.approx(first - second, rel=0, abs=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_filtered_equals_the_oracle(seed: int) -> None:
    """P(state at the end of step t | evidence up to it) is that of the enumeration, for every t."""
    world = small_world(seed)
    expected = oracle.filtered(world.spec, world.parameters[0], *ledger_of(world))
    np.testing.assert_allclose(filter_one(world, 0)[1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_smoothed_equals_the_oracle(seed: int) -> None:
    """P(state at the end of step t | all evidence) is that of the enumeration, for every t."""
    world = small_world(seed)
    expected = oracle.smoothed(world.spec, world.parameters[0], *ledger_of(world))
    draw = [part[0] for part in world.draws]
    found = smoothed(chain_of(world.space), world.evidence.cells, draw)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_transition_tables_multiply_to_the_joint_matrix(seed: int) -> None:
    """The product of the stages' tables, read in the context of the new upstream states, is the joint matrix."""
    world = small_world(seed)
    shape = tuple(world.space.sizes)
    for days in (1, 3, 7):
        tables = transition_tables(chain_of(world.space), world.draws.log_rate[0], days / 365.25)
        for table in tables:
            np.testing.assert_allclose(table.sum(axis=2), 1, rtol=0, atol=1e-14)
        matrix = np.ones((world.space.size, world.space.size))
        for z, old in enumerate(np.ndindex(shape)):
            for y, new in enumerate(np.ndindex(shape)):
                for stage, table in enumerate(tables):
                    context = int(np.ravel_multi_index(new[:stage], shape[:stage])) if stage else 0
                    matrix[z, y] *= table[context, old[stage], new[stage]]
        expected = oracle.transition_matrix(world.spec, world.parameters[0], days)
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


# Gradient.


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_equals_finite_differences(seed: int) -> None:
    """All three gradients equal central differences of the likelihood, which the filter computes without them."""
    world = small_world(seed)
    chain, cells = chain_of(world.space), world.evidence.cells
    for k in range(2):
        point = [part[k] for part in world.draws]
        value, *gradients = log_likelihood_and_gradient(chain, cells, *point)
        assert value == pytest.approx(one_draw(chain, cells, point)[0], rel=1e-12)
        for which, gradient in enumerate(gradients):
            assert gradient.shape == point[which].shape
            for i in range(gradient.size):
                h, sides = 1e-5, []
                for sign in (1, -1):
                    moved = [part.copy() for part in point]
                    moved[which][i] += sign * h
                    sides.append(one_draw(chain, cells, moved)[0])
                difference = (sides[0] - sides[1]) / (2 * h)
                assert gradient[i] == pytest.approx(difference, rel=1e-6, abs=1e-6), (which, i)


def test_gradient_worlds_are_not_trivial() -> None:
    """Covered cells with 0 < w < 1, selective cells and one-offs stand in many worlds whose gradient is tested."""
    graded = selective = once = 0
    for seed in SEEDS:
        world = small_world(seed)
        kind, seen = world.evidence.cells.what[:, 1], world.evidence.cells.observed
        graded += bool(((kind == COVERED) & (seen > 0) & (seen < 1)).any())
        selective += bool((kind == SELECTIVE).any())
        once += any("one-off" in reason for _, reason in world.evidence.left_out)
    assert min(graded, selective, once) >= 8


def test_gradient_does_not_vanish_anywhere_by_mistake() -> None:
    """Every rate, emission and start probability moves the likelihood of some world."""
    for which in range(3):
        live = []
        for seed in SEEDS:
            world = small_world(seed)
            draw = [part[0] for part in world.draws]
            gradient = log_likelihood_and_gradient(chain_of(world.space), world.evidence.cells, *draw)[1 + which]
            live.append(np.mean(gradient != 0))
        assert max(live) == 1
        assert np.mean(live) > 0.5


# The edges.


def _impossible() -> tuple[World, list[np.ndarray]]:
    """Find a world with the observable set on record, and a draw in which nothing ever moves there."""
    for seed in SEEDS:
        world = small_world(seed)
        cells = world.evidence.cells
        if (cells.observed[cells.what[:, 1] == OBSERVABLE] == 1).any():
            draw = [part[0].copy() for part in world.draws]
            draw[0][:] = -800.0  # exp underflows to a rate of exactly 0
            draw[2][:] = 0.0
            draw[2][world.space.stage_offset[:-1]] = 1.0  # the first state of a stage is never observable
            return world, draw
    pytest.fail("no world has its observable set on record")


def test_impossible_evidence_has_no_likelihood_and_no_gradient() -> None:
    """A record that no path agrees with gives −inf, gradients of zero and no filtered or smoothed probabilities."""
    world, draw = _impossible()
    chain, cells = chain_of(world.space), world.evidence.cells
    likelihood, path = one_draw(chain, cells, draw)
    assert likelihood == -np.inf
    assert np.isnan(path).all()
    value, *gradients = log_likelihood_and_gradient(chain, cells, *draw)
    assert value == -np.inf
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, 0)
    assert np.isnan(smoothed(chain, cells, draw)).all()


def test_rate_of_zero_is_a_transition_that_never_happens() -> None:
    """With all rates underflowing to zero every table is the identity, without NaN."""
    world = small_world(0)
    for table in transition_tables(chain_of(world.space), np.full(len(world.space.rate_names), -800.0), 7 / 365.25):
        np.testing.assert_array_equal(table, np.broadcast_to(np.eye(table.shape[1]), table.shape))


def test_long_silence_does_not_underflow() -> None:
    """Silence of indicators that are equally expected in all states has the likelihood exp(−Σ λ e Δ), however small."""
    world = next(w for w in map(small_world, SEEDS) if (w.evidence.cells.what[:, 1] == COVERED).sum() > 6)
    cells = world.evidence.cells
    silent = (cells.what[:, 1] == COVERED) & (cells.observed == 0)
    assert silent.sum() >= 2
    quiet = cells._replace(what=cells.what[silent], value=cells.value[silent], observed=cells.observed[silent])
    draw = [world.draws.log_rate[0], np.full(len(world.space.emission_names), 12.0), world.draws.start[0]]
    expected = -np.exp(12.0) * quiet.value[:, 1].sum()
    assert expected < -2000, "exp of it must underflow, or the test shows nothing"
    assert one_draw(chain_of(world.space), quiet, draw)[0] == pytest.approx(expected, rel=1e-12)
    value, _, d_lambda, _ = log_likelihood_and_gradient(chain_of(world.space), quiet, *draw)
    assert value == pytest.approx(expected, rel=1e-12)
    assert d_lambda.sum() == pytest.approx(expected, rel=1e-10)


def test_inputs_are_not_changed() -> None:
    """The kernels leave parameters and cells as they were."""
    world = small_world(1)
    draw, cells = [part[0] for part in world.draws], world.evidence.cells
    before = [part.copy() for part in (*draw, *cells)]
    log_likelihood_and_gradient(chain_of(world.space), cells, *draw)
    smoothed(chain_of(world.space), cells, draw)
    filter_one(world, 0)
    for part, copy in zip((*draw, *cells), before, strict=True):
        np.testing.assert_array_equal(part, copy)
