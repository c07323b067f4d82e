"""A history compiled to arrays: spells of units as spans of steps, and which parameters enter which of their rates."""

from __future__ import annotations

import calendar
import itertools
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.base.prose import count, listed, spoken
from forecast.engine.history import Spans
from forecast.evidence.grid import DAYS_PER_YEAR
from forecast.ledger.admiralty import credibility

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from forecast.engine.arrays import Floats, Ints
    from forecast.theory.spells import Spell
    from forecast.theory.statespace import StateSpace


HALF = 0.5


@dataclass(frozen=True)
class History:
    """Spells of U units of stages with `units`, compiled; empty where the model has none.

    The log rate of each of the Q rates of ``spans`` is that of its transition, plus its effects, plus what its unit
    departs. ``units`` are named ``<stage>.<unit>``; ``own`` (L,) is the unit that each stage of the model is, −1 for
    none. ``left_out`` lists spells that say nothing here, with the reason. ``last`` is the last day that the history
    names: a spell without an end lasts until then.
    """

    spans: Spans
    segments: tuple[tuple[Spell, ...], ...]
    units: tuple[str, ...]
    stages: tuple[str, ...]
    unit_stage: Ints  # (U,) an index into ``stages``
    own: Ints  # (L,)
    rate_transition: Ints  # (Q,)
    rate_unit: Ints  # (Q,)
    rate_effect: Floats  # (Q, effects)
    left_out: tuple[tuple[Spell, str], ...]
    last: dt.date


def compile_history(space: StateSpace, leave_out: str | None = None) -> History:
    """Compile the history of the spec of ``space``; the unit named ``leave_out`` stays a unit, without spells."""
    usable, left_out = _usable(space)
    told = {f"{spell.stage}.{spell.unit}" for spell in usable}
    stages = tuple(name for name in space.stages if any(spell.stage == name for spell in usable))
    own_names = {name: f"{name}.{units.own}" for name in stages if (units := space.spec.stages[name].units)}
    units = tuple(
        name for stage in stages for name in sorted({*told, own_names[stage]}) if name.startswith(f"{stage}.")
    )
    segments = _segments(spell for spell in usable if f"{spell.stage}.{spell.unit}" != leave_out)
    rates = _Rates(space, units)
    last = max((spell.to or spell.from_ for spell in space.spec.history), default=space.spec.model.start)
    sets: dict[tuple[bool, ...], int] = {}
    rows: list[tuple[int, ...]] = []
    starts: list[Floats] = []
    width = int(max(space.sizes))
    for k, segment in enumerate(segments):
        inside = [_inside(space, spell, width) for spell in segment]
        numbers = [sets.setdefault(tuple(part.tolist()), len(sets)) for part in inside]
        weights = np.zeros(width)
        stage = space.stages.index(segment[0].stage)
        weights[: space.sizes[stage]] = space.start_weights(stage)
        weights = inside[0] * (weights if (inside[0] * weights).any() else 1.0)
        starts.append(weights / weights.sum())
        regimes = [rates.regime(spell) for spell in segment]
        rows += [(k, *row) for row in _spans(space.spec.model.step_days, segment, numbers, regimes, last)]
    return History(
        spans=Spans(
            years=space.spec.model.step_days / DAYS_PER_YEAR,
            sizes=np.array([space.sizes[stage] for stage, _, _ in rates.regimes], dtype=np.int64),
            rate_table=np.array(rates.table, dtype=np.int64).reshape(-1, 3),
            sets=np.array(list(sets), dtype=np.float64).reshape(-1, width),
            start=np.array(starts).reshape(-1, width),
            spans=np.array(rows, dtype=np.int64).reshape(-1, 6),
        ),
        segments=tuple(segments),
        units=units,
        stages=stages,
        unit_stage=np.array([stages.index(name.partition(".")[0]) for name in units], dtype=np.int64),
        own=np.array(
            [units.index(own_names[name]) if name in own_names else -1 for name in space.stages], dtype=np.int64
        ),
        rate_transition=np.array(rates.transition, dtype=np.int64),
        rate_unit=np.array(rates.unit, dtype=np.int64),
        rate_effect=np.array(rates.effects, dtype=np.float64).reshape(len(rates.effects), len(space.effects)),
        left_out=tuple(left_out),
        last=last,
    )


def _usable(space: StateSpace) -> tuple[list[Spell], list[tuple[Spell, str]]]:
    """Spells that speak to the model, its own units' up to where its evidence begins; and the others, with why."""
    usable: list[Spell] = []
    left_out: list[tuple[Spell, str]] = []
    start = space.spec.model.start
    for spell in space.spec.history:
        stage = space.spec.stages.get(spell.stage)
        if stage is None:
            left_out.append((spell, f"the model has no stage {spell.stage!r}"))
        elif stage.units is None:
            left_out.append((spell, f"stage {spell.stage!r} names no units"))
        elif unknown := [state for state in spell.states if state not in stage.states]:
            left_out.append((spell, f"the stage has no state {unknown[0]!r}"))
        elif unknown := [name for name in map(".".join, spell.conditions) if name not in space.stage_states]:
            left_out.append((spell, f"the model has no state {unknown[0]!r} for a condition"))
        elif credibility(spell.grade) < HALF:
            left_out.append((spell, f"graded {spell.grade}, below even odds"))
        elif spell.unit == stage.units.own and spell.from_ >= start:
            left_out.append((spell, f"the ledger tells what the unit did from {start} on"))
        else:
            own = spell.unit == stage.units.own
            usable.append(spell._replace(to=min(spell.to or start, start)) if own else spell)
    return usable, left_out


def _segments(spells: Iterable[Spell]) -> list[tuple[Spell, ...]]:
    """Unbroken timelines: spells of one unit that follow each other without a gap."""
    segments: list[list[Spell]] = []
    for spell in sorted(spells, key=lambda spell: (spell.unit, spell.stage, spell.from_)):
        last = segments[-1][-1] if segments else None
        if last and (last.unit, last.stage, last.to) == (spell.unit, spell.stage, spell.from_):
            segments[-1].append(spell)
        else:
            segments.append([spell])
    return [tuple(segment) for segment in segments]


class _Rates:
    """The rates of every regime: a stage of a unit under the effects in force."""

    def __init__(self, space: StateSpace, units: tuple[str, ...]) -> None:
        self.space = space
        self.units = units
        self.regimes: dict[tuple[int, str, tuple[str, ...]], int] = {}
        self.table: list[tuple[int, int, int]] = []
        self.transition: list[int] = []
        self.unit: list[int] = []
        self.effects: list[list[float]] = []

    def regime(self, spell: Spell) -> int:
        """Give the number of the regime in which ``spell`` runs; a new one if there is none yet."""
        stage = self.space.spec.stages[spell.stage]
        active = tuple(label for label, effect in stage.effects.items() if spell.holds(effect.when))
        key = (self.space.stages.index(spell.stage), spell.unit, active)
        if key in self.regimes:
            return self.regimes[key]
        number = self.regimes[key] = len(self.regimes)
        for move in stage.transitions:
            multiplied = [
                f"{spell.stage}.{label}" for label in active
                if (stage.effects[label].from_, stage.effects[label].to) == (move.from_, move.to)
            ]  # fmt: skip
            self.table.append((number, stage.states.index(move.from_), stage.states.index(move.to)))
            self.transition.append(self.space.transitions.index(f"{spell.stage}.{move.from_}>{move.to}"))
            self.unit.append(self.units.index(f"{spell.stage}.{spell.unit}"))
            self.effects.append([float(name in multiplied) for name in self.space.effects])
        return number


def _inside(space: StateSpace, spell: Spell, width: int) -> Floats:
    states = space.spec.stages[spell.stage].states
    return np.array([float(k < len(states) and states[k] in spell.states) for k in range(width)])


def _spans(
    step: int, segment: Sequence[Spell], sets: Sequence[int], regimes: Sequence[int], last: dt.date
) -> list[tuple[int, ...]]:
    """Spans of a segment: (regime, set before, set, steps in which it may cross from one to the other, steps after)."""
    begin = segment[0].from_
    end = max(-(-((segment[-1].to or last) - begin).days // step), 1)
    windows: list[tuple[int, int]] = [(0, -1)]  # first and last step of the crossing into each spell
    for k, spell in enumerate(segment[1:], 1):
        same = sets[k] == sets[k - 1]  # then only conditions change: on the day, as it stands
        days = (spell.from_, spell.from_) if same else _possible_days(spell)
        first, final = ((day - begin).days // step for day in days)
        windows.append((max(first, windows[-1][0] + (k > 1)), final))  # a spell lasts a step at least
    rows: list[tuple[int, ...]] = []
    for k, (first, final) in enumerate(windows):
        until = windows[k + 1][0] if k + 1 < len(windows) else max(end, first + 1)
        if k and sets[k] != sets[k - 1]:
            crossing = max(min(final, until - 1) - first + 1, 1)
            rows.append((regimes[k], sets[k - 1], sets[k], crossing, max(until - first - crossing, 0)))
        else:
            rows.append((regimes[k], sets[k], sets[k], 0, until - first))
    return rows


def _possible_days(spell: Spell) -> tuple[dt.date, dt.date]:
    """First and last day on which a spell may have begun."""
    day = spell.from_
    if spell.boundary == "month":
        return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    if spell.boundary == "year":
        return day.replace(month=1, day=1), day.replace(month=12, day=31)
    return day, day


# What a reader sees.


@dataclass(frozen=True)
class Timeline:
    """A spell as a whole: rows of a unit that follow each other in the same states, in all conditions.

    ``conditions`` holds the years under each set of conditions, in words. ``left_out`` is why it says nothing here,
    blank if it does.
    """

    stage: str
    unit: str
    states: tuple[str, ...]
    from_: dt.date
    to: dt.date | None
    boundary: str
    years: float
    conditions: tuple[tuple[str, float], ...]
    grade: str
    source: str
    note: str
    left_out: str

    @property
    def begins(self) -> str:
        """The beginning, as exactly as it is known: ``2016-07``."""
        return str(self.from_)[: {"day": 10, "month": 7, "year": 4}[self.boundary]]

    @property
    def under(self) -> str:
        """Years under conditions, in words."""
        return "; ".join(f"{years:.1f} under {name}" for name, years in self.conditions if name)

    def to_dict(self) -> dict[str, object]:
        """Give what JSON holds."""
        return {**asdict(self), "from_": str(self.from_), "to": self.to and str(self.to)}


def timelines(history: History) -> list[Timeline]:
    """Spells as wholes, by stage, unit and day, those that say nothing among them."""
    groups = [
        list(rows)
        for segment in history.segments
        for _, rows in itertools.groupby(segment, key=lambda spell: spell.states)
    ]
    found = [_timeline(rows, history.last, "") for rows in groups]
    found += [_timeline([spell], history.last, reason) for spell, reason in history.left_out]
    return sorted(found, key=lambda row: (row.stage, row.unit, row.from_))


def _timeline(rows: Sequence[Spell], last: dt.date, reason: str) -> Timeline:
    years: dict[str, float] = defaultdict(float)
    for row in rows:
        name = " and ".join(f"{stage} {spoken(state)}" for stage, state in row.conditions)
        years[name] += ((row.to or last) - row.from_).days / DAYS_PER_YEAR
    first = rows[0]
    return Timeline(
        first.stage, first.unit, first.states, first.from_, rows[-1].to, first.boundary, sum(years.values()),
        tuple(years.items()), first.grade, first.source, first.note, reason,
    )  # fmt: skip


def summary(history: History) -> list[str]:
    """Say in sentences what the history holds: units, spells and years by stage, and what says nothing."""
    found: list[str] = []
    rows = timelines(history)
    for stage in history.stages:
        here = [row for row in rows if row.stage == stage and not row.left_out]
        spells = defaultdict[str, list[Timeline]](list)
        for row in here:
            spells[" or ".join(map(spoken, row.states))].append(row)
        parts = [
            f"{count(len(some), 'spell')} of {states} ({count(round(sum(row.years for row in some)), 'year')})"
            for states, some in spells.items()
        ]
        units = count(len({row.unit for row in here}), "unit")
        found.append(f"history of {stage}: {units}, {listed(parts)}, up to {history.last}")
    silent: dict[str, int] = defaultdict(int)
    for _, reason in history.left_out:
        silent[reason] += 1
    found += [f"{count(number, 'row')} of the history left out: {reason}" for reason, number in silent.items()]
    return found
