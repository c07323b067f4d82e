"""Forecasts of the experts that a model file names, and of their pool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.shown import Shown, ShownTable
from forecast.engine.onward import Onward
from forecast.inference.mixture import MixturePart, pool
from forecast.inference.shifted_prior import Moved, Parameters, moved
from forecast.inference.trust import gate
from forecast.quantities.estimate import FORMAT, Estimate
from forecast.quantities.forecast import side_by_side
from forecast.quantities.from_draws import answers, ask, estimates, horizons_of, sayable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd

    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.quantities.forecast import Forecast


# Experts.


@dataclass(frozen=True)
class Voice:
    """One expert: the ``weight`` given in the file, what is left of it ``after`` the evidence, and the own forecast."""

    name: str
    label: str
    weight: float
    after: float
    forecast: Forecast


@dataclass(frozen=True, repr=False)
class Experts(Shown):
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
                f"The experts differ on {prose.spoken(what)}: from {prose.chance(least.mean, least.mcse)} ({low}) "
                f"to {prose.chance(most.mean, most.mcse)} ({high}); together {prose.chance(pooled.mean, pooled.mcse)}."
            )
        parts = [f"{one.name} {one.after:.0%} (was {one.weight:.0%})" for one in self.voices]
        lines.append(f"What the evidence leaves of their weights: {prose.listed(parts)}.")
        return tuple(lines)

    @property
    def _side_by_side(self) -> dict[str, Forecast]:
        return {**{one.name: one.forecast for one in self.voices}, "pooled": self.pooled}

    def _shown_table(self) -> ShownTable:
        """Show the forecasts beside each other."""
        return side_by_side(self._side_by_side)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: forecasts of every expert and of the pool, with the columns of `Forecast.to_frame` and ``expert``."""
        return base.stacked({name: one.to_frame() for name, one in self._side_by_side.items()}, "expert")

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
    parts: list[MixturePart] = []
    ratios: list[float] = []
    for expert in spec.experts:
        there = moved(found, parameters, entries, expert.priors, learned=found.anchor.cells is not None)
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
                pool(f"{spec.name} ({expert.name})", spec.hash, found.evidence, [part], [1.0]),
            )
            for expert, part, weight in zip(spec.experts, parts, after, strict=True)
        ),
        pooled=pool(f"{spec.name} (experts)", spec.hash, found.evidence, parts, after),
    )  # fmt: skip


def _part(found: Posterior, there: Moved) -> MixturePart:
    as_of = there.evidence.as_of
    ahead = ask(there.space, there.blocks, horizons_of(there.space, as_of), Onward)
    answer = answers(there.space, as_of, ahead, there.evaluation.states)
    weights = there.weights.values
    quantities = estimates(sayable(answer, weights), weights, found.anchor.efficiency)
    return MixturePart(answer, there.weights.values, found.anchor, gate(found.anchor, there.weights, quantities))
