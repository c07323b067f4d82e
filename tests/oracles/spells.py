"""A small theory with a history, and the likelihood of its spells by summing over every path and every boundary."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import math
from typing import TYPE_CHECKING

from forecast.theory.modelfile import parse_spec
from forecast.theory.spells import Spell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from forecast.theory.spec import ModelSpec

    Rates = Mapping[tuple[str, str], float]

STATES = ("calm", "tense", "open")
RATES = {
    ("calm", "tense"): 3.0,
    ("tense", "calm"): 9.0,
    ("tense", "open"): 6.0,
    ("open", "calm"): 5.0,
    ("open", "tense"): 2.0,
}
SUPPORT = 2.5
BASIS = '[{ kind = "judgement", note = "a toy" }]'
TOY = f"""
format = 1
[model]
name = "toy"
title = "Toy"
description = "Toy"
dataset = "toy"
start = 2024-01-01
reporting_lag_days = 0
horizons_weeks = [4]
[sources]
[stages.backing]
label = "Backing"
states = ["absent", "given"]
start = {{ absent = 1, given = 1 }}
basis = {BASIS}
transitions = [{{ from = "absent", to = "given", per_year = [0.5, 2], basis = {BASIS} }}]
[stages.mood]
label = "Mood"
states = ["calm", "tense", "open"]
start = {{ calm = 3, tense = 1 }}
basis = {BASIS}
transitions = [
  {", ".join(f'{{ from = "{a}", to = "{b}", per_year = [1, 9], basis = {BASIS} }}' for a, b in RATES)}
]
[stages.mood.units]
own = "home"
spread = [0.2, 0.8]
basis = {BASIS}
[stages.mood.effects.support]
from = "tense"
to = "open"
when = {{ backing = ["given"] }}
times = [1.5, 4]
basis = {BASIS}
[indicators.quarrel]
label = "A quarrel"
stage = "mood"
points_to = ["open"]
grade = "moderate"
class = "words"
signs = [{{ what = "A quarrel" }}]
basis = {BASIS}
[outcomes.open]
label = "Open"
states = {{ mood = ["open"] }}
resolution = "Two quarrels within four weeks."
sources = ["Wire"]
resolves = [{{ stories = 2, of = ["quarrel"], within_weeks = 4 }}]
frozen = 2024-01-01
basis = {BASIS}
[priors.classes.words]
per_year = [1, 5]
spread = [0.2, 1]
basis = {BASIS}
[priors.grades]
weak = 2
moderate = 4
strong = 10
decisive = 30
concentration = 4
basis = {BASIS}
[priors.departure]
scale = 0.3
basis = {BASIS}
"""


def toy_spec(*spells: Spell) -> ModelSpec:
    """Give the toy with a history."""
    return parse_spec(TOY, where="toy").with_history(spells)


def spell(states: str, from_: str, to: str | None, **changes: object) -> Spell:
    """Give a spell of unit ``away`` in the toy's mood."""
    row = Spell(
        unit="away", stage="mood", states=tuple(states.split("|")), from_=dt.date.fromisoformat(from_),
        to=None if to is None else dt.date.fromisoformat(to), boundary="day", conditions=(), grade="B2", source="Wire",
        url="", note="",
    )  # fmt: skip
    return row._replace(**changes)


def enumerated(
    segment: Sequence[Spell],
    rates: Mapping[tuple[str, str], float],
    times: float,
    start: Mapping[str, float],
    last: dt.date,
) -> float:
    """Give the log-likelihood of an unbroken timeline: summed over all boundaries and all paths that obey them."""
    begin = segment[0].from_
    steps = max(math.ceil(((segment[-1].to or last) - begin).days / 7), 1)
    total = 0.0
    for entered in _boundaries(segment, begin, steps):
        ruling = [max(k for k, first in enumerate(entered) if first <= step) for step in range(steps)]
        for path in itertools.product(STATES, repeat=steps):
            if any(state not in segment[k].states for state, k in zip(path, ruling, strict=True)):
                continue
            for first in (state for state in STATES if start.get(state) and state in segment[0].states):
                p = start[first]
                for before, after, k in zip((first, *path), path, ruling, strict=False):
                    p *= _step(rates, times if segment[k].conditions else 1.0)[before][after]
                total += p
    inside = sum(p for state, p in start.items() if state in segment[0].states)
    return math.log(total / inside)


def _boundaries(segment: Sequence[Spell], begin: dt.date, steps: int) -> Iterator[tuple[int, ...]]:
    """Each way in which spells may have begun, by step: every step that holds one of a boundary's days, in order."""
    choices: list[list[int]] = [[0]]
    for before, row in itertools.pairwise(segment):
        first = last = row.from_
        if row.boundary == "month" and row.states != before.states:
            first = row.from_.replace(day=1)
            last = row.from_.replace(day=calendar.monthrange(row.from_.year, row.from_.month)[1])
        if row.boundary == "year" and row.states != before.states:
            first, last = row.from_.replace(month=1, day=1), row.from_.replace(month=12, day=31)
        possible = range(max((first - begin).days // 7, 0), min((last - begin).days // 7, steps - 1) + 1)
        choices.append(list(possible))
    for entered in itertools.product(*choices):
        if all(a < b for a, b in itertools.pairwise(entered[1:])):
            yield entered


def _step(rates: Rates, times: float) -> dict[str, dict[str, float]]:
    years = 7 / 365.25
    found: dict[str, dict[str, float]] = {}
    for state in STATES:
        out = {
            b: rate * (times if (a, b) == ("tense", "open") else 1.0) for (a, b), rate in rates.items() if a == state
        }
        stay = math.exp(-years * sum(out.values()))
        found[state] = {other: (1 - stay) * out.get(other, 0.0) / sum(out.values()) for other in STATES} | {state: stay}
    return found
