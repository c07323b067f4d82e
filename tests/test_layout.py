"""How the source is laid out: who may import, print and read the clock, and what must not be in a file."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecast import _jit, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "forecast").glob("*.py")}

# A module imports only from ranks below its own (docs/decisions.md, Layout); what stands in one rank is independent.
RANKS = (
    {"errors", "_jit", "calibration", "chains", "reweight", "words"},
    {"spec", "hmm", "ledger", "publish", "result"},
    {"extends", "faults", "statespace", "exchange", "evidence", "blocks", "tables"},
    {"modelfile", "evaluate", "propagate", "simulate", "stories", "hub", "worlds"},
    {"model", "predict", "rules"},
    {"sampler"},
    {"fit"},
    {"update"},
    {"fitter", "issues", "question", "report", "resolve", "transport"},
    {"alarm", "charts", "compare", "drivers", "explain", "score", "sensitivity", "watch"},
    {"asking", "backtest", "index", "page", "replay", "study"},
    {"brief", "schedule"},
    {"project", "units"},
    {"cli_common"},
    {"cli_ask", "cli_archive", "cli_schedule", "cli_study", "cli_score"},
    {"cli", "__init__"},
)
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}


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


def test_every_module_has_a_rank() -> None:
    """A new module is given its place in the order of imports."""
    assert set(MODULES) == set(RANK)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_run_one_way(name: str) -> None:
    """A module imports only from below, lazily or not."""
    found = {part.split(".")[1] for part in imported(MODULES[name]) if part.startswith("forecast.")}
    upward = {part for part in found if RANK[part] >= RANK[name]}
    assert not upward


def test_only_two_modules_import_pymc() -> None:
    """A compiler is loaded by `model` and `sampler` alone."""
    heavy = {"pymc", "pytensor", "nutpie"}
    users = {name for name, tree in MODULES.items() if {part.partition(".")[0] for part in imported(tree)} & heavy}
    assert users == {"model", "sampler"}


def test_kernels_know_of_each_other() -> None:
    """Every file with a kernel is among those whose content stamps what numba keeps."""
    users = {name for name, tree in MODULES.items() if "forecast._jit" in set(imported(tree))}
    assert {*users, "_jit"} == set(_jit._SOURCES)
    assert evaluate._evaluate_range._cache._cache_file._source_stamp == _jit._STAMP  # type: ignore[attr-defined]


def _uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
            if isinstance(node.value, ast.Name):
                yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.startswith("cli")))
def test_only_the_faces_print_and_read_the_clock(name: str) -> None:
    """Only the command line prints or writes to a standard stream; only it and `forecast.open` ask for the time."""
    used = set(_uses(MODULES[name]))
    clock = {"now", "utcnow", "today"} & {part for part in used if f"datetime.{part}" in used or f"date.{part}" in used}
    assert not clock or name == "__init__"
    assert not used & {"print", "sys.stdout", "sys.stderr", "time.time", "time.monotonic", "time.perf_counter"}


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
