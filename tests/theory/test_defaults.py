"""A model file may say no more than what it must: the rest has defaults, and means the same when it is written out."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from modelfiles import to_toml
from small_models import LEAST

from forecast.base.errors import ModelFileError
from forecast.theory.assumptions import bases
from forecast.theory.modelfile import load_spec, parse_spec
from forecast.theory.outcomes import Rule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.theory.spec import ModelSpec

WRITTEN_OUT = """
format = 1
[model]
name = "winter_wave"
title = "Winter wave"
dataset = "winter_wave"
start = 2025-01-06
step_days = 7
reporting_lag_days = 14
episode_days = 0
horizons_weeks = [4, 13, 26, 52]
[stages.policy]
label = "Policy"
start = { open = 1 }
[stages.hospital_wards]
label = "Hospital wards"
start = { calm = 1, strained = 1, full = 1 }
[indicators.patients_sent_on]
label = "Patients sent on"
grade = "weak"
class = "events"
[priors.classes.events]
per_year = [0.05, 5]
spread = [0.3, 1]
[priors.grades]
weak = 2
moderate = 4
strong = 10
decisive = 30
concentration = 4
[priors.departure]
scale = 0.3
"""


def read(folder: Path, raw: dict[str, Any] | None = None) -> ModelSpec:
    """Read the least model from a file that is called `winter_wave`, or another in its place."""
    path = folder / "winter_wave.toml"
    path.write_text(LEAST if raw is None else to_toml(raw), encoding="utf-8")
    return load_spec(path)


def _merge(base: dict[str, Any], own: dict[str, Any]) -> None:
    for key, value in own.items():
        if isinstance(value, dict) and key in base:
            _merge(base[key], value)
        else:
            base[key] = value


def test_defaults_written_out_are_the_same_model(tmp_path: Path) -> None:
    """Who writes the defaults into the file has the same model, with the same hash."""
    raw = tomllib.loads(LEAST)
    _merge(raw, tomllib.loads(WRITTEN_OUT))
    least, full = read(tmp_path), read(tmp_path, raw)
    assert full == least
    assert full.hash == least.hash


def test_rule_that_is_not_given_follows_from_the_states(tmp_path: Path) -> None:
    """The rule is a record where the states are observable, else stories of indicators that point to no other state."""
    spec = read(tmp_path)
    only = Rule(stories=1, of=("patients_sent_on",), within_weeks=13)
    both = Rule(stories=1, of=("patients_sent_on", "operations_put_off"), within_weeks=13)
    assert spec.outcomes["wards_full"].resolves == (only,)
    assert spec.outcomes["locked"].resolves == (Rule(observable="policy"), both)
    assert spec.outcomes["locked"].resolution == (
        "Met if “Policy” is on record as in one of its observable states; and at least 1 event told within 13 weeks "
        "of: “Patients sent on”, “Operations put off”."
    )


def test_phases_of_a_state_count_for_its_rule(tmp_path: Path) -> None:
    """An indicator that points to a phase of the outcome's state points to that state."""
    raw = tomllib.loads(LEAST)
    raw["stages"]["hospital_wards"]["phases"] = {"full": ["first", "later"]}
    raw["indicators"]["patients_sent_on"]["points_to"] = ["later"]
    raw["stages"]["hospital_wards"]["transitions"].append({"from": "first", "to": "later", "per_year": [1, 4]})
    assert read(tmp_path, raw).outcomes["wards_full"].resolves[0].of == ("patients_sent_on",)


def test_what_has_no_reason_says_so(tmp_path: Path) -> None:
    """Every entry without a basis has one that says that no reason is given."""
    assert {(row.kind, row.note) for _, row in bases(read(tmp_path))} == {("judgement", "No reason is given.")}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda raw: raw["model"].pop("start"), "model.start: is missing"),
        (lambda raw: raw["outcomes"]["locked"].pop("frozen"), "outcomes.locked.frozen: is missing"),
        (
            lambda raw: raw["indicators"].pop("patients_sent_on"),
            "outcomes.wards_full.resolves: is missing, and for a stage of `states` no indicator points to these states",
        ),
        (
            lambda raw: raw.update(priors={"classes": {"press": {}, "counts": {}}}),
            "indicators.patients_sent_on.class: is missing; choose one of [priors.classes]: press, counts",
        ),
        (lambda raw: raw["stages"]["policy"].update(states=["Open"]), "stages.policy.states.1st: 'Open' is not a name"),
    ],
)
def test_what_cannot_be_known_without_being_said_is_a_fault(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], fault: str
) -> None:
    """Dates have no default, nor a rule that nothing could meet, nor a class where the file defines others."""
    raw = tomllib.loads(LEAST)
    change(raw)
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path, raw)
    assert any(row.startswith(fault) for row in caught.value.faults), caught.value.faults


def test_default_that_follows_from_a_fault_is_none_of_its_own(tmp_path: Path) -> None:
    """Where states are faulty, the weights at the start that would follow from them are not blamed."""
    raw = tomllib.loads(LEAST)
    raw["stages"]["policy"]["states"] = 3
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path, raw)
    assert caught.value.faults == ("stages.policy.states: needs a list in square brackets, got 3",)


def test_rival_takes_dataset_and_its_own_name(tmp_path: Path) -> None:
    """A file that extends another without a header is called as the file is, and has the evidence of the other."""
    read(tmp_path)
    rival = tmp_path / "no_wave.toml"
    rival.write_text('extends = "winter_wave"\n', encoding="utf-8")
    spec = load_spec(rival)
    assert (spec.name, spec.model.title, spec.model.dataset) == ("no_wave", "No wave", "winter_wave")
    assert spec.model.start == dt.date(2025, 1, 6)


def test_text_without_a_file_gives_its_name() -> None:
    """Only a file has a name to take."""
    with pytest.raises(ModelFileError, match=r"model\.name: is missing"):
        parse_spec(LEAST, where="m")
