"""The notebook of docs/notebooks runs on a fit, and is kept without outputs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient

from forecast.inference.fit import fit_model
from forecast.inference.settings import Settings

if TYPE_CHECKING:
    import pytest
    from worlds import World

    from forecast.inference.sampler import Sampler

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "fit.ipynb"


def test_the_notebook_runs(
    compiled_world: World, sampler: Sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell runs on a small fit, each of the plots is drawn, and power-scaling gives a table."""
    settings = Settings(draws=100, tune=100, chains=2, seed=7)
    now = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
    fit = fit_model(compiled_world.space, compiled_world.evidence, sampler, settings, watermark=12, now=now)
    fit.to_datatree().to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    monkeypatch.setenv("FIT", str(tmp_path / "fit.nc"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    kinds = {name: {kind for out in cell.outputs for kind in out.get("data", ())} for name, cell in cells.items()}
    assert {name for name, kind in kinds.items() if "image/png" in kind} == {"chains", "forest", "prior", "psense-plot"}
    assert all("text/html" in kinds[name] for name in ("psense", "psense-reports"))


def test_the_notebook_is_kept_without_outputs() -> None:
    """What a run prints is not part of the source."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count]
