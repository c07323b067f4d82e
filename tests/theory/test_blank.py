"""A new model file is good as it is, whatever its stages are called, and refuses what no stage can be."""

from __future__ import annotations

import datetime as dt
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelfiles import FINDING

from forecast.base.errors import FaultsError
from forecast.theory.assumptions import without_reason
from forecast.theory.blank import blank_model
from forecast.theory.modelfile import parse_spec

TODAY = dt.date(2026, 1, 8)
NAMES = st.from_regex(r"\A[a-z][a-z0-9_]{0,8}\Z")
STATES = st.lists(NAMES, min_size=2, max_size=4, unique=True)


STAGES = st.dictionaries(NAMES, STATES, min_size=1, max_size=3)
HOW = {"deadline": None, "derandomize": True, "phases": FINDING}


@settings(max_examples=20, **HOW)
@given(NAMES, STAGES)
def test_a_new_model_is_good(name: str, stages: dict[str, list[str]]) -> None:
    """Any stages and states make a file without a fault, with a rule for each outcome and nothing that has a reason."""
    is_good(name, stages)


@pytest.mark.slow
@settings(max_examples=60, **HOW)
@given(NAMES, STAGES)
def test_any_of_many_new_models_is_good(name: str, stages: dict[str, list[str]]) -> None:
    """The same of many more files."""
    is_good(name, stages)


def is_good(name: str, stages: dict[str, list[str]]) -> None:
    """Write a new model file, and read it."""
    spec = parse_spec(blank_model(name, stages, TODAY), where="m", name=name)
    assert {key: stage.states for key, stage in spec.stages.items()} == {key: tuple(s) for key, s in stages.items()}
    assert len(spec.indicators) == sum(map(len, stages.values()))
    assert len(spec.outcomes) == len(list(stages.values())[-1]) - 1
    assert all(len(row.resolves) == 1 and row.frozen == TODAY for row in spec.outcomes.values())
    assert len(without_reason(spec)) == sum(
        len(table) for table in (spec.stages, spec.indicators, spec.outcomes)
    ) + sum(len(stage.transitions) + len(stage.effects) for stage in spec.stages.values())


def test_each_stage_acts_on_the_next() -> None:
    """The last state of a stage hastens the first move of the stage after it."""
    stages = {"outbreak": ["local", "spreading"], "hospitals": ["calm", "strained", "full"]}
    raw = tomllib.loads(blank_model("epidemic", stages, TODAY))
    (effect,) = raw["stages"]["hospitals"]["effects"].values()
    assert (effect["from"], effect["to"], effect["when"]) == ("calm", "strained", {"outbreak": ["spreading"]})
    assert raw["model"]["start"] == dt.date(2025, 1, 8)


@pytest.mark.parametrize(
    ("name", "stages", "said"),
    [
        ("m", {}, "it has no stage"),
        ("3", {"a": ["b", "c"]}, "the model: '3' is not a name"),
        ("m", {"A": ["b", "c"]}, "a stage: 'A' is not a name"),
        ("m", {"a": ["b"]}, "stage 'a': has 1 state; give two or more"),
        ("m", {"a": []}, "stage 'a': has no states; give two or more"),
        ("m", {"a": ["b", "b"]}, "stage 'a': names a state twice"),
        ("m", {"a": ["b", "çok"]}, "stage 'a': 'çok' is not a name"),
    ],
)
def test_what_is_no_model_is_refused(name: str, stages: dict[str, list[str]], said: str) -> None:
    """Names and states that a model file cannot have are faults before anything is written."""
    with pytest.raises(FaultsError) as caught:
        blank_model(name, stages, TODAY)
    (fault,) = caught.value.faults
    assert fault.startswith(said)
