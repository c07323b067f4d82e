"""A model file may extend another: what is merged, what is refused, and what the rivals that ship change."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelfiles import FINDING, VALUES, at, changed, leaves, put, to_toml
from places import MODELS

from forecast.base.errors import InputError, ModelFileError
from forecast.project.project import Project
from forecast.theory.assumptions import assumptions, bases, with_grades, with_intervals
from forecast.theory.modelfile import load_spec, parse_spec
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.theory.spec import ModelSpec

REFERENCE = MODELS / "russia_azerbaijan.toml"
RAW = tomllib.loads(REFERENCE.read_text(encoding="utf-8"))
SHIPPED = sorted(path.stem for path in MODELS.glob("*.toml") if path != REFERENCE)
BASIS = [{"kind": "judgement", "note": "made up"}]
MOVES = "stages.peace.transitions"
SECOND = "experts.2nd.priors"
FRESH_DEAL = f"{MOVES}.closing>fresh_deal"
NEW = f"{MOVES}.stalled>settled_deal"
SPARES = "stages.relations.effects.setback_spares_truce"


def rival(folder: Path, tables: dict[str, Any], *, name: str = "rival", parent: object = "russia_azerbaijan") -> Path:
    """Write a rival with a title and a description, beside the reference model."""
    if not (folder / REFERENCE.name).exists():
        (folder / REFERENCE.name).write_bytes(REFERENCE.read_bytes())
    whole = {"extends": parent, "model": {"name": name, "title": "A rival", "description": "It differs."}} | tables
    path = folder / f"{name}.toml"
    path.write_text(to_toml(whole), encoding="utf-8")
    return path


def faults(path: Path) -> tuple[str, ...]:
    """Read a file that must be refused; its faults."""
    with pytest.raises(ModelFileError) as caught:
        load_spec(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.exit_code == 2
    return caught.value.faults


def move(source: str, target: str, **keys: object) -> dict[str, Any]:
    """Give the tables that change one transition of the first stage."""
    return {"stages": {"peace": {"transitions": [{"from": source, "to": target, **keys}]}}}


def effect(name: str, **keys: object) -> dict[str, Any]:
    """Give the tables that change one effect on relations."""
    return {"stages": {"relations": {"effects": {name: keys}}}}


@pytest.fixture(scope="module")
def parent() -> ModelSpec:
    """Read the reference model."""
    return load_spec(REFERENCE)


# What is merged.


def test_rival_that_changes_nothing_is_its_parent(parent: ModelSpec, tmp_path: Path) -> None:
    """With nothing but a name of its own a rival has the parent's every entry and its hash."""
    found = load_spec(rival(tmp_path, {}))
    assert (found.extends, parent.extends) == ("russia_azerbaijan", None)
    assert (found.name, found.model.title, found.hash) == ("rival", "A rival", parent.hash)
    assert found.model_copy(update={"extends": None, "model": parent.model}) == parent
    assert found.model.dataset == parent.model.dataset


def test_named_transition_changes_only_the_keys_it_gives(parent: ModelSpec, tmp_path: Path) -> None:
    """A transition named again has the new rate, in the old place; every other assumption stays."""
    found = load_spec(rival(tmp_path, move("closing", "fresh_deal", per_year=[0.5, 2], basis=BASIS)))
    assert list(assumptions(found)) == list(assumptions(parent))
    assert assumptions(found) == assumptions(parent) | {FRESH_DEAL: (0.5, 2.0)}
    assert assumptions(parent)[FRESH_DEAL] != (0.5, 2.0)
    assert found.hash == with_intervals(parent, {FRESH_DEAL: (0.5, 2)}).hash != parent.hash


def test_new_transition_is_appended(parent: ModelSpec, tmp_path: Path) -> None:
    """A pair that the parent lacks becomes a transition after those of the parent."""
    found = load_spec(rival(tmp_path, move("stalled", "settled_deal", per_year=[0.01, 0.02], basis=BASIS)))
    moves = found.stages["peace"].transitions
    assert moves[:-1] == parent.stages["peace"].transitions
    assert (moves[-1].from_, moves[-1].to, moves[-1].per_year) == ("stalled", "settled_deal", (0.01, 0.02))


def test_tables_merge_deep_and_lists_replace(parent: ModelSpec, tmp_path: Path) -> None:
    """One key of a table changes alone; a list is replaced whole; a named indicator, class or source merges."""
    tables: dict[str, Any] = {
        "model": {"name": "rival", "title": "A rival", "description": "It differs.", "horizons_weeks": [8]},
        "stages": {"peace": {"start": {"stalled": 3}, "basis": BASIS}},
        "indicators": {"cyberattack": {"grade": "strong", "basis": BASIS}},
        "priors": {"classes": {"media": {"per_year": [1, 2], "basis": BASIS}}, "grades": {"weak": 1.5, "basis": BASIS}},
        "sources": {"other": {"title": "Another text"}},
        "conditionals": [{"outcome": "deal", "given": "confrontation"}],
    }
    found = load_spec(rival(tmp_path, tables))
    assert found.stages["peace"].start == {"stalled": 3, "advancing": parent.stages["peace"].start["advancing"]}
    assert found.model.horizons_weeks == (8,)
    assert found.model.start == parent.model.start
    was, now = parent.indicators["cyberattack"], found.indicators["cyberattack"]
    assert (was.grade, now.grade) == ("moderate", "strong")
    assert (now.label, now.signs, now.points_to) == (was.label, was.signs, was.points_to)
    assert found.priors.classes["media"].spread == parent.priors.classes["media"].spread
    assert found.priors.grades.medians == (1.5, *parent.priors.grades.medians[1:])
    assert set(found.sources) == {*parent.sources, "other"}
    assert len(found.conditionals) == 1
    assert list(found.indicators) == list(parent.indicators)


def test_words_may_change_for_the_same_reason(parent: ModelSpec, tmp_path: Path) -> None:
    """A new label, or a number given again as it was, needs no basis of its own."""
    label = {"indicators": {"cyberattack": {"label": "Attacks on networks"}}}
    found = load_spec(rival(tmp_path, label | move("closing", "fresh_deal", per_year=[0.4, 10])))
    assert found.indicators["cyberattack"].label == "Attacks on networks"
    assert found.indicators["cyberattack"].basis == parent.indicators["cyberattack"].basis
    assert found.hash == parent.hash


def test_dropped_entries_are_gone(parent: ModelSpec, tmp_path: Path) -> None:
    """`drop` leaves out a transition, an effect, one key of a condition and an outcome, and nothing else."""
    victory = "stages.relations.effects.victory_brings_confrontation"
    keys = [f"{victory}.when.victory", SPARES, "stages.peace.transitions.stalled>fresh_deal", "conditionals"]
    tables = {"drop": [*keys, "outcomes.truce"]} | effect("victory_brings_confrontation", basis=BASIS)
    found = load_spec(rival(tmp_path, tables))
    assert set(assumptions(parent)) - set(assumptions(found)) == {SPARES, "stages.peace.transitions.stalled>fresh_deal"}
    assert set(assumptions(found)) < set(assumptions(parent))
    assert set(found.stages["relations"].effects["victory_brings_confrontation"].when) == {"peace"}
    assert set(parent.outcomes) - set(found.outcomes) == {"truce"}
    assert found.conditionals == ()


def test_dropped_name_may_be_given_anew(tmp_path: Path) -> None:
    """What is dropped and given again is the rival's own, whole, with nothing of the parent's left in it."""
    new = {"from": "truce", "to": "cooperation", "when": {"victory": ["secured"]}, "times": [1, 2], "basis": BASIS}
    found = load_spec(rival(tmp_path, {"drop": [SPARES]} | effect("setback_spares_truce", **new)))
    entry = found.stages["relations"].effects["setback_spares_truce"]
    assert (entry.to, entry.times, dict(entry.when)) == ("cooperation", (1.0, 2.0), {"victory": ("secured",)})
    assert len(entry.basis) == 1


def test_chains_of_extension(parent: ModelSpec, tmp_path: Path) -> None:
    """The second rival has what the first changed, where it does not change it again, and says it extends the first."""
    effects = {"victory_brings_confrontation": {"times": [2, 3], "basis": BASIS}}
    rival(tmp_path, move("closing", "fresh_deal", per_year=[0.5, 2], basis=BASIS) | {"drop": [SPARES]}, name="middle")
    last = rival(tmp_path, {"stages": {"relations": {"effects": effects}}}, name="last", parent="middle")
    found = load_spec(last)
    assert found.extends == "middle"
    expected = assumptions(parent) | {
        FRESH_DEAL: (0.5, 2.0),
        "stages.relations.effects.victory_brings_confrontation": (2.0, 3.0),
    }
    del expected[SPARES]
    assert assumptions(found) == expected


def test_experts_are_taken_over_or_replaced(parent: ModelSpec, tmp_path: Path) -> None:
    """A rival has its parent's experts unless it names its own."""
    own = [{"name": name, "label": name, "weight": 1, "basis": BASIS} for name in ("one", "two")]
    assert load_spec(rival(tmp_path, {})).experts == parent.experts
    assert [expert.name for expert in load_spec(rival(tmp_path, {"experts": own})).experts] == ["one", "two"]


# What is refused.

NO_REASON = "must give its own `basis`"


@pytest.mark.parametrize(
    ("tables", "key", "said"),
    [
        ({"extends": "russia_azerbajan"}, "extends", "no model 'russia_azerbajan' in"),
        ({"extends": "russia_azerbajan"}, "extends", "did you mean 'russia_azerbaijan'?"),
        ({"extends": 3}, "extends", "no model 3 in"),
        ({"extends": "../russia_azerbaijan"}, "extends", "did you mean 'russia_azerbaijan'?"),
        ({"extends": "rival"}, "extends", "cannot extend itself"),
        ({"drop": [f"{SPARES}s"]}, "drop", f"did you mean '{SPARES}'?"),
        ({"drop": [FRESH_DEAL[:-1]]}, "drop", f"did you mean '{FRESH_DEAL}'?"),
        ({"drop": "outcomes.truce"}, "drop", "is a list of dotted keys"),
        ({"drop": [3]}, "drop", "is a list of dotted keys"),
        ({"dorp": [SPARES]}, "dorp", "did you mean 'drop'?"),
        ({"model": {"name": "other", "title": "-", "description": "-"}}, "model.name", "rename the file to other.toml"),
        (move("closing", "fresh_deal", per_year=[0.5, 2]), FRESH_DEAL, NO_REASON),
        (move("closing", "fresh_deal", per_year=[2, 1], basis=BASIS), f"{FRESH_DEAL}.per_year", "0 < lo < hi"),
        (move("closing", "fresh_dael", per_year=[1, 2], basis=BASIS), f"{FRESH_DEAL[:-4]}dael", "'fresh_deal'"),
        (move("stalled", "settled_deal", basis=BASIS), f"{NEW}.per_year", "is missing"),
        ({"stages": {"peace": {"transitions": [{"to": "stalled"}]}}}, f"{MOVES}.1st", "`from` and `to`"),
        ({"stages": {"peace": {"transitions": {"to": "stalled"}}}}, MOVES, "needs a list"),
        (
            {"stages": {"peace": {"transitions": [{"from": "stalled", "to": "advancing"}] * 2}}},
            f"{MOVES}.2nd",
            "is given twice",
        ),
        (effect("setback_spares_truce", times=[0.5, 2]), SPARES, NO_REASON),
        (effect("setback_spares_truce", when={"peace": ["advancing"]}), SPARES, NO_REASON),
        (effect("setback_spares_truces", times=[0.5, 2]), f"{SPARES}s.from", "is missing"),
        ({"stages": {"peace": {"start": {"stalled": 3}}}}, "stages.peace", NO_REASON),
        ({"indicators": {"cyberattack": {"grade": "strong"}}}, "indicators.cyberattack", NO_REASON),
        ({"outcomes": {"deal": {"states": {"peace": ["fresh_deal"]}}}}, "outcomes.deal", NO_REASON),
        ({"priors": {"classes": {"media": {"spread": [1, 2]}}}}, "priors.classes.media", NO_REASON),
        ({"priors": {"grades": {"weak": 1.5}}}, "priors.grades", NO_REASON),
        ({"priors": {"departure": {"scale": 1}}}, "priors.departure", NO_REASON),
        ({"drop": [f"{SPARES}.when.peace"]}, f"{SPARES}.when", "at least 1"),
        (
            {"drop": ["indicators.entry_ban"]},
            "outcomes.confrontation.resolves.1st.of",
            "no indicator 'entry_ban'",
        ),
    ],
)  # fmt: skip
def test_fault_of_a_rival_is_found(tmp_path: Path, tables: dict[str, Any], key: str, said: str) -> None:
    """Each fault has its dotted key, as it would be written, and says what to do."""
    found = faults(rival(tmp_path, tables))
    assert any(fault.startswith(f"{key}: ") and said in fault for fault in found), found
    assert len(found) == len(set(found))


def test_nothing_else_is_blamed(tmp_path: Path) -> None:
    """One fault of each kind at once gives these faults and no others, each once."""
    tables = move("closing", "fresh_deal", per_year=[0.5, 2]) | {
        "drop": ["outcomes.thruce"],
        "indicators": {"cyberattack": {"grade": "big", "basis": BASIS}},
        "model": {"name": "rival", "titel": "-"},
    }
    keys = [fault.partition(":")[0] for fault in faults(rival(tmp_path, tables))]
    assert sorted(keys) == ["drop", "indicators.cyberattack.grade", "model.titel", FRESH_DEAL]


def test_dropped_condition_needs_a_reason(tmp_path: Path) -> None:
    """Leaving out part of an entry changes it, so the entry gives a basis of its own."""
    key = "stages.relations.effects.victory_brings_confrontation"
    bare = {"drop": [f"{key}.when.victory"]}
    assert [fault.partition(":")[0] for fault in faults(rival(tmp_path, bare))] == [key]
    assert load_spec(rival(tmp_path, bare | effect("victory_brings_confrontation", basis=BASIS)))


def test_fault_in_what_was_taken_over_says_so(tmp_path: Path) -> None:
    """A fault in an entry that the rival's file does not hold says where the entry comes from; its own do not."""
    tables = {"drop": ["indicators.entry_ban"], "indicators": {"cyberattack": {"class": "none", "basis": BASIS}}}
    found = {fault.partition(":")[0]: fault for fault in faults(rival(tmp_path, tables))}
    assert "(taken over from russia_azerbaijan)" in found["outcomes.confrontation.resolves.1st.of"]
    assert "taken over" not in found["indicators.cyberattack.class"]


def test_parent_with_faults_is_named(tmp_path: Path) -> None:
    """A rival of a faulty model is refused with one fault that names the parent's file."""
    path = rival(tmp_path, move("closing", "fresh_deal", per_year=[0.5, 2]))
    (tmp_path / REFERENCE.name).write_text(changed(put(("indicators", "cyberattack", "grade"), "big")))
    (found,) = faults(path)
    assert found.startswith("extends: russia_azerbaijan.toml has a fault of its own")


@pytest.mark.parametrize("content", [b"extends = \n", b"\xff\xfe", None])
def test_parent_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A parent that is no TOML, no text or no file at all is the rival's fault with the parent's name."""
    path = rival(tmp_path, {}, parent="middle")
    if content is None:
        (tmp_path / "middle.toml").mkdir()
    else:
        (tmp_path / "middle.toml").write_bytes(content)
    (found,) = faults(path)
    assert found.startswith("extends: middle.toml has a fault of its own")


def test_circle_is_told(tmp_path: Path) -> None:
    """Models that extend each other, and one that extends these, are refused with the circle."""
    one, two = rival(tmp_path, {}, name="one", parent="two"), rival(tmp_path, {}, name="two", parent="one")
    three = rival(tmp_path, {}, name="three", parent="two")
    said = {path: faults(path) for path in (one, two, three)}
    assert "one extends two extends one, which is a circle" in said[one][0]
    assert "two extends one extends two, which is a circle" in said[two][0]
    assert "three extends two extends one extends two, which is a circle" in said[three][0]
    assert {len(found) for found in said.values()} == {1}


def test_only_a_file_can_extend_and_only_a_rival_can_drop(tmp_path: Path) -> None:
    """Text without a folder cannot extend; a model that extends none cannot drop."""
    with pytest.raises(ModelFileError, match="only a file in a folder can extend"):
        parse_spec(changed(put(("extends",), "other")), where="m.toml")
    path = tmp_path / "russia_azerbaijan.toml"
    path.write_text(changed(put(("drop",), ["outcomes.truce"])), encoding="utf-8")
    assert faults(path) == ("drop: only a file that `extends` another can leave something out",)


CHANGES: dict[str, Any] = {
    "drop": [SPARES],
    "stages": {
        "peace": {"transitions": [{"from": "stalled", "to": "advancing", "per_year": [1, 2], "basis": BASIS}]},
        "relations": {"effects": {"victory_brings_confrontation": {"times": [1, 2], "basis": BASIS}}},
    },
    "indicators": {"cyberattack": {"grade": "strong", "basis": BASIS}},
    "outcomes": {"deal": {"states": {"peace": ["fresh_deal"]}, "basis": BASIS}},
    "priors": {"classes": {"media": {"spread": [1, 2], "basis": BASIS}}, "grades": {"weak": 1.5, "basis": BASIS}},
    "experts": [{"name": n, "label": n, "weight": 1, "basis": BASIS, "priors": {FRESH_DEAL: [1, 2]}} for n in "ab"],
}
PLACES = sorted({place[:k] for place, _ in leaves(CHANGES) for k in range(1, len(place) + 1)}, key=repr)
GARBAGE = st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3)


@settings(max_examples=12, deadline=None, derandomize=True, phases=FINDING)
@given(GARBAGE)
def test_garbage_in_a_rival_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    """Whatever stands in a rival's file, it is read or refused with faults: no other error ever escapes."""
    raw = json.loads(json.dumps(CHANGES))  # no two bases the same list
    for place, value in changes:
        with suppress(KeyError, IndexError, TypeError):
            at(raw, place[:-1])[place[-1]] = value
    try:
        found = load_spec(rival(tmp_path_factory.mktemp("garbage"), raw))
    except ModelFileError as error:
        assert error.faults  # noqa: PT017 - either is right
    else:
        assert found.extends == "russia_azerbaijan"


@pytest.mark.slow
@settings(max_examples=120, deadline=None, derandomize=True, phases=FINDING)
@given(GARBAGE)
def test_much_garbage_in_a_rival_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    """The same of many more files."""
    test_garbage_in_a_rival_is_refused_or_read.hypothesis.inner_test(tmp_path_factory, changes)


def test_that_model_is_good_before_it_is_garbled(tmp_path: Path) -> None:
    """The rival that the test above garbles is good by itself."""
    assert load_spec(rival(tmp_path, CHANGES)).priors.grades.weak == 1.5


# Experts.


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (lambda rows: rows[1]["priors"].update({NEW: [1, 2]}), f"{SECOND}.{NEW}", "stalled>fresh_deal'?"),
        (lambda rows: rows[1]["priors"].update({FRESH_DEAL: [2, 1]}), f"{SECOND}.{FRESH_DEAL}", "0 < lo < hi"),
        (lambda rows: rows[1]["priors"].update({FRESH_DEAL: 2}), f"{SECOND}.{FRESH_DEAL}", "needs two numbers"),
        (lambda rows: rows[2].update(name="article"), "experts.3rd.name", "'article' is given twice"),
        (lambda rows: rows.__delitem__(slice(1, None)), "experts", "there is one only"),
        (lambda rows: rows[0].update(weight=0), "experts.1st.weight", "a number of at least 0.000001"),
        (lambda rows: rows[0].update(weight=float("inf")), "experts.1st.weight", "a number of at most 1,000,000"),
        (lambda rows: rows[0].pop("name"), "experts.1st.name", "is missing"),
        (lambda rows: rows[0].update(basis=[]), "experts.1st.basis", "at least 1"),
        (lambda rows: rows[0].update(lable="x"), "experts.1st.lable", "did you mean 'label'?"),
        (lambda rows: rows[0]["basis"][0].update(source="artcle"), "experts.article.basis", "'article'"),
    ],
)  # fmt: skip
def test_fault_of_an_expert_is_found(change: Callable[[list[Any]], object], key: str, said: str) -> None:
    """What cannot be a pool of experts is one fault with its dotted key."""
    with pytest.raises(ModelFileError) as caught:
        parse_spec(changed(lambda raw: change(raw["experts"])), where="m.toml")
    (found,) = caught.value.faults
    assert found.startswith(f"{key}: ")
    assert said in found


def test_experts_that_are_no_tables() -> None:
    """A value in the place of the experts is a fault, and the others are found all the same."""
    text = changed(lambda raw: raw.update(experts=3, conditionals=[{"outcome": "dael", "given": "truce"}]))
    with pytest.raises(ModelFileError) as caught:
        parse_spec(text, where="m.toml")
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["conditionals.1st.outcome", "experts"]


def test_experts_do_not_enter_the_hash(parent: ModelSpec) -> None:
    """Other experts, or none, keep every fit valid."""
    for change in (
        lambda raw: raw.pop("experts"),
        lambda raw: raw["experts"][1]["priors"].update({FRESH_DEAL: [0.3, 1]}),
        lambda raw: raw["experts"][1].update(weight=7),
    ):
        assert parse_spec(changed(change, whole=True), where="m.toml").hash == parent.hash


def test_weights_are_shares() -> None:
    """Weights are relative: 1, 2 and 5 are shares of an eighth, a quarter and five eighths."""

    def change(raw: dict[str, Any]) -> None:
        for row, weight in zip(raw["experts"], (1, 2, 5), strict=True):
            row["weight"] = weight

    spec = parse_spec(changed(change), where="m.toml")
    assert spec.expert_weights == {"article": 0.125, "history": 0.25, "crowds": 0.625}
    assert parse_spec(changed(lambda raw: raw.pop("experts")), where="m").expert_weights == {}


# Other numbers in the same model.


def test_assumptions_are_every_interval_of_the_file(parent: ModelSpec) -> None:
    """Rates of transitions, effects, classes, the scale of grades, and the same of channels, in the file's order."""
    expected: dict[str, tuple[float, ...]] = {}
    for name, stage in RAW["stages"].items():
        for row in stage["transitions"]:
            expected[f"stages.{name}.transitions.{row['from']}>{row['to']}"] = tuple(row["per_year"])
        for label, row in stage.get("effects", {}).items():
            expected[f"stages.{name}.effects.{label}"] = tuple(row["times"])
    expected |= {f"priors.classes.{name}": tuple(row["per_year"]) for name, row in RAW["priors"]["classes"].items()}
    expected["priors.diagnosticity"] = tuple(RAW["priors"]["diagnosticity"]["times"])
    for name, row in RAW["priors"]["channels"].items():
        expected[f"priors.channels.{name}"] = tuple(row["per_volume"])
        expected[f"priors.channels.{name}.contrast"] = tuple(row["contrast"])
    assert list(assumptions(parent).items()) == list(expected.items())
    assert len(expected) > 30


def test_intervals_are_replaced(parent: ModelSpec) -> None:
    """Intervals of a transition, an effect and a class are replaced as if the file said so; nothing else changes."""
    new = {FRESH_DEAL: (0.3, 1), SPARES: (0.5, 2), "priors.classes.media": (1, 3)}

    def change(raw: dict[str, Any]) -> None:
        raw["stages"]["peace"]["transitions"][5]["per_year"] = [0.3, 1]
        raw["stages"]["relations"]["effects"]["setback_spares_truce"]["times"] = [0.5, 2]
        raw["priors"]["classes"]["media"]["per_year"] = [1, 3]

    found = with_intervals(parent, new)
    other = parse_spec(changed(change, whole=True), where="m.toml")
    assert (found, found.hash) == (other, other.hash)
    assert with_intervals(parent, assumptions(parent)).hash == parent.hash
    assert assumptions(parent)[FRESH_DEAL] == (0.4, 10)


def test_intervals_that_cannot_be_are_refused_together(parent: ModelSpec) -> None:
    """An unknown key gets the nearest, an interval out of order its rule, both in one error."""
    with pytest.raises(InputError) as caught:
        with_intervals(parent, {FRESH_DEAL.replace("losin", "lozin"): (1, 2), SPARES: (2, 1)})
    assert f"did you mean '{FRESH_DEAL}'?" in str(caught.value)
    assert f"{SPARES}: a 90 % interval needs 0 < lo < hi" in str(caught.value)


def test_grades_are_replaced(parent: ModelSpec) -> None:
    """Medians of the grades are replaced as if the file said so; those out of order are refused."""
    new = dict(zip(("weak", "moderate", "strong", "decisive"), (1.5, 3, 6, 12), strict=True))
    found = with_grades(parent, (1.5, 3, 6, 12))
    assert found.priors.grades.medians == (1.5, 3, 6, 12)
    assert found == parse_spec(changed(lambda raw: raw["priors"]["grades"].update(new), whole=True), where="m.toml")
    for wrong in ((1, 3, 6, 12), (2, 2, 6, 12), (2, 4, 10, float("inf"))):
        with pytest.raises(InputError, match="increase strictly from above 1"):
            with_grades(parent, wrong)


# The rivals that ship.

EFFECTS = "stages.relations.effects."
TABLE = {  # base-rates.md, section 5, effect of secured victory
    ("truce", "confrontation"): (0.5, 3.0),
    ("truce", "cooperation"): (0.5, 2.5),
    ("confrontation", "truce"): (0.4, 2.0),
    ("confrontation", "cooperation"): (0.5, 3.0),
    ("cooperation", "confrontation"): (0.5, 2.5),
    ("cooperation", "truce"): (0.5, 2.0),
}
VICTORY = {"peace": ("fresh_deal", "settled_deal"), "victory": ("secured",)}


def shipped(name: str) -> ModelSpec:
    """Read a model that ships."""
    return load_spec(MODELS / f"{name}.toml")


def test_two_rivals_ship() -> None:
    """The reference model has these rivals, which extend it and share its evidence."""
    assert SHIPPED == ["baku_hedges", "base_rate_sceptic"]
    for name in SHIPPED:
        assert shipped(name).extends == "russia_azerbaijan"
        assert shipped(name).model.dataset == "russia_azerbaijan"


@pytest.mark.parametrize("name", SHIPPED)
def test_rival_changes_only_effects_on_relations(parent: ModelSpec, name: str) -> None:
    """Everything but the effects on relations is the parent's, so that nothing but the argument is compared."""
    found = shipped(name)
    relations = found.stages["relations"].model_copy(update={"effects": parent.stages["relations"].effects})
    stages = {**found.stages, "relations": relations}
    same = found.model_copy(update={"extends": None, "model": parent.model, "stages": stages})
    assert same == parent
    assert found.hash != parent.hash


@pytest.mark.parametrize("name", SHIPPED)
def test_every_changed_entry_has_its_own_basis(parent: ModelSpec, name: str) -> None:
    """Every entry in the rival's file differs from the parent's and has a basis that the parent does not give."""
    raw = tomllib.loads((MODELS / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(raw) <= {"format", "extends", "drop", "model", "stages"}
    effects = raw["stages"]["relations"]["effects"]
    before, after = parent.stages["relations"].effects, shipped(name).stages["relations"].effects
    assert set(effects) == {key for key in after if after[key] != before.get(key)}
    for key in effects.keys() & before.keys():
        assert after[key].times != before[key].times
        assert not set(after[key].basis) & set(before[key].basis)


@pytest.mark.parametrize("name", SHIPPED)
def test_quotes_of_rivals_are_short(name: str) -> None:
    """Every quote of a rival has at most 25 words."""
    quotes = [basis.quote for _, basis in bases(shipped(name)) if basis.quote]
    assert len(quotes) > 100
    assert max(len(quote.split()) for quote in quotes) <= 25


def test_sceptic_has_the_table_of_the_base_rates(parent: ModelSpec) -> None:
    """The sceptic's effects of a victory are the base rates' rows, and those of a setback even; the rest is kept.

    The reference has one of those rows itself, wider, as the history behind it is counted apart.
    """
    found = assumptions(shipped("base_rate_sceptic"))
    effects = parent.stages["relations"].effects
    victory = {EFFECTS + key: TABLE[row.from_, row.to] for key, row in effects.items() if row.when == VICTORY}
    setback = {EFFECTS + key: (0.5, 2.0) for key, row in effects.items() if row.when == {"peace": ("stalled",)}}
    assert (len(victory), len(setback)) == (6, 3)
    strains = EFFECTS + "victory_strains_cooperation"
    (low, high), (narrow_low, narrow_high) = found[strains], victory.pop(strains)
    assert low < narrow_low < narrow_high < high
    assert found == assumptions(parent) | victory | setback
    assert all(low < 1 < high for key, (low, high) in found.items() if key.startswith(EFFECTS))


def test_rivals_argue_differently(parent: ModelSpec) -> None:
    """After a victory the reference raises both ways out of the truce, the hedge one alone, the sceptic neither."""

    def factor(spec: ModelSpec, to: str) -> float:
        """Median multiplier on leaving the truce while a victory stands."""
        holds = {"peace": "settled_deal", "victory": "secured"}
        rows = [row for row in spec.stages["relations"].effects.values() if (row.from_, row.to) == ("truce", to)]
        active = [row for row in rows if all(holds.get(stage) in states for stage, states in row.when.items())]
        assert active
        return float(np.exp(sum(log_normal(row.times)[0] for row in active)))

    hedge, sceptic = shipped("baku_hedges"), shipped("base_rate_sceptic")
    assert min(factor(parent, to) for to in ("confrontation", "cooperation")) > 2
    assert factor(hedge, "cooperation") > 2
    assert factor(hedge, "confrontation") < 0.8
    assert all(0.9 < factor(sceptic, to) < 1.3 for to in ("confrontation", "cooperation"))


# Which model is meant.


def project_with(folder: Path, **files: str) -> Path:
    """Lay out the reference model with its rivals and some other files."""
    (folder / "models").mkdir()
    for path in MODELS.glob("*.toml"):
        (folder / "models" / path.name).write_bytes(path.read_bytes())
    for name, text in files.items():
        (folder / "models" / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def meant(folder: Path) -> str:
    """Name of the model that a project means without a name."""
    return Project(folder, lambda: pytest.fail("nobody needs the time")).model().spec.name


@pytest.mark.parametrize(
    "broken",
    ['extends = "russia_azerbaijan"\n[model\n', "extends = russia_azerbaijan\n", "=", 'extends = "x"\nstages = 3\n'],
)
def test_rivals_leave_the_choice_clear(tmp_path: Path, broken: str) -> None:
    """Without a name the model that extends no other is meant, whatever is wrong with a rival."""
    assert meant(project_with(tmp_path, another=broken)) == "russia_azerbaijan"


def test_single_model_is_meant_whatever_it_extends(tmp_path: Path) -> None:
    """The only file is meant, so its own fault is told."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.toml").write_text('extends = "gone"\n')
    with pytest.raises(ModelFileError, match="there is no model 'gone'"):
        meant(tmp_path)


def test_unreadable_parent_is_meant_beside_its_rivals(tmp_path: Path) -> None:
    """If all others extend, the file that cannot be read is the one that is meant, and its fault is told."""
    with pytest.raises(ModelFileError, match="not valid TOML"):
        meant(project_with(tmp_path, russia_azerbaijan="format = \n"))


def test_two_independent_models_are_a_question(tmp_path: Path) -> None:
    """Several models that extend no other need a name, and the message lists what there is."""
    text = REFERENCE.read_text(encoding="utf-8").replace('name = "russia_azerbaijan"', 'name = "second"', 1)
    with pytest.raises(
        InputError, match=r"which model\? there are .*second; name one with --model, or for good in forecast"
    ):
        meant(project_with(tmp_path, second=text))
