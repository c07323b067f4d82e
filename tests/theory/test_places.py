"""A fault of a model file has its file and line; one key set aside for a fault hides no other fault."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from modelfiles import put, to_toml

from forecast.base.errors import ModelFileError
from forecast.theory.modelfile import load_spec, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

PARENT = """\
[model]
start = 2025-01-06

[sources.review]
title = "Review of 40 outbreaks"

[stages.outbreak]
states = ["local", "spreading"]
[[stages.outbreak.transitions]]
from = "local"
to = "spreading"
per_year = [1, 4]
basis = [{ kind = "reference", source = "review", quote = "row 3" }]
[[stages.outbreak.transitions]]
from = "spreading"
to = "local"
per_year = [1, 4]

[indicators.cases_double]
stage = "outbreak"
points_to = ["spreading"]

[outcomes.spread]
states = { outbreak = ["spreading"] }
frozen = 2025-01-06

[[experts]]
name = "clinicians"
[[experts]]
name = "modellers"
"""
MOVE = "{ from = 'spreading', to = 'local', per_year = [4, 1], basis = [{ note = '-' }] }"


def said(folder: Path, **files: str) -> list[str]:
    """Write model files, read the last of them, which must be refused; the lines of the message after the first."""
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError) as caught:
        load_spec(folder / f"{[*files][-1]}.toml")
    assert len(caught.value.places) == len(caught.value.faults)
    return [line.strip().replace(f"{folder}/", "") for line in str(caught.value).splitlines()[1:]]


def place(folder: Path, **files: str) -> list[str]:
    """Give the file, the line and the key of each fault."""
    return [":".join(line.split(":")[:3]) for line in said(folder, **files)]


def test_faults_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Each fault is told with its line, top down; what is missing has the line of its table, or the first."""
    text = """\
# A comment
[stages.outbreak]
states = ["local", "spreading"]
transitions = [
  { from = "local", to = "spreading", per_year = [4, 1] },
  { from = "local" },
]
[indicators.cases_double]
points_to = [
  "spreading",
  "S",
]
"""
    assert said(tmp_path, epidemic=text) == [
        "epidemic.toml:1: model.start: is missing",
        "epidemic.toml:1: outcomes: is missing",
        "epidemic.toml:5: stages.outbreak.transitions.1st.per_year: a 90 % interval needs 0 < lo < hi, got [4, 1]",
        "epidemic.toml:6: stages.outbreak.transitions.2nd.to: is missing",
        "epidemic.toml:6: stages.outbreak.transitions.2nd.per_year: is missing",
        "epidemic.toml:8: indicators.cases_double.stage: is missing",
        "epidemic.toml:11: indicators.cases_double.points_to.2nd: 'S' is not a name; use lower-case letters, digits and _",  # noqa: E501
    ]


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ('drop = ["sources.review"]', "epidemic.toml:13: stages.outbreak.transitions.local>spreading.basis"),
        ('drop = ["sources.revue"]', "mild.toml:2: drop"),
        ("[model]\nhorizon = [4]", "mild.toml:3: model.horizon"),
        ("[stages.outbreak]\nlabel = 3", "mild.toml:3: stages.outbreak.label"),
        (
            f"stages.outbreak.transitions = [\n{MOVE}]",
            "mild.toml:3: stages.outbreak.transitions.spreading>local.per_year",
        ),
        ("[indicators.cases_double]\nsigns = [{}]", "mild.toml:3: indicators.cases_double.signs.1st.what"),
        ("[indicators.cases_halve]\npoints_to = ['local']", "mild.toml:2: indicators.cases_halve.stage"),
        ('[[experts]]\nname = "we"\n[[experts]]\nlabel = "They"', "mild.toml:4: experts.2nd.name"),
        (
            '[[experts]]\nname = "we"\n[[experts]]\nname = "you"\npriors = { "a.b" = [2, 1] }',
            "mild.toml:6: experts.2nd",
        ),
    ],
)
def test_fault_of_a_merged_model_names_the_file_that_holds_the_key(tmp_path: Path, own: str, found: str) -> None:
    """What a file says itself, merged or in place of what it extends, is its own; the rest lies in the other file."""
    (one,) = place(tmp_path, epidemic=PARENT, mild=f'extends = "epidemic"\n{own}\n')
    assert one.startswith(found)


def test_key_is_looked_for_in_every_file_of_a_chain(tmp_path: Path) -> None:
    """A file that extends one that extends another: the fault stands where the key is."""
    own = 'extends = "mild"\ndrop = ["sources.review"]\n'
    assert place(tmp_path, epidemic=PARENT, mild='extends = "epidemic"\n', milder=own) == [
        "epidemic.toml:13: stages.outbreak.transitions.local>spreading.basis"
    ]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (("indicators", "cases_double", "grade"), {"indicators.cases_double.grade"}),
        (("outcomes", "spread", "label"), {"outcomes.spread.label"}),
        (("outcomes", "spread", "frozen"), {"outcomes.spread.frozen"}),
        (("stages", "outbreak", "observable"), {"stages.outbreak.observable"}),
        (("model", "horizons_weeks"), {"model.horizons_weeks"}),
        (("stages", "outbreak", "label"), {"stages.outbreak.label"}),
    ],
)
def test_fault_in_one_key_hides_none_in_another(key: tuple[str, ...], found: set[str]) -> None:
    """An entry with a key of a wrong kind is held against the others: names that lead nowhere are told too, once."""
    raw: dict[str, Any] = {
        "model": {"name": "m", "start": dt.date(2025, 1, 6)},
        "stages": {
            "outbreak": {
                "states": ["local", "spreading"],
                "transitions": [{"from": "local", "to": "spreading", "per_year": [1, 4]}],
            }
        },
        "indicators": {"cases_double": {"stage": "outbreak", "points_to": ["spraeding"]}},
        "outcomes": {"spread": {"states": {"outbreak": ["spreading"]}, "frozen": dt.date(2025, 1, 6)}},
    }
    put(key, 3)(raw)
    with pytest.raises(ModelFileError) as caught:
        parse_spec(to_toml(raw), where="m")
    keys = [fault.partition(":")[0] for fault in caught.value.faults]
    assert sorted(keys) == sorted({*found, "indicators.cases_double.points_to"})
