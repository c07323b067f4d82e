"""Faults of the machine around a project: a full disk, a folder that may not be written, threads, kills, pickles."""

from __future__ import annotations

import dataclasses
import errno
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import needs
import pytest
from forking import run_forked
from permissions import read_only
from projects import archived, call, environment
from year import COMPILED, SHORT, START, issued_tiny

import forecast
from forecast.base import files
from forecast.inference import fitter
from forecast.inference.fit_files import load_chains, load_fit
from forecast.inference.settings import Settings

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence
    from forecast.inference.fit import Fit
    from forecast.project.project import Project

AS_OF = ("--as-of", str(START))
RUN = ("run", "--as-of", "2025-01-19", *SHORT)
OBSERVE = ("observe", "shot", "--date", str(START), "--source", "wire", "--grade", "B2")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy that may be changed."""
    return Path(shutil.copytree(issued_tiny(), tmp_path / "project"))


def issued_fit(root: Path) -> Path:
    """Give the file of the fit of the last issue."""
    return next(root.glob(f"data/*/fits/{archived(root)[-1].fit}.nc"))


# A full disk.


@pytest.mark.parametrize(
    "command",
    [
        ("export", "rows.csv"),
        ("export-archive", "archive.csv"),
        ("report",),
        ("schedule", "systemd", "--output", "units"),
        OBSERVE,
        ("fit", *AS_OF, *SHORT),
    ],
    ids=lambda command: command[0],
)
def test_a_full_disk_is_one_line(command: tuple[str, ...], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was to be written, the exit code is 2 and one line names the file; a row is safe without its head."""
    if command[0] == "fit":
        fit = issued_fit(root)
        whole = _loaded(root, fit)
        fit.unlink()
        monkeypatch.setattr(fitter, "fit_model", lambda *_, **__: whole)

    def full(path: Path, _: bytes) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write", full)
    done = call(*command, cwd=root)
    if command[0] == "observe":
        assert done.code == 0
        return
    assert (done.code, done.err.count("\n")) == (2, 1), done
    assert "No space left on device" in done.err
    assert not [path for path in root.rglob("*.draft") if path.stat().st_size == 0]


def _loaded(root: Path, path: Path) -> Fit:
    """Read a fit with its chains."""
    chains = load_chains(path)
    return dataclasses.replace(load_fit(path, forecast.open(root).model("tiny").space), chains=lambda: chains)


ON_A_FULL_DISK = """
forecast() { "$PYTHON" -c "from forecast.cli import main; main()" "$@"; }
mount -t tmpfs -o size=16m tmpfs "$DISK" && cp -r . "$DISK" && cd "$DISK" || exit
head -c "$LEFT"k /dev/zero >room
cat /dev/zero >fill 2>/dev/null
rm room
forecast "$@"
code=$?
rm fill
forecast verify
find . -name '*.draft'
exit $code
"""


@pytest.fixture
def mounting(tmp_path: Path) -> tuple[list[str], Path]:
    """Give a folder and what lets a command mount something there that only it sees; skip where nobody may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["unshare", "--map-root-user", "--mount"]
    if not needs.done([*command, "mount", "-t", "tmpfs", "tmpfs", str(folder)], 30):
        pytest.skip("nothing can be mounted here")
    return command, folder


@pytest.mark.parametrize(
    ("left", "command", "told"),
    [
        (0, ("log",), "could not be opened: the disk is full; free some space and try again"),
        (40, OBSERVE, "could not grow: the disk is full; free some space and try again"),
        pytest.param(
            40, (*RUN, "--refit", "never"), "the report cannot be written (No space left", marks=pytest.mark.slow
        ),
        pytest.param(640, (*RUN, "--refit", "always"), ".nc: cannot be written (No space left", marks=pytest.mark.slow),
    ],
    ids=["log", "observe", "run", "fit"],
)
def test_a_disk_that_is_really_full_loses_nothing(
    left: int, command: tuple[str, ...], told: str, root: Path, mounting: tuple[list[str], Path]
) -> None:
    """With so many kB left a message says what is wrong, and all that was there before is there, and nothing else."""
    mount, disk = mounting
    ended = subprocess.run(
        [*mount, "sh", "-c", ON_A_FULL_DISK, "sh", *command], cwd=root, capture_output=True, text=True, check=False,
        env=environment(DISK=str(disk), LEFT=str(left), PYTHON=sys.executable),
    )  # fmt: skip
    assert ended.returncode == 2, ended
    assert told in ended.stderr
    assert "archive: 1 issued forecast\n" in ended.stdout
    assert ended.stdout.endswith("all is as it was written\n"), "and no draft is left"


# A folder that may not be written.


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("log",),
        ("check",),
        ("drivers", "tension", "--weeks", "2", "--since", "2025-01-03", "--refit", "never", *AS_OF),
        ("export", "OUT/rows.csv"),
        ("export-archive", "OUT/archive.csv"),
        ("score",),
        ("verify",),
    ],
    ids=lambda command: command[0],
)
def test_reading_a_project_needs_no_right_to_write(command: tuple[str, ...]) -> None:
    """On a read-only mount whatever only reads says the same as elsewhere, and leaves nothing."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(shutil.copytree(issued_tiny(), Path(name, "project")))
        (out := Path(name, "out")).mkdir()
        for folder in (Path(name), out):
            folder.chmod(0o777)
        words = tuple(word.replace("OUT", str(out)) for word in command)
        before = call(*words, cwd=root)
        there = sorted(root.rglob("*"))
        for path in out.iterdir():
            path.unlink()
        with read_only(root):
            done = call(*words, cwd=root)
        assert (done.code, done.out) == (before.code, before.out), done.err
        assert done.code in {0, 3}
        assert sorted(root.rglob("*")) == there


# Threads, kills and pickles.


@pytest.fixture
def project(root: Path) -> Project:
    """Open the project."""
    return forecast.open(root)


def test_threads_that_need_the_same_fit_get_one(root: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six threads that need a fit which is not there make it once, and all have its numbers."""
    fit = issued_fit(root)
    whole = _loaded(root, fit)
    for path in fit.parent.glob("*.nc"):
        path.unlink()
    made: list[str] = []

    def fit_model(_: object, evidence: Evidence, *__: object, **___: object) -> Fit:
        made.append(evidence.hash)
        time.sleep(0.3)
        return whole

    monkeypatch.setattr(fitter, "fit_model", fit_model)
    settings = Settings(**vars(whole.settings))
    with ThreadPoolExecutor(6) as pool:
        asked = [
            pool.submit(project.update, "tiny", as_of=START, settings=settings, refit="always", accept_bad=True)
            for _ in range(6)
        ]
        found = [one.result() for one in asked]
    assert len(made) == 1
    assert {one.trust.anchor for one in found} == {whole.id}
    assert all(one == found[0] for one in found)
    assert [path.name for path in fit.parent.iterdir() if not path.stem.startswith("prior-")] == [fit.name]


def test_results_can_be_pickled(project: Project) -> None:
    """Forecasts and answers go to another process: the numbers are the same, and what questions need stays here."""
    result = project.update("tiny", as_of=START, refit="never", accept_bad=True)
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own
    assert again.to_dict() == result.to_dict()
    assert again == pickle.loads(pickle.dumps(again))  # noqa: S301
    for answer in (
        result.what_if("march"),
        result.do({"near": "tense"}),
        result.drivers("tension", weeks=2, since="2025-01-03"),
        result.watch("tension", weeks=2),
        result.sightings(),
        result.alarm(weeks=1),
        result.rules(),
    ):
        assert pickle.loads(pickle.dumps(answer)).to_dict() == answer.to_dict()  # noqa: S301


def test_questions_inherit_that_nothing_is_fitted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for with refit="never" makes no fit for a question either, unless that says so."""
    fits: list[str] = []

    def fit_model(*_: object, **__: object) -> Fit:
        fits.append("a fit")
        msg = "a fit was made"
        raise AssertionError(msg)

    monkeypatch.setattr(fitter, "fit_model", fit_model)
    result = project.update("tiny", as_of=START, refit="never", accept_bad=True)
    assert result.refit == "never"
    many = [f"march@2025-01-{day:02d}" for day in range(9, 29)]
    result.what_if(*many)
    result.drivers("tension", weeks=2, since="2025-01-03")
    result.sensitivity("tension", weeks=2)
    result.alarm(weeks=1)
    assert not fits
    with pytest.raises(AssertionError, match="a fit was made"):
        result.what_if(*many, refit="always")


DYING = """
import os, signal, sys
from forecast.cli import main
from forecast.ledger.sqlite import SqliteLedger
SqliteLedger.archive = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def test_a_run_killed_before_issue_leaves_no_empty_folder(root: Path) -> None:
    """What it has written is no report, and goes with the next run of any date, with its folder."""
    day = "2025-01-15"
    before = len(archived(root))
    command = [sys.executable, "-c", DYING, "run", "--model", "tiny", "--as-of", day, *SHORT]
    done = run_forked(command, cwd=root, env=environment(), first=COMPILED)
    assert done.returncode == -signal.SIGKILL
    assert list((root / "reports" / "tiny" / day).iterdir())
    assert call("run", "--model", "tiny", *AS_OF, *SHORT, cwd=root).code == 0
    assert not (root / "reports" / "tiny" / day).exists()
    assert len(archived(root)) == before
