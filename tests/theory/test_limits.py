"""What a model file may hold: every number has a range, and what no machine can hold is refused with the arithmetic."""

from __future__ import annotations

import copy
import datetime as dt
import math
import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from modelfiles import Place, changed, put
from small_models import tiny_spec

from forecast.base.errors import InputError, ModelFileError
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.theory.modelfile import load_spec, parse_spec
from forecast.theory.statespace import StateSpace
from forecast.theory.values import ordered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEACE = ("stages", "peace")
TRUCE = ("outcomes", "truce", "resolves", 0)
NUMBERS = (
    ("model", "horizons_weeks", 0),
    ("model", "reporting_lag_days"),
    (*PEACE, "start", "stalled"),
    (*PEACE, "transitions", 0, "per_year", 1),
    ("stages", "relations", "effects", "setback_spares_truce", "times", 0),
    (*TRUCE, "stories"),
    (*TRUCE, "within_weeks"),
    ("conditionals", 0, "weeks"),
    ("priors", "classes", "media", "per_year", 0),
    ("priors", "classes", "media", "spread", 1),
    ("priors", "grades", "weak"),
    ("priors", "grades", "decisive"),
    ("priors", "grades", "concentration"),
    ("priors", "departure", "scale"),
    ("experts", 0, "weight"),
)
ASKED = re.compile(
    r"needs a number (above|of at least|of at most)|needs a(?: whole)? number|needs two numbers"
    r"|a 90 % interval (needs 0 < lo < hi|lies between)"
)


def faults(text: str) -> tuple[str, ...]:
    """Parse a text that must be refused; its faults."""
    with pytest.raises(ModelFileError) as caught:
        parse_spec(text, where="m.toml")
    return caught.value.faults


WRONG = (math.inf, -math.inf, math.nan, -1, 1e300, 10**400, True, "3", [1], {"a": 1})


PUT = [  # every number with every value that none can have; in a quick run each number with two, each value thrice
    pytest.param(
        place, value, id=f"{'.'.join(map(str, place))}-{value!r}", marks=[pytest.mark.slow] * ((k - j) % 5 > 0)
    )
    for k, place in enumerate(NUMBERS)
    for j, value in enumerate(WRONG)
]


@pytest.mark.parametrize(("place", "value"), PUT)
def test_every_number_has_a_range(place: Place, value: object) -> None:
    """What is no number, infinite, or nothing that such a number can be, is one fault that says what it can be."""

    def change(raw: dict[str, Any]) -> None:
        raw["conditionals"][0] = {"outcome": "deal", "after": "truce", "weeks": 4}
        put(place, value)(raw)

    (fault,) = faults(changed(change))
    interval = {"per_year", "times", "spread"} & set(place)
    parts = place[:-1] if interval else place
    assert fault.startswith(".".join({0: "1st", 1: "2nd"}.get(part, part) for part in parts) + ":")
    assert ASKED.search(fault), fault
    assert len(fault) < 250


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("model", "start"), dt.date(9999, 1, 1), "needs a date between 1900-01-01 and 2199-12-31, got 9999-01-01"),
        (("model", "start"), "0001-01-01", "needs a date between 1900-01-01 and 2199-12-31"),
        (("model", "start"), 0, "needs a date of the calendar, such as 2026-01-08, got 0"),
        (("outcomes", "deal", "frozen"), "2025-02-30", "needs a date of the calendar, such as 2026-01-08"),
        (("model", "horizons_weeks"), [4, 521], "needs a number of at most 520, got 521"),
        (("model", "horizons_weeks"), [4, 13, 4], "names a horizon twice"),
        (("model", "horizons_weeks"), list(range(1, 22)), "needs at most 20 entries"),
        (("indicators", "cyberattack", "repeats"), "yes", "needs true or false, got 'yes'"),
        (("indicators", "cyberattack", "label"), 3, "needs text in quotation marks, got 3"),
        (("indicators", "cyberattack", "points_to"), "truce", "needs a list in square brackets, got 'truce'"),
        (("indicators", "cyberattack"), 3, "needs a table, got 3"),
        (("indicators", "cyberattack", "class"), "c" * 101, "needs at most 100 characters"),
        (("indicators", "cyberattack", "points_to"), [0x10**6000], "needs text in quotation marks, got a number of"),
    ],
)
def test_a_value_of_the_wrong_kind_is_said_in_words_of_the_file(place: Place, value: object, said: str) -> None:
    """A day outside the calendar or a word for a number gets what belongs there, without words of a library."""
    found = faults(changed(put(place, value)) if not _long(value) else _hexadecimal(place, value))
    assert any(fault.startswith(".".join(map(str, place[:2]))) and said in fault for fault in found), found


def _long(value: object) -> bool:
    return isinstance(value, list) and isinstance(value[0], int) and value[0] > 10**4000


def _hexadecimal(place: Place, value: Any) -> str:
    """Write a number that Python itself cannot write in decimal digits."""
    return changed(put(place, ["NUMBER"])).replace('"NUMBER"', hex(value[0]))


# Sizes.


def _more_stages(count: int) -> Callable[[dict[str, Any]], None]:
    def change(raw: dict[str, Any]) -> None:
        basis = [{"kind": "judgement", "note": "x"}]
        moves = [{"from": a, "to": b, "per_year": [1, 2], "basis": basis} for a, b in (("no", "yes"), ("yes", "no"))]
        stage = {"label": "x", "states": ["no", "yes"], "start": {"no": 1}, "basis": basis, "transitions": moves}
        raw["stages"] |= {f"more_{k}": copy.deepcopy(stage) for k in range(count)}

    return change


def test_joint_states_have_a_cap_with_the_arithmetic() -> None:
    """Nine more stages of two states would ask for 54 GiB; that is a fault, four more are none."""
    (fault,) = faults(changed(_more_stages(9)))
    assert fault == (
        f"stages: 6 × 2 × 4{9 * ' × 2'} = 24,576 joint states, at most 1,024; one table of 12 × 24,576² × 8 bytes "
        "alone takes 54.0 GiB; leave stages or states out"
    )
    assert parse_spec(changed(_more_stages(4)), where="m.toml")
    assert "= some 10^302 joint states" in faults(changed(_more_stages(998)))[0]


def test_cells_ahead_have_a_cap_with_the_arithmetic() -> None:
    """Joint states × steps to the farthest horizon are counted when the file is read."""

    def far(raw: dict[str, Any]) -> None:
        _more_stages(4)(raw)
        raw["model"] |= {"horizons_weeks": [4, 260], "step_days": 1}

    (fault,) = faults(changed(far))
    assert fault == (
        "model.horizons_weeks: 768 joint states × 1,820 steps (260 weeks ahead) = 1,397,760 cells, at most 100,000; "
        "take fewer states, longer steps or a shorter time"
    )


def test_cells_behind_have_a_cap_with_the_arithmetic() -> None:
    """Steps from the model's start to the date of a forecast, or to a supposed day, are counted with the evidence."""
    header = tiny_spec().model
    spec = tiny_spec().model_copy(update={"model": header.model_copy(update={"start": dt.date(1900, 1, 1)})})
    space = StateSpace(spec)
    assert step_days(space, dt.date(2026, 1, 8)).sum() > 46_000
    with pytest.raises(
        InputError, match=r"joint states × [\d,]+ steps \(from 1900-01-01 to 9999-12-31\) = [\d,]+ cells"
    ):
        step_days(space, dt.date(9999, 12, 31))
    with pytest.raises(InputError, match="cells, at most 100,000"):
        compile_evidence(space, (), dt.date(2026, 1, 8), until=dt.date(9999, 12, 31))


def test_rates_have_a_cap_with_the_arithmetic() -> None:
    """Transitions × states of the stages before, and indicators × states of their stage, are counted too."""

    def moves(raw: dict[str, Any]) -> None:
        states = [f"s{k}" for k in range(42)]
        rates = [
            {**raw["stages"]["peace"]["transitions"][0], "from": a, "to": b} for a in states for b in states if a != b
        ]
        raw["stages"]["relations"] |= {"states": states, "start": {"s0": 1}, "transitions": rates, "effects": {}}
        for key in ("describe", "phases"):
            raw["stages"]["relations"].pop(key)

    def indicators(raw: dict[str, Any]) -> None:
        row = {**raw["indicators"]["cyberattack"], "label": "x", "signs": [{"what": "x"}]}
        row["basis"] = [{"kind": "judgement", "note": "x"}]
        raw["indicators"] |= {f"i{k}": row for k in range(1100)}

    said = r"stages: transitions × states of the stages before: \d+ \+ \d+ \+ 20,664 = [\d,]+ rates, at most 5,000"
    assert any(re.match(said, fault) for fault in faults(changed(moves, whole=True)))
    (fault,) = faults(changed(indicators, whole=True))
    assert re.match(
        r"indicators: 1,2\d\d of them, and channels, have 5,[\d,]+ rates, one in each state of their stage", fault
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"format = {'9' * 5000}", "holds a number with more digits than any quantity has; write it shorter"),
        (f"format = 1\nx = {3000 * '['}{3000 * ']'}", "more than 16 deep; write"),
        (f"x = {3000 * '{a = '}1{3000 * '}'}", "more than 16 deep; write"),
        (f"{'a.' * 100_000}a = 1", "more than 16 deep; write"),
        (f"[{'a.' * 12}a]\n{'b.' * 12}b = [[1]]", "more than 16 deep (a.a."),
        (f"format = 0x{'f' * 100_000}", "format: needs a whole number, got a number of 120,412 digits"),
        ("x = 1\n" * 200_000, "is longer than 1,000,000 bytes"),
        ("\n".join(f"key_{k} = 1" for k in range(30_000)), "the file: more than 1,000 faults"),
    ],
    ids=["digits", "lists", "tables", "dots", "header", "hexadecimal", "bytes", "faults"],
)
def test_what_would_take_a_machine_down_is_refused_at_once(text: str, said: str) -> None:
    """Thousands of digits, levels, keys or bytes are said without time or memory."""
    began = time.process_time()
    found = faults(text)
    assert any(said in fault for fault in found), found[:3]
    assert time.process_time() - began < 5


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """A file of a gigabyte is refused by its first bytes."""
    path = tmp_path / "m.toml"
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ModelFileError, match="is longer than 1,000,000 bytes; is it the right file"):
        load_spec(path)


def test_words_may_look_deep() -> None:
    """Brackets and dots in texts and comments are no tables."""
    deep = "[[[[" * 10 + "a." * 30 + "'\""
    text = changed(put(("model", "description"), deep))
    assert parse_spec(f"# {deep} ''' \"\"\"\n{text}", where="m.toml").model.description == deep


def test_a_number_of_numpy_is_a_number() -> None:
    """Intervals that a program gives may be NumPy's floats."""
    assert ordered((np.float64(0.5), 2)) == (0.5, 2.0)
