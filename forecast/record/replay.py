"""The past gone through again week by week: models on the same evidence, each scored on what it foresaw."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.base.errors import FaultsError
from forecast.engine.filtering import evaluate
from forecast.evidence.grid import step_days
from forecast.quantities.forecast import ForecastPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.inference.fitter import Fitter
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Policy
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


@dataclass(frozen=True)
class Replay:
    """Comparable models by name, each with its ``fitters``, and what was ``known`` on a day, up to the ``last``."""

    fitters: Mapping[str, Fitter]
    known: Callable[[dt.date], Sequence[Entry]]
    last: dt.date

    @property
    def frozen(self) -> dt.date:
        """The day from which on no model was changed."""
        return max(row.frozen for one in self.fitters.values() for row in one.model.spec.outcomes.values())

    @property
    def fits(self) -> int:
        """How many fits were made."""
        return sum(one.made for one in self.fitters.values())

    def weeks(self, refit: Policy) -> Iterator[tuple[dict[str, Evidence], Callable[[], dict[str, Posterior]]]]:
        """Go through the weeks: each model's evidence at the end of the week, and what brings the models to it."""
        first = next(iter(self.fitters.values()))
        space = first.model.space
        days = step_days(space, self.last).cumsum().tolist()
        for k, day in enumerate(days):
            first.sampling.on_stage(f"week {k + 1} of {len(days)}")
            date = space.spec.model.start + dt.timedelta(days=day - 1)
            entries = self.known(date)
            evidences = {name: one.model.evidence(entries, date) for name, one in self.fitters.items()}

            def update(evidences: Mapping[str, Evidence] = evidences) -> dict[str, Posterior]:
                return {name: one.update(evidences[name], refit, prior=True) for name, one in self.fitters.items()}

            yield evidences, update

    def week(self, before: Evidence, after: Evidence, scores: Mapping[str, tuple[float, float]]) -> Week:
        """Put the scores of one week, and their errors, together."""
        new = len(after.cells.what) - len(before.cells.what)
        return Week(after.as_of, new, *({name: pair[i] for name, pair in scores.items()} for i in (0, 1)))


@dataclass(frozen=True)
class Week:
    """What one week of evidence was worth to each model: log predictive probabilities in nats, given all before it.

    ``mcse`` are their Monte Carlo standard errors; ``cells`` counts what was new or changed in the week.
    """

    date: dt.date
    cells: int
    scores: Mapping[str, float]
    mcse: Mapping[str, float]


def forecast_path(replay: Replay, refit: Policy) -> ForecastPath:
    """Forecast of one model as would have been made at the end of each step, from what was known that day."""
    (fitter,) = replay.fitters.values()
    name = fitter.model.spec.name
    found = tuple(update()[name].forecast() for _, update in replay.weeks(refit))
    return ForecastPath(name, found, fitter.made)


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
        "clocks": {
            name: getattr(header, name) for name in ("start", "step_days", "reporting_lag_days", "episode_days")
        },
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
