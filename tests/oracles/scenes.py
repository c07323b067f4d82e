"""Small worlds that can be asked what if, and what the oracle answers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import oracle
import pytest
from worlds import SEEDS, World, small_world

from forecast.answers.what_if import Asker
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import reweigh
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Observation
from forecast.theory.outcomes import Conditional
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Policy
    from forecast.quantities.forecast import WhatIf


DAY = dt.timedelta(days=1)
WEEKS = (1, 2, 3)
CONDITIONALS = (
    Conditional(outcome="outcome", given="condition"),
    Conditional(outcome="outcome", given_no="condition"),
    Conditional(outcome="both", after="condition", weeks=1),
)
COPIES = 100  # of each of a world's two draws: weights of which so many are alike are left as they are
AHEAD = ("running", "week's end", "next day", "next middle", "horizon", "two weeks", "last")

type Name = tuple[str, str, str | None, int | None]


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


def no_fit(evidence: Evidence) -> Anchor:
    """Fail: no fit is expected."""
    pytest.fail(f"a fit was asked for as of {evidence.as_of}")


class Scene:
    """A small world, its asker and what the oracle needs; the world's two draws, each many times."""

    def __init__(self, world: World, *, draws: int = 2, start: dt.date | None = None) -> None:
        """Take the first of the world's ``draws``."""
        self.world, self.spec, self.as_of = world, world.spec, start or world.as_of
        self.parameters = world.parameters[:draws]
        self.space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
        turns = np.arange(COPIES * draws) % draws
        self.draws = Draws(*(part[turns] for part in world.draws))
        self.rest = (world.rows, world.coverage, self.as_of, w)
        self.outcomes = {name: row.states for name, row in world.spec.outcomes.items()}

    @property
    def possible(self) -> bool:
        """Whether what is told can have happened."""
        return any(np.isfinite(oracle.log_likelihood(self.spec, p, *self.rest)) for p in self.parameters)

    def asker(self) -> Asker:
        """Give the asker."""
        return asker_of(self.space, self.draws, self.entries, self.as_of)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rows."""
        return (*self.world.rows, *self.world.coverage)

    def day(self, which: str) -> dt.date:
        """Choose a date behind ``as_of`` by where it lies in the week and among the horizons."""
        to_end = -oracle.elapsed_days(self.spec, self.as_of) % 7
        days = {"running": 1, "week's end": to_end or 7, "next day": to_end + 1, "next middle": to_end + 3}
        return self.as_of + DAY * {**days, "horizon": 7, "two weeks": 14, "last": 21, "now": 0}[which]

    def horizons(self, date: dt.date) -> dict[int, dt.date]:
        """Give the horizons that are not before a date."""
        return {week: day for week in WEEKS if (day := self.as_of + week * 7 * DAY) >= date}

    def expected(
        self, log_likelihoods: Sequence[float], ratios: Callable[[oracle.Parameters], dict[Name, tuple[float, float]]]
    ) -> dict[Name, float]:
        """Average over draws by their likelihood; of ratios numerator and denominator by themselves."""
        weights = np.exp(np.array(log_likelihoods) - max(log_likelihoods))
        each = [ratios(p) if weight > 0 else {} for p, weight in zip(self.parameters, weights, strict=True)]
        sums: dict[Name, np.ndarray] = {}
        for found, weight in zip(each, weights, strict=True):
            for name, ratio in found.items():
                sums[name] = sums.get(name, np.zeros(2)) + weight * np.array(ratio)
        return {name: part / whole for name, (part, whole) in sums.items() if whole > 0}

    def numbers(self, ahead: oracle.Ahead, week: int) -> dict[Name, tuple[float, float]]:
        """Read off the numbers at one horizon."""
        found: dict[Name, tuple[float, float]] = {}
        for name, states in self.outcomes.items():
            found[name, "at", None, week] = ahead.at(states), 1.0
            found[name, "reached", None, week] = ahead.reached(states), 1.0
        for row in CONDITIONALS[:2]:
            states, condition = self.outcomes[row.outcome], self.outcomes["condition"]
            given = ahead.given(states, condition, negated=row.given is None)
            found[row.outcome, "given", row.condition, week] = given
        return found

    def supposed(self, seen: Sequence[Observation], unseen: Mapping[str, dt.date], until: dt.date) -> dict[Name, float]:
        """Let the oracle suppose rows; nothing where they are impossible."""
        horizons = self.horizons(until)
        ahead = {
            id(p): {
                week: oracle.forecast_supposed(self.spec, p, *self.rest, seen, unseen, date)
                for week, date in horizons.items()
            }
            for p in self.parameters
        }  # fmt: skip
        levels = [next(iter(ahead[id(p)].values())).log_likelihood for p in self.parameters]
        if max(levels) == -np.inf:
            return {}

        def ratios(p: oracle.Parameters) -> dict[Name, tuple[float, float]]:
            found: dict[Name, tuple[float, float]] = {}
            for week, one in ahead[id(p)].items():
                found |= self.numbers(one, week)
            return found

        return self.expected(levels, ratios)

    def forced(self, states: Mapping[str, str], on: dt.date, *, hold: bool) -> dict[Name, float]:
        """Let the oracle force stages."""
        now = on == self.as_of

        def ratios(p: oracle.Parameters) -> dict[Name, tuple[float, float]]:
            found: dict[Name, tuple[float, float]] = {}
            for week, date in self.horizons(on).items():
                ahead = oracle.forecast_forced(self.spec, p, *self.rest, states, on, date, hold=hold)
                found |= self.numbers(ahead, week)
                if now:
                    found |= {
                        (name, "already", None, None): (ahead.already(inside, 1), 1.0)
                        for name, inside in self.outcomes.items()
                    }
            if now:
                row = CONDITIONALS[2]
                args = states, self.outcomes[row.outcome], self.outcomes["condition"], row.weeks, max(WEEKS)
                after = oracle.forecast_forced_after(self.spec, p, *self.rest, *args, hold=hold)
                found[row.outcome, "after", row.condition, row.weeks] = after
            return found

        return self.expected([oracle.log_likelihood(self.spec, p, *self.rest) for p in self.parameters], ratios)

    def sighting(self, name: str, date: dt.date, grade: str = "A1") -> Observation:
        """Give what is supposed as a row of its own for the oracle."""
        what = {"state": name} if "." in name else {"indicator": name}
        return Observation(id=f"~{name}", date=date, reported_on=self.as_of, source="us", grade=grade, **what)

    def repeating(self) -> list[str]:
        """Name the indicators that can be seen any number of times."""
        return [name for name, row in self.spec.indicators.items() if row.repeats]


def asker_of(
    space: StateSpace, draws: Draws, entries: Sequence[Entry], as_of: dt.date,
    refit: Callable[[Evidence], Anchor] = no_fit,
) -> Asker:  # fmt: skip
    """Reweight draws to rows and give what can be asked then."""
    anchor = Anchor(space, PRIOR, lambda: draws)
    return Asker(reweigh(anchor, compile_evidence(space, entries, as_of)), tuple(entries), refit)


def ask(asker: Asker, *seen: str, grade: str = "A1", refit: Policy = "never", **more: object) -> WhatIf:
    """Ask what if."""
    unseen = more.get("not_seen", {})
    return asker.what_if(seen, unseen, on=more.get("on"), grade=grade, refit=refit)


def after_of(found: WhatIf) -> dict[Name, float]:
    """Give the numbers under a supposition."""
    return {(row.outcome, row.kind, row.given, row.horizon_weeks): row.after.mean for row in found.changes}


def same(found: dict[Name, float], expected: dict[Name, float]) -> None:
    """Compare all numbers, and which there are."""
    assert set(found) == set(expected)
    wrong = {name: (found[name], value) for name, value in expected.items() if not abs(found[name] - value) < 1e-9}
    assert not wrong


def scenes(step: int, first: int = 0, **more: int) -> list[Scene]:
    """Give the scenes of some seeds whose rows can have happened."""
    found = [Scene(small_world(seed), **more) for seed in SEEDS[first::step]]
    return [scene for scene in found if scene.possible]


class Supposition(NamedTuple):
    """What is supposed at a later date."""

    seen: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    grade: str = "A1"


def check_supposition(scene: Scene, what: Supposition, seen_on: dt.date, through: dt.date) -> bool:
    """Compare one supposition with the oracle; tell whether it is possible."""
    until = max([seen_on] * bool(what.seen) + [through] * bool(what.not_seen))
    rows = [scene.sighting(name, seen_on, what.grade) for name in what.seen]
    unseen = dict.fromkeys(what.not_seen, through)
    expected = scene.supposed(rows, unseen, until)
    asker = scene.asker()
    if not expected:
        with pytest.raises(InputError, match="impossible"):
            ask(asker, *what.seen, on=seen_on, grade=what.grade, not_seen=unseen)
        return False
    cells = oracle.supposed_cells(scene.spec, *scene.rest, rows, unseen)
    if not what.seen and not any(
        not isinstance(cell, oracle.Record)
        for step in cells[len(oracle.step_dates(scene.spec, scene.as_of)) :]
        for cell in step
    ):
        refused(asker, "changes nothing", not_seen=unseen)  # a one-off that has happened, or a month that is known
        return True
    found = ask(asker, *what.seen, on=seen_on, grade=what.grade, not_seen=unseen)
    same(after_of(found), expected)
    assert {row.kind for row in found.changes} <= {"at", "reached", "given"}
    assert all(row.date is not None and row.date >= until for row in found.changes)
    return True


def record_is_open(scene: Scene) -> bool:
    """Whether the observable stage can enter its set from its first state at once."""
    stage = next(row for row in scene.spec.stages.values() if row.observable)
    return any(move.from_ == stage.states[0] and move.to in stage.observable for move in stage.transitions)


def conflicts(scene: Scene, forced: Mapping[str, str]) -> bool:
    """Whether a stage is on record in its set at ``as_of`` and forced out of it."""
    *_, last = oracle.cells(scene.spec, *scene.rest)
    return any(
        isinstance(cell, oracle.Record)
        and set(cell.allowed) == set(scene.spec.stages[cell.stage].observable)
        and forced.get(cell.stage, cell.allowed[0]) not in cell.allowed
        for cell in last
    )


def refused(asker: Asker, match: str, *seen: str, **more: object) -> None:
    """Expect an error."""
    with pytest.raises(InputError, match=match):
        ask(asker, *seen, **({"refit": "always"} | more))
