"""Commands about model files: a new project of one's own, and checking a file wherever it lies."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from places import MODELS
from projects import PROGRAM, call, environment
from small_models import LEAST

import forecast
from forecast.cli.models import _stages

if TYPE_CHECKING:
    from pathlib import Path

WAVE = ("init", "Winter wave", "--blank", "--stage", "out break=local,Wide spread", "--stage", "wards=calm,full")


def test_a_new_theory_is_laid_out_and_good(tmp_path: Path) -> None:
    """The model is called as the folder is; blanks and capitals of names are mended; the check finds no fault."""
    done = call(*WAVE, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "next: cd 'Winter wave' && forecast check"
    root = tmp_path / "Winter wave"
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()) == [
        "forecast.toml",
        "models/model.schema.json",
        "models/winter_wave.toml",
    ]
    checked = call("check", cwd=root)
    assert checked.code == 0, checked.err
    assert "2 stages, 4 transitions, 1 effect, 4 indicators, 1 outcome\n" in checked.out
    assert "12 entries give no reason (`basis`), such as stages.out_break\n" in checked.out
    spec = forecast.open(root).model().spec
    assert spec.stages["out_break"].states == ("local", "wide_spread")


def test_a_lone_indicator_of_a_stage_is_told(tmp_path: Path) -> None:
    """Being told, it has nothing to be compared with; of more than one nothing is said."""
    call(*WAVE, cwd=tmp_path)
    root = tmp_path / "Winter wave"
    path = root / "models" / "winter_wave.toml"
    assert "has one indicator" not in call("check", cwd=root).out
    name = next(key for key, row in forecast.open(root).model().spec.indicators.items() if row.stage == "wards")
    text = path.read_text(encoding="utf-8")
    head = f"[indicators.{name}]"
    start = text.index(head)
    end = text.index("\n[", start + 1)
    path.write_text(text[:start] + text[end + 1 :], encoding="utf-8")
    assert "wards has one indicator: a row of it that is told has no other" in " ".join(
        call("check", cwd=root).out.split()
    )


def test_the_schema_lies_where_the_first_line_points(tmp_path: Path) -> None:
    """Both kinds of projects hold the schema that their model files name, as it comes with the package."""
    assert call("init", "own", "--blank", "--stage", "a=b,c", cwd=tmp_path).code == 0
    assert call("init", "reference", cwd=tmp_path).code == 0
    for path in [*tmp_path.glob("*/models/*.toml")]:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        schema = path.parent / first.removeprefix("#:schema ")
        assert schema.read_bytes() == (MODELS / "model.schema.json").read_bytes()


def test_an_outcome_that_was_frozen_in_the_future_is_a_fault(tmp_path: Path) -> None:
    """Its forecasts would never count as skill; the fault has its line and its remedy, and doctor names it too."""
    assert call(*WAVE, cwd=tmp_path).code == 0
    root = tmp_path / "Winter wave"
    path = root / "models" / "winter_wave.toml"
    text = re.sub(r"(?m)^frozen = .*$", "frozen = 2999-01-01", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    line = text[: text.index("frozen = 2999")].count("\n") + 1
    done = call("check", cwd=root)
    assert done.code == 2
    assert re.search(rf"winter_wave\.toml:{line}: outcomes\.\w+\.frozen: 2999-01-01 is in the future; give", done.err)
    assert "is in the future" in call("doctor", cwd=root).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "x", "--blank"), "forecast: --blank needs stages: give --stage STAGE=STATE,STATE for each"),
        (("init", "x", "--stage", "a=b,c"), "forecast: --stage is for a new model; give --blank too"),
        (("init", "x", "--blank", "--stage", "a"), "stage 'a': has no states"),
        (("init", "x", "--blank", "--stage", "=b,c"), "a stage: '' is not a name"),
        (("init", "x", "--blank", "--stage", "a=b,c", "--stage", "a=d,e"), "stage 'a' is given twice"),
        (("init", "3", "--blank", "--stage", "a=b,c"), "the model: '3' is not a name"),
    ],
)
def test_a_new_theory_that_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """What is missing or no name is said, and nothing is written."""
    done = call(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_names_nothing_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was typed as for --stage is refused when it is given, and the other answers are kept."""
    stdin = io.StringIO("chip supply=ok,short\nchip supply, prices\nok\nok, short\nlow, high\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert _stages(None) == {"chip_supply": ["ok", "short"], "prices": ["low", "high"]}
    shown = capsys.readouterr()
    assert "'chip_supply=ok' is not a name" in shown.out + shown.err
    assert "has 1 state; give two or more" in shown.out + shown.err


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A second new theory in the same folder is refused, and the first is as it was."""
    assert call(*WAVE, cwd=tmp_path).code == 0
    path = tmp_path / "Winter wave" / "models" / "winter_wave.toml"
    path.write_text("mine", encoding="utf-8")
    done = call(*WAVE, cwd=tmp_path)
    assert done.code == 2
    assert "is there already" in done.err
    assert path.read_text(encoding="utf-8") == "mine"


def test_on_a_terminal_stages_are_asked_for(tmp_path: Path) -> None:
    """Without --stage it asks for the stages, then for the states of each."""
    ours, theirs = pty.openpty()
    os.write(ours, b"outbreak, hospital wards\nlocal, spreading\ncalm, full\n")
    done = subprocess.run(
        [*PROGRAM, "init", "wave", "--blank"], cwd=tmp_path, stdin=theirs, env=environment(), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    for end in (ours, theirs):
        os.close(end)
    assert done.returncode == 0, done.stderr
    assert "States of hospital wards" in done.stdout
    stages = forecast.open(tmp_path / "wave").model().spec.stages
    assert {name: stage.states for name, stage in stages.items()} == {
        "outbreak": ("local", "spreading"),
        "hospital_wards": ("calm", "full"),
    }


def test_check_takes_a_path_anywhere(tmp_path: Path) -> None:
    """A file outside a project, alone in its folder, is checked, also from another folder."""
    path = tmp_path / "elsewhere" / "wave.toml"
    path.parent.mkdir()
    path.write_text(LEAST, encoding="utf-8")
    for given, cwd in (("wave.toml", path.parent), (str(path), tmp_path), ("elsewhere/wave.toml", tmp_path)):
        done = call("check", given, "--json", cwd=cwd)
        assert done.code == 0, done.err
        (row,) = json.loads(done.out)
        assert row["model"] == "wave"


def test_check_takes_the_name_of_a_model(tmp_path: Path) -> None:
    """A name is that of a model of the project; one that is none gets the nearest."""
    assert call(*WAVE, cwd=tmp_path).code == 0
    root = tmp_path / "Winter wave"
    assert call("check", "winter_wave", cwd=root).code == 0
    assert call("check", "winter_wave", "-C", str(root), cwd=tmp_path).code == 0
    done = call("check", "winter_wafe", cwd=root)
    assert done.code == 2
    assert "there is no model 'winter_wafe'; did you mean 'winter_wave'?" in done.err


def test_faults_of_a_file_have_lines(tmp_path: Path) -> None:
    """Each fault is a line that begins with file and line, as editors and terminals make links of it."""
    path = tmp_path / "wave.toml"
    path.write_text(LEAST.replace('points_to = ["full"]', 'points_to = ["ful"]'), encoding="utf-8")
    done = call("check", "wave.toml", cwd=tmp_path)
    assert done.code == 2
    line = 1 + LEAST[: LEAST.index('points_to = ["full"]')].count("\n")
    first, fault = done.err.splitlines()
    assert first == "forecast: wave.toml: 1 fault"
    assert fault.startswith(f"  wave.toml:{line}: indicators.patients_sent_on.points_to: there is no state of stage")
