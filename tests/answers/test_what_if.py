"""What if: equal to the enumeration of all hidden paths, before and after `as_of`."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from scenes import (
    AHEAD,
    CONDITIONALS,
    DAY,
    WEEKS,
    Name,
    Scene,
    Supposition,
    after_of,
    ask,
    asker_of,
    check_supposition,
    conflicts,
    record_is_open,
    same,
    scenes,
    w,
)
from worlds import SEEDS, small_world, without_episodes

from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.theory.statespace import StateSpace

# Seen, up to the date of the forecast.


pytestmark = pytest.mark.usefixtures("rare_conditions_are_said")


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_seen_by_now_is_a_forecast_with_one_more_row(seed: int) -> None:
    """What is supposed up to ``as_of`` counts as a row of that date and grade: every kind equals the oracle's."""
    scene = Scene(without_episodes(small_world(seed)))
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


@pytest.mark.parametrize("when", AHEAD)
@pytest.mark.parametrize("sort", SORTS)
def test_suppositions_about_the_future_equal_the_oracle(sort: str, when: str) -> None:
    """Whatever is supposed, in the middle of a week or at its end or on a horizon: at, given and reached are exact."""
    key = SORTS.index(sort) * len(AHEAD) + AHEAD.index(when)
    chosen = [SEEDS[(3 * key + k) % len(SEEDS)] for k in (0, 11, 22)]
    possible = 0
    for seed in chosen:
        scene = Scene(without_episodes(small_world(seed)))
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
    scene = Scene(without_episodes(small_world(seed)))
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
