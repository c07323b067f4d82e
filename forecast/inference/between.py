"""Draws of the prior and of a fit together: they reach evidence between nothing and that of the fit.

Where evidence has to be removed from a fit, its draws are too narrow; those of the prior are too wide. Each draw is
weighted as if it came from the mixture of both (the balance heuristic, Veach and Guibas 1995), so that no weight is
larger than either alone would give it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.blocks import BLOCK, Draws
from forecast.engine.filtering import Evaluation
from forecast.engine.onward import Onward
from forecast.inference.anchor import PRIOR, Anchor
from forecast.quantities.from_draws import ask

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells, Floats
    from forecast.engine.propagate import Ahead, Horizons


MOST_ROUNDS = 1000
SAME = 1e-9  # change of the normalising constant, on the log scale, at which it is found


class Between(Anchor):
    """The draws of ``prior``, up to a whole number of blocks, and behind them those of ``fit``."""

    def __init__(self, prior: Anchor, fit: Anchor) -> None:
        """Take both; ``fit`` has evidence."""
        whole = prior.blocks.size // BLOCK * BLOCK
        self._parts = (prior if whole == prior.blocks.size else prior.part(np.arange(whole)), fit)
        super().__init__(
            fit.space, f"{PRIOR} and {fit.name}", self._joined, as_of=fit.as_of,
            efficiency=min(part.efficiency for part in self._parts), complaints=fit.complaints,
        )  # fmt: skip

    def _joined(self) -> Draws:
        one, other = (part.blocks.draws for part in self._parts)
        return Draws(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))

    def evaluate(self, cells: Cells) -> Evaluation:
        """Give what evidence says under every draw."""
        one, other = (part.evaluate(cells) for part in self._parts)
        return Evaluation(
            np.concatenate([one.log_likelihood, other.log_likelihood]), np.concatenate([one.states, other.states]),
            None, one.on_log_scale or other.on_log_scale,
        )  # fmt: skip

    @cached_property
    def log_likelihood(self) -> Floats:
        """(S,) log-density of the mixture over that of the prior.

        It takes the probability of the fit's evidence under the prior, which the draws of both give: the fixed point of
        the bridge estimate (Meng and Wong 1996).
        """
        prior, fit = self._parts
        assert fit.cells is not None  # noqa: S101 - it is a fit
        told = self.evaluate(fit.cells).log_likelihood
        told = np.where(np.isfinite(told), told, -np.inf)
        many, total = prior.blocks.size, told.size
        of_prior, of_fit = np.log(many / total), np.log1p(-many / total)
        constant = _log_mean(told[:many])
        for _ in range(MOST_ROUNDS):
            mixture = np.logaddexp(of_prior, of_fit + told - constant)
            before, constant = constant, _log_mean(told - mixture)
            if abs(constant - before) < SAME:
                break
        return np.logaddexp(of_prior, of_fit + told - constant)

    def ahead(self, horizons: Horizons) -> Ahead:
        """Give what lies ahead, to be read once: values of so many draws are not kept."""
        return ask(self.space, self.blocks, horizons, Onward)


def _log_mean(logs: Floats) -> float:
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).mean()))
