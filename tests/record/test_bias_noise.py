"""Bias, information and noise: analysts with known parts are found again, within the errors that are stated."""

from __future__ import annotations

import numpy as np
import pytest
from judging import simulated
from scipy import stats

from forecast.record.bias_noise import ENOUGH, Part, _density, bias_noise


def covers(part: Part, value: float) -> bool:
    """Whether an interval holds a value."""
    return part.low <= value <= part.high


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(rng: np.random.Generator) -> None:
    """Truths are drawn from the prior, so that 90 % intervals hold 90 % of them; a false alarm is one in 1,000."""
    worlds, held = 40, np.zeros(3, dtype=int)
    for _ in range(worlds):
        base, bias, information, noise = rng.normal(), rng.normal(), rng.uniform(0, 0.95), rng.exponential()
        found = bias_noise(*simulated(rng, 60, base, bias, information, noise), rng)
        assert found is not None
        held += [covers(found.bias, bias), covers(found.information, information), covers(found.noise, noise)]
    low, high = stats.binom.ppf([0.0005 / 3, 1 - 0.0005 / 3], worlds, 0.9)
    assert (low <= held).all()
    assert (held <= high).all()


@pytest.mark.parametrize("size", [400, pytest.param(1500, marks=pytest.mark.slow)])
def test_many_questions_tell_the_parts_exactly(size: int, rng: np.random.Generator) -> None:
    """The intervals are narrow, below a tenth with 1,500, and the truth is within four of their standard errors."""
    found = bias_noise(*simulated(rng, size, -0.5, 0.4, 0.5, 0.3), rng)
    for part, truth in ((found.bias, 0.4), (found.information, 0.5), (found.noise, 0.3)):
        error = (part.high - part.low) / (2 * stats.norm.ppf(0.95))
        assert 0 < error < 0.1 * np.sqrt(1500 / size)
        assert abs(part.mean - truth) < 4 * error
    assert (found.biased, found.noisy) == ("yes", False)
    assert "leans towards yes" in found.sentence


def test_who_is_noisy_is_told_from_who_is_biased(rng: np.random.Generator) -> None:
    """One says what she knows with much noise, one knows as much and is too hopeless."""
    noisy = bias_noise(*simulated(rng, 300, 0.0, 0.0, 0.4, 2.0), rng)
    biased = bias_noise(*simulated(rng, 300, 0.0, -0.8, 0.4, 0.05), rng)
    assert (noisy.noisy, biased.noisy, biased.biased) == (True, False, "no")
    assert covers(noisy.bias, 0.0)


def test_the_density_is_that_of_a_brute_force() -> None:
    """Of one question: the bivariate normal of what is said and what decides, integrated over the answer's side."""
    base, bias, information, noise, x = 0.2, -0.3, 0.4, 0.5, 0.7
    at = np.array([[base, bias, np.log(information / (1 - information)), np.log(noise)]])
    both = _density(at, np.array([x]), np.array([1.0])) - _density(at, np.array([x]), np.array([-1.0]))
    z = x * np.sqrt(1 - information)
    grid = np.linspace(-12, 12, 200_001)
    joint = stats.multivariate_normal([base + bias, base], [[information + noise, information], [information, 1.0]])
    density = joint.pdf(np.column_stack([np.full(grid.size, z), grid]))
    assert both[0] == pytest.approx(np.log(density[grid > 0].sum() / density[grid < 0].sum()), abs=1e-3)


def test_too_few_or_all_the_same_give_nothing(rng: np.random.Generator) -> None:
    """With one question less than enough, and with one probability for all, there is no estimate and no error."""
    p, y = simulated(rng, ENOUGH, 0.0, 0.0, 0.5, 0.3)
    assert bias_noise(p[1:], y[1:], rng) is None
    assert bias_noise(p, y, rng) is not None
    assert bias_noise(np.full(ENOUGH, 0.3), y, rng) is None


def test_certainty_is_no_crash(rng: np.random.Generator) -> None:
    """Judgements of 0 and 1 that are all right: hardly any noise, much information."""
    y = (rng.random(50) < 0.4).astype(float)
    found = bias_noise(y, y, rng)
    assert found is None or found.information.mean > 0.8
