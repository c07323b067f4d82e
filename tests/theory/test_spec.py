"""A model file is read whole, or refused with every fault at once; its hash is that of its numbers."""

from __future__ import annotations

import copy
import datetime as dt
import math
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelfiles import FINDING, REFERENCE, VALUES, Place, at, changed, leaves, put, to_toml
from places import MODEL
from small_models import TINY

from forecast.base.errors import InputError, ModelFileError
from forecast.theory.modelfile import load_spec, parse_spec
from forecast.theory.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def faults(text: str) -> tuple[str, ...]:
    """Parse a text that must be refused; its faults."""
    with pytest.raises(ModelFileError) as caught:
        parse_spec(text, where="m.toml")
    assert str(caught.value).startswith("m.toml: ")
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def test_writer_of_this_test_is_faithful() -> None:
    """The reference model written by this file's writer reads as the same model."""
    assert tomllib.loads(to_toml(REFERENCE)) == REFERENCE
    assert parse_spec(to_toml(REFERENCE), where="m.toml") == load_spec(MODEL)


# One fault, one line: the dotted key, what was found, what is allowed.

EFFECT = ("stages", "relations", "effects", "setback_spares_truce")
PEACE = ("stages", "peace")


@pytest.mark.parametrize(
    ("place", "value", "key", "said"),
    [
        (("indicators", "cyberattack", "piont_to"), ["truce"], "indicators.cyberattack.piont_to", "'points_to'"),
        (("model", "horizon_weeks"), [4], "model.horizon_weeks", "did you mean 'horizons_weeks'"),
        (("indicater",), {}, "indicater", "did you mean 'indicators'"),
        ((*PEACE, "transitions", 0, "per_yeer"), [1, 2], "stages.peace.transitions.1st.per_yeer", "'per_year'"),
        (
            ("outcomes", "deal", "resolves", 0, "observabel"),
            "peace",
            "outcomes.deal.resolves.1st.observabel",
            "'observable'",
        ),
        (
            ("indicators", "cyberattack", "points_to"),
            ["confrontatoin"],
            "indicators.cyberattack.points_to",
            "'confrontation'",
        ),
        (("indicators", "cyberattack", "stage"), "relation", "indicators.cyberattack.stage", "'relations'"),
        (("indicators", "cyberattack", "class"), "secruity", "indicators.cyberattack.class", "'security'"),
        (("indicators", "cyberattack", "grade"), "big", "indicators.cyberattack.grade", "'decisive'"),
        ((*PEACE, "transitions", 0, "to"), "advancin", "stages.peace.transitions.1st", "'advancing'"),
        ((*PEACE, "start"), {"stalled": 1, "advanced": 2}, "stages.peace.start", "'advancing'"),
        ((*PEACE, "observable"), ["fresh_dael"], "stages.peace.observable", "'fresh_deal'"),
        (("outcomes", "deal", "states"), {"peace": ["a_deal"]}, "outcomes.deal.states.peace", "'a_deal'"),
        (("outcomes", "deal", "states"), {"paece": ["fresh_deal"]}, "outcomes.deal.states", "'peace'"),
        (("conditionals", 0, "given"), "strategic_victry", "conditionals.1st.given", "'strategic_victory'"),
        ((*EFFECT, "when"), {"peece": ["stalled"]}, ".".join(EFFECT), "'peace'"),
        ((*EFFECT, "to"), "truce", ".".join(EFFECT), "has no transition from 'truce' to 'truce'"),
        (("indicators", "cyberattack", "basis", 0, "source"), "artcle", "indicators.cyberattack.basis", "'article'"),
        (
            ("outcomes", "truce", "resolves", 0, "of"),
            ["presidents_meetings"],
            "outcomes.truce.resolves.1st.of",
            "'presidents_meeting'",
        ),
    ],
)
def test_misspelt_name_gets_its_key_and_the_nearest(place: Place, value: object, key: str, said: str) -> None:
    """A misspelt key or name is a fault with its dotted key and the nearest name that is allowed."""
    found = [fault for fault in faults(changed(put(place, value), whole=True)) if fault.startswith(key)]
    assert any(said in fault for fault in found), found


def _unreachable(raw: dict[str, Any]) -> None:
    moves = raw["stages"]["peace"]["transitions"]
    raw["stages"]["peace"]["transitions"] = [move for move in moves if move["to"] != "settled_deal"]


def _points_nowhere(raw: dict[str, Any]) -> None:
    raw["indicators"]["cyberattack"]["points_to"] = ["truce", "confrontation", "cooperation"]


def _cycle(raw: dict[str, Any]) -> None:
    move = raw["stages"]["peace"]["transitions"][0]
    raw["stages"]["peace"]["effects"] = {
        "back": {**move, "when": {"relations": ["truce"]}, "times": [1, 2]},
    }
    del raw["stages"]["peace"]["effects"]["back"]["per_year"]


def _itself(raw: dict[str, Any]) -> None:
    at(raw, EFFECT)["when"] = {"relations": ["truce"]}


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (_unreachable, "stages.peace.states", "'settled_deal' is unreachable"),
        (_points_nowhere, "indicators.cyberattack.points_to", "points nowhere"),
        (put(("indicators", "cyberattack", "points_to"), []), "indicators.cyberattack.points_to", "at least 1"),
        (_cycle, "stages.peace.effects.back.when", "cycle"),
        (_itself, ".".join(EFFECT), "is itself"),
        (put((*EFFECT, "when"), {}), ".".join((*EFFECT, "when")), "at least 1"),
        (lambda raw: at(raw, EFFECT).pop("when"), ".".join((*EFFECT, "when")), "is missing"),
        (put((*PEACE, "transitions", 0, "per_year"), [8, 1.5]), "stages.peace.transitions.1st.per_year", "0 < lo < hi"),
        (put((*PEACE, "transitions", 0, "per_year"), [2, 2]), "stages.peace.transitions.1st.per_year", "0 < lo < hi"),
        (put((*PEACE, "transitions", 0, "per_year"), [0, 2]), "stages.peace.transitions.1st.per_year", "0 < lo < hi"),
        (
            put((*PEACE, "transitions", 0, "per_year"), [1, math.inf]),
            "stages.peace.transitions.1st.per_year",
            "0 < lo < hi",
        ),
        (
            put((*PEACE, "transitions", 0, "per_year"), [math.nan, 1]),
            "stages.peace.transitions.1st.per_year",
            "0 < lo < hi",
        ),
        (put((*EFFECT, "times"), [1.1, 0.45]), ".".join((*EFFECT, "times")), "0 < lo < hi"),
        (put(("priors", "classes", "media", "spread"), [1, 0.3]), "priors.classes.media.spread", "0 < lo < hi"),
        (put(("priors", "grades", "strong"), 3), "priors.grades", "increase strictly"),
        (put(("outcomes", "deal", "states"), {"peace": []}), "outcomes.deal.states.peace", "at least 1"),
        (put(("outcomes", "deal", "states"), {}), "outcomes.deal.states", "at least 1"),
        (put(("outcomes", "deal", "states"), {"victory": ["open", "secured"]}), "outcomes.deal.states", "certain"),
        (put(("outcomes", "deal", "resolves"), [{}]), "outcomes.deal.resolves.1st", "names nothing"),
        (put(("outcomes", "deal", "resolves"), []), "outcomes.deal.resolves", "at least 1"),
        (
            put(("outcomes", "deal", "resolves"), [{"observable": "relations"}]),
            "outcomes.deal.resolves.1st",
            "no observable",
        ),
        (put(("outcomes", "deal", "resolves"), [{"stories": 2}]), "outcomes.deal.resolves.1st", "names nothing"),
        (
            put(("outcomes", "deal", "resolves"), [{"observable": "peace", "no_fewer_than": ["entry_ban"]}]),
            "outcomes.deal.resolves.1st",
            "not both",
        ),
        (
            put(("outcomes", "truce", "resolves", 0, "no_fewer_than"), ["detainees_released"]),
            "outcomes.truce.resolves.1st",
            "a story counts on one side",
        ),
        (
            put(("outcomes", "truce", "resolves", 0, "no_fewer_than"), ["entry_bam"]),
            "outcomes.truce.resolves.1st.no_fewer_than",
            "did you mean 'entry_ban'",
        ),
        (put(("conditionals", 0, "given_no"), "deal"), "conditionals.1st", "exactly one of"),
        (put(("conditionals", 0, "weeks"), 3), "conditionals.1st", "go together"),
        (
            put(("indicators", "cyberattack", "reset_by"), "entry_ban"),
            "indicators.cyberattack.reset_by",
            "repeats = false",
        ),
        (put(("indicators", "cyberattack", "basis"), []), "indicators.cyberattack.basis", "at least 1"),
        (
            put(("indicators", "cyberattack", "basis", 0, "quote"), "word " * 26),
            "indicators.cyberattack.basis.1st.quote",
            "25",
        ),
        (put((*PEACE, "start"), {"fresh_deal": 1}), "stages.peace.start", "observable"),
        (lambda raw: raw["model"].pop("start"), "model.start", "is missing"),
        (put(("model", "start"), "soon"), "model.start", "date"),
        (put(("model", "step_days"), 10), "model.step_days", "use 1 or 7"),
        (put(("model", "reporting_lag_days"), -1), "model.reporting_lag_days", "a number of at least 0"),
        (put(("model", "horizons_weeks"), []), "model.horizons_weeks", "at least 1"),
        (
            put(("indicators", "Big Bang"), REFERENCE["indicators"]["cyberattack"]),
            "indicators.Big Bang",
            "is not a name",
        ),
        (put(("format",), 2), "format", "1"),
    ],
)
def test_fault_of_the_theory_is_found(change: Callable[[dict[str, Any]], object], key: str, said: str) -> None:
    """What cannot be a theory (unreachable, cyclic, certain, empty, out of order) is a fault with its dotted key."""
    found = faults(changed(change))
    assert any(fault.startswith(key) and said in fault for fault in found), found


def test_all_faults_at_once() -> None:
    """Faults of parsing and faults across entries are told together, each once, and nothing else is blamed."""

    def change(raw: dict[str, Any]) -> None:
        raw["stages"]["peace"]["transitions"][0]["per_year"] = [8, 1.5]
        raw["indicators"]["cyberattack"]["points_to"] = ["confrontatoin"]
        raw["outcomes"]["truce"]["resolves"] = [{}]
        raw["model"]["horizon_weeks"] = [4]
        raw["conditionals"][0]["outcome"] = "peace"
        raw["indicators"]["entry_ban"]["grade"] = "big"

    found = faults(changed(change))
    keys = sorted(fault.partition(":")[0] for fault in found)
    assert keys == [
        "conditionals.1st.outcome",
        "indicators.cyberattack.points_to",
        "indicators.entry_ban.grade",
        "model.horizon_weeks",
        "outcomes.truce.resolves.1st",
        "stages.peace.transitions.1st.per_year",
    ]


def test_message_counts_its_faults() -> None:
    """The message begins with the file and the number of faults, one line each."""

    def change(raw: dict[str, Any]) -> None:
        raw["indicators"]["cyberattack"]["grade"] = "big"
        raw["indicators"]["entry_ban"]["class"] = "none"

    with pytest.raises(ModelFileError) as caught:
        parse_spec(changed(change), where="models/m.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "models/m.toml: 2 faults"
    assert len(lines) == 3
    assert isinstance(caught.value, InputError)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("place", "value"),
    [(("model", "step_days"), -7), (("priors", "departure", "scale"), 0), (("priors", "grades", "weak"), 1)],
)
def test_fault_of_the_header_hides_no_other(place: Place, value: object) -> None:
    """A fault in [model] or [priors], which no model can do without, is told together with faults across entries."""

    def change(raw: dict[str, Any]) -> None:
        put(place, value)(raw)
        raw["indicators"]["entry_ban"]["class"] = "none"

    found = sorted(fault.partition(":")[0] for fault in faults(changed(change)))
    assert found == ["indicators.entry_ban.class", ".".join(map(str, place))]


@pytest.mark.parametrize(("table", "key"), [((*PEACE, "transitions"), "per_year"), (("outcomes",), "title")])
def test_a_table_of_which_every_entry_is_faulty_is_not_called_empty(table: Place, key: str) -> None:
    """Each entry's own fault is said, and nothing that only follows from setting them aside."""
    raw = copy.deepcopy(REFERENCE)
    entries = at(raw, table)
    for entry in entries.values() if isinstance(entries, dict) else entries:
        entry[key] = 3
    found = faults(to_toml(raw))
    assert len(found) == len(entries)
    assert all(fault.partition(":")[0].endswith(f".{key}") for fault in found)


def test_two_faults_in_what_is_replaced() -> None:
    """Of several faults in one basis of [priors.grades], which no model can do without, each is told."""
    found = faults(changed(put(("priors", "grades", "basis", 0), {"knd": "article", "note": 3})))
    assert [fault.partition(":")[0] for fault in found] == [
        "priors.grades.basis.1st.note",
        "priors.grades.basis.1st.knd",
    ]


# The file itself.


def test_file_that_is_not_toml(tmp_path: Path) -> None:
    """Text that is not TOML is a fault with the place."""
    path = tmp_path / "m.toml"
    path.write_text("format = 1\n[model\n", encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"m.toml:2: is not valid TOML") as caught:
        load_spec(path)
    assert str(path) in str(caught.value)
    assert "there it reads '[model'" in str(caught.value)


@pytest.mark.parametrize("text", ["", "# to be written\n"])
def test_file_that_is_empty(tmp_path: Path, text: str) -> None:
    """A file without a key is said to be empty, once."""
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError) as caught:
        load_spec(path)
    assert [fault.partition(";")[0] for fault in caught.value.faults] == ["is empty"]


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is a fault that says how to mend it."""
    path = tmp_path / "m.toml"
    path.write_bytes("# Türkiye".encode("utf-16"))
    with pytest.raises(ModelFileError, match="save it as UTF-8") as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_file_that_cannot_be_read(tmp_path: Path, what: str) -> None:
    """A missing file, or a folder in its place, is a fault with the path."""
    path = tmp_path / "m.toml"
    if what == "folder":
        path.mkdir()
    with pytest.raises(ModelFileError, match="cannot be read") as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


def test_file_is_called_as_its_model(tmp_path: Path) -> None:
    """A file with another name than its model's is a fault."""
    path = tmp_path / "other.toml"
    path.write_bytes(MODEL.read_bytes())
    with pytest.raises(ModelFileError, match=r"model\.name: is 'russia_azerbaijan', but the file is called 'other'"):
        load_spec(path)


@pytest.mark.parametrize("text", ["format = 1", "model = 3", "x = 1979-05-27T07:32:00Z"])
def test_almost_nothing(text: str) -> None:
    """A file with next to nothing in it is refused with what is missing."""
    assert any("is missing" in fault for fault in faults(text))


# The hash.


WORDS = {"basis", "label", "signs", "describe", "note", "quote", "title", "description", "resolution"}


def _is_number_of_the_draws(place: Place, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or WORDS & set(place):
        return False
    return place[0] in {"stages", "indicators", "priors"} or place[-1] in {"step_days", "reporting_lag_days"}


NUMBERS = [place for place, value in leaves(REFERENCE) if _is_number_of_the_draws(place, value)]
PHRASES = [
    place for place, value in leaves(REFERENCE) if isinstance(value, str) and place[-1] in WORDS - {"basis", "signs"}
]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    """Read the reference model."""
    return load_spec(MODEL)


def test_hash_changes_with_every_number(spec: ModelSpec) -> None:
    """Each number on which the draws depend, changed a little, gives another hash; all of them different."""
    assert len(NUMBERS) > 90
    hashes = {spec.hash}
    for place in NUMBERS:
        old = at(REFERENCE, place)
        new = {"step_days": 1, "reporting_lag_days": old + 1}.get(str(place[-1]), old * 1.001)
        raw = copy.deepcopy(REFERENCE)
        put(place, new)(raw)
        hashes.add(ModelSpec.model_validate(raw).hash)
    assert len(hashes) == len(NUMBERS) + 1


def test_a_file_without_a_scale_of_grades_is_as_it_was() -> None:
    """The key is optional, changes the hash, and leaves no trace in that of a file without it."""
    assert parse_spec(TINY, where="m").priors.diagnosticity is None
    assert parse_spec(TINY, where="m").hash == "257f04b22f8b"
    scaled = TINY + '[priors.diagnosticity]\ntimes = [0.5, 2]\nbasis = [{ kind = "judgement", note = "a guess" }]\n'
    assert parse_spec(scaled, where="m").hash != "257f04b22f8b"


WORDING = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)


@settings(max_examples=8, deadline=None, derandomize=True, phases=FINDING)
@given(place=st.sampled_from(PHRASES), text=WORDING)
def test_hash_ignores_words(spec: ModelSpec, place: Place, text: str) -> None:
    """Any wording may change without another hash, so that mending a citation keeps every fit valid."""
    assert parse_spec(changed(put(place, text), whole=True), where="m").hash == spec.hash


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, phases=FINDING)
@given(place=st.sampled_from(PHRASES), text=WORDING)
def test_hash_ignores_many_words(spec: ModelSpec, place: Place, text: str) -> None:
    """The same of many more words."""
    assert parse_spec(changed(put(place, text), whole=True), where="m").hash == spec.hash


def _reverse(place: Place) -> Callable[[dict[str, Any]], None]:
    return lambda raw: put(place, dict(reversed(at(raw, place).items())))(raw)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda raw: raw["conditionals"].pop(), "same"),
        (put(("model", "horizons_weeks"), [4, 8]), "same"),
        (put(("outcomes", "truce", "states"), {"relations": ["truce", "cooperation"]}), "same"),
        (put(("model", "start"), dt.date(2024, 12, 11)), "other"),
        (lambda raw: raw["indicators"].pop("us_presses_kyiv"), "other"),
        (put(("indicators", "cyberattack", "grade"), "strong"), "other"),
        (put(("indicators", "cyberattack", "class"), "media"), "other"),
        (put(("indicators", "cyberattack", "points_to"), ["cooperation"]), "other"),
        (put(("indicators", "cyberattack", "repeats"), value=False), "other"),
        (lambda raw: at(raw, EFFECT[:-1]).pop(EFFECT[-1]), "other"),
        (put((*EFFECT, "when"), {"peace": ["advancing"]}), "other"),
        (put((*PEACE, "observable"), ["settled_deal"]), "other"),
        (_reverse(("indicators",)), "other"),
    ],
)
def test_hash_is_that_of_what_determines_the_draws(
    spec: ModelSpec, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    """Structure and clock enter the hash; what is only read off the draws (outcomes, horizons) does not."""
    assert (parse_spec(changed(change, whole=True), where="m").hash == spec.hash) is (what == "same")


# Garbage.

PLACES = [place for place, _ in leaves(REFERENCE)]
INNER = sorted({place[:k] for place in PLACES for k in range(1, len(place))}, key=repr)


GARBAGE = st.lists(
    st.tuples(
        st.sampled_from(PLACES) | st.sampled_from(INNER),
        st.sampled_from(["put", "drop", "rename", "again"]),
        VALUES,
    ),
    min_size=1,
    max_size=4,
)
HOW = {"deadline": None, "derandomize": True, "phases": FINDING, "suppress_health_check": [HealthCheck.too_slow]}


def refused_or_read(changes: list[tuple[Place, str, Any]]) -> None:
    """Hold what is read of a garbled model file against the two things that may become of it."""
    raw = copy.deepcopy(REFERENCE)
    for place, what, value in changes:
        try:
            parent = at(raw, place[:-1])
            parent[place[-1]]  # is it still there?
        except (KeyError, IndexError, TypeError):
            continue
        if what == "drop":
            del parent[place[-1]]
        elif what == "rename" and isinstance(parent, dict):
            parent[str(value)[:20]] = parent.pop(place[-1])
        elif what == "again" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[int(place[-1])]))
        else:
            parent[place[-1]] = value
    try:
        spec = parse_spec(to_toml(raw), where="m.toml")
    except ModelFileError as error:
        assert error.faults  # noqa: PT017 - either is right
    else:
        assert len(spec.hash) == 12


@settings(max_examples=10, **HOW)
@given(GARBAGE)
def test_garbage_is_refused_or_read(changes: list[tuple[Place, str, Any]]) -> None:
    """Whatever is put into a model file, it is read or refused with faults: no other error ever escapes."""
    refused_or_read(changes)


@pytest.mark.slow
@settings(max_examples=300, **HOW)
@given(GARBAGE)
def test_much_garbage_is_refused_or_read(changes: list[tuple[Place, str, Any]]) -> None:
    """The same of many more files."""
    refused_or_read(changes)
