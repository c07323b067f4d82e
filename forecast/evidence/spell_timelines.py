"""Timelines of a history: its spells as wholes, which of them say something to a model, and what a reader is told."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from forecast.base.clock import DAYS_PER_YEAR
from forecast.base.prose import count, listed, spoken
from forecast.ledger.admiralty import CREDIBLE, credibility

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from forecast.theory.spec import ModelSpec
    from forecast.theory.spells import Spell


class Told(NamedTuple):
    """What a history tells a model: spells that count, as unbroken segments, and those that say nothing, with why.

    ``last`` is the last day that the history names.
    """

    usable: tuple[Spell, ...]
    segments: tuple[tuple[Spell, ...], ...]
    left_out: tuple[tuple[Spell, str], ...]
    last: dt.date


def read_spells(spec: ModelSpec, leave_out: str | None = None) -> Told:
    """Sort the spells of a model's history; segments are without those of the unit named ``leave_out``."""
    usable, left_out = _usable(spec)
    last = max((spell.to or spell.from_ for spell in spec.history), default=spec.model.start)
    segments = _segments(spell for spell in usable if spell.of_unit != leave_out)
    return Told(tuple(usable), tuple(segments), tuple(left_out), last)


def _usable(spec: ModelSpec) -> tuple[list[Spell], list[tuple[Spell, str]]]:
    """Spells that speak to the model, its own units' up to where its evidence begins; and the others, with why."""
    usable: list[Spell] = []
    left_out: list[tuple[Spell, str]] = []
    start = spec.model.start
    states = {f"{name}.{state}" for name, stage in spec.stages.items() for state in stage.states}
    for spell in spec.history:
        stage = spec.stages.get(spell.stage)
        if stage is None:
            left_out.append((spell, f"the model has no stage {spell.stage!r}"))
        elif stage.units is None:
            left_out.append((spell, f"stage {spell.stage!r} names no units"))
        elif unknown := [state for state in spell.states if state not in stage.states]:
            left_out.append((spell, f"the stage has no state {unknown[0]!r}"))
        elif unknown := [name for name in map(".".join, spell.conditions) if name not in states]:
            left_out.append((spell, f"the model has no state {unknown[0]!r} for a condition"))
        elif credibility(spell.grade) < CREDIBLE:
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


def timelines(history: Told) -> list[Timeline]:
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


def summary(history: Told) -> list[str]:
    """Say in sentences what the history holds: units, spells and years by stage, and what says nothing."""
    found: list[str] = []
    rows = timelines(history)
    for stage in dict.fromkeys(row.stage for row in rows if not row.left_out):
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
