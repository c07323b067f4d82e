"""A history compiled to arrays: spells of units as spans of steps, and which parameters enter which of their rates."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.base.clock import DAYS_PER_YEAR
from forecast.engine.history import Spans
from forecast.evidence.spell_timelines import Told, read_spells

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from forecast.engine.arrays import Floats, Ints
    from forecast.theory.spells import Spell
    from forecast.theory.statespace import StateSpace


@dataclass(frozen=True)
class History:
    """Spells of U units of stages with `units`, compiled; empty where the model has none.

    The log rate of each of the Q rates of ``spans`` is that of its transition, plus its effects, plus what its unit
    departs. ``units`` are named ``<stage>.<unit>``; ``own`` (L,) is the unit that each stage of the model is, −1 for
    none. ``told`` holds the spells.
    """

    spans: Spans
    told: Told
    units: tuple[str, ...]
    stages: tuple[str, ...]
    unit_stage: Ints  # (U,) an index into ``stages``
    own: Ints  # (L,)
    rate_transition: Ints  # (Q,)
    rate_unit: Ints  # (Q,)
    rate_effect: Floats  # (Q, effects)

    def spans_of(self, stage: int) -> Spans:
        """Give the spells of the units of one of ``stages`` alone."""
        regimes = self.spans.rate_table[self.unit_stage[self.rate_unit] == stage, 0]
        segment, regime = self.spans.spans[:, 0], self.spans.spans[:, 1]
        inside = np.isin(segment, segment[np.isin(regime, regimes)])
        return self.spans._replace(spans=np.ascontiguousarray(self.spans.spans[inside]))


def compile_history(space: StateSpace, leave_out: str | None = None) -> History:
    """Compile the history of the spec of ``space``; the unit named ``leave_out`` stays a unit, without spells."""
    told_of = read_spells(space.spec, leave_out)
    usable = told_of.usable
    told = {spell.of_unit for spell in usable}
    stages = tuple(name for name in space.stages if any(spell.stage == name for spell in usable))
    own_names = {name: f"{name}.{units.own}" for name in stages if (units := space.spec.stages[name].units)}
    units = tuple(
        name for stage in stages for name in sorted({*told, own_names[stage]}) if name.startswith(f"{stage}.")
    )
    segments = told_of.segments
    rates = _Rates(space, units)
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
        rows += [(k, *row) for row in _spans(space.spec.model.step_days, segment, numbers, regimes, told_of.last)]
    return History(
        spans=Spans(
            years=space.spec.model.step_days / DAYS_PER_YEAR,
            rate_table=np.array(rates.table, dtype=np.int64).reshape(-1, 3),
            sets=np.array(list(sets), dtype=np.float64).reshape(-1, width),
            start=np.array(starts).reshape(-1, width),
            spans=np.array(rows, dtype=np.int64).reshape(-1, 6),
        ),
        told=told_of,
        units=units,
        stages=stages,
        unit_stage=np.array([stages.index(name.partition(".")[0]) for name in units], dtype=np.int64),
        own=np.array(
            [units.index(own_names[name]) if name in own_names else -1 for name in space.stages], dtype=np.int64
        ),
        rate_transition=np.array(rates.transition, dtype=np.int64),
        rate_unit=np.array(rates.unit, dtype=np.int64),
        rate_effect=np.array(rates.effects, dtype=np.float64).reshape(len(rates.effects), len(space.effects)),
    )


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
        for k, from_, to in stage.moves():
            multiplied = [
                f"{spell.stage}.{label}" for label in active
                if stage.concerns(stage.effects[label], from_, to)
            ]  # fmt: skip
            move = stage.transitions[k]
            self.table.append((number, stage.all_phases.index(from_), stage.all_phases.index(to)))
            self.transition.append(self.space.transitions.index(f"{spell.stage}.{move.from_}>{move.to}"))
            self.unit.append(self.units.index(spell.of_unit))
            self.effects.append([float(name in multiplied) for name in self.space.effects])
        return number


def _inside(space: StateSpace, spell: Spell, width: int) -> Floats:
    stage = space.spec.stages[spell.stage]
    inside = [float(stage.state_of(phase) in spell.states) for phase in stage.all_phases]
    return np.array([*inside, *[0.0] * (width - len(inside))])


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
