"""Whether draws can tell on which side of a limit a number lies."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from worlds import SEEDS, small_world

from forecast.cli.printing import made_from
from forecast.engine.blocks import Draws
from forecast.engine.pareto import Weights
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.trust import Measured, gate_side
from forecast.quantities.estimate import Trust


@pytest.mark.parametrize(
    ("k_hat", "tail", "told"),
    [
        (0.3, Measured(0.05, 0.01), ()),
        (0.3, Measured(0.001, 0.004), ()),
        (0.3, Measured(0.03, 0.01), ("the tail is 0.030 ± 0.010, too near to 0.017 to tell the side",)),
        (0.3, Measured(0.017, 0.0), ()),
        (None, Measured(0.03, 0.01), ()),
        (0.8, Measured(0.5, 0.01), ("k-hat 0.80 (at most 0.69): the draws do not reach this evidence",)),
        (np.nan, Measured(0.5, 0.01), ("k-hat nan (at most 0.69): the draws do not reach this evidence",)),
    ],
)
def test_a_side_is_told_two_errors_away(k_hat: float | None, tail: Measured, told: tuple[str, ...]) -> None:
    """Weighted draws have to reach the evidence and the number to lie apart; unweighted ones stand for themselves."""
    world = small_world(SEEDS[0])
    draws = Draws(*(np.resize(part, (1600, part.shape[1])) for part in world.draws))
    anchor = Anchor(world.space, PRIOR, lambda: draws, efficiency=0.5)
    trust = gate_side(anchor, Weights(np.full(1600, 1 / 1600), k_hat), tail, 0.017, "the tail")
    assert trust.reasons == told
    assert trust.trusted == (not told)
    assert (trust.worst_mcse, trust.worst_mcse_of) == (tail.mcse, "the tail")
    assert trust.ess == pytest.approx(800)


def test_what_was_wrong_with_a_fit_stays_wrong() -> None:
    """A fit that failed its checks tells no side."""
    world = small_world(SEEDS[0])
    anchor = Anchor(world.space, "fit", lambda: world.draws, complaints=["R-hat 1.5"])
    size = world.draws.size
    trust = gate_side(anchor, Weights(np.full(size, 1 / size), None), Measured(0.5, 0.0), 0.017, "the tail")
    assert trust.reasons == ("R-hat 1.5",)


@pytest.mark.parametrize(
    ("anchor", "as_of", "made"),
    [
        ("prior", None, "the prior"),
        ("8d5f", dt.date(2026, 1, 8), "the fit of 2026-01-08"),
        ("prior and 8d5f", dt.date(2026, 1, 8), "the prior and the fit of 2026-01-08 together"),
    ],
)
def test_it_is_said_what_the_draws_are_of(anchor: str, as_of: dt.date | None, made: str) -> None:
    """A reader learns whether draws are of a fit, of the prior, or of both."""
    trust = Trust(anchor, as_of, 12000, 115.0, 0.67, 0.01, "the tail", ())
    assert trust.made == made
    assert f"12,000 draws of {made}" in repr(trust)
    assert f"12,000 draws of {made}" in made_from(trust)
