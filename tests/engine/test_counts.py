"""Counts of channels enter filter, smoother, gradient and simulation as negative binomial factors of their step."""

from __future__ import annotations

import numpy as np
import pytest
from counts import counted_world, log_likelihood
from kernels import filter_draws
from scipy.special import digamma as scipy_digamma
from scipy.special import gammaln
from scipy.stats import nbinom
from worlds import SEEDS

from forecast.engine.arrays import COUNTED, counted, digamma, log_gamma
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.emissions import cell_densities_of_draws
from forecast.engine.filtering import evaluate
from forecast.engine.gradient import log_likelihood_and_gradient
from forecast.engine.many import likelihoods
from forecast.engine.simulate import simulate_reports
from forecast.theory.statespace import chain_of


@pytest.mark.parametrize("count", [0, 1, 7, 400, 100_000])
@pytest.mark.parametrize("mean", [1e-3, 0.5, 30.0, 5e4])
@pytest.mark.parametrize("dispersion", [0.05, 1.0, 20.0, 1e5])
def test_the_likelihood_of_a_count_is_negative_binomial(count: int, mean: float, dispersion: float) -> None:
    """Mean and dispersion are those of scipy's n = φ, p = φ/(φ + μ)."""
    common = log_gamma(count + dispersion) - log_gamma(dispersion) - log_gamma(count + 1.0)
    found = common + counted(count, mean / dispersion, dispersion)
    expected = nbinom.logpmf(count, dispersion, dispersion / (dispersion + mean))
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-7)


def test_log_gamma_and_digamma_are_exact() -> None:
    """They agree with scipy from tiny to huge arguments."""
    at = np.geomspace(1e-4, 1e7, 400)
    np.testing.assert_allclose([log_gamma(float(x)) for x in at], gammaln(at), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose([digamma(float(x)) for x in at], scipy_digamma(at), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_filter_sums_over_all_paths(seed: int) -> None:
    """Two draws differ in log-likelihood as by the oracle's cells and scipy's counts."""
    found = counted_world(seed)
    assert (found.evidence.cells.what[:, 1] == COUNTED).sum() >= 2
    here = filter_draws(chain_of(found.space), found.evidence.cells, Draws(*found.draws)).log_likelihood
    expected = [log_likelihood(found, k) for k in (0, 1)]
    assert here[0] - here[1] == pytest.approx(expected[0] - expected[1], rel=0, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_equals_finite_differences(seed: int) -> None:
    """Rates of the channel in every state, and its dispersion, have the slopes of the likelihood of the filter."""
    found = counted_world(seed)
    chain, cells = chain_of(found.space), found.evidence.cells
    point = [part[0] for part in found.draws]
    value, *gradients = log_likelihood_and_gradient(chain, cells, *point)

    def at(moved: list[np.ndarray]) -> float:
        return float(filter_draws(chain, cells, Draws(*(part[None] for part in moved))).log_likelihood[0])

    assert value == pytest.approx(at(point), rel=1e-12)
    own = [k for k, name in enumerate(found.space.emission_names) if "_count|" in name]
    assert len(own) > 6
    for i in own:
        sides = []
        for step in (1e-5, -1e-5):
            moved = [part.copy() for part in point]
            moved[1][i] += step
            sides.append(at(moved))
        assert gradients[1][i] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-6)


def test_crowded_counts_do_not_underflow() -> None:
    """Counts that are all but impossible in every state have a finite likelihood, the same by every kernel."""
    found = counted_world(SEEDS[0])
    chain, cells = chain_of(found.space), found.evidence.cells
    usual = cells.observed.copy()
    cells.observed[cells.what[:, 1] == COUNTED] = 90_000.0
    point = [part[0] for part in found.draws]
    value, *gradients = log_likelihood_and_gradient(chain, cells, *point)
    assert -np.inf < value < -1000
    assert all(np.isfinite(part).all() for part in gradients)
    many = filter_draws(chain, cells, Draws(*found.draws)).log_likelihood
    assert many[0] == pytest.approx(value, rel=1e-10)
    blocks = Blocks(chain, Draws(*found.draws))
    both = likelihoods(blocks, cells, np.stack([usual, cells.observed]), blocks.start)
    assert both[1] == pytest.approx(many, rel=1e-12)
    assert both[0] == pytest.approx(evaluate(blocks, cells._replace(observed=usual)).log_likelihood, rel=1e-10)


def test_a_volume_that_grows_moves_nothing_by_itself() -> None:
    """With many counted, twice the volume and twice the count say what the half of both says, and more surely."""
    found = counted_world(SEEDS[1])
    chain, cells = chain_of(found.space), found.evidence.cells
    here = cells.what[:, 1] == COUNTED
    states = []
    for times in (1000.0, 2000.0):
        cells.value[here, 1] = 50.0 * times
        cells.observed[here] = 4.0 * times
        density = cell_densities_of_draws(chain, cells, np.exp(found.draws.log_lambda))[0, here]
        states.append(density / density.max(axis=1, keepdims=True))
    np.testing.assert_allclose(states[0], states[1], rtol=0, atol=2e-2)


def test_simulated_counts_are_those_of_the_likelihood() -> None:
    """Mean and variance of simulated counts in a state are μ and μ + μ²/φ."""
    found = counted_world(SEEDS[2])
    space, rng = found.space, np.random.default_rng(1)
    cells, size = found.evidence.cells, 40_000
    k = int(np.flatnonzero(cells.what[:, 1] == COUNTED)[0])
    draw = [np.repeat(part[:1], size, axis=0) for part in found.draws]
    draw[0] = np.full_like(draw[0], -40.0)  # nothing moves
    states = np.zeros((size, len(space.stages)), dtype=np.int64)
    reports = simulate_reports(rng, chain_of(space), cells, draw[0], draw[1], states)[:, k]
    channel = space.channels[cells.what[k, 3] - len(space.indicators)]
    phase = space.phases[cells.what[k, 2]][0]
    rate = dict(zip(space.emission_names, np.exp(found.draws.log_lambda[0]), strict=True))
    mean, dispersion = cells.value[k, 1] * rate[f"{channel}|{phase}"], rate[f"{channel}|dispersion"]
    assert reports.mean() == pytest.approx(mean, rel=0.03)
    assert reports.var() == pytest.approx(mean + mean**2 / dispersion, rel=0.06)
