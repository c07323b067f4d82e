"""Draws of the prior and of a fit together: they reach evidence between nothing and that of the fit.

Where evidence has to be removed from a fit, its draws are too narrow; those of the prior are too wide. Each draw is
weighted as if it came from the mixture of both (the balance heuristic, Veach and Guibas 1995), so that no weight is
larger than either alone would give it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.blocks import Draws, split
from forecast.engine.filtering import Evaluation
from forecast.engine.onward import Onward
from forecast.inference.anchor import Anchor
from forecast.quantities.estimate import TOGETHER
from forecast.quantities.from_draws import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from forecast.engine.arrays import Cells, Floats
    from forecast.engine.propagate import Ahead, Horizons


WIDE = 40.0  # nats beyond all log-likelihoods, between which the log of their mean under the prior is looked for
SAME = 1e-9  # nats to which it is found


class Between(Anchor):
    """The draws of ``prior``, and behind them those of ``fit``."""

    def __init__(self, prior: Anchor, fit: Anchor) -> None:
        """Take both; ``fit`` has evidence."""
        self._parts = prior, fit
        super().__init__(
            fit.space, f"{TOGETHER}{fit.name}", self._joined, as_of=fit.as_of,
            efficiency=min(part.efficiency for part in self._parts), complaints=fit.complaints,
        )  # fmt: skip

    def _joined(self) -> Draws:
        one, other = (part.blocks.draws for part in self._parts)
        return Draws(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))

    def evaluate(self, cells: Cells) -> Evaluation:
        """Give what evidence says under every draw."""
        found = [part.evaluate(cells) for part in self._parts]
        return Evaluation(
            np.concatenate([one.log_likelihood for one in found]),
            split(np.concatenate([one.now for one in found])),
            None,
            any(one.on_log_scale for one in found),
        )

    @cached_property
    def log_likelihood(self) -> Floats:
        """(S,) log-density of the mixture over that of the prior.

        It takes the probability of the fit's evidence under the prior, which the draws of both give: that of the bridge
        estimate (Meng and Wong 1996), which solves an equation.
        """
        prior, fit = self._parts
        assert fit.cells is not None  # noqa: S101 - it is a fit
        told = self.evaluate(fit.cells).log_likelihood
        told = np.where(np.isfinite(told), told, -np.inf)
        share = prior.blocks.size / told.size

        def mixture(constant: float) -> Floats:
            return np.logaddexp(np.log(share), np.log1p(-share) + told - constant)

        low, high = told[np.isfinite(told)].min() - WIDE, told.max() + WIDE
        while high - low > SAME:  # the mean falls from above 1 to below it
            middle = 0.5 * (low + high)
            if np.exp(told - middle - mixture(middle)).mean() > 1.0:
                low = middle
            else:
                high = middle
        return mixture(0.5 * (low + high))

    def ahead(self, horizons: Horizons) -> Ahead:
        """Give everything that is published ahead, to be read once: values of so many draws are not kept."""
        return ask(self.space, self.blocks, horizons, Onward)

    def _with(self, load: Callable[[], Draws], identity: Hashable | None = None) -> Anchor:
        """Refuse: some of the draws of a mixture would have to take their densities along."""
        raise NotImplementedError
