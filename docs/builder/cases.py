"""Wrong inputs run as commands, each in a new project of its own; what they said, and whether anything was lost."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import forecast
from forecast.project.starter import init

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from forecast.inference.model import Model
    from forecast.project.project import Project

NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
# The superuser may write everywhere. So the command is run twice in one process: first as it is, on a project of its
# own, so that all modules are there; then, if need be, without the superuser's rights.
UNPRIVILEGED = """
import contextlib, io, os, sys
from forecast.cli import main
command = sys.argv[2:]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    sys.argv = ["forecast", *command, "-C", sys.argv[1]]
    main()
if not os.geteuid():
    os.seteuid(65534)
sys.argv = ["forecast", *command]
main()
"""


@dataclass(frozen=True)
class Case:
    """One wrong input: what leads there (``prepare``, in a project of its own) and the command that meets it."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda _: None
    told: str = ""
    exit_code: int = 2
    seeded: bool = True
    privileged: bool = True


@dataclass(frozen=True)
class Result:
    """What a case gave: the message with its paths made relative, and whether everything recorded is still there."""

    case: Case
    exit_code: int
    stdout: str
    stderr: str
    kept: bool = field(default=False)


def opened(root: Path) -> tuple[Project, Model]:
    """Open the project of a case, with its model."""
    project = forecast.open(root)
    return project, project.model()


def _new_project(root: Path, *, seeded: bool) -> None:
    """Make a new project whose ledger, if ``seeded``, has been begun."""
    init(root)
    if seeded:
        project, model = opened(root)
        project.dataset(model, now=NOW)


def run_case(
    case: Case, home: Path, project: Path, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
) -> Result:
    """Run the case in a copy of a new ``project`` in ``home``."""
    root = home / "PROJECT"
    shutil.copytree(project, root)
    case.prepare(root)
    before = _recorded(root)
    arguments = list(case.command[1:])
    if case.privileged:
        program = [sys.executable, "-c", "from forecast.cli import main; main()", *arguments]
    else:
        home.chmod(0o755)
        warm = home / "warm"
        init(warm)
        program = [sys.executable, "-c", UNPRIVILEGED, str(warm), *arguments]
    environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    done = run(
        program, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
        timeout=120, check=False,
    )  # fmt: skip
    return Result(case, done.returncode, _tidy(done.stdout, home), _tidy(done.stderr, home), before == _recorded(root))


def _tidy(text: str, home: Path) -> str:
    for place in (home.resolve(), home):
        text = text.replace(f"{place}{os.sep}", "")
    return text.replace(dt.datetime.now(dt.UTC).date().isoformat(), "TODAY")


def _recorded(root: Path) -> tuple[object, ...]:
    """Everything that a command must not lose: the ledger's rows, and every other file."""
    ledger = root / "data" / "ledger.db"
    rows: object = None
    try:
        if ledger.exists():
            with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as database:
                rows = tuple(line for line in database.iterdump() if line.startswith("INSERT"))
    except sqlite3.Error:
        rows = ledger.read_bytes()
    own = ("ledger.db", "run.lo")  # the ledger's own files; the lock and the log of runs
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(own)]
    return rows or None, tuple((str(path.relative_to(root)), path.read_bytes()) for path in sorted(files))


def run_cases(
    cases: Iterable[Case], run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
) -> list[Result]:
    """Run every case, two at a time; ``run`` starts its process, as `subprocess.run` does."""

    def result_of(case: Case) -> Result:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            try:
                return run_case(case, Path(home), new[case.seeded], run)
            finally:
                for path in Path(home).rglob("*"):
                    path.chmod(0o755 if path.is_dir() else 0o644)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        new = {seeded: Path(folder, str(seeded)) for seeded in (False, True)}
        for seeded, root in new.items():
            _new_project(root, seeded=seeded)
        return list(pool.map(result_of, cases))
