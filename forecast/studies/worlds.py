"""Simulated worlds: parameters, a hidden path, and a ledger of what was told of it, drawn as docs/method.md says.

This is the model's other half, written from the method's text in plain loops over names and days. It shares nothing
with the likelihood (no kernel, no compiled cells, no index array), so that a fit which finds a world's parameters again
has been checked against a second reading and not against itself.

What a world is like beyond the method is a convention that cancels from every posterior: which days are watched, how
many stories are told and how they are graded do not depend on states. Every row but a record is reported as late as the
model's lag says, so that coverage and rows become known together.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.base.errors import InputError
from forecast.evidence.spell_timelines import read_spells
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Count, Coverage, Entry, Observation
from forecast.studies.truth import Truth, draw_truth, is_among

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.theory.spec import ModelSpec
    from forecast.theory.spells import Spell
    from forecast.theory.stages import Stage


DAYS_A_YEAR = 365.25
HALF = 0.5
MIX = {"A1": 0.25, "B2": 0.35, "C3": 0.25, "D4": 0.15}  # how reports of true events are graded
STORIES_A_YEAR = 26.0  # told selectively, of each stage
ASSESSMENTS_A_YEAR = 3.0  # of each stage without observable states
REPEATED = 0.3  # share of stories that a second, less credible row tells again
DELIVERED = 0.85  # share of the steps of a channel that are counted
VOLUME, DRIFT = 400.0, 0.15  # what is counted in, and how far its logarithm moves from step to step
ALWAYS, NEVER = 0.75, 0.1  # shares of indicators that are watched so; the others are for a span


class World(NamedTuple):
    """A simulated world: ``path`` holds the phase of every stage at the end of each step, ``spells`` its history."""

    truth: Truth
    path: tuple[Mapping[str, str], ...]
    entries: tuple[Entry, ...]
    spells: tuple[Spell, ...]


def is_in(spec: ModelSpec, path_step: Mapping[str, str], states: Mapping[str, Sequence[str]]) -> bool:
    """Whether a step of a path lies in a set of joint states, such as an outcome's."""
    return all(is_among(spec, stage, path_step[stage], allowed) for stage, allowed in states.items())


def _even(stage: Stage) -> dict[str, float]:
    """Probability of each phase for one who takes every state for equally likely, and every phase of a state."""
    found: dict[str, float] = {}
    for state in stage.states:
        phases = stage.phases_of(state)
        found |= dict.fromkeys(phases, 1 / len(phases) / len(stage.states))
    return found


def simulate_world(spec: ModelSpec, days: int, rng: np.random.Generator) -> World:
    """Draw a world from the prior that lasts ``days`` from the model's start, with all that is ever told of it."""
    truth = draw_truth(spec, rng)
    path = simulate_path(truth, days, rng)
    return World(truth, path, simulate_ledger(truth, path, days, rng), simulate_history(truth, rng))


# The hidden path.


def _steps(spec: ModelSpec, days: int) -> Iterator[range]:
    """Give the days of each step."""
    step = spec.model.step_days
    for first in range(0, days, step):
        yield range(first, min(first + step, days))


def simulate_path(truth: Truth, days: int, rng: np.random.Generator) -> tuple[Mapping[str, str], ...]:
    """Walk through every step: the stages move in the order of the file, each knowing where those before it went."""
    spec = truth.spec
    now = {
        name: stage.all_phases[rng.choice(len(stage.all_phases), p=truth.start(name))]
        for name, stage in spec.stages.items()
    }
    path: list[Mapping[str, str]] = []
    for step in _steps(spec, days):
        new: dict[str, str] = {}
        for name in spec.stages:
            new[name] = _moved(now[name], truth.ways(name, now[name], new), len(step), rng)
        path.append(new)
        now = new
    return tuple(path)


def _moved(now: str, ways: Mapping[str, float], days: int, rng: np.random.Generator) -> str:
    """Give the phase after a step of some days; at most one way out is taken."""
    total = sum(ways.values())
    if rng.random() < 1 - math.exp(-total * days / DAYS_A_YEAR):
        return str(rng.choice(list(ways), p=[rate / total for rate in ways.values()]))
    return now


# The history.


def simulate_history(truth: Truth, rng: np.random.Generator) -> tuple[Spell, ...]:
    """Walk through the time that the model's history tells of, each unit anew, and tell it day by day.

    Units, days and conditions upstream are those of the model's history; states are drawn.
    """
    told = read_spells(truth.spec)
    return tuple(
        spell for segment in told.segments for spell in _timeline(truth, segment, segment[-1].to or told.last, rng)
    )


def _timeline(truth: Truth, told: Sequence[Spell], end: dt.date, rng: np.random.Generator) -> Iterator[Spell]:
    """Walk through an unbroken timeline of one unit, a spell for each state and set of conditions."""
    spec, unit, begin = truth.spec, told[0].unit, told[0].from_
    stage = spec.stages[told[0].stage]
    weights = np.array(list(stage.start_phases.values()))
    now = str(rng.choice(list(stage.start_phases), p=weights / weights.sum()))
    last = told[0]._replace(states=(stage.state_of(now),), boundary="day")
    for step in _steps(spec, (end - begin).days):
        row = next(row for row in reversed(told) if row.from_ <= begin + dt.timedelta(days=step[-1]))
        upstream = {name: spec.stages[name].phases_of(state)[0] for name, state in row.conditions}
        now = _moved(now, truth.ways(told[0].stage, now, upstream, unit), spec.model.step_days, rng)
        new = (stage.state_of(now),), row.conditions
        if new != (last.states, last.conditions):
            day = begin + dt.timedelta(days=max(step[0], 1))
            yield last._replace(to=day)
            last = last._replace(states=new[0], conditions=new[1], from_=day)
    yield last._replace(to=end)


# What is told of it.


def simulate_ledger(
    truth: Truth, path: Sequence[Mapping[str, str]], days: int, rng: np.random.Generator
) -> tuple[Entry, ...]:
    """Tell of a path: coverage, reports of what is watched (true and false), stories, assessments, records, counts."""
    return tuple(_Teller(truth, days, rng).tell(path))


class _Told(NamedTuple):
    """Something that is about to be told on a ``day``: of an indicator, or of whatever a stage offers."""

    day: int
    stage: str
    indicator: str | None
    grade: str


class _Teller:
    """Writes one world's rows, in the order of their days."""

    def __init__(self, truth: Truth, days: int, rng: np.random.Generator) -> None:
        self.truth, self.spec, self.days, self.rng = truth, truth.spec, days, rng
        self.rows: list[Entry] = []
        self.closed: set[str] = set()
        self.news: dict[str, list[tuple[int, float]]] = {}  # indicator: days and credibilities of what was news of it
        self.watched: dict[str, tuple[int, int]] = {}  # indicator: first day, day after the last

    def tell(self, path: Sequence[Mapping[str, str]]) -> list[Entry]:
        for name in self.spec.indicators:
            self._watch(name)
        if self.spec.channels:
            self._count(path)
        on_record: dict[str, bool] = {}
        for step, phases in zip(_steps(self.spec, self.days), path, strict=True):
            coming = [*self._sightings(step, phases), *self._stories(step)]
            for told in sorted(coming, key=lambda one: one.day):
                self._write(told, phases)
            for stage, phase in phases.items():
                state = self.spec.stages[stage].state_of(phase)
                self._assess(step, stage, state)
                now = state in self.spec.stages[stage].observable
                if now != on_record.get(stage, False):
                    self._add(step[-1], "A1", state=f"{stage}.{state}", late=0)
                    on_record[stage] = now
        return self.rows

    def _date(self, day: int) -> dt.date:
        return self.spec.model.start + dt.timedelta(days=day)

    def _watch(self, indicator: str) -> None:
        """Choose the days on which somebody looks; of a one-off whole steps, for a step of it ends when it is told."""
        kind, end = self.rng.random(), max(self.days - self.spec.model.reporting_lag_days, 0)
        first, last = sorted(self.rng.integers(0, end + 1, 2).tolist())
        if not self.spec.indicators[indicator].repeats:
            step = self.spec.model.step_days
            first, last = first // step * step, min(-(-last // step) * step, end)
        if kind < ALWAYS:
            first, last = 0, end
        elif kind < ALWAYS + NEVER:
            last = first
        self.watched[indicator] = (first, last)
        if first < last:
            self.rows.append(
                Coverage(
                    id=f"watch-{indicator}", indicator=indicator, from_=self._date(first), to=self._date(last - 1),
                    reported_on=self._date(first), source="the simulation",
                )
            )  # fmt: skip

    def _count(self, path: Sequence[Mapping[str, str]]) -> None:
        """Count whole steps of every channel in a volume that drifts; some are never delivered."""
        volume = VOLUME
        for step, phases in zip(_steps(self.spec, self.days), path, strict=True):
            volume *= math.exp(self.rng.normal(0.0, DRIFT))
            if len(step) < self.spec.model.step_days:
                continue
            for name, row in self.spec.channels.items():
                rate, dispersion = self.truth.counted(name, phases[row.stage])
                mean = self.rng.gamma(dispersion, volume * rate / dispersion)
                if self.rng.random() < DELIVERED:
                    self.rows.append(
                        Count(
                            id=f"{name}-{step[0]}", channel=name, from_=self._date(step[0]), to=self._date(step[-1]),
                            count=int(self.rng.poisson(mean)), exposure=volume, source="the simulation",
                            reported_on=self._date(step[-1] + self.spec.model.reporting_lag_days),
                        )
                    )  # fmt: skip

    def _is_watched(self, indicator: str, day: int) -> bool:
        first, end = self.watched[indicator]
        return first <= day < end

    def _sightings(self, step: range, states: Mapping[str, str]) -> Iterator[_Told]:
        """Report of what is watched in a step: something happened, or a false report says so."""
        for name, row in self.spec.indicators.items():
            days = [day for day in step if self._is_watched(name, day)]
            if not days or name in self.closed:
                continue
            years = len(days) / DAYS_A_YEAR
            happened = self.rng.poisson(self.truth.intensity(name, states[row.stage]) * years) > 0
            weights = dict(MIX) if happened else self._false(name, years)
            weights[""] = max(1 - sum(weights.values()), 0.0)
            grade = str(self.rng.choice(list(weights), p=list(weights.values())))
            if grade:
                days_on = self._known_by(self.truth.intensity(name, states[row.stage]), name, grade, len(days))
                yield _Told(int(self.rng.choice(days, p=days_on)), row.stage, name, grade)

    def _known_by(self, intensity: float, indicator: str, grade: str, days: int) -> NDArray[np.float64]:
        """(days,) on which of them a report is dated: by each day as often as watching up to it alone would give one.

        So a forecast from the middle of the span, to which later days are not known, is told what it should be.
        """
        years, w = np.arange(days + 1) / DAYS_A_YEAR, credibility(grade)
        before = np.array([self._before(indicator, span) for span in years])
        nothing = np.exp(-intensity * years)
        told = np.maximum(np.diff(1 - nothing + nothing * before / (1 - before) * (1 - w) / w), 0.0)
        return told / told.sum()

    def _expected(self, indicator: str, phase: str) -> float:
        """Rate per year in a phase at the prior medians of the indicator's class and grade."""
        row, priors = self.spec.indicators[indicator], self.spec.priors
        low, high = priors.classes[row.class_].per_year
        if not is_among(self.spec, row.stage, phase, row.points_to):
            return math.sqrt(low * high)
        usual = 1.0 if priors.diagnosticity is None else math.sqrt(math.prod(priors.diagnosticity.times))
        return math.sqrt(low * high) * getattr(priors.grades, row.grade) ** usual

    def _before(self, indicator: str, years: float) -> float:
        """Probability of an event in ``years`` for one who takes every state for equally likely."""
        shares = _even(self.spec.stages[self.spec.indicators[indicator].stage])
        return sum(share * (1 - math.exp(-self._expected(indicator, phase) * years)) for phase, share in shares.items())

    def _false(self, indicator: str, years: float) -> dict[str, float]:
        """Probability of a false report of each grade where nothing happened."""
        before = self._before(indicator, years)
        found = {grade: share * before * (1 - credibility(grade)) / (credibility(grade) * (1 - before))
                 for grade, share in MIX.items()}  # fmt: skip
        if sum(found.values()) > 1:
            msg = f"indicators.{indicator}: is too frequent for worlds with false reports; lower its class's per_year"
            raise InputError(msg)
        return found

    def _stories(self, step: range) -> Iterator[_Told]:
        for stage in self.spec.stages:
            for _ in range(self.rng.poisson(STORIES_A_YEAR * len(step) / DAYS_A_YEAR)):
                yield _Told(
                    int(self.rng.choice(step)), stage, None, str(self.rng.choice(list(MIX), p=list(MIX.values())))
                )

    def _is_news(self, indicator: str, told: _Told) -> bool:
        """Whether nobody as credible has told of it within an episode."""
        since, w = told.day - self.spec.model.episode_days, credibility(told.grade)
        return not any(day > since and weight >= w for day, weight in self.news.get(indicator, []))

    def _write(self, told: _Told, states: Mapping[str, str]) -> None:
        indicator = told.indicator or self._choose(told, states[told.stage])
        if indicator is None:
            return
        if self._is_news(indicator, told):
            self.news.setdefault(indicator, []).append((told.day, credibility(told.grade)))
        name = self._add(told.day, told.grade, indicator=indicator)
        less = [grade for grade in MIX if credibility(grade) < credibility(told.grade)]
        if less and self.rng.random() < REPEATED:
            again = min(told.day + int(self.rng.integers(0, 4)), self.days - 1)
            self._add(again, str(self.rng.choice(less)), indicator=indicator, story=name)
        if credibility(told.grade) >= HALF:
            for other, row in self.spec.indicators.items():
                if row.reset_by == indicator:
                    self.closed.discard(other)
            if not self.spec.indicators[indicator].repeats:
                self.closed.add(indicator)

    def _choose(self, told: _Told, state: str) -> str | None:
        """Choose what a story is about: one of the indicators of its stage that nobody watches and that are open."""
        among = [
            name for name, row in self.spec.indicators.items()
            if row.stage == told.stage and name not in self.closed and not self._is_watched(name, told.day)
            and self._is_news(name, told)
        ]  # fmt: skip
        if not among:
            return None
        true = np.array([self.truth.intensity(name, state) for name in among])
        shares = _even(self.spec.stages[told.stage])
        before = np.array([[self._expected(name, phase) for phase in shares] for name in among])
        false = before / before.sum(axis=0) @ list(shares.values())
        w = credibility(told.grade)
        return str(self.rng.choice(among, p=w * true / true.sum() + (1 - w) * false))

    def _assess(self, step: range, stage: str, state: str) -> None:
        content = self.spec.stages[stage]
        if content.observable:
            return
        for _ in range(self.rng.poisson(ASSESSMENTS_A_YEAR * len(step) / DAYS_A_YEAR)):
            grade = str(self.rng.choice(list(MIX), p=list(MIX.values())))
            others = [other for other in content.states if other != state]
            right = max(credibility(grade), 1 / len(content.states))
            named = state if self.rng.random() < right else str(self.rng.choice(others))
            self._add(int(self.rng.choice(step)), grade, state=f"{stage}.{named}")

    def _add(  # noqa: PLR0913 - what a row says
        self, day: int, grade: str, *, indicator: str | None = None, state: str | None = None, story: str = "",
        late: int | None = None,
    ) -> str:  # fmt: skip
        name = f"r{len(self.rows):05}"
        lag = self.spec.model.reporting_lag_days if late is None else late
        self.rows.append(
            Observation(
                id=name, indicator=indicator, state=state, date=self._date(day), grade=grade, story=story or name,
                reported_on=self._date(day + lag), source="the simulation",
            )
        )  # fmt: skip
        return name
