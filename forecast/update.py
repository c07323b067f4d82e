"""Updates: an anchor's draws reweighted to other evidence, and the gate that says when not to trust that.

Because the hidden path is summed out exactly for every draw, any change of evidence is one evaluation of the draws and
a change of their weights: log w = log-likelihood(new evidence) − log-likelihood(the anchor's). It is always relative to
the anchor and never a product of earlier updates, so nothing accumulates and the order of arrival cannot matter.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from forecast.blocks import Blocks
from forecast.errors import UntrustworthyError
from forecast.evaluate import Evaluation, evaluate
from forecast.hmm import COVERED, OBSERVABLE, SELECTIVE, Cells, chain_of
from forecast.predict import answers, ask, estimates, horizons_of, possible
from forecast.result import Forecast, Trust
from forecast.reweight import Weights, equal_weights, k_hat_limit, smooth_weights

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from forecast.blocks import Draws
    from forecast.evidence import Evidence
    from forecast.predict import Answers
    from forecast.propagate import Ahead, Horizons
    from forecast.result import Policy, Quantity
    from forecast.statespace import StateSpace

    Floats = NDArray[np.float64]

__all__ = ["PRIOR", "Anchor", "Posterior", "contains", "gate", "reweigh", "update"]

PRIOR = "prior"
MAX_MCSE = 0.01
MAX_LOG_ODDS_MCSE = 0.1  # where a probability lies below 5 % or above 95 %
EDGE = 0.05
SMALL_MCSE = 0.001  # ... or this, where that is larger: a tenth of a percentage point moves no reader
MOST_PRIOR_DRAWS = 32_000  # more take longer than a fit
NEAREST = 3  # anchors that are tried where evidence has to be removed
KEPT_AHEAD = 2  # weekdays for which an anchor keeps the values of its states
SAME_YEARS = 1e-9
WORST_K_HAT = 99.0  # stands for all that are larger, infinity among them


class Anchor:
    """A set of draws with the evidence that they were drawn under; without ``cells``, the prior.

    Everything else is computed once, at first use; several threads may read.
    """

    def __init__(  # noqa: PLR0913 - what an anchor is
        self, space: StateSpace, name: str, load: Callable[[], Draws], *, cells: Cells | None = None,
        as_of: dt.date | None = None, efficiency: float = 1.0, complaints: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Take the draws that ``load`` gives; their means are worth ``efficiency`` times as many independent ones.

        ``complaints`` say what is wrong with them; the gate stays shut then.
        """
        self.space = space
        self.name = name
        self.cells = cells
        self.as_of = as_of
        self.efficiency = efficiency
        self.complaints = tuple(complaints)
        self._load = load
        self._ahead: dict[tuple[float, ...], Ahead] = {}
        self._lock = Lock()

    @cached_property
    def blocks(self) -> Blocks:
        """The draws, laid out."""
        return Blocks(chain_of(self.space), self._load())

    @property
    def loaded(self) -> bool:
        """Whether the draws are in memory."""
        return "blocks" in self.__dict__

    def unloaded(self) -> Anchor:
        """Give the same anchor without anything in memory."""
        return Anchor(
            self.space, self.name, self._load, cells=self.cells, as_of=self.as_of, efficiency=self.efficiency,
            complaints=self.complaints,
        )  # fmt: skip

    @cached_property
    def log_likelihood(self) -> Floats:
        """(S,) log-likelihood of the anchor's own evidence; zeros for the prior."""
        if self.cells is None:
            return np.zeros(self.blocks.size)
        return evaluate(self.blocks, self.cells).log_likelihood

    def ahead(self, horizons: Horizons) -> Ahead:
        """Give the values of the states at ``horizons``; those asked for last are kept."""
        key = (*horizons[:-1], *horizons.full.tolist())
        with self._lock:
            found = self._ahead.pop(key, None) or ask(self.space, self.blocks, horizons)
            self._ahead[key] = found
            while len(self._ahead) > KEPT_AHEAD:
                del self._ahead[next(iter(self._ahead))]
        return found


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
        """Every published number under each draw."""
        ahead = self.anchor.ahead(horizons_of(self.space, self.evidence.as_of))
        return answers(self.space, self.evidence.as_of, ahead, self.evaluation.states)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every published number."""
        return estimates(self.answers, self.weights.values, self.anchor.efficiency)

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
    found = possible(anchor.space, evidence, evaluate(anchor.blocks, evidence.cells))
    if anchor.cells is not None and _same(anchor.cells, evidence.cells):
        weights = equal_weights(anchor.blocks.size)
    else:
        weights = smooth_weights(found.log_likelihood - anchor.log_likelihood, anchor.efficiency)
    return Posterior(anchor.space, evidence, anchor, found, weights)


def gate(anchor: Anchor, weights: Weights, quantities: Iterable[Quantity]) -> Trust:
    """Say whether numbers from weighted draws are to be trusted: k-hat and the error of each probability."""
    reasons = [*anchor.complaints]
    limit = k_hat_limit(anchor.blocks.size)
    if weights.k_hat is not None and not weights.k_hat <= limit:
        reasons.append(f"k-hat {weights.k_hat:.2f} (at most {limit:.2f}): the draws do not reach this evidence")
    worst, excess = max(((row, _excess(row)) for row in quantities), key=lambda pair: pair[1])
    if not excess <= 1.0:
        reasons.append(
            f"Monte Carlo error {worst.estimate.mcse:.4f} of {worst} at {worst.estimate.mean:.4f} "
            f"(at most {worst.estimate.mcse / excess:.4f})"
        )
    return Trust(
        anchor=anchor.name,
        anchor_as_of=anchor.as_of,
        draws=anchor.blocks.size,
        ess=weights.ess * anchor.efficiency,
        k_hat=None if weights.k_hat is None else min(weights.k_hat, WORST_K_HAT),
        worst_mcse=worst.estimate.mcse,
        worst_mcse_of=str(worst),
        reasons=tuple(reasons),
    )


def _excess(row: Quantity) -> float:
    """Monte Carlo error of a probability over what is allowed; infinite where it is not known."""
    p, error = row.estimate.mean, row.estimate.mcse
    if math.isnan(error):
        return math.inf
    if EDGE <= p <= 1 - EDGE:
        return error / MAX_MCSE
    return error / max(p * (1 - p) * MAX_LOG_ODDS_MCSE, SMALL_MCSE)


# The choice of an anchor.


def contains(cells: Cells, part: Cells | None) -> bool:
    """Whether evidence ``cells`` holds all that ``part`` says, so that going from one to the other only adds.

    Where a step or its coverage has grown since, what is said of it now stands for what was said then; and what was
    told is held if it is still told, whatever else could have been, or if it was seen by somebody who looked.
    """
    if part is None:
        return True
    last = part.years.size - 1
    if cells.years.size <= last or np.abs(cells.years[:last] - part.years[:last]).max(initial=0) > SAME_YEARS:
        return False
    longer = cells.years[last] - part.years[last]
    if longer < -SAME_YEARS:
        return False
    running = last if longer > SAME_YEARS else -1
    here, there = _watched(cells), _watched(part)
    for key, (exposure, seen) in there.items():
        now = here.get(key)
        if now is None or now[0] < exposure - SAME_YEARS or (now[1] != seen and now[0] < exposure + SAME_YEARS):
            return False
    lost = Counter(_keys(part, running)) - Counter(_keys(cells, running))
    return all(key[1] == SELECTIVE and here.get((int(key[0]), int(key[-1])), (0.0, 0.0))[1] > 0.0 for key in lost)


def _watched(cells: Cells) -> dict[tuple[int, int], tuple[float, float]]:
    """Exposure and what was seen of each covered step and indicator."""
    covered = cells.what[:, 1] == COVERED
    places = cells.what[covered][:, [0, 3]].tolist()
    values = np.stack([cells.value[covered, 1], cells.observed[covered]], axis=1).tolist()
    return {
        (step, indicator): (exposure, seen) for (step, indicator), (exposure, seen) in zip(places, values, strict=True)
    }


def _keys(cells: Cells, running: int) -> list[tuple[float, ...]]:
    """Say what tells cells apart that are not covered; of records in the ``running`` step, only what they are about."""
    keys: list[tuple[float, ...]] = []
    for (step, kind, stage, _, _), value, seen in zip(
        cells.what.tolist(), cells.value.tolist(), cells.observed.tolist(), strict=True
    ):
        if kind == OBSERVABLE and step == running:
            keys.append((step, kind, stage))
        elif kind != COVERED:
            keys.append((step, kind, stage, *value, seen))
    return keys


def _same(one: Cells, other: Cells) -> bool:
    return all(a.shape == b.shape and bool((a == b).all()) for a, b in zip(one, other, strict=True))


def update(
    evidence: Evidence, anchors: Sequence[Anchor], prior: Callable[[int], Anchor] | None, fit: Callable[[], Anchor],
    *, refit: Policy = "auto",
) -> Posterior:  # fmt: skip
    """Bring draws to ``evidence`` by the cheapest way that can be trusted.

    In order: the anchor with the largest effective sample size among those whose evidence is contained in
    ``evidence`` (of two of which one contains the other, the larger is tried), or where there is none the prior, with
    as many draws as are enough; one of the nearest anchors from which evidence has to be removed; ``fit``. With
    ``refit`` "always" it is ``fit`` at once, with "never" the best of the others, trusted or not.

    ``anchors`` are fits; ``prior(n)`` gives one of at least ``n`` draws from the prior, where it may be used.

    Raises
    ------
    UntrustworthyError
        If there is no anchor at all and ``refit`` is "never".

    """
    if refit == "always":
        return reweigh(fit(), evidence)
    same = [anchor for anchor in anchors if anchor.cells is not None and _same(anchor.cells, evidence.cells)]
    if same:
        return _best([reweigh(anchor, evidence) for anchor in same])
    inside = [anchor for anchor in anchors if contains(evidence.cells, anchor.cells)]
    largest = [a for a in inside if not any(b is not a and _within(a, b) for b in inside)]
    found = [reweigh(anchor, evidence) for anchor in largest]
    if prior is not None and not found:
        found = [_from_prior(evidence, prior)]
    if found and _enough(_best(found)):
        return _best(found)
    others = sorted((a for a in anchors if a not in inside), key=lambda anchor: _distance(evidence.cells, anchor))
    good = [found for found in (reweigh(a, evidence) for a in others[:NEAREST]) if _enough(found)]
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
    here, there = Counter(_keys(cells, -1)), Counter(_keys(anchor.cells, -1))
    silent = set(_watched(cells).items()) ^ set(_watched(anchor.cells).items())
    return ((here - there) + (there - here)).total() + len(silent)


def _enough(found: Posterior) -> bool:
    """Whether nothing is wrong but what was wrong with the fit already: whoever lets such a fit in has accepted it."""
    return set(found.trust.reasons) <= set(found.anchor.complaints)


def _best(found: Sequence[Posterior]) -> Posterior:
    return max(found, key=lambda one: one.ess)


def _from_prior(evidence: Evidence, prior: Callable[[int], Anchor]) -> Posterior:
    """Weight draws from the prior; more of them if the error, which falls with their root, becomes small enough so."""
    found = reweigh(prior(1), evidence)
    size = found.anchor.blocks.size
    excess = max(map(_excess, found.quantities))
    needed = 1.2 * size * excess**2  # with some room: the error is itself estimated
    if _enough(found) or needed > MOST_PRIOR_DRAWS or not (found.weights.k_hat or 0.0) <= k_hat_limit(size):
        return found
    return reweigh(prior(int(needed)), evidence)
