# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# pandas and SciPy ship no types.
"""Rival theories and pooled experts: answers side by side, how well each foresaw the evidence, and their pool."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast import words
from forecast.errors import FaultsError, InputError
from forecast.evaluate import evaluate
from forecast.predict import Answers, answers, ask, estimates, horizons_of
from forecast.result import FORMAT, Estimate, Forecast, Trust
from forecast.transport import Moved, Parameters, moved
from forecast.update import gate

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.evidence import Evidence
    from forecast.ledger import Entry
    from forecast.spec import ModelSpec
    from forecast.statespace import StateSpace
    from forecast.update import Anchor, Posterior

    Floats = NDArray[np.float64]

__all__ = [
    "Comparison",
    "Experts",
    "Voice",
    "Week",
    "compare",
    "pool_experts",
    "require_comparable",
    "score_week",
    "stack",
]

BOOTSTRAPS = 500
SEED = 1


@dataclass(frozen=True)
class Week:
    """What one week of evidence was worth to each model: log predictive probabilities in nats, given all before it.

    ``mcse`` are their Monte Carlo standard errors; ``cells`` counts what was new or changed in the week.
    """

    date: dt.date
    cells: int
    scores: Mapping[str, float]
    mcse: Mapping[str, float]


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
            said = "foresaw the evidence better" if gap > words.NOISE * error else "cannot be told apart"
            link = "than" if gap > words.NOISE * error else "from"
            weeks = words.count(each.size, "week")
            lines.append(f"{best} {said} {link} {name}: {gap:.1f} ± {error:.1f} nats in {weeks}.")
        parts = [f"{name} {weight:.0%} ({low:.0%} to {high:.0%})" for name, weight, (low, high) in self._weights()]
        lines.append(f"Stacking weights: {words.listed(parts)}.")
        before = sum(week.date <= self.frozen for week in self.weeks)
        if before:
            lines.append(
                f"{before} of {words.count(len(self.weeks), 'week')} lie before {words.day(self.frozen)}, when the "
                "models were frozen: of those the scores are retrospective fit, not skill."
            )
        return tuple(lines)

    def _weights(self) -> Iterator[tuple[str, float, tuple[float, float]]]:
        for name, weight in self.weights.items():
            yield name, weight, self.intervals[name]

    def to_frame(self) -> pd.DataFrame:
        """Tidy: forecasts of every model and of the pool, with the columns of `Forecast.to_frame` and ``model``."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        parts = {**self.forecasts, "pooled": self.pooled}
        return pd.concat([one.to_frame().assign(model=name) for name, one in parts.items()], ignore_index=True)

    def scores_frame(self) -> pd.DataFrame:
        """Tidy: one row a week and model; columns date, cells, model, score, mcse."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [
            {"date": week.date, "cells": week.cells, "model": name, "score": score, "mcse": week.mcse[name]}
            for week in self.weeks
            for name, score in week.scores.items()
        ]
        return pd.DataFrame(rows).astype({"date": "datetime64[s]"})

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


def require_comparable(spaces: Sequence[StateSpace]) -> None:
    """Make sure that models speak of the same things, so that their forecasts and scores can stand side by side.

    Raises
    ------
    InputError
        If they do not: what has to agree are dataset, clock, stages, states, observables, indicators and outcomes.

    """
    first = spaces[0].spec
    for space in spaces[1:]:
        spec = space.spec
        mine, theirs = _common(first), _common(spec)
        faults = [
            f"{what} differ ({_where(mine[what], theirs[what])}); rivals must agree on them"
            for what in mine
            if mine[what] != theirs[what]
        ]
        if faults:
            where = f"{first.name} and {spec.name} cannot be compared"
            raise FaultsError(where, faults)


def _common(spec: ModelSpec) -> dict[str, dict[str, Any]]:
    """List what rivals must have in common."""
    header = spec.model
    return {
        "datasets": {"dataset": header.dataset},
        "clocks": {name: getattr(header, name) for name in ("start", "step_days", "reporting_lag_days")},
        "horizons": dict.fromkeys(map(str, header.horizons_weeks)),
        "outcomes": {name: row.states for name, row in spec.outcomes.items()},
        "stages": {name: (row.states, row.observable) for name, row in spec.stages.items()},
        "indicators": {name: (row.stage, row.repeats, row.reset_by) for name, row in spec.indicators.items()},
    }


def _where(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Name what only one of two tables has, or has otherwise."""
    names = sorted(
        name
        for name in one.keys() | other.keys()
        if (name in one) != (name in other) or one.get(name) != other.get(name)
    )
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")  # noqa: PLR2004


def score_week(before: Posterior, evidence: Evidence) -> tuple[float, float]:
    """Log predictive probability, in nats, of what ``evidence`` adds to that of ``before``, and its error."""
    after = evaluate(before.anchor.blocks, evidence.cells).log_likelihood
    with np.errstate(invalid="ignore"):
        ratio = np.nan_to_num(after - before.evaluation.log_likelihood, nan=-np.inf)
    top = float(ratio.max())
    if not np.isfinite(top):
        return -math.inf, math.nan
    each = np.exp(ratio - top)
    weights = before.weights.values
    mean = float(weights @ each)
    error = math.sqrt(float(np.square(weights * (each - mean)).sum()) / before.anchor.efficiency)
    return top + math.log(mean), error / mean


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
    parts = [_Part(one.answers, one.weights.values, one.anchor, one.trust) for one in found.values()]
    first = found[names[0]]
    return Comparison(
        as_of=first.evidence.as_of,
        frozen=frozen,
        forecasts={name: one.forecast() for name, one in found.items()},
        weeks=tuple(weeks),
        weights=dict(zip(names, weights[0].tolist(), strict=True)),
        intervals={name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)},
        pooled=_pooled("+".join(names), first.space.spec.hash, first.evidence, parts, weights[0].tolist()),
        fits=fits,
    )


class _Part(NamedTuple):
    """One component of a mixture."""

    answers: Answers
    weights: Floats
    anchor: Anchor
    trust: Trust


def _pooled(
    name: str, model_hash: str, evidence: Evidence, parts: Sequence[_Part], shares: Sequence[float]
) -> Forecast:
    """Give the forecast of a mixture: the draws of every part end to end, weighted by its share."""
    names = [key for key in parts[0].answers.names if all(key in part.answers.names for part in parts)]
    rows = [[part.answers.names.index(key) for key in names] for part in parts]
    answer = Answers(
        tuple(names),
        np.concatenate([part.answers.part[row] for part, row in zip(parts, rows, strict=True)], axis=1),
        np.concatenate([part.answers.whole[row] for part, row in zip(parts, rows, strict=True)], axis=1),
    )
    weights = np.concatenate([share * part.weights for part, share in zip(parts, shares, strict=True)])
    copies = len(parts) if len({id(part.anchor) for part in parts}) == 1 else 1
    heard = [part.trust for part, share in zip(parts, shares, strict=True) if share > 0]
    return Forecast(
        model=name,
        as_of=evidence.as_of,
        model_hash=model_hash,
        evidence=evidence.hash,
        quantities=estimates(answer, weights, min(part.anchor.efficiency for part in parts), copies),
        trust=next((trust for trust in heard if not trust.trusted), heard[0]),
    )


# Experts.


@dataclass(frozen=True)
class Voice:
    """One expert: the ``weight`` given in the file, what is left of it ``after`` the evidence, and the own forecast."""

    name: str
    label: str
    weight: float
    after: float
    forecast: Forecast


@dataclass(frozen=True)
class Experts:
    """Experts who hold other priors of one theory, and the forecast of their mixture.

    The mixture is of priors, so the evidence moves weight to those who expected it.
    """

    model: str
    as_of: dt.date
    voices: tuple[Voice, ...]
    pooled: Forecast

    def spread(self) -> list[tuple[str, Estimate, list[tuple[str, Estimate]]]]:
        """Each probability of the pool with those of the experts, from where they differ most to where least."""
        found: list[tuple[str, Estimate, list[tuple[str, Estimate]]]] = []
        for row in self.pooled.quantities:
            own = [
                (one.name, quantity.estimate)
                for one in self.voices
                for quantity in one.forecast.quantities
                if quantity.key == row.key
            ]
            found.append((str(row), row.estimate, own))
        return sorted(found, key=lambda item: min(e.mean for _, e in item[2]) - max(e.mean for _, e in item[2]))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Where the experts differ, in words."""
        lines: list[str] = []
        for what, pooled, own in self.spread()[:3]:
            (low, least), (high, most) = min(own, key=lambda one: one[1].mean), max(own, key=lambda one: one[1].mean)
            lines.append(
                f"The experts differ on {words.spoken(what)}: from {words.chance(least.mean, least.mcse)} ({low}) "
                f"to {words.chance(most.mean, most.mcse)} ({high}); together {words.chance(pooled.mean, pooled.mcse)}."
            )
        parts = [f"{one.name} {one.after:.0%} (was {one.weight:.0%})" for one in self.voices]
        lines.append(f"What the evidence leaves of their weights: {words.listed(parts)}.")
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: forecasts of every expert and of the pool, with the columns of `Forecast.to_frame` and ``expert``."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        parts = {**{one.name: one.forecast for one in self.voices}, "pooled": self.pooled}
        return pd.concat([one.to_frame().assign(expert=name) for name, one in parts.items()], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "experts": [
                {
                    "name": one.name,
                    "label": one.label,
                    "weight": one.weight,
                    "after": one.after,
                    "forecast": one.forecast.to_dict(),
                }
                for one in self.voices
            ],
            "pooled": self.pooled.to_dict(),
            "sentences": list(self.sentences),
        }


def pool_experts(found: Posterior, parameters: Parameters, entries: Sequence[Entry]) -> Experts:
    """Move the draws of ``found`` to the priors of every expert of its model, and mix them.

    Raises
    ------
    InputError
        If the model has no experts.

    """
    spec = found.space.spec
    if not spec.experts:
        msg = f"model {spec.name!r} has no experts; add [[experts]] tables to its file"
        raise InputError(msg)
    parts: list[_Part] = []
    ratios: list[float] = []
    for expert in spec.experts:
        there = moved(found, parameters, entries, expert.priors)
        parts.append(_part(found, there))
        top = float(there.log_ratios.max())
        ratios.append(top + math.log(float(np.exp(there.log_ratios - top).mean())))
    given = spec.expert_weights
    odds = np.array([given[expert.name] for expert in spec.experts]) * np.exp(np.array(ratios) - max(ratios))
    after: list[float] = (odds / odds.sum()).tolist()
    return Experts(
        model=spec.name,
        as_of=found.evidence.as_of,
        voices=tuple(
            Voice(
                expert.name, expert.label, given[expert.name], weight,
                _pooled(f"{spec.name} ({expert.name})", spec.hash, found.evidence, [part], [1.0]),
            )
            for expert, part, weight in zip(spec.experts, parts, after, strict=True)
        ),
        pooled=_pooled(f"{spec.name} (experts)", spec.hash, found.evidence, parts, after),
    )  # fmt: skip


def _part(found: Posterior, there: Moved) -> _Part:
    as_of = there.evidence.as_of
    ahead = ask(there.space, there.blocks, horizons_of(there.space, as_of))
    answer = answers(there.space, as_of, ahead, there.evaluation.states)
    quantities = estimates(answer, there.weights.values, found.anchor.efficiency)
    return _Part(answer, there.weights.values, found.anchor, gate(found.anchor, there.weights, quantities))
