"""Bias, information and noise of a forecaster, from probabilities and answers.

The BIN model of Satopää, Salikhov, Tetlock and Mellers (2021): the answer is yes if Z* > 0, with Z* ~ N(b, 1). The
forecaster sees Z with mean b + *bias*, covariance *information* with Z* and variance *information* + *noise*, and says
p = Φ(Z / √(1 − information)), as somebody would who knew of neither bias nor noise. So with x = Φ⁻¹(p), g information,
d noise and m bias,

    Z = x √(1 − g),    x ~ N((b + m) / √(1 − g), (g + d) / (1 − g)),
    Z* | Z ~ N(b + g (Z − b − m) / (g + d), 1 − g² / (g + d)),

and the likelihood of a question is the density of x times the chance that Z* has the sign of its answer. The priors are
wide: b and m ~ N(0, 1), g uniform on [0, 1], d exponential with mean 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast.record.calibration import LEVEL
from forecast.record.pooling import within

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats


ENOUGH = 30  # questions
DRAWS = 6000
ROUNDS = 30  # of draws at most, each from where the last had its weight
WORTH = 500.0  # draws that weights must be worth
WIDER = 1.2  # times the covariance of the last round
DEGREES = 5  # of freedom of the proposal: its tails reach further than the posterior's


class Part(NamedTuple):
    """Posterior mean and interval of 90 %."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class BiasNoise:
    """What moves a forecaster, on the scale on which the world's own spread is 1.

    ``bias`` above zero leans towards yes; ``information`` is the share of what decides that the forecaster knows;
    ``noise`` is the variance that has nothing to do with the answer, and ``noise_share`` its part in all that the
    judgements vary by. ``questions`` were judged, and are taken for independent of each other.
    """

    questions: int
    bias: Part
    information: Part
    noise: Part
    noise_share: Part

    @property
    def biased(self) -> str | None:
        """Whether it leans towards ``yes`` or ``no``; None where that cannot be told."""
        return "yes" if self.bias.low > 0 else "no" if self.bias.high < 0 else None

    @property
    def noisy(self) -> bool:
        """Whether noise is more than half of what the judgements vary by, for sure."""
        return self.noise_share.low > 0.5  # noqa: PLR2004 - half

    @property
    def sentence(self) -> str:
        """Say it in words."""
        m, g, s = self.bias, self.information, self.noise_share
        bias = f"{m.mean:+.2f} ({m.low:+.2f} to {m.high:+.2f})".replace("-", "−")
        lean = f"leans towards {self.biased}" if self.biased else "no bias can be told"
        return (
            f"{lean}, bias {bias}; noise is {s.mean:.0%} ({s.low:.0%} to {s.high:.0%}) of what the judgements vary by"
            f"{', more than half of it' if self.noisy else ''}; information {g.mean:.0%} ({g.low:.0%} to {g.high:.0%})"
        )


def bias_noise(probability: Floats, answer: Floats, rng: np.random.Generator) -> BiasNoise | None:
    """Estimate the parts from probabilities (n,) and answers (n,), 0 or 1; None with fewer than `ENOUGH` questions.

    The posterior is reached by importance sampling, in rounds whose proposals follow its moments; None if it is not
    reached, as with probabilities that are all the same.
    """
    if answer.size < ENOUGH:
        return None
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import
    from scipy.special import ndtri  # noqa: PLC0415

    x, sign = ndtri([within(p) for p in probability.tolist()]), np.where(answer > 0, 1.0, -1.0)
    start: Any = minimize(lambda at: -float(_density(at[None], x, sign)[0]), np.array([0.0, 0.0, 0.0, -1.0]))
    center, spread = start.x, 0.25 * np.eye(4)
    draws, weights, power = np.empty((0, 4)), np.empty(0), 0.0
    for _ in range(ROUNDS):
        done = power == 1
        draws, log_proposal = _student(center, spread, rng)
        weights, power = _tempered(_density(draws, x, sign) - log_proposal)
        if done and power == 1:
            break
        center = weights @ draws
        spread = WIDER * (weights[:, None] * (draws - center)).T @ (draws - center) + 1e-9 * np.eye(4)
    if power < 1:
        return None
    information, noise = 1 / (1 + np.exp(-draws[:, 2])), np.exp(draws[:, 3])
    parts = (draws[:, 1], information, noise, noise / (noise + information))
    return BiasNoise(answer.size, *(_part(values, weights) for values in parts))


def _tempered(log_weights: Floats) -> tuple[Floats, float]:
    """Normalise weights, to the greatest power 2⁻ᵏ at which they are worth so many draws; give that too."""
    power = 1.0
    while power > 1e-6:  # noqa: PLR2004 - beyond it they are all alike
        weights = np.exp(power * (log_weights - log_weights.max()))
        weights /= weights.sum()
        if 1 / float(np.square(weights).sum()) >= WORTH:
            return weights, power
        power /= 2
    return np.full(log_weights.size, 1 / log_weights.size), power


def _density(at: Floats, x: Floats, sign: Floats) -> Floats:
    """Log posterior density, up to a constant, of b, m, logit g, log d (S, 4) given x (n,) and answers ±1 (n,)."""
    from scipy.special import log_ndtr  # noqa: PLC0415 - slow to import

    at = np.clip(at, -30, 30)  # beyond it nothing is, and exponentials are finite within
    b, m, g, d = at[:, 0, None], at[:, 1, None], 1 / (1 + np.exp(-at[:, 2, None])), np.exp(at[:, 3, None])
    rest = 1 / (1 + np.exp(at[:, 2, None]))  # 1 − g, exactly
    z = x * np.sqrt(rest) - b - m
    said = 0.5 * np.log(rest) - 0.5 * np.log(g + d) - 0.5 * z**2 / (g + d)
    truth = log_ndtr(sign * (b + g * z / (g + d)) / np.sqrt(1 - g**2 / (g + d)))
    prior = -0.5 * b**2 - 0.5 * m**2 + np.log(g) + np.log(rest) - d + np.log(d)
    return (said + truth).sum(axis=1) + prior[:, 0]


def _student(center: Floats, spread: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw (DRAWS, 4) from Student's distribution, with log densities up to a constant."""
    factor = np.linalg.cholesky(spread)
    normal, scale = rng.standard_normal((DRAWS, 4)), rng.chisquare(DEGREES, DRAWS) / DEGREES
    steps = normal / np.sqrt(scale)[:, None]
    return center + steps @ factor.T, -0.5 * (DEGREES + 4) * np.log1p(np.square(steps).sum(axis=1) / DEGREES)


def _part(values: Floats, weights: Floats) -> Part:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    low, high = (float(values[order][np.searchsorted(below, level)]) for level in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Part(float(weights @ values), low, high)
