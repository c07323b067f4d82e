"""The kernels for many draws, asked in the shapes that the tests compare: the draw first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.blocks import Blocks, joined
from forecast.engine.filtering import Evaluation, evaluate
from forecast.engine.propagate import Ahead, Questions
from forecast.quantities.convergence import convergence_of as convergence
from forecast.quantities.from_draws import answers, ask, estimates, horizons_of, possible
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells, Chain
    from forecast.engine.blocks import Draws
    from forecast.engine.propagate import Horizons
    from forecast.evidence.compilation import Evidence
    from forecast.quantities.estimate import Estimate, Quantity
    from forecast.theory.statespace import StateSpace

__all__ = ["Numbers", "Values", "filter_draws", "numbers_of", "smooth_draws", "values_at"]


def filter_draws(chain: Chain, cells: Cells, draws: Draws, *, path: bool = False) -> Evaluation:
    """Log-likelihood and filtered probabilities of every draw."""
    return evaluate(Blocks(chain, draws), cells, path="filtered" if path else None)


def smooth_draws(chain: Chain, cells: Cells, draws: Draws) -> np.ndarray:
    """(S, T, K) smoothed probabilities."""
    path = evaluate(Blocks(chain, draws), cells, path="smoothed").path
    assert path is not None
    return path


class Values(NamedTuple):
    """Values of each joint state now, for S draws."""

    at: np.ndarray  # (S, H, M, K)
    reached: np.ndarray  # (S, H, M, K)
    after: np.ndarray  # (S, A, 2, K)


def values_at(  # noqa: PLR0913, PLR0917 - the arrays of a question
    chain: Chain, draws: Draws, horizons: Horizons, sets: np.ndarray, after: tuple[np.ndarray, np.ndarray], later: int
) -> Values:
    """Values of ``sets`` at the horizons and reached by them, and of beginnings ``later`` steps on."""
    steps = np.full(len(after[0]), later, dtype=np.int64)
    ahead = Ahead(Blocks(chain, draws), horizons, Questions(sets, sets, *after, steps))
    found = joined(np.moveaxis(ahead._kept, 1, 2), draws.size)  # (S, K, Q)
    found = np.moveaxis(found, 1, 2)
    shape = (draws.size, horizons.full.size, len(sets), -1)
    count = horizons.full.size * len(sets)
    return Values(
        found[:, :count].reshape(shape),
        found[:, count : 2 * count].reshape(shape),
        found[:, 2 * count :].reshape(draws.size, len(steps), 2, found.shape[2]),
    )


class Numbers(NamedTuple):
    """What is published from equally weighted draws, and how well the chains agree on it."""

    quantities: tuple[Quantity, ...]
    min_ess: float
    max_r_hat: float

    def probability(
        self, outcome: str, *, weeks: int | None = None, kind: str | None = None, given: str | None = None
    ) -> Estimate:
        """Look a number up as `Forecast.probability` does."""
        wanted = (outcome, kind or ("given" if given else "at" if weeks else "already"), given)
        (found,) = [
            row.estimate
            for row in self.quantities
            if (row.outcome, row.kind, row.given) == wanted and weeks in {None, row.horizon_weeks}
        ]
        return found


def numbers_of(space: StateSpace, evidence: Evidence, draws: Draws, chains: int) -> Numbers:
    """Forecast from equally weighted draws."""
    blocks = Blocks(chain_of(space), draws)
    found = possible(space, evidence, evaluate(blocks, evidence.cells))
    published = answers(space, evidence.as_of, ask(space, blocks, horizons_of(space, evidence.as_of)), found.states)
    least, worst, efficiency = convergence(published, chains)
    equal = np.full(draws.size, 1 / draws.size)
    return Numbers(estimates(published, equal, efficiency), least, worst)
