"""Phases of a state: how a model file names them, what it may say of them, and what nobody may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelfiles import changed, put
from small_models import PLAIN

from forecast.base.errors import ModelFileError
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec

DOWN = 'states = ["calm", "tense", "lost"]'
SETTLES = """
[[stages.down.transitions]]
from = "{0}"
to = "{1}"
per_year = [0.2, 2]
basis = [{{ kind = "judgement", note = "x" }}]
"""


def phased(phases: str, *more: str) -> ModelSpec:
    """Give the plain model with phases of its tense state, and more text."""
    text = PLAIN.replace(DOWN, f"{DOWN}\nphases = {{ tense = {phases} }}")
    return parse_spec(text + "".join(more), where="m.toml")


def faults(phases: str, *more: str) -> tuple[str, ...]:
    """List the faults of such a model."""
    with pytest.raises(ModelFileError) as caught:
        phased(phases, *more)
    return caught.value.faults


def rates(space: StateSpace) -> set[tuple[str, str]]:
    """From and to of every rate of the stage."""
    return {tuple(name.partition("|")[0].split(".")[1].split(">")) for name in space.rate_names if "down." in name}


def test_a_number_names_the_phases() -> None:
    """Two phases of `tense` are `tense_1` and `tense_2`; the state keeps its name for everybody else."""
    spec = phased("2", SETTLES.format("tense_1", "tense_2"))
    space = StateSpace(spec)
    assert space.states[1] == ("calm", "tense", "lost")
    assert space.phases[1] == ("calm", "tense_1", "tense_2", "lost")
    assert phased('["tense_1", "tense_2"]', SETTLES.format("tense_1", "tense_2")).hash == spec.hash
    assert space.stage_states == StateSpace(parse_spec(PLAIN, where="m.toml")).stage_states


def test_what_leads_to_a_state_leads_to_its_first_phase_and_what_leaves_it_leaves_any() -> None:
    """One rate out of the state is one parameter of both phases; a rate of a phase is its own."""
    space = StateSpace(phased('["new", "old"]', SETTLES.format("new", "old")))
    assert rates(space) == {
        ("calm", "new"), ("new", "calm"), ("old", "calm"), ("new", "lost"), ("old", "lost"), ("lost", "calm"),
        ("new", "old"),
    }  # fmt: skip
    out = [k for k, name in enumerate(space.rate_names) if name.startswith(("down.new>calm", "down.old>calm"))]
    assert {space.transitions[space.rate_transition[k]] for k in out} == {"down.tense>calm"}


def test_a_state_starts_in_its_first_phase() -> None:
    """The start weight of the state is that of the first phase; the second has none."""
    space = StateSpace(phased('["new", "old"]', SETTLES.format("new", "old")))
    assert space.start_weights(1).tolist() == [3, 1, 0, 0]


def test_sets_of_states_hold_their_phases() -> None:
    """An outcome, an effect's condition and an indicator that name the state mean all its phases; a phase is itself."""
    space = StateSpace(phased('["new", "old"]', SETTLES.format("new", "old")))
    tense = space.members({"down": ("tense",)})
    assert [joint[1] for joint, inside in zip(space.joint_phases, tense, strict=True) if inside] == (
        ["new", "new", "old", "old"] * 2
    )
    assert (space.members({"down": ("new",)}) | space.members({"down": ("old",)})).tolist() == tense.tolist()
    pointed = {name for name, there in zip(space.emission_names, space.emission_points, strict=True) if there}
    assert {"c|new", "c|old"} <= pointed
    assert "c|calm" not in pointed
    drawn = {name for name, row in zip(space.rate_names, space.rate_effect, strict=True) if row[1]}
    assert drawn == {f"after.no>yes|{up},{phase}" for up in ("low", "high") for phase in ("new", "old")}


@given(st.integers(0, 2**32 - 1))
def test_phases_add_up_to_their_states(seed: int) -> None:
    """Summed over phases, a joint distribution is one over states, and nothing is lost."""
    space = StateSpace(phased('["new", "old"]', SETTLES.format("new", "old")))
    joint = np.random.default_rng(seed).dirichlet(np.ones(space.size))
    found = space.by_state(joint.reshape(tuple(space.sizes)))
    assert found.shape == (2, 3, 2)
    for k, state in enumerate(space.states[1]):
        assert found[:, k].sum() == pytest.approx(joint[space.members({"down": (state,)})].sum())


@pytest.mark.parametrize(
    ("phases", "more", "said"),
    [
        ("1", "", "stages.down.phases: needs the number of phases, 2 to 9, or a list of their names, got 1"),
        ("10", "", "stages.down.phases: needs the number of phases, 2 to 9, or a list of their names, got 10"),
        ("true", "", "stages.down.phases: needs the number of phases, 2 to 9, or a list of their names, got True"),
        ('["new"]', "", "stages.down.phases.tense: needs at least 2 entries"),
        ('["new", "lost"]', "", "stages.down.phases.tense: 'lost' is a state or phase of the stage already"),
        ('["new", "new"]', "", "stages.down.phases.tense: 'new' is a state or phase of the stage already"),
        (
            '["new", "old"]',
            "",
            "stages.down.states: 'old' is unreachable: no start weight",
        ),
        (
            '["new", "old"]',
            SETTLES.format("new", "old") + SETTLES.format("old", "calm"),
            "stages.down.transitions.6th: old to calm is given twice",
        ),
        (
            '["new", "old"]',
            SETTLES.format("new", "lost") + SETTLES.format("tense", "lost"),
            "stages.down.transitions.6th: tense to lost is given twice, for so are new and old to lost",
        ),
        (
            '["new", "old"]',
            SETTLES.format("new", "old") + SETTLES.format("new", "tense"),
            "stages.down.transitions.6th: goes from 'tense' to itself",
        ),
    ],
)
def test_faults_of_phases(phases: str, more: str, said: str) -> None:
    """Each fault is named with its key."""
    assert any(fault.startswith(said) for fault in faults(phases, more))


def test_a_state_that_is_not_there_has_no_phases() -> None:
    """The nearest state is offered."""

    def misspelt(raw: dict) -> None:
        put(("stages", "relations", "phases"), {"confrontatoin": ["a", "b"]})(raw)

    with pytest.raises(ModelFileError) as caught:
        parse_spec(changed(misspelt), where="m.toml")
    assert any(fault.startswith("stages.relations.phases: there is no state") for fault in caught.value.faults)


def test_a_phase_of_what_is_observable_is_no_start() -> None:
    """Weight on a phase of an observable state alone is weight on that state, which only a recorded row can begin."""

    def signed(raw: dict) -> None:
        put(("stages", "peace", "start"), {"signed": 1})(raw)

    with pytest.raises(ModelFileError, match=r"stages\.peace\.start: all weight is on observable states"):
        parse_spec(changed(signed), where="m.toml")


def test_one_weight_for_a_state_and_its_first_phase() -> None:
    """Start weights of both would be two of one."""
    text = PLAIN.replace(DOWN, f'{DOWN}\nphases = {{ tense = ["new", "old"] }}').replace(
        "start = { calm = 3, tense = 1 }", "start = { calm = 3, tense = 1, new = 1 }"
    )
    with pytest.raises(ModelFileError, match="names a state and the phase in which it begins"):
        parse_spec(text + SETTLES.format("new", "old"), where="m.toml")
