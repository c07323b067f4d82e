"""Rival models side by side: scores week by week, stacking weights and their pool."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.inference.mixture import MixturePart, pool
from forecast.quantities.estimate import FORMAT
from forecast.record.replay import score_week

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from forecast.engine.arrays import Floats
    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Policy
    from forecast.quantities.forecast import Forecast
    from forecast.record.replay import Replay, Week


BOOTSTRAPS = 500
SEED = 1


@dataclass(frozen=True)
class Comparison:
    """Rival models on the same evidence.

    ``weights`` are stacking weights: the mixture with the largest sequential predictive score; ``intervals`` their
    90 % intervals over resampled weeks. ``pooled`` is the forecast of that mixture. Scores of weeks before ``frozen``,
    the day from which on no model was changed, are retrospective fit and not skill.
    """

    as_of: dt.date
    frozen: dt.date
    forecasts: Mapping[str, Forecast]
    weeks: tuple[Week, ...]
    weights: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    pooled: Forecast
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
        parts = [f"{name} {weight:.0%} ({low:.0%} to {high:.0%})" for name, weight, (low, high) in self._weights()]
        lines.append(f"Stacking weights: {prose.listed(parts)}.")
        before = sum(week.date <= self.frozen for week in self.weeks)
        if before:
            lines.append(
                f"{before} of {prose.count(len(self.weeks), 'week')} lie before {prose.day(self.frozen)}, when the "
                "models were frozen: of those the scores are retrospective fit, not skill."
            )
        return tuple(lines)

    def _weights(self) -> Iterator[tuple[str, float, tuple[float, float]]]:
        for name, weight in self.weights.items():
            yield name, weight, self.intervals[name]

    def to_frame(self) -> pd.DataFrame:
        """Tidy: forecasts of every model and of the pool, with the columns of `Forecast.to_frame` and ``model``."""
        parts = {**self.forecasts, "pooled": self.pooled}
        return base.stacked({name: one.to_frame() for name, one in parts.items()}, "model")

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
            "fits": self.fits,
            "sentences": list(self.sentences),
        }


def stack(scores: Floats, counts: Floats) -> Floats:
    """(B, M) weights that maximise Σ counts log Σ weights exp(scores), of ``scores`` (W, M) and ``counts`` (B, W)."""
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import

    density = np.exp(scores - scores.max(axis=1, keepdims=True))
    models = scores.shape[1]

    def excess(weights: Floats) -> float:
        return float(weights.sum()) - 1.0

    def best(count: Floats) -> Floats:
        share = count / count.sum()

        def loss(weights: Floats) -> tuple[float, Floats]:
            mixed = np.maximum(density @ weights, 1e-300)
            return -float(share @ np.log(mixed)), -((share / mixed) @ density)

        found: Any = minimize(
            loss, np.full(models, 1.0 / models), jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * models,
            constraints=[{"type": "eq", "fun": excess, "jac": np.ones_like}], options={"ftol": 1e-14, "maxiter": 200},
        )  # fmt: skip
        weights = np.clip(found.x, 0.0, None)
        return weights / weights.sum()

    return np.array([best(count) for count in counts])


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
    return compare(found, weeks, replay.frozen, replay.fits)


def compare(found: Mapping[str, Posterior], weeks: Sequence[Week], frozen: dt.date, fits: int) -> Comparison:
    """Set posteriors of rival models as of one day beside each other, weighted by how well each foresaw the ``weeks``.

    ``frozen`` is the day from which on none of the models was changed.
    """
    names = list(found)
    if not weeks:
        msg = "no week of evidence can be scored yet: the models have run for one step; compare as of a later day"
        raise InputError(msg)
    scores = np.array([[week.scores[name] for name in names] for week in weeks])
    rng = np.random.default_rng(SEED)
    counts = np.concatenate([np.ones((1, len(weeks))), rng.dirichlet(np.ones(len(weeks)), BOOTSTRAPS)])
    weights = stack(scores, counts)
    low, high = np.quantile(weights[1:], (0.05, 0.95), axis=0)
    parts = [MixturePart(one.answers, one.weights.values, one.anchor, one.trust) for one in found.values()]
    first = found[names[0]]
    return Comparison(
        as_of=first.evidence.as_of,
        frozen=frozen,
        forecasts={name: one.forecast() for name, one in found.items()},
        weeks=tuple(weeks),
        weights=dict(zip(names, weights[0].tolist(), strict=True)),
        intervals={name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)},
        pooled=pool("+".join(names), first.space.spec.hash, first.evidence, parts, weights[0].tolist()),
        fits=fits,
    )
