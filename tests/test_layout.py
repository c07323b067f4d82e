"""How the source is laid out: who may import, print and read the clock, and what must not be in a file."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecast.engine import filtering as evaluation
from forecast.engine.jit import STAMP

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "forecast"
TESTS = ROOT / "tests"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
STUBS = {path.parent.name: path for path in PACKAGE.glob("*/__init__.pyi")}
LONGEST_TESTS = 600  # lines of a file of tests
THIN = 250  # lines of the module of `Project`
LONGEST = 450  # lines of a module; a longer one says why at its top


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Parse a source file, once in a process."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _typing_only(tree: ast.AST) -> set[ast.AST]:
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported at run time, at once or later, by its full name."""
    skipped = _typing_only(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            if node.module == "forecast":
                yield from (f"forecast.{alias.name}" for alias in node.names)


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Hold the source in ``root`` against the floors that pyproject.toml lists."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [program, "--config", ROOT / "pyproject.toml", "--no-cache"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=root, env=kept | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )


WRONG = {
    "a floor above": ("engine/pareto.py", "from forecast.report import page", "floors"),
    "a type of a floor above": (
        "ledger/rows.py",
        "if TYPE_CHECKING:\n    from forecast.project import project",
        "floors",
    ),
    "a circle within a package": ("engine/arrays.py", "from forecast.engine import gradient", "circle"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_wrong_import_breaks_the_contract(name: str, tmp_path: Path) -> None:
    """The contract holds as the source stands, and notices an import of each wrong kind."""
    file, line, contract = WRONG[name]
    shutil.copytree(PACKAGE, tmp_path / "forecast", ignore=shutil.ignore_patterns("__pycache__"))
    assert _lint(tmp_path).returncode == 0
    path = tmp_path / "forecast" / file
    path.write_text(f"{path.read_text()}\nfrom typing import TYPE_CHECKING\n{line}\n")
    done = _lint(tmp_path)
    assert done.returncode == 1
    assert any(contract in row.lower() and "broken" in row.lower() for row in done.stdout.splitlines()), done.stdout


def test_no_module_is_long_without_a_reason() -> None:
    """A module of more lines than fit a head says in its docstring why it is not split."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert statistics.median(lengths.values()) <= 180
    long = {path.name for path, lines in lengths.items() if lines > LONGEST}
    assert long <= {path.name for path in lengths if "is not split" in path.read_text(encoding="utf-8")}


def test_no_file_of_tests_is_long() -> None:
    """A test file is split by subject before it has more lines than one reads at a sitting."""
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in TESTS.rglob("*.py")}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_TESTS}


def test_the_face_of_a_project_is_thin() -> None:
    """`Project` puts other objects together; what it grows by belongs to one of those."""
    assert len((PACKAGE / "project" / "project.py").read_text(encoding="utf-8").splitlines()) <= THIN


def test_parts_of_a_project_do_without_the_whole() -> None:
    """Models, evidence, reports, runs and track record know nothing of `Project`, which puts them together."""
    users = {name for name, path in MODULES.items() if "forecast.project.project" in set(imported(parsed(path)))}
    assert not {name for name in users if name.startswith("project.")}


def test_a_lazy_name_never_shares_its_name_with_a_module() -> None:
    """What a package hands out by name would be hidden by a module of that name, once that is imported."""
    for package, path in STUBS.items():
        nodes = ast.walk(parsed(path))
        names = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not names & {path.stem for path in (PACKAGE / package).iterdir()}


@pytest.mark.parametrize("package", STUBS)
def test_every_name_of_a_package_is_there_and_used(package: str) -> None:
    """A package hands out what other packages reach through it, and nothing else."""
    module = importlib.import_module(f"forecast.{package}")
    names = {
        alias.name
        for node in ast.walk(parsed(STUBS[package]))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names == set(module.__all__)
    assert all(hasattr(module, name) for name in names)
    if package != "cli":  # its name is the command's
        assert names <= reached()[package]


@functools.cache
def reached() -> dict[str, set[str]]:
    """Give the names that modules reach through each package that they import as a whole."""
    found: dict[str, set[str]] = {name: set() for name in STUBS}
    for path in MODULES.values():
        nodes = list(ast.walk(parsed(path)))
        local = {
            alias.asname or alias.name: alias.name
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.module == "forecast"
            for alias in node.names if alias.name in STUBS
        }  # fmt: skip
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in local:
                found[local[node.value.id]].add(node.attr)
    return found


def test_tests_mirror_the_packages() -> None:
    """Each package has a folder of tests, and each folder of tests is of a package, or holds what tests share."""
    shared = {"data", "oracles", "reference", "vendor", "__pycache__"}
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - shared == packages


def test_only_three_modules_import_pymc() -> None:
    """A compiler is loaded by the PyMC model, its operations and the sampler alone."""
    heavy = {"pymc", "pytensor", "nutpie"}
    users = {
        name for name, path in MODULES.items() if {part.partition(".")[0] for part in imported(parsed(path))} & heavy
    }
    assert users == {"inference.likelihood_ops", "inference.pymc_model", "inference.sampler"}


def test_kernels_know_of_each_other() -> None:
    """What numba keeps is stamped with the content of every file that may hold a kernel: those of the engine."""
    users = {name for name, path in MODULES.items() if "forecast.engine.jit" in set(imported(parsed(path)))}
    assert {name for name in users if not name.startswith("engine.")} == {"inference.likelihood_ops"}  # for the stamp
    content = b"".join(path.read_bytes() for path in sorted((PACKAGE / "engine").glob("*.py")))
    assert hashlib.sha256(content).hexdigest() == STAMP
    assert evaluation._evaluate_range._cache._cache_file._source_stamp == STAMP  # type: ignore[attr-defined]


def _uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
            if isinstance(node.value, ast.Name):
                yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.startswith("cli.")))
def test_only_the_faces_print_and_read_the_clock(name: str) -> None:
    """Only the command line prints or writes to a standard stream; only it and `forecast.open` ask for the time."""
    used = set(_uses(parsed(MODULES[name])))
    clock = {"now", "utcnow", "today"} & {part for part in used if f"datetime.{part}" in used or f"date.{part}" in used}
    assert not clock or name == "__init__"
    stopwatch = set[str]() if name.startswith("service.") else {"time.monotonic"}  # waits, which tell no time
    assert not used & {"print", "sys.stdout", "sys.stderr", "time.time", "time.perf_counter", *stopwatch}


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is where git is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_no_machine_is_named() -> None:
    """No file holds a path of one machine or the address of a package registry."""
    places = "|".join(("/" + "root/", "/" + "home/", "/" + "Users/", "/" + "work/", "/" + "tmp/"))
    registries = "|".join(("pypi" + r"\.org/simple", "python" + "hosted", r"://[^\s/]*:[^\s/]*@"))
    pattern = re.compile(rf"(?<![\w.\])])(?:{places})|{registries}")
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert not found
