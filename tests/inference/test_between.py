"""Draws of the prior and of a fit together say what many draws of the prior say, and are taken where either fails."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from oracle import derived
from worlds import SEEDS, World, compile_rows, draw_values, draws_of, small_world

from forecast.engine.blocks import Draws
from forecast.inference import reweighting
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.between import Between
from forecast.inference.reweighting import Posterior, reweigh, update

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells
    from forecast.engine.filtering import Evaluation
    from forecast.quantities.estimate import Trust

LARGE = 6_000


@cache
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


@cache
def pair(seed: int) -> tuple[World, Anchor, Anchor]:
    """Give a world with some of its prior draws, and some of its posterior's."""
    world = small_world(seed)
    prior, fit = many(world, 1010, seed + 1), resampled(world, 1000, seed + 2)
    return (
        world,
        Anchor(world.space, PRIOR, lambda: prior),
        Anchor(world.space, "fit", lambda: fit, cells=world.evidence.cells, as_of=world.as_of, efficiency=0.9),
    )


@pytest.mark.parametrize("seed", [*SEEDS[:2], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[2:4])])
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
        assert found.ess > 0.8 * max(reweigh(one, evidence).ess for one in (prior, fit))
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
    assert both.blocks.size == 2010
    assert both.name not in {PRIOR, "fit"}
    assert both.efficiency == 0.9
    draws = many(world, LARGE, SEEDS[0] + 3)
    told = Anchor(world.space, PRIOR, lambda: draws).evaluate(world.evidence.cells).log_likelihood
    constant = np.log(np.exp(told).mean())
    here = np.exp(both.evaluate(world.evidence.cells).log_likelihood - constant)
    expected = (1010 + 1000 * here) / 2010
    assert np.exp(both.log_likelihood) == pytest.approx(expected, rel=0.15)
    weights = np.exp(-both.log_likelihood)  # of no evidence: none is larger than the prior alone would give it
    assert weights.max() <= 2010 / 1010 + 1e-9


class Ruled(Anchor):
    """Draws of which the evidence rules out the first five."""

    def evaluate(self, cells: Cells) -> Evaluation:
        """Give −∞ for these."""
        found = super().evaluate(cells)
        told = found.log_likelihood.copy()
        told[:5] = -np.inf
        return replace(found, log_likelihood=told)


def test_a_draw_that_the_fit_s_evidence_rules_out_is_one_of_the_prior_s() -> None:
    """Impossible under the fit's evidence, it keeps the density that the prior gives it, and weighs nothing then."""
    world, prior, fit = pair(SEEDS[0])
    draws = prior.blocks.draws
    both = Between(Ruled(world.space, PRIOR, lambda: draws), fit)
    assert both.log_likelihood[:5] == pytest.approx(np.log(1010 / 2010))
    assert (both.log_likelihood[5:] > np.log(1010 / 2010)).all()
    found = reweigh(both, world.evidence)
    assert (found.weights.values[:5] == 0).all()
    assert found.weights.values.sum() == pytest.approx(1)


def test_few_draws_are_enough() -> None:
    """Neither part needs to fill a block of draws."""
    world, prior, fit = pair(SEEDS[0])
    both = Between(prior.part(np.arange(40)), fit.part(np.arange(30)))
    found = both.evaluate(world.evidence.cells)
    alone = [one.part(np.arange(n)).evaluate(world.evidence.cells).now for one, n in ((prior, 40), (fit, 30))]
    np.testing.assert_allclose(found.now, np.concatenate(alone), rtol=0, atol=1e-14)
    assert np.isfinite(both.log_likelihood).all()


def test_some_of_the_draws_are_refused() -> None:
    """A part would count as draws of the prior."""
    _, prior, fit = pair(SEEDS[0])
    with pytest.raises(NotImplementedError):
        Between(prior, fit).part(np.arange(100))


@pytest.mark.parametrize("asked", [True, False])
def test_they_are_tried_before_a_fit_where_something_is_asked(*, asked: bool) -> None:
    """Where neither is trusted and a question judges, the two together are taken; what is published gets a fit."""
    world, prior, fit = pair(SEEDS[0])
    other = compile_rows(world.space, [*world.coverage, *world.rows[::2]], world.as_of)
    new = Anchor(world.space, "new", lambda: fit.blocks.draws, cells=world.evidence.cells)

    def judge(found: Posterior) -> Trust:
        shut = () if isinstance(found.anchor, Between) else ("too few",)
        return replace(found.trust, reasons=shut)

    def nothing(found: Posterior) -> Trust:
        return replace(found.trust, reasons=("too few",))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reweighting, "_published", nothing)
        found = update(other, [fit], lambda _: prior, lambda: new, trust=judge if asked else None)
    assert isinstance(found.anchor, Between) == asked
    assert (found.anchor is new) == (not asked)
