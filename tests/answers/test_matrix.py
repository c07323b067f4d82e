"""The diagnosticity matrix: its cells are likelihoods of the oracle, and its notes say what was made of a row."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import oracle
import oracle_cells
import pytest
from small_models import tiny_spec
from weighted_scenes import Scene, random_scene, seen, tiny_scene, w
from worlds import SEEDS

from forecast.answers.matrix import SAYS_NOTHING, find_matrix
from forecast.answers.target import Question
from forecast.answers.watch import watch_list
from forecast.evidence.stories import stories
from forecast.ledger.rows import Coverage, Observation, with_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.answers.matrix import Matrix
    from forecast.inference.reweighting import Posterior

DAY = dt.date(2025, 1, 20)


def ask(scene: Scene, outcome: str = "outcome", rivals: Mapping[str, Posterior] | None = None) -> Matrix:
    """Ask for the matrix."""
    watched = watch_list(Question(scene.space, outcome, None, scene.as_of), scene.found, scene.entries, 1)
    return find_matrix(scene.found, scene.entries, watched, rivals or {})


def expected(scene: Scene, row: Observation) -> dict[str, dict[str, float]]:
    """Factors by stage and state of what one row has added to the cells of its step, by the oracle."""
    cover = [one for one in scene.entries if isinstance(one, Coverage)]
    with_, without = (
        [cell for step in oracle_cells.cells(scene.spec, rows, cover, scene.as_of, w) for cell in step]
        for rows in (scene.told, [])
    )
    step = next(k for k, dates in enumerate(oracle_cells.step_dates(scene.spec, scene.as_of)) if row.date in dates)
    new = [cell for cell in with_ if cell not in without and cell.step == step]
    found: dict[str, dict[str, float]] = {}
    for stage in {cell.stage for cell in new}:
        spec = scene.spec.stages[stage]
        total = dict.fromkeys(spec.states, 0.0)
        for p, share in zip(scene.parameters, scene.share, strict=True):
            cells = [oracle_cells.likelihood(scene.spec, p, cell) for cell in new if cell.stage == stage]
            phases = {state: spec.phases.get(state, (state,)) for state in spec.states}
            each = {
                state: sum(math.prod(cell[one] for cell in cells) for one in some) / len(some)
                for state, some in phases.items()
            }
            mean = np.mean(list(each.values()))
            total = {state: total[state] + share * value / mean for state, value in each.items()}
        found[stage] = total
    return found


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_factors_are_the_likelihoods_of_the_oracle(seed: int) -> None:
    """Each row of a small world, alone in its ledger: sightings, assessments and records, watched for and not."""
    scene = random_scene(seed)
    if scene is None:
        return
    cover = [row for row in scene.entries if isinstance(row, Coverage)]
    for row in scene.told:
        alone = replace(scene, entries=(row, *cover))
        known = scene.spec.model.start <= row.date <= scene.as_of and row.reported_on <= scene.as_of
        if not known or not all(now.sum() > 0 for now in alone.now) or not stories(alone.space, [row]):
            continue
        wanted = expected(alone, row)
        lines = {line.stage: line for line in ask(alone).rows if line.rows == (row.id,)}
        for stage, factors in wanted.items():
            found = {state: one.mean for state, one in lines[stage].factors.items()}
            assert found == pytest.approx(factors, abs=1e-9)


def test_indicators_to_come_are_those_of_the_watch_list() -> None:
    """In its order; a cell is the chance to be seen by one who looks, in a state that lasts, over that on average."""
    scene = tiny_scene()
    found = ask(scene, "tension")
    watched = watch_list(Question(scene.space, "tension", None, scene.as_of), scene.found, scene.entries, 1)
    coming = [row for row in found.rows if row.kind == "coming"]
    assert [row.what for row in coming] == [row.label for row in watched.rows]
    (p, *_) = scene.parameters
    for row, of in zip(coming, watched.rows, strict=True):
        states = scene.spec.stages[of.stage].states
        chances = [-math.expm1(-math.exp(p.log_lambda[of.indicator, state]) * 7 / 365.25) for state in states]
        wanted = dict(zip(states, np.array(chances) / np.mean(chances), strict=True))
        assert {state: one.mean for state, one in row.factors.items()} == pytest.approx(wanted, abs=1e-9)
        assert all(one.low == pytest.approx(one.mean) == pytest.approx(one.high) for one in row.factors.values())


def test_a_rival_is_as_many_times_likelier_as_its_evidence() -> None:
    """The factor of a rival is the ratio of what the story multiplies the likelihood of the evidence by."""
    rows = [seen("shot", dt.date(2025, 1, 10)), seen("march", DAY, grade="B2")]
    here, there = (tiny_scene(seed=seed, entries=rows) for seed in (1, 2))
    (row,) = (row for row in ask(here, "tension", {"other": there.found}).rows if row.rows == (rows[1].id,))
    gains = [
        oracle.log_likelihood(scene.spec, scene.parameters[0], rows, [], scene.as_of, w)
        - oracle.log_likelihood(scene.spec, scene.parameters[0], rows[:1], [], scene.as_of, w)
        for scene in (here, there)
    ]
    assert gains[0] != pytest.approx(gains[1], abs=1e-3)
    assert row.rivals == {"other": pytest.approx(math.exp(gains[1] - gains[0]))}


def test_notes_say_what_was_made_of_a_row() -> None:
    """What was told before, of a story that counts once, and graded down; a certain row has no note."""
    rows = [
        seen("march", DAY, story="a-march", grade="D3"),
        seen("march", DAY, story="a-march", grade="E4", id="weaker"),
        seen("shot", DAY, grade="A1"),
        seen("shot", dt.date(2025, 1, 22), id="echo", grade="C3"),
    ]
    spec = tiny_spec()
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"episode_days": 30})})
    matrix = ask(tiny_scene(entries=rows, spec=spec), "tension")
    by_rows = {row.rows: row for row in matrix.rows}
    assert any("1 of 3 events on record tells nothing" in line for line in matrix.sentences)
    first, second = by_rows[rows[0].id,].notes
    assert first == "1 row not counted: its story counts once, as another row"
    assert second.startswith("graded D3: tells them ×")
    certain, echo = by_rows[rows[2].id,], by_rows["echo",]
    assert certain.notes == ()
    assert "1 row not counted: no news" in echo.notes[0]
    assert {one.mean for one in echo.factors.values()} == {1.0}
    assert echo.apart == 1.0 < SAYS_NOTHING < certain.apart


def test_a_lone_indicator_says_why_it_tells_nothing() -> None:
    """Where nobody looks, a row is compared with what else could have been told of its stage."""
    scene = tiny_scene(entries=[seen("flood", DAY)])
    assert [row.stage for row in scene.spec.indicators.values()].count(scene.spec.indicators["flood"].stage) == 1
    (line,) = (row for row in ask(scene, "tension").rows if row.kind == "story")
    assert line.notes[0] == "no other kind could have been told: it is compared with nothing"
    assert {one.mean for one in line.factors.values()} == {1.0}


def test_silence_of_those_who_look_is_a_line() -> None:
    """It speaks against the states in which the indicator is often seen; without coverage there is no such line."""
    end = dt.date(2025, 1, 24)
    look = with_id(Coverage(indicator="shot", from_=dt.date(2025, 1, 6), to=end, reported_on=end, source="us"))
    scene = tiny_scene(entries=[look])
    (line,) = (row for row in ask(scene, "tension").rows if row.kind == "story")
    assert line.what.startswith("Looked for and not seen")
    rates = {state: scene.parameters[0].log_lambda["shot", state] for state in line.factors}
    assert min(line.factors, key=lambda state: line.factors[state].mean) == max(rates, key=rates.__getitem__)
    assert not [row for row in ask(tiny_scene(), "tension").rows if row.kind == "story"]


def test_lines_come_by_what_they_tell_and_are_plain_json() -> None:
    """The most telling first; `to_dict` is JSON, `to_frame` has a row for each line and state; sentences name them."""
    rows = [seen("march", DAY, grade="C3"), seen("shot", DAY)]
    found = ask(tiny_scene(entries=rows), "tension")
    apart = [row.apart for row in found.rows if row.kind == "story"]
    assert apart == sorted(apart, reverse=True)
    plain = json.loads(json.dumps(found.to_dict()))
    assert [row["what"] for row in plain["rows"]] == [row.what for row in found.rows]
    assert len(found.to_frame()) == sum(len(row.factors) for row in found.rows)
    assert "times likelier under" in found.sentences[0]
