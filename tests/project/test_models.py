"""Models of a project: which is meant without a name, and a draft that stands in nobody's way."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from places import MODELS, ROOT
from projects import call, fresh, strict_json

from forecast.base.errors import FaultsError, InputError, ModelFileError
from forecast.project.models import Models

if TYPE_CHECKING:
    from pathlib import Path

SUPPLY = """[model]
name = "supply"
title = "Another field"
"""


def project(folder: Path, line: str | None = 'model = "russia_azerbaijan"') -> Path:
    """Lay out the shipped models beside another theory, with a project file that says ``line``."""
    shutil.copytree(MODELS, folder / "models")
    text = (MODELS / "russia_azerbaijan.toml").read_text(encoding="utf-8")
    text = text.replace('name = "russia_azerbaijan"', 'name = "second"', 1)
    (folder / "models" / "second.toml").write_text(text, encoding="utf-8")
    if line is not None:
        (folder / "forecast.toml").write_text(line, encoding="utf-8")
    return folder


def test_the_project_file_names_the_model_that_is_meant(tmp_path: Path) -> None:
    """Of two theories the one that the file names is meant, and without the line there is no telling."""
    assert Models(project(tmp_path / "a")).get().spec.name == "russia_azerbaijan"
    assert Models(project(tmp_path / "b", 'model = "second"')).get().spec.name == "second"
    with pytest.raises(InputError, match=r"which model\? there are .*, second; name one with --model, or for"):
        Models(project(tmp_path / "c", "")).get()
    with pytest.raises(InputError, match=r"which model\?"):
        Models(project(tmp_path / "d", None)).get()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('model = "russia_azerbajan"', "model: there is no model 'russia_azerbajan'; did you mean 'russia_azerbaijan'"),
        ('modle = "second"', "modle: means nothing here; did you mean 'model'"),
        ("model = 3", "model: needs the name of a model"),
        ('model = "second', "cannot be read as TOML"),
    ],
)
def test_faults_of_the_project_file_are_told(tmp_path: Path, line: str, message: str) -> None:
    """A name that is not there, a key that means nothing and text that is no TOML: place, finding and remedy."""
    with pytest.raises(InputError, match=message) as caught:
        Models(project(tmp_path, line)).get()
    assert "forecast.toml" in str(caught.value)


def test_all_faults_of_the_project_file_are_told_at_once(tmp_path: Path) -> None:
    """Two faults are one message."""
    with pytest.raises(FaultsError) as caught:
        Models(project(tmp_path, 'modle = "second"\nmodel = 3\n')).get()
    assert len(caught.value.faults) == 2


def test_the_shipped_project_names_its_model() -> None:
    """The file that `forecast init` writes names a model that it writes as well."""
    assert Models(ROOT).default == "russia_azerbaijan"


def test_another_theory_in_the_folder_stops_no_command(tmp_path: Path) -> None:
    """Commands that name no model go on with the project's own, and printed schedules name theirs."""
    root = fresh(tmp_path)
    project(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "models" / "second.toml", root / "models")
    observed = call("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "s", "--grade", "B2", cwd=root)
    assert observed.code == 0, observed.err
    assert call("log", cwd=root).code == 0
    for scheduler in ("cron", "systemd", "github"):
        assert re.search(r"--model\W+russia_azerbaijan\b", call("schedule", scheduler, cwd=root).out)


def test_a_faulty_draft_blocks_nobody_but_itself(tmp_path: Path) -> None:
    """Rows are recorded beside a draft of the same dataset that cannot be read; the draft itself tells its faults."""
    root = fresh(tmp_path)
    (root / "models" / "draft.toml").write_text(SUPPLY.replace("supply", "draft"), encoding="utf-8")
    done = call("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "s", "--grade", "B2", cwd=root)
    assert (done.code, done.err) == (0, "")
    assert call("export", "rows.csv", cwd=root).code == 0
    assert strict_json(call("resolve", "--json", cwd=root).out)["left"] == []
    refused = call("log", "--model", "draft", cwd=root)
    assert refused.code == 2
    assert "draft.toml" in refused.err


def test_where_no_model_can_be_read_its_faults_are_told(tmp_path: Path) -> None:
    """A dataset without a model that can be read has no vocabulary, and says why."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "supply.toml").write_text(SUPPLY, encoding="utf-8")
    with pytest.raises(ModelFileError):
        Models(tmp_path).vocabulary("supply", dt.date(2026, 1, 8))
