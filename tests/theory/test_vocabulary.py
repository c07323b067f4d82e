"""Every kind of event about the actors of a stage has a place in the reference model."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from places import EVENTS

from forecast.theory.indicators import GRADES
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec

TYPES = {  # PLOVER's
    "AGREE", "CONSULT", "SUPPORT", "CONCEDE", "COOPERATE", "AID", "RETREAT", "REQUEST", "ACCUSE", "REJECT",
    "THREATEN", "PROTEST", "SANCTION", "MOBILIZE", "COERCE", "ASSAULT",
}  # fmt: skip


@pytest.fixture(scope="module")
def events() -> dict[str, Any]:
    """Read the places of events."""
    return tomllib.loads(EVENTS.read_text(encoding="utf-8"))


def test_every_combination_has_one_place(events: dict[str, Any], reference_spec: ModelSpec) -> None:
    """Each event type with each mode between each pair of actors of each stage has one place, and each type a rest."""
    assert set(events["types"]) == TYPES
    assert set(events["pairs"]) == set(events["places"]) == set(reference_spec.stages)
    wrong, combinations = [], 0
    for stage, pairs in events["pairs"].items():
        found = Counter(
            (place["type"], mode, pair)
            for place in events["places"][stage]
            for pair in place["pairs"]
            for mode in place.get("modes", [None])
        )
        known = {(kind, mode, pair) for kind, row in events["types"].items() for mode in [None, *row["modes"]]
                 for pair in pairs}  # fmt: skip
        combinations += len(known)
        wrong += [(stage, *key) for key in found if key not in known or found[key] > 1]
        wrong += [(stage, *key) for key in known if key[1] is None and not found[key]]
    assert wrong == []
    assert combinations > 3000


def test_places_name_indicators_of_their_stage(events: dict[str, Any], reference_spec: ModelSpec) -> None:
    """A place names indicators of its stage, or says why there is none; every indicator has a place."""
    named: set[str] = set()
    for stage, places in events["places"].items():
        for place in places:
            assert ("indicators" in place) != ("nothing" in place)
            assert len(place.get("nothing", "a long reason").split()) > 2
            for name in place.get("indicators", []):
                assert reference_spec.indicators[name].stage == stage
                named.add(name)
    assert named == set(reference_spec.indicators)


def test_as_many_speak_for_each_state(reference_spec: ModelSpec) -> None:
    """Of each stage as many indicators point to each state that nobody observes, and they are about as frequent."""
    medians = dict(zip(GRADES, reference_spec.priors.grades.medians, strict=True))
    for name, stage in reference_spec.stages.items():
        hidden = [state for state in stage.states if state not in stage.observable]
        mine = [row for row in reference_spec.indicators.values() if row.stage == name]
        phases = {state: {state, *stage.phases_of(state)} for state in hidden}
        count = {state: sum(bool(names & set(row.points_to)) for row in mine) for state, names in phases.items()}
        assert len(set(count.values())) == 1, count
        rates = [
            sum(
                np.exp(log_normal(reference_spec.priors.classes[row.class_].per_year)[0])
                * (medians[row.grade] if {phase, state} & set(row.points_to) else 1)
                for row in mine
            )
            for state in hidden
            for phase in stage.phases_of(state)
        ]
        assert max(rates) / min(rates) < 1.2


def test_added_indicators_say_what_they_are(reference_spec: ModelSpec) -> None:
    """What the article does not name is weak or moderate, rests on the ontology, and shows three to six signs."""
    added = {name: row for name, row in reference_spec.indicators.items() if row.since}
    theory = {name: row for name, row in reference_spec.indicators.items() if not row.since}
    assert len(added) > 100
    for row in added.values():
        assert row.grade in {"weak", "moderate"}
        assert 3 <= len(row.signs) <= 6
        assert {basis.source for basis in row.basis} <= {"plover", "base_rates", None}
        assert {basis.kind for basis in row.basis} == {"reference", "judgement"}
        assert row.basis[0].source == "plover"
    assert all(any(basis.kind == "article" for basis in row.basis) for row in theory.values())
    assert len(theory) == 54


@pytest.mark.parametrize(
    "name", ["journalist_detained_in_russia", "agents_arrested", "migrants_deported", "charges_dropped",
             "war_crimes_charged", "prisoners_withheld", "moscow_retaliates_west"],
)  # fmt: skip
def test_continuations_are_not_counted(reference_spec: ModelSpec, name: str) -> None:
    """Indicators of arrests and cases say that the later steps of an old case are no new events."""
    assert any(sign.what.startswith("Not counted: ") for sign in reference_spec.indicators[name].signs)
