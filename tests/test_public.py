"""What programs may rely on: names, and a description of each."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import forecast
from forecast.answers.forecast import LiveForecast
from forecast.base.shown import Shown

PACKAGE = Path(forecast.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__init__"
)
PACKAGES = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def test_the_names_of_the_package() -> None:
    """The package exports these names and no others."""
    assert forecast.__all__ == [
        "BusyError",
        "ForecastError",
        "InputError",
        "LedgerError",
        "ModelFileError",
        "Project",
        "UntrustworthyError",
        "init",
        "open",
    ]
    assert all(hasattr(forecast, name) for name in forecast.__all__)


def test_every_error_is_a_forecast_error() -> None:
    """A program that catches `ForecastError` catches every error that the package raises on purpose."""
    raised = [getattr(forecast, name) for name in forecast.__all__ if name.endswith("Error")]
    assert all(issubclass(error, forecast.ForecastError) for error in raised)
    assert {error.__name__: error.exit_code for error in raised} == {
        "BusyError": 4,
        "ForecastError": 2,
        "InputError": 2,
        "LedgerError": 2,
        "ModelFileError": 2,
        "UntrustworthyError": 3,
    }


@pytest.mark.parametrize("name", ["__init__", *(f"{name}.__init__" for name in PACKAGES), *MODULES])
def test_everything_public_is_described(name: str) -> None:
    """Every module, and every public class, function and method, has a docstring."""
    tree = ast.parse(PACKAGE.joinpath(*name.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    for part in [node for node in public if isinstance(node, ast.ClassDef)]:
        public += [node for node in part.body if isinstance(node, kinds) and not node.name.startswith("_")]
    assert not [node.name for node in public if not ast.get_docstring(node)]


def test_what_is_exported_is_described() -> None:
    """Every name of the package has a docstring that says what it is."""
    assert all(inspect.getdoc(getattr(forecast, name)) for name in forecast.__all__)


RESULTS = ("quantities", "answers", "record", "feeds", "project")  # packages that hold what a program is given
NO_RESULTS = {
    "Added", "Observation", "Coverage", "Resolution",  # rows of the ledger, whose content is their `repr`
    "Anchor", "Between", "Dataset", "Feeds", "Fits", "JudgementRecord", "Known", "Ledger", "Model", "Posterior",
    "TrackRecord",  # to work with
    "Path", "WeekPath",  # of a file, and what a picture is drawn from
}  # fmt: skip


def _results() -> list[type]:
    """Give every class that has a table or JSON, and every class that a public method of a face gives."""
    classes = {
        name: part
        for module in MODULES
        if module.partition(".")[0] in {*RESULTS, "evidence", "inference"}
        for name, part in vars(importlib.import_module(f"forecast.{module}")).items()
        if inspect.isclass(part) and part.__module__.startswith("forecast.")
    }
    tables = {
        name
        for name, part in classes.items()
        if part.__module__.split(".")[1] in RESULTS and (hasattr(part, "to_frame") or hasattr(part, "to_dict"))
    }
    for face in (forecast.Project, LiveForecast):
        for name, part in vars(face).items():
            function = part.fget if isinstance(part, property) else getattr(part, "func", part)
            given = getattr(function, "__annotations__", {}).get("return", "")
            if not name.startswith("_"):
                tables |= {word for word in re.findall(r"\w+", str(given)) if word in classes}
    return [classes[name] for name in sorted(tables - NO_RESULTS - {"Shown"})]


@pytest.mark.parametrize("result", _results(), ids=lambda result: result.__name__)
def test_every_result_shows_itself(result: type) -> None:
    """Whatever a program is given has a table for notebooks and a short `repr`; see `forecast.base.shown`."""
    assert issubclass(result, Shown)
    assert result.__repr__ is Shown.__repr__ or result.__name__ == "Estimate"
