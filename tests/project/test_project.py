"""The project folder: what is issued, what is written, and what survives."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import year
from projects import HASTY, MODEL, REPORT, archived, call, copied, fresh, issued_copy, issued_once

import forecast
from forecast.base.errors import FaultsError, InputError, ModelFileError
from forecast.evidence.compilation import compile_evidence
from forecast.inference.settings import Settings
from forecast.project.starter import init
from forecast.quantities.forecast import Forecast

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from forecast.project.project import Issue

NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
AS_OF = dt.date(2026, 1, 8)
SHORT = Settings(draws=200, tune=200, chains=2)
OBSERVE = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Press service", "--grade", "A1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy of a project with one forecast."""
    return issued_copy(tmp_path)


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """Give the archived content of the one forecast."""
    (issued,) = archived(issued_once()[0])
    return json.loads(issued.content)


def run(root: Path) -> Issue:
    """Do the main job as the issued project's run did it; no fit is needed where the evidence is the same."""
    project = forecast.open(root)
    return project.run(project.model(), AS_OF, SHORT, now=NOW, accept_bad=True)


def written(root: Path) -> dict[str, bytes]:
    """Give the files in the report's folder."""
    return {path.name: path.read_bytes() for path in (root / REPORT).iterdir()}


def issued_fit(root: Path) -> Path:
    """Give the file of the fit that the last forecast rests on."""
    return next(root.glob(f"data/*/fits/{archived(root)[-1].fit}.nc"))


# Issuing.


def test_the_archive_holds_what_the_file_shows(root: Path, content: dict[str, Any]) -> None:
    """The archived content is that of forecast.json, in the same order, and `latest` gives it."""
    shown = (root / REPORT / "forecast.json").read_text(encoding="utf-8")
    assert json.dumps(json.loads(shown)) == json.dumps(content)
    assert json.dumps(forecast.open(root).track_record.latest("russia_azerbaijan")) == json.dumps(content)
    (issued,) = archived(root)
    assert (issued.evidence_hash, issued.model_hash) == (content["evidence"]["hash"], content["model"]["hash"])
    assert (issued.fit, issued.watermark) == (content["fit"]["id"], content["evidence"]["watermark"])
    assert next(iter(content["model"]["outcomes"])) == "deal"


@pytest.mark.usefixtures("no_pictures")
def test_a_row_that_does_not_matter_issues_nothing(root: Path) -> None:
    """A row that became public after the date of the forecast leaves it alone."""
    assert call(*OBSERVE, "--reported-on", "2026-01-20", cwd=root).code == 0
    assert not run(root).new


# What goes wrong.


def test_a_fit_under_another_name_is_refused(root: Path) -> None:
    """A fit of the same model to other evidence is not taken for the one that is wanted."""
    fit = issued_fit(root)
    assert call(*OBSERVE, cwd=root).code == 0
    project = forecast.open(root)
    model = project.model()
    evidence = model.evidence(project.entries(model, now=NOW, as_of=AS_OF), AS_OF)
    from forecast.inference.fit import fit_id  # noqa: PLC0415 - slow to import

    fit.rename(fit.with_stem(fit_id(model.space, evidence, SHORT)))
    with pytest.raises(InputError, match="holds another fit"):
        run(root)


def test_damaged_fits_are_refused(root: Path, rng: np.random.Generator) -> None:
    """A fit file cut anywhere, or overwritten in places, is read as it was or refused with one clear error."""
    fit = issued_fit(root)
    whole = fit.read_bytes()
    project = forecast.open(root)
    model = project.model()
    refused: list[str] = []
    for cut in [0, 1, 100, *rng.integers(200, len(whole), 12).tolist()]:
        damaged = bytearray(whole[:cut] if cut % 2 == 0 else whole)
        for place in rng.integers(0, 4096, 3):
            if place < len(damaged):
                damaged[place] ^= 0xFF
        fit.write_bytes(damaged)
        try:
            project.fit(model, AS_OF, SHORT, now=NOW, accept_bad=True)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) >= 8
    assert all(fit.name in message and "delete the file" in message for message in refused)


def test_impossible_evidence_is_said_before_a_long_fit(root: Path) -> None:
    """Rows that no path of the model explains are one clear error, at once."""
    path = root / MODEL
    text = path.read_text(encoding="utf-8").partition("[[experts]]")[0]  # they name the moves that are left out
    blocks = re.split(r"(?m)^(?=\[)", text)
    kept, dropping = [], False
    for block in blocks:  # no way out of a deal any more
        if block.startswith("[[stages.peace.transitions]]"):
            dropping = 'from = "fresh_deal"' in block or 'from = "settled_deal"' in block
            dropping = dropping and 'to = "settled_deal"' not in block
        elif not block.startswith("[[stages.peace.transitions."):
            dropping = False
        kept += [] if dropping else [block]
    path.write_text("".join(kept), encoding="utf-8")
    for state, day in (("peace.fresh_deal", "2025-12-30"), ("peace.stalled", "2026-01-06")):
        assert call("observe", state, "--date", day, "--source", "me", "--grade", "A1", cwd=root).code == 0
    with pytest.raises(InputError, match=r"evidence is impossible .* correct or retract it"):
        run(root)
    assert len(archived(root)) == 1


# The face for programs.


def test_the_archived_forecast_is_read_without_loss(content: dict[str, Any]) -> None:
    """`Forecast.from_dict` reads what `to_dict` gave, bit for bit."""
    found = Forecast.from_dict(content["forecast"])
    assert found.to_dict() == content["forecast"]
    assert Forecast.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert (found.model, found.as_of) == ("russia_azerbaijan", AS_OF)


def test_a_probability_is_found_by_its_name(content: dict[str, Any]) -> None:
    """`probability` finds every published number, and says what there is where there is none."""
    found = Forecast.from_dict(content["forecast"])
    for row in found.quantities:
        assert row.estimate == found.probability(
            row.outcome, weeks=row.horizon_weeks, kind=row.kind, given=row.given
        ), row
    assert found.probability("confrontation", weeks=26).low < found.probability("confrontation", weeks=26).mean
    assert found.probability("deal").mean == 0.0
    with pytest.raises(InputError, match="did you mean 'confrontation'"):
        found.probability("confrontatoin")
    with pytest.raises(InputError, match=r"there are: .*at 26"):
        found.probability("deal", weeks=27)


def test_the_frame_is_tidy(content: dict[str, Any]) -> None:
    """`to_frame` gives one typed row for each published number."""
    found = Forecast.from_dict(content["forecast"])
    frame = found.to_frame()
    assert list(frame.columns) == ["outcome", "kind", "given", "horizon_weeks", "date", "mean", "low", "high", "mcse"]
    assert len(frame) == len(found.quantities)
    assert pd.api.types.is_datetime64_any_dtype(frame["date"])
    assert frame["horizon_weeks"].dtype == "Int64"
    assert frame["mean"].between(frame["low"], frame["high"]).all()


def test_a_program_sees_what_the_command_line_saw(root: Path, content: dict[str, Any]) -> None:
    """`forecast.open` leads from a folder to the model, its evidence, its fit and the same forecast."""
    project = forecast.open(root)
    assert project.model_names == ("baku_hedges", "base_rate_sceptic", "russia_azerbaijan")
    model = project.model()
    entries = project.entries(model, now=NOW, as_of=AS_OF)
    assert compile_evidence(model.space, entries, AS_OF).hash == content["evidence"]["hash"]
    fit, evidence = project.fit(model, AS_OF, SHORT, now=NOW, accept_bad=True)
    assert (fit.id, evidence.hash) == (content["fit"]["id"], content["evidence"]["hash"])
    found = project.update(model, as_of="2026-01-08", refit="never", now=NOW, accept_bad=True)
    assert found.to_dict() == content["forecast"]
    assert dataclasses.asdict(fit.settings) == content["fit"]["settings"]


@pytest.mark.usefixtures("no_pictures")
def test_a_bad_fit_is_kept_and_refused(tmp_path: Path) -> None:
    """It fails its checks, so a careful one is made; that fails too, both are kept, and nothing is issued."""
    root = copied(year.issued_tiny(), tmp_path / "project")
    before, issued = set(root.glob("data/*/fits/*.nc")), len(archived(root))
    for _ in range(2):  # the second run finds them
        done = call("run", "--as-of", str(year.START), "--refit", "always", *HASTY, cwd=root)
        assert done.code == 3
        assert "--accept-bad-fit" in done.err
        assert len(set(root.glob("data/*/fits/*.nc")) - before) == 2
    assert len(archived(root)) == issued
    assert year.run(root, year.START).code == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there already stops `init` before it writes anything."""
    root = tmp_path / "project"
    (root / "models").mkdir(parents=True)
    (root / MODEL).write_text("mine")
    with pytest.raises(FaultsError, match="is there already"):
        init(root)
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["russia_azerbaijan.toml"]
    assert (root / MODEL).read_text() == "mine"


def test_init_keeps_what_else_is_in_the_folder(tmp_path: Path) -> None:
    """A project can be laid out in a folder that holds other things."""
    (tmp_path / "README").write_text("mine")
    files = init(tmp_path)
    assert all(file.is_file() for file in files)
    assert forecast.open(tmp_path).model().spec.name == "russia_azerbaijan"


def test_a_starter_that_is_faulty_leaves_no_half_ledger(tmp_path: Path) -> None:
    """Starter rows with a fault are refused as a whole, on every command, until they are mended."""
    root = fresh(tmp_path)
    path = root / "data/russia_azerbaijan/observations.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace(",B1,", ",B9,", 1), encoding="utf-8")
    for _ in range(2):
        done = call("log", cwd=root)
        assert done.code == 2
        assert "B9" in done.err
    path.write_text(good, encoding="utf-8")
    assert len(json.loads(call("log", "-n", "100", "--json", cwd=root).out)) == 36


def test_model_faults_reach_the_program(tmp_path: Path) -> None:
    """A faulty model file raises its own error, with the faults as a list."""
    root = fresh(tmp_path)
    (root / MODEL).write_text("format = 1")
    with pytest.raises(ModelFileError) as caught:
        forecast.open(root).model()
    assert all("is missing" in fault for fault in caught.value.faults)
    assert os.fspath(root / MODEL) in str(caught.value)
