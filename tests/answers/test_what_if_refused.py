"""What if and do are refused where they make no sense, with what would."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scenes import (
    DAY,
    Scene,
    Supposition,
    after_of,
    ask,
    asker_of,
    check_supposition,
    record_is_open,
    refused,
    same,
    scenes,
)
from worlds import small_world

from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.ledger.rows import Coverage

pytestmark = pytest.mark.usefixtures("rare_conditions_are_said")


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Give one scene."""
    return Scene(small_world(9))


def test_names_that_are_unknown_are_refused(scene: Scene) -> None:
    """The message says what there is; nothing is fitted for it."""
    asker = scene.asker()
    stage = next(iter(scene.spec.stages))
    refused(asker, "no indicator 'i99'; allowed: i0, i1", "i99")
    refused(asker, f"no state '{stage}.nowhere'", f"{stage}.nowhere")
    refused(asker, "no state 'nowhere.x0'", "nowhere.x0")
    state = scene.spec.stages[stage].states[0]
    refused(asker, f"no indicator '{state}'; did you mean '{stage}.{state}' \\(a state\\)", state)
    refused(asker, f"'{stage}' is a stage, and .* has a dot: write {stage}.{state}", f"{stage}={state}")
    refused(asker, f"has a dot: allowed: {stage}.", f"{stage}=nowhere")
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
        ({"stag_x": state}, None, "no stage 'stag_x'; did you mean 'stage_x'"),
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
