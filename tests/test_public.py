"""What programs may rely on: names, and a description of each."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import forecast

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
