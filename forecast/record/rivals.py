"""Rival models side by side: scores week by week, stacking weights and their pool."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.shown import Shown, ShownTable
from forecast.inference.mixture import MixturePart, pool
from forecast.quantities.estimate import FORMAT
from forecast.quantities.forecast import side_by_side
from forecast.record.history_scores import compare_on_history
from forecast.record.replay import score_week
from forecast.record.stacking import said_of_weights, stacking_weights

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Policy
    from forecast.quantities.forecast import Forecast
    from forecast.record.history_scores import HistoryComparison
    from forecast.record.replay import Replay, Week


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Rival models on the same evidence.

    ``weights`` are stacking weights: the mixture with the largest sequential predictive score; ``intervals`` their
    90 % intervals over resampled weeks. ``pooled`` is the forecast of that mixture. Scores of weeks before ``frozen``,
    the day from which on no model was changed, are retrospective fit and not skill. ``history`` sets the models beside
    each other on what happened to others.
    """

    as_of: dt.date
    frozen: dt.date
    forecasts: Mapping[str, Forecast]
    weeks: tuple[Week, ...]
    weights: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    pooled: Forecast
    history: HistoryComparison
    fits: int

    @property
    def totals(self) -> dict[str, float]:
        """Sum of the scores of each model."""
        return {name: math.fsum(week.scores[name] for week in self.weeks) for name in self.forecasts}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the evidence says of the rivals, in words."""
        totals = self.totals
        best = max(totals, key=totals.__getitem__)
        lines: list[str] = []
        for name in totals:
            if name == best:
                continue
            each = np.array([week.scores[best] - week.scores[name] for week in self.weeks])
            error = math.sqrt(each.size * float(each.var(ddof=1))) if each.size > 1 else math.inf
            gap = totals[best] - totals[name]
            said = "foresaw the evidence better" if gap > prose.NOISE * error else "cannot be told apart"
            link = "than" if gap > prose.NOISE * error else "from"
            weeks = prose.count(each.size, "week")
            lines.append(f"{best} {said} {link} {name}: {gap:.1f} ± {error:.1f} nats in {weeks}.")
        lines.append(f"Stacking weights: {said_of_weights(self.weights, self.intervals)}.")
        before = sum(week.date <= self.frozen for week in self.weeks)
        if before:
            lines.append(
                f"{before} of {prose.count(len(self.weeks), 'week')} lie before {prose.day(self.frozen)}, when the "
                "models were frozen: of those the scores are retrospective fit, not skill."
            )
        return (*lines, *self.history.sentences)

    @property
    def _side_by_side(self) -> dict[str, Forecast]:
        return {**self.forecasts, "pooled": self.pooled}

    def _shown_table(self) -> ShownTable:
        """Show the forecasts beside each other."""
        return side_by_side(self._side_by_side)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: forecasts of every model and of the pool, with the columns of `Forecast.to_frame` and ``model``."""
        return base.stacked({name: one.to_frame() for name, one in self._side_by_side.items()}, "model")

    def scores_frame(self) -> pd.DataFrame:
        """Tidy: one row a week and model; columns date, cells, model, score, mcse."""
        rows = [
            {"date": week.date, "cells": week.cells, "model": name, "score": score, "mcse": week.mcse[name]}
            for week in self.weeks
            for name, score in week.scores.items()
        ]
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "frozen": self.frozen.isoformat(),
            "forecasts": {name: one.to_dict() for name, one in self.forecasts.items()},
            "weeks": [{**asdict(week), "date": week.date.isoformat()} for week in self.weeks],
            "totals": self.totals,
            "weights": dict(self.weights),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "pooled": self.pooled.to_dict(),
            "history": self.history.to_dict(),
            "fits": self.fits,
            "sentences": list(self.sentences),
        }


def compare_weekly(replay: Replay, refit: Policy) -> Comparison:
    """Score rival models on the evidence of each week by what they knew before it, and pool them."""
    names = list(replay.fitters)
    found: dict[str, Posterior] = {}
    weeks: list[Week] = []
    for evidences, update in replay.weeks(refit):
        if found:
            scores = {name: score_week(found[name], evidences[name]) for name in names}
            weeks.append(replay.week(found[names[0]].evidence, evidences[names[0]], scores))
        found = update()
    history = compare_on_history(replay.fitters)
    return compare(found, weeks, replay.frozen, history, replay.fits)


def compare(
    found: Mapping[str, Posterior], weeks: Sequence[Week], frozen: dt.date, history: HistoryComparison, fits: int
) -> Comparison:
    """Set posteriors of rival models as of one day beside each other, weighted by how well each foresaw the ``weeks``.

    ``frozen`` is the day from which on none of the models was changed.
    """
    names = list(found)
    if not weeks:
        msg = "no week of evidence can be scored yet: the models have run for one step; compare as of a later day"
        raise InputError(msg)
    scores = np.array([[week.scores[name] for name in names] for week in weeks])
    weights, intervals = stacking_weights(scores, np.zeros_like(scores))
    parts = [MixturePart(one.answers, one.weights.values, one.anchor, one.trust) for one in found.values()]
    first = found[names[0]]
    return Comparison(
        as_of=first.evidence.as_of,
        frozen=frozen,
        forecasts={name: one.forecast() for name, one in found.items()},
        weeks=tuple(weeks),
        weights=dict(zip(names, weights, strict=True)),
        intervals=dict(zip(names, intervals, strict=True)),
        pooled=pool("+".join(names), first.space.spec.hash, first.evidence, parts, weights),
        history=history,
        fits=fits,
    )
