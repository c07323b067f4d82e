"""Accounts of a change in a model in sight: its rows, what was known on a day, and sums that must hold."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from small_models import PLAIN
from worlds import anchor_of, values_of

from forecast.answers.drivers import Known, find_drivers
from forecast.answers.target import Question
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.answers.drivers import Drivers
    from forecast.ledger.rows import Entry


DAY = dt.timedelta(days=1)
START = dt.date(2024, 1, 1)
SIZE = 256


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


@cache
def plain() -> StateSpace:
    """Give the model in sight."""
    return StateSpace(parse_spec(PLAIN, where="plain"))


@cache
def plain_anchor(seed: int = 1, size: int = SIZE, name: str = "prior") -> Anchor:
    """Draw from its prior."""
    return anchor_of(plain(), values_of(plain().spec, size, seed), name)


def seen(name: str, indicator: str, day: int, **more: object) -> Observation:
    """Give a sighting on a day of the model."""
    date = START + day * DAY
    common = {"id": name, "indicator": indicator, "date": date, "reported_on": date, "source": "Test", "grade": "B2"}
    return Observation(**(common | more))


def watched(name: str, indicator: str, first: int, last: int) -> Coverage:
    """Give a span of coverage in days of the model."""
    span = [START + day * DAY for day in (first, last)]
    return Coverage(id=name, indicator=indicator, from_=span[0], to=span[1], reported_on=span[1], source="Test")


def known(anchor: Anchor, rows: Iterable[Entry], day: int | dt.date, **more: object) -> Known:
    """Say what was known on a day."""
    date = day if isinstance(day, dt.date) else START + day * DAY
    rows = tuple(row for row in rows if row.reported_on <= date)
    return Known(reweigh(anchor, compile_evidence(anchor.space, rows, date)), rows, **more)


def account(then: Known, now: Known, *, outcome: str = "very_tense", weeks: int | None = None) -> Drivers:
    """Account for the change."""
    question = Question(now.posterior.space, outcome, weeks, now.as_of, stages=True)
    return find_drivers(question, then, now)


def odds(p: float) -> float:
    """Give the log-odds."""
    return math.log(p / (1 - p))


def forecast_of(known_: Known, date: dt.date, outcome: str = "very_tense") -> float:
    """Forecast from scratch: the weighted mean over draws for a date."""
    as_of = known_.posterior.evidence.as_of
    weeks, rest = divmod((date - as_of).days, 7)
    assert rest == 0
    spec = known_.posterior.space.spec
    header = spec.model.model_copy(update={"horizons_weeks": (weeks,)})
    space = StateSpace(spec.model_copy(update={"model": header, "conditionals": ()}))
    found = reweigh(under(known_.posterior.anchor, space), known_.posterior.evidence)
    return next(row.estimate.mean for row in found.quantities if (row.outcome, row.kind) == (outcome, "at"))


def under(anchor: Anchor, space: StateSpace) -> Anchor:
    """Give the same draws for a model with other horizons."""
    return Anchor(space, anchor.name, lambda: anchor.blocks.draws, cells=anchor.cells)


EARLY: tuple[Entry, ...] = (
    seen("e1", "a", 3), seen("e2", "b", 9), seen("e3", "d", 12, story="talks"), watched("ec", "e", 0, 20),
    seen("e4", "c", 15, grade="C3"),
)  # fmt: skip
LATE: tuple[Entry, ...] = (
    seen("l1", "c", 24), seen("l2", "e", 30, story="talks"), watched("lc", "*", 21, 33),
    seen("l3", "a", 33, grade="D4"),
    Observation(
        id="l4", state="down.tense", date=START + 31 * DAY, reported_on=START + 32 * DAY, source="T", grade="C3"
    ),
)  # fmt: skip
MANY: tuple[Entry, ...] = tuple(seen(f"m{k}", "abcdef"[k % 6], 22 + k, grade="C3") for k in range(7))


class Change(NamedTuple):
    """Rows of both ends, in days of the model."""

    early: tuple[Entry, ...]
    then: int
    late: tuple[Entry, ...]
    now: int
    exact: bool
    kinds: set[str]


CORRECTED = tuple(dataclasses.replace(row, grade="A1") if row.id == "e1" else row for row in EARLY)
CHANGES = {
    "stories": Change(EARLY, 22, EARLY + LATE, 36, exact=True, kinds={"story", "coverage", "time"}),
    "on the same day": Change(EARLY, 36, EARLY + LATE, 36, exact=True, kinds={"story", "coverage"}),
    "only time": Change(EARLY, 20, EARLY, 34, exact=True, kinds={"time"}),
    "a retraction": Change(EARLY, 23, EARLY[1:] + LATE, 37, exact=True,
                           kinds={"retraction", "story", "coverage", "time"}),
    "a correction": Change(EARLY, 20, CORRECTED + LATE, 34, exact=True,
                           kinds={"correction", "story", "coverage", "time"}),
    "coverage retracted": Change(EARLY, 20, EARLY[:3] + EARLY[4:], 20, exact=True, kinds={"retraction"}),
    "many": Change(EARLY, 23, CORRECTED[:4] + LATE + MANY, 37, exact=False,
                   kinds={"correction", "retraction", "story", "coverage", "time"}),
    "many on the same day": Change(EARLY, 36, EARLY[1:] + LATE + MANY, 36, exact=False,
                                   kinds={"retraction", "story", "coverage"}),
}  # fmt: skip


def adds_up(found: Drivers) -> None:
    """Check what must add up: probabilities, log-odds, and every stage."""
    before, after = found.before.mean, found.after.mean
    assert math.fsum(row.difference for row in found.moved) == pytest.approx(after - before, abs=1e-9)
    assert math.fsum(row.log_odds for row in found.moved) == pytest.approx(odds(after) - odds(before), abs=1e-9)
    for row in (*found.moved, *found.held_up):
        for stage in {name.partition(".")[0] for name in row.stages}:
            parts = [value for name, value in row.stages.items() if name.startswith(f"{stage}.")]
            assert math.fsum(parts) == pytest.approx(0, abs=1e-9)
        if row.stages:
            assert row.stages["down.tense"] == pytest.approx(row.difference, abs=1e-9)
        assert row.mcse >= 0
        assert row.log_odds_mcse >= 0
