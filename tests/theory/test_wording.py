"""Indicators are found by what a reader of news would call an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import InputError
from forecast.theory.wording import find_indicators, suggested, words_of

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec

FIRST = {
    "journalist": "journalist_detained_in_russia",
    "gas cut": "energy_cut",
    "embargo on fruit": "food_ban",
    "leaders call": "leaders_call",
    "LEADERS, CALL!": "leaders_call",
    "diplomats expelled": "russia_expels_diplomats",
    "prisoner swap": "prisoners_exchanged",
    "Istanbul talks": "russia_ukraine_talks_held",
    "SOCAR depot hit": "azerbaijani_property_struck",
    "Sputnik returns": "russian_institution_returns",
    "drone over Poland": "russia_europe_incident",
    "sentence in an old case": "agents_arrested",
}


@pytest.mark.parametrize("words", FIRST)
def test_first_hit(reference_spec: ModelSpec, words: str) -> None:
    """What is found first is what is meant."""
    assert find_indicators(reference_spec, words)[0] == FIRST[words]


def test_every_indicator_is_found_by_its_own_label(reference_spec: ModelSpec) -> None:
    """The label of an indicator finds it among the first three."""
    rows = reference_spec.indicators
    lost = [key for key, row in rows.items() if key not in find_indicators(reference_spec, row.label)[:3]]
    assert lost == []


def test_search_is_narrowed(reference_spec: ModelSpec) -> None:
    """Stage and state narrow the list; a state may be named without its stage."""
    everything = find_indicators(reference_spec)
    assert everything == list(reference_spec.indicators)
    peace = find_indicators(reference_spec, stage="peace")
    assert {reference_spec.indicators[key].stage for key in peace} == {"peace"}
    truce = find_indicators(reference_spec, state="truce")
    assert truce == find_indicators(reference_spec, state="relations.truce", stage="relations")
    assert all("truce" in reference_spec.indicators[key].points_to for key in truce)
    assert find_indicators(reference_spec, "leaders call", stage="peace")[0] == "us_russia_leaders_call"
    assert find_indicators(reference_spec, "xyzzy") == []


@pytest.mark.parametrize(
    ("narrowed", "message"),
    [
        ({"stage": "peaces"}, "the model has no stage 'peaces'; did you mean 'peace'?"),
        ({"state": "relations.truc"}, "the model has no state 'relations.truc'; did you mean 'relations.truce'?"),
    ],
)
def test_unknown_stage_or_state(reference_spec: ModelSpec, narrowed: dict[str, str], message: str) -> None:
    """A stage or a state that the model has not is named with the nearest."""
    with pytest.raises(InputError) as caught:
        find_indicators(reference_spec, **narrowed)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("presidents_meting", "did you mean 'presidents_meeting'?"),
        ("fruit_embargo", "did you mean 'food_ban' (Russia bans or holds up Azerbaijani goods), 'trade_barrier_lif"),
        ("gas_shutoff", "did you mean 'energy_cut' (Gas, oil, power or transit between the two is cut)"),
        ("xyzzy", "there are 172, and `forecast indicators WORDS` finds them by what they look like"),
        ("", "there are 172, and `forecast indicators WORDS` finds them by what they look like"),
    ],
)
def test_suggestion_goes_by_spelling_then_by_meaning(reference_spec: ModelSpec, name: str, begins: str) -> None:
    """A misspelled key is one, another name is read for what it means, and nothing is offered without one."""
    words = {key: words_of(row) for key, row in reference_spec.indicators.items()}
    assert suggested(name, words, "*").startswith(begins)


def test_a_state_that_is_called_so_is_offered_first() -> None:
    """Who names a state without its stage is told how it is written, beside the indicators that are about it."""
    words = {"wards_overrun": ("The wards are overrun",), "march": ("A march",)}
    told = suggested("overrun", words, states=("hospitals.calm", "hospitals.overrun"))
    assert told.startswith("did you mean 'hospitals.overrun' (a state) or 'wards_overrun' (The wards are overrun)?")


def test_few_indicators_are_listed() -> None:
    """Of a small theory all names are given where none is like what was written."""
    assert suggested("xyzzy", {"shot": ("A shot",), "march": ("A march",)}, "*") == "allowed: *, march, shot"
