"""Draws of the prior and of a fit together reach what neither reaches alone, and say what is so."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import derived
from worlds import SEEDS, World, compile_rows, draw_values, draws_of, small_world

from forecast.engine.blocks import BLOCK, Draws
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.between import Between
from forecast.inference.reweighting import reweigh

LARGE = 6_000


def many(world: World, size: int, seed: int) -> Draws:
    """Draw from the prior of a small world."""
    rng = np.random.default_rng(seed)
    return draws_of(world.space, [derived(world.spec, draw_values(world.spec, rng)) for _ in range(size)])


def resampled(world: World, size: int, seed: int) -> Draws:
    """Draw from the posterior of a world's evidence, out of a large sample of its prior."""
    draws = many(world, LARGE, seed)
    weights = reweigh(Anchor(world.space, PRIOR, lambda: draws), world.evidence).weights.values
    rows = np.random.default_rng(seed).choice(LARGE, size=size, p=weights)
    return Draws(*(part[rows] for part in draws))


def pair(seed: int) -> tuple[World, Anchor, Anchor]:
    """Give a world with some of its prior draws, and some of its posterior's."""
    world = small_world(seed)
    prior, fit = many(world, 1010, seed + 1), resampled(world, 1000, seed + 2)
    return (
        world,
        Anchor(world.space, PRIOR, lambda: prior),
        Anchor(world.space, "fit", lambda: fit, cells=world.evidence.cells, as_of=world.as_of, efficiency=0.9),
    )


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_probabilities_are_those_of_many_draws_of_the_prior(seed: int) -> None:
    """With none, half and all of the rows each probability is right to within its error."""
    world, prior, fit = pair(seed)
    both = Between(prior, fit)
    draws = many(world, LARGE, seed + 3)
    sure = Anchor(world.space, PRIOR, lambda: draws)
    scores: list[float] = []
    for rows in ([], [*world.coverage, *world.rows[::2]], [*world.coverage, *world.rows]):
        evidence = compile_rows(world.space, rows, world.as_of)
        found, truth = reweigh(both, evidence), reweigh(sure, evidence)
        assert found.reached
        assert found.ess > 0.3 * max(reweigh(one, evidence).ess for one in (prior, fit))
        for one, other in zip(found.quantities, truth.quantities, strict=True):
            assert one.key == other.key
            error = np.hypot(one.estimate.mcse, other.estimate.mcse)
            scores.append((one.estimate.mean - other.estimate.mean) / max(error, 1e-9))
    assert np.abs(scores).max() < 5
    assert np.sqrt(np.mean(np.square(scores))) < 1.7


def test_draws_are_of_the_mixture() -> None:
    """The density is that of the mixture, with the fit's evidence as probable as the prior says."""
    world, prior, fit = pair(SEEDS[0])
    both = Between(prior, fit)
    whole = 1010 // BLOCK * BLOCK
    assert both.blocks.size == whole + 1000
    assert both.name not in {PRIOR, "fit"}
    assert both.efficiency == 0.9
    draws = many(world, LARGE, 99)
    told = Anchor(world.space, PRIOR, lambda: draws).evaluate(world.evidence.cells).log_likelihood
    constant = np.log(np.exp(told).mean())
    here = np.exp(both.evaluate(world.evidence.cells).log_likelihood - constant)
    expected = (whole + 1000 * here) / both.blocks.size
    assert np.exp(both.log_likelihood) == pytest.approx(expected, rel=0.15)
    weights = np.exp(-both.log_likelihood)  # of no evidence: none is larger than the prior alone would give it
    assert weights.max() <= both.blocks.size / whole + 1e-9


def test_a_draw_that_the_fit_s_evidence_rules_out_is_one_of_the_prior_s() -> None:
    """Impossible under the fit's evidence, it keeps the density that the prior gives it."""
    world, prior, fit = pair(SEEDS[0])
    draws = prior.blocks.draws
    rates = draws.log_rate.copy()
    rates[:5] = -np.inf  # nothing ever happens
    stuck = Anchor(world.space, PRIOR, lambda: draws._replace(log_rate=rates))
    both = Between(stuck, fit)
    assert np.isfinite(both.log_likelihood).all()
    assert reweigh(both, world.evidence).weights.values.sum() == pytest.approx(1)
