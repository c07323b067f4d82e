"""Naive forecasters that a theory has to beat in a back-test: prior only, constant rates, last week repeated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from forecast.base import prose
from forecast.engine.arrays import ASSESSMENT, COVERED, SELECTIVE, judged, seen, told
from forecast.engine.filtering import evaluate
from forecast.evidence.containment import news
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.record.replay import score_week

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells, Floats
    from forecast.engine.blocks import Draws
    from forecast.evidence.compilation import Evidence
    from forecast.theory.statespace import StateSpace


NAIVE = PRIOR_ONLY, CONSTANT, REPEATED = prose.PRIOR_ONLY, "constant rates", "last week repeated"
SHARE = 0.5  # that the repeating forecaster gives to what it saw last; the rest goes to what is usual
CHANGE = 0.02  # that it gives to a change of what is on record, a week


class Naive:
    """Forecasters that a theory has to beat."""

    def __init__(self, prior: Anchor) -> None:
        """Take draws from the prior of the model that is tested."""
        space = prior.space
        self._prior = prior
        self._flat = Anchor(space, CONSTANT, lambda: _flattened(space, prior.blocks.draws))

    def score(self, before: Evidence, after: Evidence) -> dict[str, tuple[float, float]]:
        """Log predictive probability in nats, and its Monte Carlo error, of what ``after`` adds to ``before``."""
        new = news(before, after)
        alone = evaluate(self._prior.blocks, new).log_likelihood
        top = float(alone.max())
        each = np.exp(alone - top)
        error = float(each.std() / math.sqrt(each.size) / each.mean())
        return {
            PRIOR_ONLY: (top + math.log(float(each.mean())), error),
            CONSTANT: score_week(reweigh(self._flat, before), after),
            REPEATED: (_repeat(before.cells, new, self._prior.space), 0.0),
        }


def _flattened(space: StateSpace, draws: Draws) -> Draws:
    """Give every indicator the same rate in all states of its stage: the mean over them."""
    log_lambda = draws.log_lambda.copy()
    for indicator in range(len(space.indicators)):
        columns = np.flatnonzero(space.emission_indicator == indicator)
        log_lambda[:, columns] = np.log(np.exp(draws.log_lambda[:, columns]).mean(axis=1, keepdims=True))
    return draws._replace(log_lambda=log_lambda)


def _repeat(past: Cells, new: Cells, space: StateSpace) -> float:
    """Score ``new`` cells by one who gives half to what each stage showed last, and half to what is usual."""
    total = 0.0
    for what, (w, _, odds), observed in zip(new.what.tolist(), new.value.tolist(), new.observed, strict=True):
        _, kind, stage, indicator, group = what
        last = _last(past, kind, stage, indicator)
        if kind == COVERED:
            usual = odds / (1 + odds)
            present = usual if last.size == 0 else SHARE * float((last > 0).any()) + (1 - SHARE) * usual
            total += math.log(seen(w, odds, 1 - present) if observed > 0 else 1 - present)
        elif kind == SELECTIVE:
            open_ = np.flatnonzero(new.available[group])
            usual = new.false[group, int(observed)]
            again = np.isin(last, open_)
            share = usual
            if again.any():
                share = SHARE * float((last[again] == observed).mean()) + (1 - SHARE) * usual
            total += math.log(told(w, share, usual))
        elif kind == ASSESSMENT:
            states = len(space.states[stage])
            chance = np.full(states, 1 / states)
            if last.size:
                chance *= 1 - SHARE
                chance[last.astype(int)] += SHARE / last.size
            each = np.arange(states)
            total += math.log(sum(chance[s] * judged(w, each, int(observed), s) for s in range(states)))
        else:
            stays = last.size == 0 or last[-1] == observed
            total += math.log(1 - CHANGE if stays else CHANGE)
    return total


def _last(past: Cells, kind: int, stage: int, indicator: int) -> Floats:
    """Give what was observed in the last step that has cells of the kind, of the stage or, if covered, indicator."""
    here = (past.what[:, 1] == kind) & (past.what[:, 2] == stage)
    if kind == COVERED:
        here &= past.what[:, 3] == indicator
    steps = past.what[here, 0]
    return past.observed[here][steps == steps.max()] if steps.size else past.observed[:0]
