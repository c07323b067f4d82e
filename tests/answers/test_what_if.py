"""What if and do: equal to the enumeration of all hidden paths, refused where they make no sense, and paired."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import oracle
import pytest
from worlds import SEEDS, World, draw_values, draws_of, small_world

from forecast.answers.what_if import Asker
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import reweigh
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.spec import Conditional
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


# Seen, up to the date of the forecast.


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_seen_by_now_is_a_forecast_with_one_more_row(seed: int) -> None:
    """What is supposed up to ``as_of`` counts as a row of that date and grade: every kind equals the oracle's."""
    scene = Scene(small_world(seed))
    if not scene.possible:
        return
    rng = np.random.default_rng(seed)
    taken = {row.date for row in scene.world.rows}
    days = [
        day
        for k in range((scene.as_of - scene.spec.model.start).days + 1)
        if (day := scene.as_of - k * DAY) not in taken
    ]
    date = days[0] if seed % 2 else days[int(rng.integers(len(days)))]
    observable = next((s, row.observable) for s, row in scene.spec.stages.items() if row.observable)
    states = [name for name in scene.space.stage_states if name.partition(".")[0] != observable[0]]
    choice = [scene.repeating(), states, [f"{observable[0]}.{s}" for s in observable[1]]][seed % 3 if seed % 5 else 0]
    name, grade = str(rng.choice(choice)), str(rng.choice(["A1", "B2", "D4"]))
    rows = (*scene.world.rows, scene.sighting(name, date, grade))
    rest = (rows, scene.world.coverage, scene.as_of, w)
    levels = [oracle.log_likelihood(scene.spec, p, *rest) for p in scene.parameters]
    asker = scene.asker()
    if max(levels) == -np.inf:
        with pytest.raises(InputError, match="impossible"):
            ask(asker, name, on=date, grade=grade)
        return
    week = WEEKS[seed % 3]

    def ratios(p: oracle.Parameters) -> dict[Name, tuple[float, float]]:
        found: dict[Name, tuple[float, float]] = {}
        for outcome, inside in scene.outcomes.items():
            already, reached = oracle.forecast_reached(scene.spec, p, *rest, inside, week)
            found[outcome, "already", None, None] = already, 1.0
            found[outcome, "reached", None, week] = reached, 1.0
            found[outcome, "at", None, week] = oracle.forecast_at(scene.spec, p, *rest, inside, week), 1.0
        condition = scene.outcomes["condition"]
        for row in CONDITIONALS[:2]:
            args = scene.outcomes[row.outcome], condition, week
            ratio = oracle.forecast_given(scene.spec, p, *rest, *args, negated=row.given is None)
            found[row.outcome, "given", row.condition, week] = ratio
        row = CONDITIONALS[2]
        ratio = oracle.forecast_after(scene.spec, p, *rest, scene.outcomes["both"], condition, 1, max(WEEKS))
        found["both", "after", row.condition, row.weeks] = ratio
        return found

    found = ask(asker, f"{name}@{date}", grade=grade)
    wanted = {key: value for key, value in after_of(found).items() if key[3] in {None, week} or key[1] == "after"}
    same(wanted, scene.expected(levels, ratios))
    assert found.supposed == (f"{name} is {'reported' if '.' in name else 'seen'} on {date} ({grade})",)
    assert {row.horizon_weeks for row in found.changes if row.kind == "at"} == set(WEEKS)


# Seen and not seen, later on.


class Supposition(NamedTuple):
    """What is supposed at a later date."""

    seen: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    grade: str = "A1"


def suppositions(scene: Scene, rng: np.random.Generator) -> dict[str, Supposition]:
    """Make one supposition of every sort."""
    stages = scene.spec.stages
    observed = next(name for name, row in stages.items() if row.observable)
    inside = stages[observed].observable
    outside = [state for state in stages[observed].states if state not in inside]
    other = next(name for name in stages if name != observed)
    repeating = [str(name) for name in rng.permutation(scene.repeating())]
    grade = str(rng.choice(["A1", "B2", "C3", "D4"]))
    return {
        "sighting": Supposition((repeating[0],), grade=grade),
        "assessment": Supposition((f"{other}.{rng.choice(stages[other].states)}",), grade=grade),
        "record": Supposition((f"{observed}.{rng.choice(inside)}",)),
        "off the record": Supposition((f"{observed}.{rng.choice(outside)}",), grade=grade),
        "not seen": Supposition(not_seen=(str(rng.choice(list(scene.spec.indicators))),)),
        "nothing seen": Supposition(not_seen=("*",)),
        "seen, and else nothing": Supposition((repeating[0], f"{observed}.{rng.choice(inside)}"), ("*",), grade),
        "two, one of them not": Supposition((repeating[0],), (repeating[-1],), grade),
    }


SORTS = (
    "sighting", "assessment", "record", "off the record", "not seen", "nothing seen", "seen, and else nothing",
    "two, one of them not",
)  # fmt: skip


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


@pytest.mark.parametrize("when", AHEAD)
@pytest.mark.parametrize("sort", SORTS)
def test_suppositions_about_the_future_equal_the_oracle(sort: str, when: str) -> None:
    """Whatever is supposed, in the middle of a week or at its end or on a horizon: at, given and reached are exact."""
    key = SORTS.index(sort) * len(AHEAD) + AHEAD.index(when)
    chosen = [SEEDS[(3 * key + k) % len(SEEDS)] for k in (0, 11, 22)]
    possible = 0
    for seed in chosen:
        scene = Scene(small_world(seed))
        if not scene.possible:
            continue
        what = suppositions(scene, np.random.default_rng([seed, key]))[sort]
        date = scene.day(when)
        earlier = scene.as_of + DAY if key % 2 and what.seen and what.not_seen else date
        possible += check_supposition(scene, what, earlier, date)
    assert possible > 0


@pytest.mark.parametrize("seed", [1, 4, 10, 17, 23])
def test_past_and_future_go_together(seed: int) -> None:
    """Rows on both sides of ``as_of``, with silence through a third date, are one supposition."""
    scene = Scene(small_world(seed))
    assert scene.possible
    first, *_, last = scene.repeating()
    taken = {row.date for row in scene.world.rows}
    past = next(day for k in range(30) if (day := scene.as_of - k * DAY) not in taken)
    seen = {first: past, last: scene.day("next day")} if first != last else {first: past}
    through = scene.day("next middle")
    expected = scene.supposed([scene.sighting(*pair, "B2") for pair in seen.items()], {first: through}, through)
    found = ask(scene.asker(), *(f"{n}@{day}" for n, day in seen.items()), grade="B2", not_seen={first: str(through)})
    same(after_of(found), expected)
    assert found.supposed[-1] == f"no {first} is seen through {through}"


def test_nothing_is_on_record_ahead_that_is_not_supposed() -> None:
    """That nobody has put anything on record yet says nothing about the days ahead, unless a record is supposed."""
    checked = 0
    for scene in scenes(2):
        observed = next(name for name, row in scene.spec.stages.items() if row.observable)
        *_, last = oracle.cells(scene.spec, *scene.rest)
        inside = set(scene.spec.stages[observed].observable)
        if any(isinstance(cell, oracle.Record) and inside & set(cell.allowed) for cell in last):
            continue
        date = scene.day("two weeks")
        watched = scene.spec.outcomes["condition"].model_copy(update={"states": {observed: tuple(inside)}})
        spec = scene.spec.model_copy(update={"outcomes": {"condition": watched}, "conditionals": ()})
        asker = asker_of(StateSpace(spec), scene.draws, scene.entries, scene.as_of)
        silent = ask(asker, not_seen={"*": date})
        assert silent.change("condition", weeks=2).after.mean > 1e-4
        told = ask(asker, f"{observed}.{min(inside)}", on=date)
        assert told.change("condition", weeks=2).after.mean == pytest.approx(1, abs=1e-12)
        assert told.change("condition", weeks=2, kind="reached").after.mean == pytest.approx(1, abs=1e-12)
        off = ask(asker, not_seen={"*": scene.day("running")})
        assert off.change("condition", weeks=1).after.mean > 1e-4
        checked += 1
    assert checked > 3


def test_draws_that_cannot_explain_what_is_supposed_weigh_nothing() -> None:
    """Where some draws make the supposed record impossible, the numbers are those of the others."""
    scene = next(s for s in scenes(1) if record_is_open(s))
    observed = next(name for name, row in scene.spec.stages.items() if row.observable)
    frozen = scene.draws.log_rate.copy()
    frozen[1::2] = -800.0
    start = np.zeros_like(scene.draws.start)
    start[:, scene.space.stage_offset[:-1]] = 1.0
    mixed = Draws(frozen, scene.draws.log_lambda, start)
    alone = Draws(*(part[::2] for part in mixed))
    state = f"{observed}.{scene.spec.stages[observed].observable[0]}"
    both, one = (asker_of(scene.space, draws, (), scene.as_of) for draws in (mixed, alone))
    for date in (scene.as_of, scene.day("next middle")):
        expected = ask(one, state, on=date)
        assert np.isfinite(list(after_of(expected).values())).all()
        same(after_of(ask(both, state, on=date)), after_of(expected))


def record_is_open(scene: Scene) -> bool:
    """Whether the observable stage can enter its set from its first state at once."""
    stage = next(row for row in scene.spec.stages.values() if row.observable)
    return any(move.from_ == stage.states[0] and move.to in stage.observable for move in stage.transitions)


def test_draws_that_cannot_explain_the_past_are_not_forced_either() -> None:
    """Draws without weight stay without weight when something is done, now or later."""
    scene = next(s for s in scenes(1) if record_is_open(s))
    observed = next(name for name, row in scene.spec.stages.items() if row.observable)
    first = next(iter(scene.spec.stages))
    frozen = scene.draws.log_rate.copy()
    frozen[1::2] = -800.0
    start = np.zeros_like(scene.draws.start)
    start[:, scene.space.stage_offset[:-1]] = 1.0
    mixed = Draws(frozen, scene.draws.log_lambda, start)
    alone = Draws(*(part[::2] for part in mixed))
    entries = (scene.sighting(f"{observed}.{scene.spec.stages[observed].observable[0]}", scene.as_of),)
    both, one = (asker_of(scene.space, draws, entries, scene.as_of) for draws in (mixed, alone))
    forced = {first: scene.spec.stages[first].states[-1]}
    for date in (scene.day("week's end"), scene.day("next middle")):
        expected = one.do(forced, on=date, hold=False)
        assert np.isfinite(list(after_of(expected).values())).all()
        same(after_of(both.do(forced, on=date, hold=False)), after_of(expected))


# Done.


def conflicts(scene: Scene, forced: Mapping[str, str]) -> bool:
    """Whether a stage is on record in its set at ``as_of`` and forced out of it."""
    *_, last = oracle.cells(scene.spec, *scene.rest)
    return any(
        isinstance(cell, oracle.Record)
        and set(cell.allowed) == set(scene.spec.stages[cell.stage].observable)
        and forced.get(cell.stage, cell.allowed[0]) not in cell.allowed
        for cell in last
    )


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("when", ["now", *AHEAD])
def test_what_is_done_equals_the_oracle(when: str, hold: bool) -> None:  # noqa: FBT001
    """Paths run freely to the date, the stage is set, and then they run freely again, but for a stage that is held."""
    checked = 0
    for seed in SEEDS[AHEAD.index(when) if when in AHEAD else 7 :: 8]:
        scene = Scene(small_world(seed))
        if not scene.possible:
            continue
        rng = np.random.default_rng(seed)
        stages = list(scene.spec.stages)
        count = 2 if rng.random() < 0.3 else 1
        chosen = sorted(map(str, rng.choice(stages, size=count, replace=False)), reverse=True)
        forced = {stage: str(rng.choice(scene.spec.stages[stage].states)) for stage in chosen}
        date = scene.day(when)
        asker = scene.asker()
        if when == "now" and conflicts(scene, forced):
            with pytest.raises(InputError, match="on record"):
                asker.do(forced, on=None, hold=hold)
            continue
        found = asker.do(forced, on=date, hold=hold)
        same(after_of(found), scene.forced(forced, date, hold=hold))
        assert len(found.supposed) == count
        checked += 1
    assert checked > 2


@pytest.mark.parametrize("when", ["now", "running", "week's end", "next middle", "last"])
def test_nothing_is_learned_from_what_is_done(when: str) -> None:
    """What is done to the last stage leaves the first as it was, and the weights of the parameters.

    Where the date cuts a step in two, the chain can move twice where it moved once; there the first stage is as
    it was up to that, and the same whatever is done.
    """
    for scene in scenes(5):
        first, *_, last = scene.spec.stages
        date = scene.day(when)
        whole = oracle.elapsed_days(scene.spec, date) % 7 == 0 or when in {"now", "last"}
        found = [
            scene.asker().do({last: state}, on=date, hold=hold)
            for state in scene.spec.stages[last].states
            for hold in (False, True)
            if not (when == "now" and conflicts(scene, {last: state}))
        ]
        assert found
        unmoved = [[row for row in one.changes if row.outcome == "condition"] for one in found]
        for rows in unmoved:
            assert {row.kind for row in rows} >= {"at", "reached"}
            assert max(abs(row.difference) for row in rows) < 1e-12 or not whole
            for row, other in zip(rows, unmoved[0], strict=True):
                assert row.after.mean == pytest.approx(other.after.mean, abs=1e-12)
        asker = scene.asker()
        done = asker.do({first: scene.spec.stages[first].states[0]}, on=scene.day("running"), hold=False)
        assert done.trust.ess == pytest.approx(asker.posterior.trust.ess)


def test_an_outcome_that_is_forced_is_reached() -> None:
    """On the day itself the forced outcome holds, and paths that were not in it at ``as_of`` have reached it."""
    for scene in scenes(4, 1):
        ((stage, states),) = scene.outcomes["condition"].items()
        asker = scene.asker()
        already = asker.posterior.forecast().probability("condition").mean
        for when in ("now", "horizon", "two weeks"):
            if when == "now" and conflicts(scene, {stage: states[0]}):
                continue
            found = asker.do({stage: states[0]}, on=scene.day(when), hold=False)
            weeks = {"now": 1, "horizon": 1, "two weeks": 2}[when]
            assert found.change("condition", weeks=weeks, kind="reached").after.mean == pytest.approx(1 - already)
            if when == "now":
                assert found.change("condition").after.mean == pytest.approx(1)
            else:
                assert found.change("condition", weeks=weeks).after.mean == pytest.approx(1)
        held = asker.do({stage: states[0]}, on=scene.day("horizon"), hold=True)
        assert held.change("condition", weeks=3).after.mean == pytest.approx(1)


def test_what_is_certain_already_can_be_done_without_effect() -> None:
    """To force a stage into the only state it can be in changes nothing, on the day, and nothing but by holding it."""
    checked = 0
    for scene in scenes(1):
        observed, stage = next((name, row) for name, row in scene.spec.stages.items() if row.observable)
        if len(stage.observable) > 1:
            continue
        row = scene.sighting(f"{observed}.{stage.observable[0]}", scene.as_of)
        try:
            asker = asker_of(scene.space, scene.draws, (*scene.entries, row), scene.as_of)
        except InputError:
            continue
        found = asker.do({observed: stage.observable[0]}, on=None, hold=False)
        assert {r.kind for r in found.changes} >= {"already", "at", "reached"}
        assert max(abs(r.difference) for r in found.changes) < 1e-12
        assert max(abs(r.before.low - r.after.low) for r in found.changes) < 1e-12
        assert max(r.mcse for r in found.changes) < 1e-12
        checked += 1
    assert checked > 5


# Before and after.


@pytest.mark.parametrize("seed", SEEDS[2::7])
def test_before_and_after_are_of_the_same_dates(seed: int) -> None:
    """Each change has what is forecast without it, for its date, and the difference of the two."""
    scene = Scene(small_world(seed))
    assert scene.possible
    asker = scene.asker()
    was = {(q.outcome, q.kind, q.given, q.horizon_weeks, q.date): q.estimate for q in asker.posterior.quantities}
    name = scene.repeating()[0]
    late = scene.day("next middle")
    last = list(scene.spec.stages)[-1]
    for found, until in (
        (ask(asker, name), scene.as_of),
        (ask(asker, name, on=late), late),
        (ask(asker, not_seen={"*": str(scene.day("horizon"))}), scene.day("horizon")),
        (asker.do({last: scene.spec.stages[last].states[0]}, on=late, hold=True), late),
    ):
        keys = [(row.outcome, row.kind, row.given, row.horizon_weeks, row.date) for row in found.changes]
        if until == scene.as_of:
            assert set(keys) == set(was)
        else:
            assert set(keys) == {key for key in was if key[1] in {"at", "reached", "given"} and key[4] >= until}
        for key, row in zip(keys, found.changes, strict=True):
            before, after = was[key], row.after
            if until == scene.as_of:  # a step that is cut in two moves numbers by itself
                assert row.before == before
            assert row.difference == row.after.mean - row.before.mean
            assert after.low <= after.high
        assert (found.as_of, found.model) == (scene.as_of, scene.spec.name)
    upstream = [row for row in found.changes if not row.given and last not in scene.spec.outcomes[row.outcome].states]
    assert all(row.difference == pytest.approx(0, abs=1e-12) for row in upstream), "before is on the same grid"


@pytest.mark.parametrize("seed", SEEDS[2::7])
def test_probabilities_are_probabilities(seed: int) -> None:
    """What cannot be reached is reached with probability 0 and not a little less, or readers see "-0%"."""
    scene = Scene(small_world(seed))
    asker, late = scene.asker(), scene.day("next middle")
    found = [ask(asker, name, on=late).changes for name in scene.repeating()]
    found += [
        asker.do({name: state}, on=on, hold=True).changes
        for name, stage in scene.spec.stages.items()
        for state in stage.states
        for on in (scene.as_of, late)
        if not conflicts(scene, {name: state})
    ]
    assert not {str(row): row.after for rows in found for row in rows if min(row.after.mean, row.after.low) < 0}
    assert max(row.after.high for rows in found for row in rows) < 1 + 1e-12


def test_draws_that_are_all_alike_have_no_error() -> None:
    """With one set of parameters weights stay equal, intervals have no width, and nothing has an error."""
    scene = Scene(small_world(9), draws=1)
    for when in ("now", "running", "next middle"):
        date = scene.day(when)
        name = scene.repeating()[0]
        found = ask(scene.asker(), name, on=date, refit="auto")
        assert found.trust.trusted
        assert found.trust.k_hat is None
        assert max(row.after.high - row.after.low for row in found.changes) < 1e-12
        assert max(row.mcse for row in found.changes) < 1e-12
        expected = scene.supposed([scene.sighting(name, date)], {}, date)
        same({key: value for key, value in after_of(found).items() if key in expected}, expected)


# The draws.


def many(world: World, size: int, seed: int = 1) -> Draws:
    """Draw parameters near the prior."""
    rng = np.random.default_rng(seed)
    return draws_of(world.space, [oracle.derived(world.spec, draw_values(world.spec, rng)) for _ in range(size)])


class Fitter:
    """Stands for a fit to evidence, and keeps what it was asked for."""

    def __init__(self, space: StateSpace, draws: Draws) -> None:
        """Take the draws of the fit."""
        self.space, self.draws = space, draws
        self.asked: list[Evidence] = []

    def fit(self, evidence: Evidence) -> Anchor:
        """Give the draws as those of a fit to ``evidence``: none that cannot explain it."""
        self.asked.append(evidence)
        all_ = Anchor(self.space, "fit", lambda: self.draws, cells=evidence.cells)
        draws = Draws(*(part[np.isfinite(all_.log_likelihood)] for part in self.draws))
        return Anchor(self.space, "fit", lambda: draws, cells=evidence.cells, as_of=evidence.as_of)


@pytest.mark.parametrize("later", [0, 4, 10])
def test_fits_are_made_when_they_are_wanted(later: int) -> None:
    """With "auto" only where the gate is shut, with "never" never, with "always" always; and its draws are used."""
    scene = Scene(small_world(9))
    date = scene.as_of + later * DAY
    name = scene.repeating()[0]
    alike = Draws(*(part[:1].repeat(400, axis=0) for part in scene.draws))
    for draws, shut in ((alike, False), (scene.draws, True)):
        for refit, fits in (("auto", shut), ("never", False), ("always", True)):
            fitter = Fitter(scene.space, many(scene.world, 300))
            asker = asker_of(scene.space, draws, scene.entries, scene.as_of, fitter.fit)
            found = ask(asker, name, on=date, refit=refit)
            assert len(fitter.asked) == fits
            assert found.trust.anchor == ("fit" if fits else PRIOR)
            if not fits:
                assert found.trust.trusted is not shut
                continue
            assert fitter.asked[0].until == date
            assert fitter.asked[0].as_of == scene.as_of
            assert found.trust.k_hat is None, "draws of a fit to this very evidence need no weights"
            row = found.change("outcome", weeks=2)
            assert row.mcse == pytest.approx(np.hypot(row.before.mcse, row.after.mcse))
            assert row.after.mcse > 0


def test_a_fit_to_a_supposed_future_needs_no_weights() -> None:
    """Draws of a fit to the supposed evidence are weighted alike in every world, whatever the steps are read in."""
    for scene in scenes(2):
        fitter = Fitter(scene.space, many(scene.world, 400))
        draws = fitter.draws
        asker = asker_of(scene.space, draws, scene.entries, scene.as_of, fitter.fit)
        found = ask(asker, scene.repeating()[0], on=scene.day("next middle"), grade="B2", refit="always")
        assert found.trust.k_hat is None
        assert found.trust.ess == pytest.approx(found.trust.draws)


def test_errors_of_differences_are_paired() -> None:
    """From the same draws a small change is known better than the two numbers it lies between."""
    world = small_world(9)
    draws = many(world, 1000)
    space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
    asker = asker_of(space, draws, (), world.as_of)
    name = next(n for n, one in world.spec.indicators.items() if one.repeats)
    stage = list(world.spec.stages)[-1]
    for found in (
        ask(asker, name, grade="E4"),
        ask(asker, not_seen={name: world.as_of + DAY}),
        asker.do({stage: world.spec.stages[stage].states[0]}, on=world.as_of + 5 * DAY, hold=False),
    ):
        moved = [row for row in found.changes if row.before.mcse > 1e-9]
        assert moved
        assert all(row.mcse < np.hypot(row.before.mcse, row.after.mcse) for row in moved)
        assert np.median([row.mcse / np.hypot(row.before.mcse, row.after.mcse) for row in moved]) < 0.7


@pytest.fixture(scope="module")
def plenty() -> Draws:
    """Draw a great many parameters of one world."""
    return many(small_world(9), 24_000)


@pytest.mark.parametrize("what", ["now", "later", "done"])
def test_the_error_of_a_difference_is_its_spread(what: str, plenty: Draws) -> None:
    """Over many sets of draws differences vary by what their error says."""
    world = small_world(9)
    space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
    name = next(n for n, one in world.spec.indicators.items() if one.repeats)
    stage = list(world.spec.stages)[-1]
    size, sets = 400, 60
    values, errors = [], []
    for k in range(sets):
        part = Draws(*(one[k * size : (k + 1) * size] for one in plenty))
        asker = asker_of(space, part, (), world.as_of)
        if what == "done":
            found = asker.do({stage: world.spec.stages[stage].states[-1]}, on=world.as_of + 3 * DAY, hold=False)
        else:
            found = ask(asker, name, on=world.as_of + (4 * DAY if what == "later" else 0 * DAY), grade="E4")
        assert found.trust.k_hat is None or found.trust.k_hat < 0.7
        rows = [row for row in found.changes if row.kind in {"at", "given", "reached"}]
        values.append([row.difference for row in rows])
        errors.append([row.mcse for row in rows])
    spread = np.std(values, axis=0, ddof=1)
    moving = spread > 1e-9
    assert moving.sum() > 5
    # the spread of 60 values is known to 1 / sqrt(120) = 9 %; 0.4 is four times that and some bias
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(errors), axis=0))[moving], spread[moving], rtol=0.4)


# Refused.


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Give one scene."""
    return Scene(small_world(9))


def refused(asker: Asker, match: str, *seen: str, **more: object) -> None:
    """Expect an error."""
    with pytest.raises(InputError, match=match):
        ask(asker, *seen, **({"refit": "always"} | more))


def test_names_that_are_unknown_are_refused(scene: Scene) -> None:
    """The message says what there is; nothing is fitted for it."""
    asker = scene.asker()
    stage = next(iter(scene.spec.stages))
    refused(asker, "no indicator 'i99'; allowed: i0, i1", "i99")
    refused(asker, f"no state '{stage}.nowhere'", f"{stage}.nowhere")
    refused(asker, "no state 'nowhere.x0'", "nowhere.x0")
    refused(asker, "no indicator 'i99'", not_seen={"i99": scene.day("running")})
    refused(asker, f"no indicator '{stage}.x0'", not_seen={f"{stage}.x0": scene.day("running")})
    refused(asker, r"no indicator '\*'", "*")


def test_dates_that_make_no_sense_are_refused(scene: Scene) -> None:
    """Before the start, behind the last horizon, not in the future where it has to be, and no dates at all."""
    asker, name, start = scene.asker(), scene.repeating()[0], scene.spec.model.start
    early, late = start - DAY, scene.as_of + 22 * DAY
    refused(asker, f"on {early}: the model starts on {start}", name, on=early)
    refused(asker, f"on {early}: the model starts on {start}", f"{name}@{early}")
    refused(asker, f"not seen through {scene.as_of}: give a date after", not_seen={name: scene.as_of})
    refused(asker, "not seen through .*: give a date after", not_seen={"*": str(start)})
    refused(asker, "the model starts on", not_seen={"*": early})
    refused(asker, "on 'tomorrow' is not a date; write it as", name, on="tomorrow")
    refused(asker, f"the date of '{name}' '2026-13-01' is not a date", f"{name}@2026-13-01")
    refused(asker, f"the date of '{name}' 'soon' is not a date", not_seen={name: "soon"})
    for refit in ("auto", "never"):
        refused(asker, f"{late} lies behind the last horizon", name, on=late, refit=refit)
        refused(asker, f"{late} lies behind the last horizon", not_seen={name: late}, refit=refit)


def test_no_fit_is_made_for_what_lies_behind_the_last_horizon(scene: Scene) -> None:
    """That a date lies too far ahead is known before a fit is made for it."""
    asker, name, late = scene.asker(), scene.repeating()[0], scene.as_of + 22 * DAY
    refused(asker, f"{late} lies behind the last horizon", name, on=late)


def test_grades_and_nothing_at_all_are_refused(scene: Scene) -> None:
    """A grade has to be one, and something has to be supposed."""
    asker, name = scene.asker(), scene.repeating()[0]
    refused(asker, "'A7' is not an Admiralty grade", name, grade="A7")
    refused(asker, "nothing is supposed; name an indicator or a state")
    refused(asker, "nothing is supposed", not_seen={})


def test_rows_that_change_nothing_are_refused() -> None:
    """A one-off that has happened cannot happen again, now or later; before it had, it can."""
    scene = next(s for s in scenes(1) if s.spec.indicators["i0"].reset_by)
    date = scene.spec.model.start + 3 * DAY
    known = (scene.sighting("i0", date),)
    asker = asker_of(scene.space, scene.draws, known, scene.as_of)
    for day in (scene.as_of, scene.day("next middle")):
        refused(
            asker, f"that i0 is seen on {day} .* changes nothing: a one-off that had already happened", "i0", on=day
        )
    reset_by = scene.spec.indicators["i0"].reset_by
    again = ask(asker, f"{reset_by}@{scene.day('running')}", f"i0@{scene.day('next middle')}")
    lone = dataclasses.replace(scene.world, rows=known, coverage=())
    alone = Scene(lone)
    rows = [alone.sighting(reset_by, scene.day("running")), alone.sighting("i0", scene.day("next middle"))]
    same(after_of(again), alone.supposed(rows, {}, scene.day("next middle")))


def test_silence_that_changes_nothing_is_refused() -> None:
    """Of a one-off that has happened there is nothing to expect, so that not to see it says nothing."""
    scene = next(s for s in scenes(1) if s.spec.indicators["i0"].reset_by)
    known = (scene.sighting("i0", scene.spec.model.start + 3 * DAY),)
    asker = asker_of(scene.space, scene.draws, known, scene.as_of)
    refused(asker, "no i0 is seen through .* changes nothing", not_seen={"i0": scene.day("next middle")})


def test_what_cannot_be_done_is_refused(scene: Scene) -> None:
    """Unknown stages and states, nothing, the past, no date, and what lies behind the last horizon."""
    asker = scene.asker()
    stage = next(iter(scene.spec.stages))
    state = scene.spec.stages[stage].states[0]
    yesterday, late = scene.as_of - DAY, scene.as_of + 22 * DAY
    for forced, on, match in (
        ({"stage_q": state}, None, "no stage 'stage_q'; did you mean 'stage_"),
        ({stage: "nowhere"}, None, f"no state '{stage}.nowhere'"),
        ({}, None, "nothing is done; name a stage"),
        ({stage: state}, yesterday, f"done on {yesterday} lies before {scene.as_of}"),
        ({stage: state}, str(yesterday), "the past cannot be changed"),
        ({stage: state}, "then", "on 'then' is not a date"),
        ({stage: state}, late, f"{late} lies behind the last horizon"),
    ):
        with pytest.raises(InputError, match=match):
            asker.do(forced, on=on, hold=False)


def test_what_is_on_record_cannot_be_undone_that_day() -> None:
    """A stage on record in its set is not forced out of it on ``as_of``; the day after, and within the set, it is."""
    scene = next(s for s in scenes(1) if len(next(r for r in s.spec.stages.values() if r.observable).observable) > 1)
    observed, stage = next((name, row) for name, row in scene.spec.stages.items() if row.observable)
    record = scene.sighting(f"{observed}.{stage.observable[0]}", scene.as_of - 2 * DAY)
    asker = asker_of(scene.space, scene.draws, (record,), scene.as_of)
    outside = next(state for state in stage.states if state not in stage.observable)
    names = ", ".join(stage.observable)
    with pytest.raises(InputError, match=f"cannot be made {outside} on {scene.as_of}: .* on record as {names}"):
        asker.do({observed: outside}, on=None, hold=False)
    assert asker.do({observed: outside}, on=scene.as_of + DAY, hold=True).changes
    assert asker.do({observed: stage.observable[1]}, on=None, hold=False).changes


def test_a_supposition_that_contradicts_the_record_is_refused() -> None:
    """What no draw can explain is an error, not a forecast of NaN; and nothing is fitted for it."""
    scene = next(s for s in scenes(1) if record_is_open(s))
    observed = next(name for name, row in scene.spec.stages.items() if row.observable)
    start = np.zeros_like(scene.draws.start)
    start[:, scene.space.stage_offset[:-1]] = 1.0
    frozen = Draws(np.full_like(scene.draws.log_rate, -800.0), scene.draws.log_lambda, start)
    asker = asker_of(scene.space, frozen, (), scene.as_of)
    for day in (scene.as_of, scene.day("running"), scene.day("two weeks")):
        with pytest.raises(InputError, match="evidence is impossible"):
            ask(asker, f"{observed}.{scene.spec.stages[observed].observable[0]}", on=day, refit="auto")


def test_coverage_of_the_ledger_does_not_reach_ahead() -> None:
    """A row of coverage that runs past ``as_of`` says nothing behind it, whatever is supposed there."""
    for seed in (9, 12):
        scene = Scene(small_world(seed))
        ahead = Coverage(
            id="c", indicator="*", from_=scene.spec.model.start, to=scene.as_of + 30 * DAY,
            reported_on=scene.spec.model.start, source="us",
        )  # fmt: skip
        scene = Scene(dataclasses.replace(scene.world, coverage=(ahead,)))
        if scene.possible:
            check_supposition(scene, Supposition((scene.repeating()[0],)), scene.day("next middle"), scene.as_of)
            check_supposition(scene, Supposition((), (scene.repeating()[0],)), scene.as_of, scene.day("next middle"))
