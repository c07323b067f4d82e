"""A project with one short real run, made once, and ways to call the command line on a copy of it."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from filelock import FileLock

import forecast
from forecast.cli import main
from forecast.inference.settings import Settings
from forecast.project.starter import init

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.ledger.issued import Issued

AS_OF = dt.date(2026, 1, 8)
NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
PROGRAM = (sys.executable, "-c", "from forecast.cli import main; main()")
SHORT = ("--draws", "200", "--tune", "200", "--chains", "2", "--accept-bad-fit")
HASTY = ("--draws", "100", "--tune", "100", "--chains", "2")  # for what does not look at the numbers of a fit
RUN = ("run", "--as-of", "2026-01-08", *SHORT)
MODEL = "models/russia_azerbaijan.toml"
REPORT = "reports/russia_azerbaijan/2026-01-08"
SHARED = "FORECAST_TESTS_SHARED"  # a variable: the folder that all processes of one run share
MAKING = "import pathlib, projects; projects.make(pathlib.Path(sys.argv[1]))"


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Give the environment of a command that is piped and has no terminal."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR"}} | variables


def process(*arguments: str, cwd: Path, **variables: str) -> Done:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def call(*arguments: str, cwd: Path, columns: int | None = None) -> Done:
    """Run a command in this process, which is quicker."""
    code = 0
    with contextlib.chdir(cwd), mock.patch.dict(os.environ, environment(), clear=True), contextlib.ExitStack() as stack:
        if columns:
            os.environ["COLUMNS"] = str(columns)
        out = stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        err = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(mock.patch.object(sys, "argv", ["forecast", *arguments]))
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def strict_json(text: str) -> Any:
    """Read JSON as the standard has it: NaN and infinity are none."""

    def refuse(name: str) -> None:
        msg = f"{name} is not JSON"
        raise ValueError(msg)

    return json.loads(text, parse_constant=refuse)


@functools.cache
def shared() -> Path:
    """Give the folder that all processes of a run of the tests share; the first makes it, and removes it at its end."""
    if SHARED not in os.environ:
        home = tempfile.TemporaryDirectory(prefix="forecast-tests-")
        atexit.register(home.cleanup)
        os.environ[SHARED] = home.name
    return Path(os.environ[SHARED])


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Give a folder that ``make`` fills in whichever process asks first; each process has a copy of its own."""
    folder = shared() / name
    with FileLock(shared() / f"{name}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
        mine = tempfile.TemporaryDirectory(dir=shared())
        copied(folder, Path(mine.name))
    atexit.register(mine.cleanup)
    return Path(mine.name)


def copied(root: Path, folder: Path) -> Path:
    """Copy a project; draws of the prior, which nobody writes into, are the same file."""

    def copy(source: str, target: str) -> str:
        if Path(source).name.startswith("prior-"):
            with contextlib.suppress(OSError):
                os.link(source, target)
                return target
        return shutil.copy2(source, target)

    return Path(shutil.copytree(root, folder, copy_function=copy, dirs_exist_ok=True))


def make(folder: Path) -> None:
    """Make a project with a good fit, and one with a short fit and an issue; for a process of its own.

    The fit has two chains in larger steps, worth as much as the usual one, and passes its checks; of prior × history
    half of the usual draws is kept, which reach the weeks with hardly a report. Where the issue is made, draws of the
    prior are there, as drawing them would take most of a first run.
    """
    settings = Settings(draws=2000, tune=300, chains=2, target_accept=0.8)
    fits = Path("data", "russia_azerbaijan", "fits")
    with mock.patch("forecast.inference.model.INFORMED_DRAWS", 4000):
        forecast.open(fresh(folder)).update(as_of=AS_OF, now=NOW, settings=settings)
    init(folder / "project")
    (folder / "project" / fits).mkdir(parents=True)
    for path in (folder / "fresh" / fits).glob("prior-*"):
        os.link(path, folder / "project" / fits / path.name)
    os.chdir(folder / "project")
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["forecast", *RUN]
    main()


@functools.cache
def _made() -> Path:
    def made(folder: Path) -> None:
        from forking import run_forked  # noqa: PLC0415 - it imports this

        program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{MAKING}"
        done = run_forked([sys.executable, "-c", program, str(folder)], cwd=folder, env=environment())
        assert done.returncode == 0, (done.stderr, (folder / "err").exists() and (folder / "err").read_text())

    return made_once("made", made)


@functools.cache
def issued_once() -> tuple[Path, Done]:
    """Give a project as an analyst would make it, with what its run printed; nobody may change it."""
    out, err = ((_made() / name).read_text(encoding="utf-8") for name in ("out", "err"))
    return _made() / "project", Done(0, out, err)


def fitted_once() -> Path:
    """Give a project with a good fit, for all tests; it is never changed."""
    return _made() / "fresh"


def issued_copy(folder: Path) -> Path:
    """Give a copy of the project that may be changed."""
    return copied(issued_once()[0], folder / "project")


def fresh(folder: Path) -> Path:
    """Give a new project."""
    init(folder / "fresh")
    return folder / "fresh"


def archived(root: Path) -> tuple[Issued, ...]:
    """Give what has been issued in a project, oldest first."""
    from forecast.ledger.sqlite import SqliteLedger  # noqa: PLC0415 - slow to import

    return SqliteLedger.open(root / "data" / "ledger.db").forecasts()
