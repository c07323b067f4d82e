"""The ledger read step by step, and how likely what it says is in each state; part of `oracle`.

Days are counted in sets, and the ledger is replayed from its first row for every step. Rows are duck-typed.
"""
# ruff: noqa: PLR0913, PLR0917 - the arguments are the model, one draw and the ledger, as everywhere in the tests

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from oracle_stages import DAYS_A_YEAR, Parameters, among, joint_states, phases, step_dates

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec


RECORDED = 0.5  # credibility of a row from which on it can be a record

Row = Any
Rows = Iterable[Row]
Credibility = Callable[[Row], float]


# Rows.


@dataclass(frozen=True)
class Told:
    """A row as it counts, after visibility, credibility and the story rule."""

    id: str
    stage: str
    indicator: str | None
    state: str | None
    date: dt.date
    month: bool
    w: float
    distinct: bool


def _stage_of(spec: ModelSpec, row: Row) -> str | None:
    """Find the stage a row speaks about; none if it names what the model does not have."""
    if row.indicator:
        return spec.indicators[row.indicator].stage if row.indicator in spec.indicators else None
    stage, _, state = row.state.partition(".")
    return stage if stage in spec.stages and state in spec.stages[stage].states else None


def _in_order(rows: Rows) -> list[Row]:
    return sorted(rows, key=lambda row: (row.date, row.id))


def _usable(spec: ModelSpec, rows: Rows, as_of: dt.date, credibility: Credibility) -> list[Row]:
    """Keep rows that are visible, known to the model, not before its start, and of some credibility."""
    visible = [row for row in rows if row.reported_on <= as_of and row.date <= as_of]
    known = [row for row in visible if _stage_of(spec, row) is not None and row.date >= spec.model.start]
    return [row for row in known if credibility(row) > 0]


def _records(
    spec: ModelSpec, usable: Sequence[Row], credibility: Credibility
) -> tuple[dict[str, list[tuple[dt.date, bool]]], list[Row]]:
    """Split off the records: per observable stage (date, in force from then on?), in order; and all other rows.

    Those of one day go in the order in which they were reported and then recorded, which is that of ``usable``.
    """
    records: dict[str, list[tuple[dt.date, bool]]] = {
        name: [] for name, stage in spec.stages.items() if stage.observable
    }
    rest = []
    for row in sorted(usable, key=lambda row: (row.date, row.reported_on)):
        stage = _stage_of(spec, row)
        if row.indicator or stage not in records or credibility(row) < RECORDED:
            rest.append(row)
            continue
        in_force = bool(records[stage]) and records[stage][-1][1]
        names_the_set = row.state.partition(".")[2] in spec.stages[stage].observable
        if names_the_set or in_force:
            records[stage].append((row.date, names_the_set))
        else:
            rest.append(row)  # names a state outside the set while the set is not in force: an assessment
    return records, rest


def _told(spec: ModelSpec, row: Row, date: dt.date, credibility: Credibility) -> Told:
    stage = _stage_of(spec, row)
    assert stage is not None
    state = None if row.indicator else row.state.partition(".")[2]
    month = row.precision == "month"
    return Told(row.id, stage, row.indicator or None, state, date, month, credibility(row), row.distinct)


def _count_stories(spec: ModelSpec, rows: Sequence[Row], credibility: Credibility) -> list[Told]:
    """Count each story once per stage: its best row, at the date of the story's earliest row about that stage."""
    told = [_told(spec, row, row.date, credibility) for row in rows if row.distinct]
    stories: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not row.distinct:
            stories.setdefault(("story", row.story) if row.story else ("own", row.id), []).append(row)
    for story in stories.values():
        for stage in spec.stages:
            about = [row for row in story if _stage_of(spec, row) == stage]
            if about:
                best = min(about, key=lambda row: (-credibility(row), row.date, row.id))
                told.append(_told(spec, best, min(row.date for row in about), credibility))
    return _in_order(told)


def covered_days(spec: ModelSpec, coverage: Rows, as_of: dt.date) -> dict[str, set[dt.date]]:
    """Days on which each indicator was watched, as known and counted at ``as_of``."""
    last = as_of - dt.timedelta(days=spec.model.reporting_lag_days)
    found: dict[str, set[dt.date]] = {name: set() for name in spec.indicators}
    for row in coverage:
        if row.reported_on > as_of:
            continue
        for name in spec.indicators:
            if row.indicator not in (name, "*"):
                continue
            day = row.from_
            while day <= row.to:
                if spec.model.start <= day <= last and (row.indicator != "*" or _had(spec, name, day)):
                    found[name].add(day)
                day += dt.timedelta(days=1)
    return found


def _no_news(spec: ModelSpec, heard: Sequence[Told], date: dt.date, w: float) -> set[str]:
    """Name the indicators of which, in the days of an episode, a row at least as credible told as news."""
    found: set[str] = set()
    news: dict[str, list[Told]] = {}
    span = dt.timedelta(days=spec.model.episode_days)

    def stale(name: str, on: dt.date, credibility: float) -> bool:
        return any(row.date + span > on and row.w >= credibility for row in news.get(name, []))

    for row in heard:
        if row.indicator is not None and (row.distinct or not stale(row.indicator, row.date, row.w)):
            news.setdefault(row.indicator, []).append(row)
    for name in news:
        if stale(name, date, w):
            found.add(name)
    return found


def _read(spec: ModelSpec, told: Sequence[Told]) -> tuple[list[tuple[Told, frozenset[str]]], frozenset[str]]:
    """Read rows in order: those that say something, each with what was closed just before it; what is closed last."""
    closed: set[str] = set()
    heard = []
    for row in _in_order(told):
        if row.indicator in closed:
            continue
        heard.append((row, frozenset(closed)))
        if row.indicator is not None and row.w >= 0.5:
            for name, indicator in spec.indicators.items():
                if indicator.reset_by == row.indicator:
                    closed.discard(name)
            if not spec.indicators[row.indicator].repeats:
                closed.add(row.indicator)
    return heard, frozenset(closed)


# Cells.


@dataclass(frozen=True)
class Covered:
    """One indicator watched on ``days`` days of a step; ``stories`` are the credibilities of what was seen."""

    step: int
    stage: str
    indicator: str
    days: int
    stories: tuple[float, ...]


@dataclass(frozen=True)
class Selective:
    """A row told on a day when nobody watched for its indicator; it could have been any of ``among``."""

    step: int
    stage: str
    indicator: str
    among: tuple[str, ...]
    w: float


@dataclass(frozen=True)
class Assessment:
    """A judgement that the stage was in a state."""

    step: int
    stage: str
    state: str
    w: float


@dataclass(frozen=True)
class Record:
    """States that agree with the record in force at the end of a step."""

    step: int
    stage: str
    allowed: tuple[str, ...]


Cell = Covered | Selective | Assessment | Record


def _same_month(a: dt.date, b: dt.date) -> bool:
    return (a.year, a.month) == (b.year, b.month)


def _covered_cells(
    spec: ModelSpec, told: Sequence[Told], watched: Mapping[str, set[dt.date]], step: int, dates: Sequence[dt.date]
) -> Iterator[Covered]:
    heard = [row for row, _ in _read(spec, told)[0]]
    closed = _read(spec, [row for row in told if row.date < dates[0]])[1]
    for name, indicator in spec.indicators.items():
        days = [day for day in dates if day in watched[name]]
        mine = [row for row in heard if row.indicator == name]
        in_step = [row for row in mine if row.date in dates]
        seen = [row for row in in_step if row.date in days]
        if not days or (name in closed and not seen):
            continue
        somewhere_in_month = [
            row for row in mine if row.month and row not in in_step and any(_same_month(day, row.date) for day in dates)
        ]
        if somewhere_in_month and not in_step:
            continue
        yield Covered(step, indicator.stage, name, len(days), tuple(row.w for row in seen))


def _had(spec: ModelSpec, name: str, date: dt.date) -> bool:
    """Whether the vocabulary had an indicator on a day."""
    return (spec.indicators[name].since or spec.model.start) <= date


def _row_cells(
    spec: ModelSpec, told: Sequence[Told], watched: Mapping[str, set[dt.date]], step: int, dates: Sequence[dt.date]
) -> Iterator[Selective | Assessment]:
    heard = _read(spec, told)[0]
    for k, (row, closed) in enumerate(heard):
        if row.date not in dates:
            continue
        stale = set() if row.distinct else _no_news(spec, [earlier for earlier, _ in heard[:k]], row.date, row.w)
        if row.state is not None:
            yield Assessment(step, row.stage, row.state, row.w)
        elif row.indicator is not None and row.date not in watched[row.indicator] and row.indicator not in stale:
            among = [
                name
                for name, indicator in spec.indicators.items()
                if indicator.stage == row.stage
                and row.date not in watched[name]
                and name not in closed
                and name not in stale
                and _had(spec, name, row.date) == _had(spec, row.indicator, row.date)
            ]
            yield Selective(step, row.stage, row.indicator, tuple(among), row.w)


def cells(
    spec: ModelSpec, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> list[list[Cell]]:  # fmt: skip
    """Compile the ledger: for each step, its cells."""
    records, rest = _records(spec, _usable(spec, rows, as_of, credibility), credibility)
    told = _count_stories(spec, rest, credibility)
    watched = covered_days(spec, coverage, as_of)
    found: list[list[Cell]] = []
    for step, dates in enumerate(step_dates(spec, as_of)):
        here: list[Cell] = [
            *_covered_cells(spec, told, watched, step, dates),
            *_row_cells(spec, told, watched, step, dates),
        ]
        for name, changes in records.items():
            in_force = False
            for date, begins in changes:
                if date <= dates[-1]:
                    in_force = begins
            stage = spec.stages[name]
            here.append(Record(step, name, tuple(s for s in stage.states if (s in stage.observable) == in_force)))
        found.append(here)
    return found


def _prior_rate(spec: ModelSpec, indicator: str, phase: str) -> float:
    row = spec.indicators[indicator]
    low, high = spec.priors.classes[row.class_].per_year
    times = {grade: getattr(spec.priors.grades, grade) for grade in ("weak", "moderate", "strong", "decisive")}
    scale = spec.priors.diagnosticity
    usual = 1 if scale is None else math.sqrt(scale.times[0] * scale.times[1])
    return math.sqrt(low * high) * (times[row.grade] ** usual if among(spec, row.stage, phase, row.points_to) else 1)


def _seen_before(spec: ModelSpec, cell: Covered) -> float:
    """Chance of an event at the prior medians, all states being equally likely."""
    years = cell.days / DAYS_A_YEAR
    return sum(
        share * (1 - math.exp(-_prior_rate(spec, cell.indicator, phase) * years))
        for phase, share in _even(spec, cell.stage).items()
    )


def _told_before(spec: ModelSpec, cell: Selective) -> float:
    """Share of the indicator in all that could be told, at the prior medians, all states being equally likely."""
    return sum(
        share * _prior_rate(spec, cell.indicator, phase) / sum(_prior_rate(spec, name, phase) for name in cell.among)
        for phase, share in _even(spec, cell.stage).items()
    )


def _even(spec: ModelSpec, stage: str) -> dict[str, float]:
    """Give every state the same probability, and within it every phase."""
    parts = [spec.stages[stage].phases.get(state, (state,)) for state in spec.stages[stage].states]
    return {phase: 1 / len(own) / len(parts) for own in parts for phase in own}


def likelihood(spec: ModelSpec, p: Parameters, cell: Cell) -> dict[str, float]:
    """Give a cell's likelihood in each phase of its stage."""
    found = {}
    for s in phases(spec.stages[cell.stage]):
        match cell:
            case Covered():
                years = cell.days / DAYS_A_YEAR
                seen = 1 - math.exp(-math.exp(p.log_lambda[cell.indicator, s]) * years)
                seen_before = _seen_before(spec, cell)
                w = 1 - math.prod(1 - v for v in cell.stories)
                false = (1 - w) * seen_before * (1 - seen) / (1 - seen_before)
                found[s] = w * seen + false if cell.stories else 1 - seen
            case Selective():
                rates = {name: math.exp(p.log_lambda[name, s]) for name in cell.among}
                found[s] = cell.w * rates[cell.indicator] / sum(rates.values())
                found[s] += (1 - cell.w) * _told_before(spec, cell)
            case Assessment():
                states = len(spec.stages[cell.stage].states)
                found[s] = cell.w if among(spec, cell.stage, s, [cell.state]) else (1 - cell.w) / (states - 1)
                if cell.w * states < 1:  # less than chance says nothing
                    found[s] = 1 / states
            case Record():
                found[s] = 1.0 if among(spec, cell.stage, s, cell.allowed) else 0.0
    return found


def emissions(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """Multiply the cells of each step: the likelihood (T, K) of each joint state."""
    compiled = cells(spec, rows, coverage, as_of, credibility)
    states = joint_states(spec)
    result = np.ones((len(compiled), len(states)))
    for t, here in enumerate(compiled):
        for cell in here:
            of_state = likelihood(spec, p, cell)
            position = list(spec.stages).index(cell.stage)
            for k, z in enumerate(states):
                result[t, k] *= of_state[z[position]]
    return result


@dataclass(frozen=True)
class Report:
    """One thing a cell could have reported: nothing (``indicator`` is None), or an indicator with credibility ``w``.

    ``probability`` is per state of the stage; it is the cell's likelihood times ``factor``, which no state enters.
    """

    indicator: str | None
    w: float
    factor: float
    probability: dict[str, float]


def enumerate_reports(
    spec: ModelSpec, p: Parameters, cell: Covered | Selective, mix: Mapping[float, float]
) -> list[Report]:
    """List everything that could have been reported instead of ``cell``; each state's probabilities sum to one.

    ``mix`` gives π_w, the share of each credibility w > 0 among true reports. For a covered cell false reports
    must not exceed certainty.
    """

    def report(changed: Covered | Selective, indicator: str | None, w: float, factor: float) -> Report:
        return Report(indicator, w, factor, {s: factor * x for s, x in likelihood(spec, p, changed).items()})

    if isinstance(cell, Selective):
        return [
            report(Selective(cell.step, cell.stage, name, cell.among, w), name, w, share)
            for name in cell.among
            for w, share in mix.items()
        ]
    seen_before = _seen_before(spec, cell)
    false = {w: share * seen_before * (1 - w) / (w * (1 - seen_before)) for w, share in mix.items()}
    if sum(false.values()) > 1:
        message = f"false reports would have probability {sum(false.values()):.2f}; use higher credibilities"
        raise ValueError(message)
    silent = Covered(cell.step, cell.stage, cell.indicator, cell.days, ())
    reports = [report(silent, None, 0.0, 1 - sum(false.values()))]
    for w, share in mix.items():
        told = Covered(cell.step, cell.stage, cell.indicator, cell.days, (w,))
        reports.append(report(told, cell.indicator, w, share / w))
    return reports
