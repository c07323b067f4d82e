"""What is done: equal to the enumeration of all hidden paths, learns nothing, and is forced on no record."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from scenes import AHEAD, Scene, after_of, asker_of, conflicts, record_is_open, same, scenes
from worlds import SEEDS, small_world

from forecast.base.errors import InputError
from forecast.engine.blocks import Draws

pytestmark = pytest.mark.usefixtures("rare_conditions_are_said")


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
        if states[0] not in scene.spec.stages[stage].states:  # nobody can do a phase
            continue
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
