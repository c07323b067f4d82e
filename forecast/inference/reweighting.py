"""Posterior updates: an anchor's draws reweighted to other evidence, or a new fit behind the gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from forecast.base.errors import UntrustworthyError
from forecast.engine.pareto import Weights, equal_weights, k_hat_limit, smooth_weights
from forecast.evidence.containment import cell_keys, contains, same_cells, watched_cells
from forecast.inference.between import Between
from forecast.inference.trust import excess_error, gate
from forecast.quantities.forecast import Forecast
from forecast.quantities.from_draws import answers, estimates, horizons_of, possible, sayable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.engine.arrays import Cells
    from forecast.engine.filtering import Evaluation
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.quantities.estimate import Policy, Quantity, Trust
    from forecast.quantities.from_draws import Answers
    from forecast.theory.statespace import StateSpace


MOST_PRIOR_DRAWS = 32_000  # more take longer than a fit
NEAREST = 3  # anchors that are tried where evidence has to be removed


@dataclass(frozen=True)
class Posterior:
    """An anchor's draws under other evidence: weighted, with the present states of each."""

    space: StateSpace
    evidence: Evidence
    anchor: Anchor
    evaluation: Evaluation
    weights: Weights

    @property
    def ess(self) -> float:
        """Effective number of draws."""
        return self.weights.ess * self.anchor.efficiency

    @cached_property
    def answers(self) -> Answers:
        """Every number that the model asks for under each draw, with those that are too rare to say."""
        ahead = self.anchor.ahead(horizons_of(self.space, self.evidence.as_of))
        return answers(self.space, self.evidence.as_of, ahead, self.evaluation.states)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every published number."""
        weights = self.weights.values
        return estimates(sayable(self.answers, weights), weights, self.anchor.efficiency)

    @property
    def reached(self) -> bool:
        """Whether the draws reach the evidence, whatever is wrong with them or the error of the numbers."""
        return self.weights.k_hat is None or self.weights.k_hat <= k_hat_limit(self.anchor.blocks.size)

    @cached_property
    def trust(self) -> Trust:
        """What the gate says."""
        return gate(self.anchor, self.weights, self.quantities)

    def forecast(self) -> Forecast:
        """Give the numbers."""
        return Forecast(
            model=self.space.spec.name,
            as_of=self.evidence.as_of,
            model_hash=self.space.spec.hash,
            evidence=self.evidence.hash,
            quantities=self.quantities,
            trust=self.trust,
        )


def reweigh(anchor: Anchor, evidence: Evidence) -> Posterior:
    """Weight an anchor's draws to ``evidence``.

    Raises
    ------
    InputError
        If the evidence is impossible under every draw.

    """
    found = possible(anchor.space, evidence, anchor.evaluate(evidence.cells))
    if anchor.cells is not None and same_cells(anchor.cells, evidence.cells):
        weights = equal_weights(anchor.blocks.size)
    else:
        weights = smooth_weights(found.log_likelihood - anchor.log_likelihood, anchor.efficiency)
    return Posterior(anchor.space, evidence, anchor, found, weights)


def update(  # noqa: PLR0913 - everything that draws may come from
    evidence: Evidence, anchors: Sequence[Anchor], prior: Callable[[int], Anchor] | None, fit: Callable[[], Anchor],
    *, refit: Policy = "auto", trust: Callable[[Posterior], Trust] | None = None,
) -> Posterior:  # fmt: skip
    """Bring draws to ``evidence`` by the cheapest way that can be trusted.

    In order: the anchor with the largest effective sample size among those whose evidence is contained in
    ``evidence`` (of two of which one contains the other, the larger is tried), or where there is none the prior, with
    as many draws as are enough; one of the nearest anchors from which evidence has to be removed; ``fit``. With
    ``refit`` "always" it is ``fit`` at once, with "never" the best of the others, trusted or not.

    ``anchors`` are fits; ``prior(n)`` gives one of at least ``n`` draws from the prior, where it may be used. ``trust``
    judges what is wanted of the draws, where that is not every published number; then the nearest fit and the prior are
    also tried together, before a new fit (see `forecast.inference.between`).

    Raises
    ------
    UntrustworthyError
        If there is no anchor at all and ``refit`` is "never".

    """
    if refit == "always":
        return reweigh(fit(), evidence)
    judge = trust or _published
    same = [anchor for anchor in anchors if anchor.cells is not None and same_cells(anchor.cells, evidence.cells)]
    if same:
        return _best([reweigh(anchor, evidence) for anchor in same])
    inside = [anchor for anchor in anchors if contains(evidence.cells, anchor.cells)]
    largest = [a for a in inside if not any(b is not a and _within(a, b) for b in inside)]
    found = [reweigh(anchor, evidence) for anchor in largest]
    if prior is not None and not found:
        found = [_from_prior(evidence, prior, judge)]
    if found and _enough(_best(found), judge):
        return _best(found)
    others = sorted((a for a in anchors if a not in inside), key=lambda anchor: _distance(evidence.cells, anchor))
    good = [found for found in (reweigh(a, evidence) for a in others[:NEAREST]) if _enough(found, judge)]
    if not good and trust is not None and prior is not None and others:
        both = reweigh(Between(prior(1), others[0]), evidence)
        found.append(both)
        good = [both] if _enough(both, judge) else []
    if good:
        return _best(good)
    if refit != "never":
        return reweigh(fit(), evidence)
    if not found:
        msg = "there is no fit of this version of the model to start from, and a new one is forbidden; allow it once"
        raise UntrustworthyError(msg)
    return _best(found)


def _within(part: Anchor, whole: Anchor) -> bool:
    """Whether one anchor's evidence is contained in another's and says less."""
    if whole.cells is None:
        return False
    return contains(whole.cells, part.cells) and not (part.cells is not None and contains(part.cells, whole.cells))


def _distance(cells: Cells, anchor: Anchor) -> int:
    """Count the cells that one of two evidences lacks."""
    assert anchor.cells is not None  # noqa: S101 - the prior's evidence is contained in any
    here, there = Counter(cell_keys(cells, -1)), Counter(cell_keys(anchor.cells, -1))
    silent = set(watched_cells(cells).items()) ^ set(watched_cells(anchor.cells).items())
    return ((here - there) + (there - here)).total() + len(silent)


def _published(found: Posterior) -> Trust:
    return found.trust


def _enough(found: Posterior, judge: Callable[[Posterior], Trust]) -> bool:
    """Whether nothing is wrong but what was wrong with the fit already: whoever lets such a fit in has accepted it."""
    return found.reached and set(judge(found).reasons) <= set(found.anchor.complaints)


def _best(found: Sequence[Posterior]) -> Posterior:
    return max(found, key=lambda one: (one.reached, one.ess))


def _from_prior(
    evidence: Evidence, prior: Callable[[int], Anchor], judge: Callable[[Posterior], Trust]
) -> Posterior:  # fmt: skip
    """Weight draws from the prior; more of them if the error, which falls with their root, becomes small enough so."""
    found = reweigh(prior(1), evidence)
    size = found.anchor.blocks.size
    if not found.reached or judge is not _published or _enough(found, judge):
        return found
    excess = max(map(excess_error, found.quantities))
    needed = 1.2 * size * excess**2  # with some room: the error is itself estimated
    if needed > MOST_PRIOR_DRAWS:
        return found
    return reweigh(prior(int(needed)), evidence)
