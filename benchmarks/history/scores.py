"""Posterior of a stage's rates under its history, and how well it foretells the spells of a unit that is left out.

Parameters are written as standard normals: log rates of transitions, log multipliers of effects, the log of σ, then
the units' offsets z, so that the standard deviation of a posterior is its share of the prior's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import nutpie
from nutpie.compiled_pyfunc import from_pyfunc

from forecast import quantities
from forecast.engine.history import history_log_likelihood
from forecast.evidence.history import compile_history
from forecast.inference.left_out import foretold_by, left_out_score, spans_of, unit_log_likelihood
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.engine.arrays import Floats
    from forecast.inference.left_out import LeftOut
    from forecast.theory.spec import ModelSpec

CHAINS, TUNE, DRAWS = 4, 500, 2000
ACCEPT = 0.95  # of the sampler's proposals
PRIOR_DRAWS = 100_000


@dataclass(frozen=True)
class Posterior:
    """Draws of the parameters but the offsets, (S, P) as standard normals, and how the sampling went."""

    draws: Floats
    r_hat: float
    efficiency: float  # least effective sample size over number of draws
    divergences: int


class Shared:
    """The rates of one stage with units; without ``spread`` all units have the same (σ = 0)."""

    def __init__(self, spec: ModelSpec, stage: str, *, spread: bool) -> None:
        """Compile the history of ``spec``, which is of ``stage`` alone."""
        space = StateSpace(spec)
        self.spread = spread
        self.history = compile_history(space)
        row = spec.stages[stage]
        first = space.transitions.index(f"{stage}.{row.transitions[0].from_}>{row.transitions[0].to}")
        column = {label: space.effects.index(f"{stage}.{label}") for label in row.effects}
        used = [label for label in row.effects if self.history.rate_effect[:, column[label]].any()]
        self.names = (*(f"{move.from_}>{move.to}" for move in row.transitions), *used, "spread")
        intervals = [move.per_year for move in row.transitions] + [row.effects[label].times for label in used]
        self.mean, self.sd = np.array([log_normal(pair) for pair in (*intervals, row.units.spread)]).T
        moves = np.eye(len(row.transitions))[self.history.rate_transition - first]
        self.design = np.hstack([moves, self.history.rate_effect[:, [column[label] for label in used]]])  # (Q, P − 1)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units that have spells, without their stage."""
        return tuple(sorted({segment[0].unit for segment in self.history.told.segments}))

    def log_rates(self, draws: Floats) -> Floats:
        """(S, Q) log rates of units that do not depart, under (S, P) draws."""
        values = self.mean + self.sd * draws
        return values[:, :-1] @ self.design.T

    def log_predictive(self, draws: Floats, unit: str) -> Floats:
        """(S,) log-likelihood of a unit's spells under each draw, its offset integrated over its prior."""
        index = next(k for k, name in enumerate(self.history.units) if name.partition(".")[2] == unit)
        spans, rates = spans_of(self.history, index)
        sigma = np.exp(self.mean[-1] + self.sd[-1] * draws[:, -1]) if self.spread else None
        return unit_log_likelihood(spans, self.log_rates(draws)[:, rates], sigma)

    def density(self, leave_out: str | None = None) -> Callable[[Floats], tuple[float, Floats]]:
        """Give the log posterior density and its gradient, of parameters and offsets put end to end."""
        spans = self.history.spans
        kept = [k for k, segment in enumerate(self.history.told.segments) if segment[0].unit != leave_out]
        spans = spans._replace(spans=spans.spans[np.isin(spans.spans[:, 0], kept)].copy())
        unit, width = self.history.rate_unit, self.mean.size

        def value(x: Floats) -> tuple[float, Floats]:
            values = self.mean + self.sd * x[:width]
            log_rate = self.design @ values[:-1]
            if self.spread:
                sigma = math.exp(values[-1])
                offset = x[width:][unit]
                log_rate += sigma * offset
            found, slope = history_log_likelihood(spans, log_rate)
            gradient = -x.copy()
            gradient[: width - 1] += self.sd[:-1] * (slope @ self.design)
            if self.spread:
                gradient[width - 1] += self.sd[-1] * sigma * (slope @ offset)
                gradient[width:] += sigma * np.bincount(unit, slope, x.size - width)
            return found - 0.5 * float(x @ x), gradient

        return value

    def fit(self, seed: int, leave_out: str | None = None, draws: int = DRAWS) -> Posterior:
        """Sample the posterior by NUTS, without the spells of the unit ``leave_out``."""
        size = self.mean.size + self.spread * len(self.history.units)
        model = from_pyfunc(
            size, lambda: self.density(leave_out), lambda *_: lambda x: {"x": x}, [np.dtype("float64")], [(size,)],
            ["x"],
        )  # fmt: skip
        trace = nutpie.sample(
            model, draws=draws, tune=TUNE, chains=CHAINS, cores=1, seed=seed, target_accept=ACCEPT, progress_bar=False,
            save_warmup=False,
        )  # fmt: skip
        x = trace["posterior"]["x"].to_numpy()
        ess = [quantities.ess(x[:, :, k]) for k in range(size)]
        r_hat = [quantities.r_hat(x[:, :, k]) for k in range(size)]
        return Posterior(
            np.ascontiguousarray(x.reshape(-1, size)[:, : self.mean.size]), max(r_hat),
            min(1.0, min(ess) / (CHAINS * draws)), int(trace["sample_stats"]["diverging"].sum()),
        )  # fmt: skip

    def foretold(self, posterior: Posterior, unit: str, seed: int) -> LeftOut:
        """Score a unit's spells under the posterior of the others: reweighted draws, or a fit if they do not reach."""
        found = left_out_score(self.log_predictive(posterior.draws, unit), posterior.efficiency)
        if found.reached:
            return found
        others = self.fit(seed, unit)
        return foretold_by(self.log_predictive(others.draws, unit), others.efficiency)

    def alone(self, unit: str, seed: int, draws: int = PRIOR_DRAWS) -> LeftOut:
        """Score a unit's spells under its own prior, without the others."""
        found = self.log_predictive(np.random.default_rng(seed).standard_normal((draws, self.mean.size)), unit)
        return foretold_by(found, 1.0)
