"""Fits of a project: listed with who needs them, pruned by a rule that says why, exported for ArviZ."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import arviz
import pytest
from projects import HASTY, NOW, call, copied, fresh, issued_copy, issued_once
from year import issued_tiny

import forecast
from forecast.inference.settings import Diagnostics, FitRecord, Settings
from forecast.project.fits import KeptFit, parted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with a fit that an issued forecast rests on."""
    return issued_copy(tmp_path)


def _named(root: Path) -> str:
    """Name the fit of the issued forecast."""
    return forecast.open(root).ledger.forecasts()[0].fit


def kept(path: Path, name: str, created_at: str, model: str = "m", **changes: Any) -> KeptFit:
    """Give a fit that passed its checks unless ``changes`` say otherwise."""
    worst = changes.pop("divergences", 0)
    diagnostics = Diagnostics(worst, 1.0, "a", 2000.0, "b", 1.0, 2000.0, 1.0)
    record = FitRecord(name, model, "", "", NOW.date(), 1, Settings(), diagnostics, (), {}, created_at)
    return KeptFit(path / f"{name}.nc", 1, **({"record": record, "issues": 0, "present": True} | changes))


def test_what_stays_stays_for_a_reason(tmp_path: Path) -> None:
    """The newest of each model, what issues rest on, the newest sound one of the present version; the rest goes."""
    fits = [
        kept(tmp_path, "newest", "5", present=False),
        kept(tmp_path, "failed", "4", divergences=500),
        kept(tmp_path, "start", "3"),
        kept(tmp_path, "issued", "2", issues=2, present=False),
        kept(tmp_path, "old", "1"),
        kept(tmp_path, "alone", "0", model="other"),
        kept(tmp_path, "half", "", record=None, present=False),
    ]
    gone, stay = parted(fits, 1)
    assert [one.path.stem for one in gone] == ["failed", "old"]
    assert {one.path.stem: why for one, why in stay} == {
        "newest": "the newest of m",
        "start": "updates of m start from it",
        "issued": "2 issued forecasts of the archive on it",
        "alone": "the newest of other",
        "half": "cannot be read; see `forecast verify`",
    }
    assert parted(fits, 9)[0] == []
    assert [one.path.stem for one in parted(fits, 0)[0]] == ["newest", "failed", "old"]


def test_fits_are_listed(project: Path) -> None:
    """Each with model, date, draws, size, who needs it and whether it passed; prior draws are none."""
    rows = json.loads(call("fits", "list", "--json", cwd=project).out)
    row = next(row for row in rows if row["id"] == _named(project))
    assert (row["model"], row["as_of"], row["draws"]) == ("russia_azerbaijan", "2026-01-08", 400)
    assert (row["issues"], row["present"], row["readable"]) == (1, True, True)
    assert row["bytes"] > 1e6
    assert not [row for row in rows if row["id"].startswith("prior-")]
    shown = call("fits", "list", cwd=project).out
    assert all(row["id"] in shown for row in rows)
    assert "1 issued and updates" in shown


def test_a_project_without_fits_says_so(tmp_path: Path) -> None:
    """There is nothing to list, and no ledger is begun for it."""
    root = fresh(tmp_path)
    assert "no fit yet" in call("fits", "list", cwd=root).out
    assert not (root / "data" / "ledger.db").exists()


def test_a_dry_run_deletes_nothing(tmp_path: Path) -> None:
    """What would go is named and stays; then it goes, and what the archive needs is there."""
    project = copied(issued_tiny(), tmp_path / "project")
    folder = project / "data" / "tiny" / "fits"
    name = _named(project)
    call("update", "--as-of", "2025-01-15", "--refit", "always", *HASTY, "--accept-bad-fit", cwd=project)
    before = {path.name for path in folder.iterdir()}
    told = json.loads(call("fits", "prune", "--keep", "0", "--dry-run", "--json", cwd=project).out)
    assert {path.name for path in folder.iterdir()} == before
    done = json.loads(call("fits", "prune", "--keep", "0", "--json", cwd=project).out)
    assert [row["id"] for row in done["gone"]] == [row["id"] for row in told["gone"]]
    assert done["gone"], "the update made a fit that no issue names"
    assert {path.name for path in folder.iterdir()} == before - {f"{row['id']}.nc" for row in done["gone"]}
    assert (folder / f"{name}.nc").exists()
    assert "1 issued forecast" in next(row["why"] for row in done["kept"] if row["id"] == name)


def test_nothing_is_pruned_under_a_run(project: Path) -> None:
    """While another holds the lock nothing is deleted; to look is allowed."""
    found = forecast.open(project)
    with found.locked():
        done = call("fits", "prune", "--keep", "0", cwd=project)
        assert (done.code, "another run holds the lock" in done.err) == (4, True)
        assert call("fits", "prune", "--keep", "0", "--dry-run", cwd=project).code == 0


def test_an_exported_fit_opens_in_arviz(project: Path) -> None:
    """The file holds the groups of `Fit.to_datatree`; of another version of the model those without it."""
    name = _named(project)
    assert call("fits", "export", name, "fit.nc", cwd=project).code == 0
    with arviz.from_netcdf(project / "fit.nc") as tree:
        assert {"posterior", "sample_stats", "prior", "log_prior", "log_likelihood"} <= set(tree.children)
        assert set(tree["log_likelihood"].data_vars) == {"reports", "history"}
        assert tree.attrs["id"] == name
    model = project / "models" / "russia_azerbaijan.toml"
    text = model.read_text(encoding="utf-8")
    assert "reporting_lag_days = " in text
    model.write_text(text.replace("reporting_lag_days = ", "reporting_lag_days = 1", 1), encoding="utf-8")
    done = call("fits", "export", name, "old.nc", cwd=project)
    assert (done.code, "another version" in done.err) == (0, True)
    with arviz.from_netcdf(project / "old.nc") as tree:
        assert set(tree.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}


@pytest.mark.parametrize(
    ("arguments", "told"), [(("nothing", "fit.nc"), "there is no fit 'nothing'"), (("x", "fit.csv"), "ends with .nc")]
)
def test_what_cannot_be_exported_is_refused(arguments: tuple[str, str], told: str) -> None:
    """An unknown fit and another format are one line; nothing is written."""
    root, _ = issued_once()
    done = call("fits", "export", *arguments, cwd=root)
    assert (done.code, told in done.err) == (2, True)
    assert not (root / arguments[1]).exists()


def test_a_damaged_fit_is_not_exported(project: Path) -> None:
    """A file that is not as it was written is refused."""
    path = project / "data" / "russia_azerbaijan" / "fits" / f"{_named(project)}.nc"
    shutil.copy(path, path.with_name("copy"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = call("fits", "export", path.stem, "fit.nc", cwd=project)
    assert (done.code, "its digest is missing or another" in done.err) == (2, True)
