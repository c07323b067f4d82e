"""Two codings of one chronology, as the study of rules makes them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rule_sums import parameters_of, world_spec
from worlds import draws_of

from benchmarks.rules.codings import Coder, agreements, chronologies, coded, neighbours
from forecast.engine.blocks import Draws
from forecast.evidence.resolution_rules import met
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.ledger.rows import Observation

WEEKS = 20


def worlds(count: int) -> tuple[StateSpace, list[tuple[Observation, ...]]]:
    """Simulate chronologies of the small model."""
    spec = world_spec()
    space = StateSpace(spec)
    few = draws_of(space, [parameters_of(spec, seed) for seed in range(4)])
    draws = Draws(*(np.resize(part, (count, part.shape[1])) for part in few))
    return space, list(chronologies(space, draws, WEEKS, np.random.default_rng(1)))


def test_who_changes_nothing_agrees_and_who_drops_all_never_says_yes() -> None:
    """The shares add up: dropping everything, a second coder agrees where the first says no."""
    space, found = worlds(60)
    date = space.spec.model.start + dt.timedelta(weeks=WEEKS, days=-1)
    same = agreements(space, found, Coder(), date, np.random.default_rng(2))
    none = agreements(space, found, Coder(drops=1.0), date, np.random.default_rng(2))
    for name in space.spec.outcomes:
        by_hand = np.mean([met(space, rows, name, date) for rows in found])
        assert same[name] == (by_hand, by_hand, 1.0)
        assert none[name] == pytest.approx((by_hand, 0.0, 1 - by_hand))
    assert any(0.1 < row.first < 0.9 for row in same.values())


def test_a_second_coder_changes_what_it_is_told_to_and_no_record() -> None:
    """Dates move by a few days at most; names become those of neighbours; what nobody can miss stays."""
    space, (rows, *_) = worlds(1)
    rng = np.random.default_rng(3)
    told = [row for row in rows if row.indicator]
    moved = [row for row in coded(space, rows, Coder(shifts=1.0, days=3), rng) if row.indicator]
    gaps = [abs((new.date - old.date).days) for new, old in zip(moved, told, strict=True)]
    assert max(gaps) <= 3
    assert len(set(gaps)) > 1
    renamed = coded(space, rows, Coder(renames=1.0), rng)
    for new, old in zip(renamed, rows, strict=True):
        assert new.date == old.date
        assert new.state == old.state
        assert new.indicator in (neighbours(space, old.indicator) if old.indicator else (None,))


def test_neighbours_point_to_the_same_states_of_the_same_stage(reference: StateSpace) -> None:
    """An indicator without any stays as it is."""
    for name, row in reference.spec.indicators.items():
        found = neighbours(reference, name)
        assert found == (name,) or name not in found
        for other in found:
            there = reference.spec.indicators[other]
            assert (there.stage, set(there.points_to)) == (row.stage, set(row.points_to))
    assert len(neighbours(reference, "arrests_in_russia")) > 5


def test_chronologies_follow_their_paths() -> None:
    """Records begin and end by turns, and what happens once only is told once."""
    space, found = worlds(40)
    once = {name for name, row in space.spec.indicators.items() if not row.repeats}
    for rows in found:
        names = [row.indicator for row in rows if row.indicator in once]
        assert len(names) == len(set(names))
        states = [row.state for row in sorted(rows, key=lambda row: row.date) if row.state]
        assert all(state == ("far.high", "far.low")[k % 2] for k, state in enumerate(states))
    assert any(row.state for rows in found for row in rows)
