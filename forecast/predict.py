# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pandas ships no types.
"""Forecasts: outcome probabilities at horizons with their uncertainty, and the path that led here."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.chains import ess, r_hat
from forecast.errors import InputError, nearest
from forecast.evidence import DAYS_PER_YEAR, step_days
from forecast.hmm import chain_of
from forecast.propagate import Horizons, filter_draws, smooth_draws, values_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.evidence import Evidence
    from forecast.propagate import Draws
    from forecast.spec import Conditional
    from forecast.statespace import StateSpace

    Floats = NDArray[np.float64]

__all__ = ["Estimate", "Forecast", "Quantity", "WeekPath", "horizons_of", "predict"]

KINDS = ("already", "at", "reached", "given", "after")
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Estimate:
    """A probability: mean over draws, 90 % equal-tailed interval over draws, Monte Carlo standard error of the mean."""

    mean: float
    low: float
    high: float
    mcse: float


@dataclass(frozen=True)
class Quantity:
    """One published probability.

    ``kind`` is ``already`` (in the outcome now), ``at`` the horizon, ``reached`` by it, ``given`` another outcome at
    the horizon (``given`` names it), or ``after`` another outcome began (``horizon_weeks`` later; no date).
    """

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: dt.date | None
    estimate: Estimate


@dataclass(frozen=True)
class WeekPath:
    """Probabilities at the end of each past step: of each state (``stage.state``) and each outcome.

    ``filtered`` uses the evidence up to that step, ``smoothed`` all of it; both with today's parameters. Each series is
    a list of (mean, low, high).
    """

    dates: tuple[dt.date, ...]
    filtered: Mapping[str, tuple[tuple[float, float, float], ...]]
    smoothed: Mapping[str, tuple[tuple[float, float, float], ...]]


@dataclass(frozen=True)
class Forecast:
    """Probabilities as of a date; immutable. ``min_ess`` and ``max_r_hat`` are the worst over all quantities."""

    model: str
    as_of: dt.date
    quantities: tuple[Quantity, ...]
    path: WeekPath
    min_ess: float
    max_r_hat: float

    def probability(
        self, outcome: str, *, weeks: int | None = None, kind: str | None = None, given: str | None = None
    ) -> Estimate:
        """Look one probability up: at ``weeks``, or of another ``kind``, or ``given`` a condition as it was issued.

        Raises
        ------
        InputError
            If there is no such number; the message says what there is.

        """
        wanted = kind or ("given" if given else "at" if weeks else "already")
        rows = [row for row in self.quantities if row.outcome == outcome]
        if not rows:
            names = dict.fromkeys(row.outcome for row in self.quantities)
            msg = f"the forecast of {self.model!r} has no outcome {outcome!r}; {nearest(outcome, names)}"
            raise InputError(msg)
        for row in rows:
            if row.kind == wanted and row.given == given and weeks in (None, row.horizon_weeks):
                return row.estimate
        known = sorted({(row.kind, row.given or "", row.horizon_weeks or 0) for row in rows})
        have = "; ".join(f"{k}{' ' + g if g else ''} {w or ''}".strip() for k, g, w in known)
        msg = f"no probability of {outcome!r} of kind {wanted!r}, weeks {weeks}, given {given!r}; there are: {have}"
        raise InputError(msg)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a quantity, columns outcome, kind, given, horizon_weeks, date, mean, low, high, mcse."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [{**asdict(row), **asdict(row.estimate)} for row in self.quantities]
        frame = pd.DataFrame(rows).drop(columns="estimate")
        frame["horizon_weeks"] = frame["horizon_weeks"].astype("Int64")
        frame["date"] = pd.to_datetime(frame["date"])
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types; `from_dict` reads them back without loss."""
        return {
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "quantities": [
                {**asdict(row), "date": row.date.isoformat() if row.date else None} for row in self.quantities
            ],
            "path": {
                "dates": [date.isoformat() for date in self.path.dates],
                "filtered": {name: [list(part) for part in rows] for name, rows in self.path.filtered.items()},
                "smoothed": {name: [list(part) for part in rows] for name, rows in self.path.smoothed.items()},
            },
            "min_ess": self.min_ess,
            "max_r_hat": self.max_r_hat,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Forecast:
        """Read what `to_dict` gave."""
        path = content["path"]
        return cls(
            model=content["model"],
            as_of=dt.date.fromisoformat(content["as_of"]),
            quantities=tuple(
                Quantity(
                    outcome=row["outcome"],
                    kind=row["kind"],
                    given=row["given"],
                    horizon_weeks=row["horizon_weeks"],
                    date=dt.date.fromisoformat(row["date"]) if row["date"] else None,
                    estimate=Estimate(**row["estimate"]),
                )
                for row in content["quantities"]
            ),
            path=WeekPath(
                dates=tuple(dt.date.fromisoformat(date) for date in path["dates"]),
                filtered=_series(path["filtered"]),
                smoothed=_series(path["smoothed"]),
            ),
            min_ess=content["min_ess"],
            max_r_hat=content["max_r_hat"],
        )


def _series(content: Mapping[str, Any]) -> dict[str, tuple[tuple[float, float, float], ...]]:
    return {name: tuple((row[0], row[1], row[2]) for row in rows) for name, rows in content.items()}


def horizons_of(space: StateSpace, as_of: dt.date) -> Horizons:
    """Lay out the grid ahead of ``as_of`` for the model's horizons."""
    header = space.spec.model
    elapsed = ((as_of - header.start).days + 1) % header.step_days
    weeks = np.array(sorted(header.horizons_weeks), dtype=np.int64)
    steps = weeks * 7 // header.step_days
    return Horizons(
        rest=(header.step_days - elapsed) / DAYS_PER_YEAR if elapsed else 0.0,
        step=header.step_days / DAYS_PER_YEAR,
        tail=elapsed / DAYS_PER_YEAR,
        full=steps - (1 if elapsed else 0),
        later=0,  # `_after` sets it for each of its conditionals
    )


def predict(space: StateSpace, evidence: Evidence, draws: Draws, *, chains: int) -> Forecast:
    """Forecast every outcome and conditional of the model from posterior ``draws`` under ``evidence``.

    ``draws`` holds ``chains`` chains of equal length end to end; Monte Carlo errors respect them.
    """
    chain = chain_of(space)
    _, now, filtered = filter_draws(chain, evidence.cells, draws, path=True)
    if not np.isfinite(now).all():
        msg = (
            f"as of {evidence.as_of}: the evidence is impossible under model {space.spec.name!r}; "
            "a record contradicts the model's transitions (see `forecast log`)"
        )
        raise InputError(msg)
    numbers = _Numbers(chains)
    quantities = (*_outcomes(space, evidence, draws, now, numbers), *_after(space, evidence, draws, now, numbers))
    order = {name: k for k, name in enumerate(space.spec.outcomes)}
    ranked = sorted(quantities, key=lambda row: (KINDS.index(row.kind) > KINDS.index("reached"), order[row.outcome]))
    return Forecast(
        model=space.spec.name,
        as_of=evidence.as_of,
        quantities=tuple(ranked),
        path=_path(
            space, evidence.as_of, {"filtered": filtered, "smoothed": smooth_draws(chain, evidence.cells, draws)}
        ),
        min_ess=numbers.min_ess,
        max_r_hat=numbers.max_r_hat,
    )


class _Numbers:
    """Turns values per draw into estimates and remembers the worst convergence it met."""

    def __init__(self, chains: int) -> None:
        self._chains = chains
        self.min_ess = float("inf")
        self.max_r_hat = 1.0

    def mean(self, values: Floats) -> Estimate:
        low, high = np.quantile(values, [LOW, HIGH])
        return Estimate(float(values.mean()), float(low), float(high), self._mcse(values))

    def ratio(self, part: Floats, whole: Floats) -> Estimate:
        """Ratio of expectations; the interval is over draws weighted by ``whole``."""
        mean = float(part.mean() / whole.mean())
        each = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
        order = np.argsort(each)
        share = (np.cumsum(whole[order]) - whole[order] / 2) / whole.sum()
        low, high = np.interp([LOW, HIGH], share, each[order])
        return Estimate(mean, float(low), float(high), self._mcse((part - mean * whole) / whole.mean()))

    def _mcse(self, values: Floats) -> float:
        if np.ptp(values) < 1e-12:  # noqa: PLR2004 - constant up to rounding
            return 0.0
        by_chain = values.reshape(self._chains, -1)
        self.min_ess = min(self.min_ess, ess(by_chain))
        self.max_r_hat = max(self.max_r_hat, r_hat(by_chain))
        return float(values.std(ddof=1) / np.sqrt(ess(by_chain, "mean")))


def _condition(space: StateSpace, conditional: Conditional) -> NDArray[np.bool_]:
    name = conditional.given or conditional.given_no or conditional.after or ""
    inside = space.members(space.spec.outcomes[name].states)
    return ~inside if conditional.given_no else inside


def _outcomes(space: StateSpace, evidence: Evidence, draws: Draws, now: Floats, numbers: _Numbers) -> list[Quantity]:
    outcomes = {name: space.members(row.states) for name, row in space.spec.outcomes.items()}
    conditionals = [row for row in space.spec.conditionals if row.after is None]
    conditions = [_condition(space, row) for row in conditionals]
    both = [condition & outcomes[row.outcome] for condition, row in zip(conditions, conditionals, strict=True)]
    sets = np.array([*outcomes.values(), *conditions, *both])
    none = np.zeros((0, space.size), dtype=np.bool_)
    values = values_at(chain_of(space), draws, horizons_of(space, evidence.as_of), sets, (none, none))
    at = np.einsum("shmk,sk->shm", values.at, now)
    reached = np.einsum("shmk,sk->shm", values.reached, now)
    weeks = sorted(space.spec.model.horizons_weeks)
    dates = [evidence.as_of + dt.timedelta(weeks=week) for week in weeks]
    rows: list[Quantity] = []
    for m, (name, inside) in enumerate(outcomes.items()):
        rows.append(Quantity(name, "already", None, None, evidence.as_of, numbers.mean(now @ inside)))
        for kind, found in (("at", at), ("reached", reached)):
            rows += [
                Quantity(name, kind, None, week, date, numbers.mean(found[:, h, m]))
                for h, (week, date) in enumerate(zip(weeks, dates, strict=True))
            ]
    for c, row in enumerate(conditionals):
        whole, part = len(outcomes) + c, len(outcomes) + len(conditionals) + c
        rows += [
            Quantity(row.outcome, "given", row.condition, week, date, numbers.ratio(at[:, h, part], at[:, h, whole]))
            for h, (week, date) in enumerate(zip(weeks, dates, strict=True))
            if at[:, h, whole].any()
        ]
    return rows


def _after(space: StateSpace, evidence: Evidence, draws: Draws, now: Floats, numbers: _Numbers) -> list[Quantity]:
    rows: list[Quantity] = []
    horizons = horizons_of(space, evidence.as_of)
    nothing = np.zeros((1, space.size), dtype=np.bool_)
    conditionals = [row for row in space.spec.conditionals if row.after is not None]
    for weeks in sorted({row.weeks for row in conditionals if row.weeks}):
        here = [row for row in conditionals if row.weeks == weeks]
        outcomes = np.array([space.members(space.spec.outcomes[row.outcome].states) for row in here])
        conditions = np.array([_condition(space, row) for row in here])
        later = horizons._replace(later=weeks * 7 // space.spec.model.step_days)
        found = values_at(chain_of(space), draws, later, nothing, (outcomes, conditions)).after
        flow = np.einsum("sack,sk->sac", found, now)
        rows += [
            Quantity(row.outcome, "after", row.condition, weeks, None, numbers.ratio(flow[:, a, 0], flow[:, a, 1]))
            for a, row in enumerate(here)
            if flow[:, a, 1].any()
        ]
    return rows


def _path(space: StateSpace, as_of: dt.date, paths: Mapping[str, Floats | None]) -> WeekPath:
    sets = {
        **{name: _in_state(space, name) for name in space.stage_states},
        **{name: space.members(row.states) for name, row in space.spec.outcomes.items()},
    }
    masks = np.array(list(sets.values()), dtype=float).T
    series: dict[str, dict[str, tuple[tuple[float, float, float], ...]]] = {}
    for kind, states in paths.items():
        assert states is not None  # noqa: S101 - asked for with path=True
        found = states @ masks
        low, high = np.quantile(found, [LOW, HIGH], axis=0)
        summary = np.stack([found.mean(axis=0), low, high], axis=-1)
        series[kind] = {name: _triples(summary[:, k]) for k, name in enumerate(sets)}
    days = np.cumsum(step_days(space, as_of)) - 1
    dates = tuple(space.spec.model.start + dt.timedelta(days=int(day)) for day in days)
    return WeekPath(dates, series["filtered"], series["smoothed"])


def _in_state(space: StateSpace, name: str) -> NDArray[np.bool_]:
    stage, _, state = name.partition(".")
    return space.members({stage: (state,)})


def _triples(rows: Floats) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(a), float(b), float(c)) for a, b, c in rows)
