"""The built wheel works by itself in a fresh environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Installed(NamedTuple):
    """A fresh environment with the wheel in it."""

    wheel: Path
    bin: Path

    def run(self, *command: str, cwd: Path) -> str:
        """Run one of its programs, which must succeed."""
        done = self.done(str(self.bin / command[0]), *command[1:], cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @staticmethod
    def done(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program as if nobody had set up this environment."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COLUMNS"))
        }
        return subprocess.run(
            command,
            cwd=cwd,
            env=kept,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it without a network; what it depends on is lent by this environment."""
    home = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (wheel,) = home.glob("*.whl")
    venv.create(home / "venv", symlinks=True, with_pip=False)
    found = Installed(wheel, home / "venv" / "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(found.bin / "python"), "install"]
    quiet = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, *quiet, str(wheel)], cwd=home, capture_output=True, check=True, timeout=120)
    (site,) = (home / "venv" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


def test_the_package_comes_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """In the fresh environment `forecast` is what the wheel brought, not the source tree."""
    where = installed.run("python", "-c", "import forecast; print(forecast.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.bin.parent)


def test_the_wheel_carries_all_of_the_starter(installed: Installed) -> None:
    """The reference model, its rows and the templates are in the wheel as they are in the source tree; nothing else is.

    Fits, ledgers and issued reports of the source tree stay out.
    """
    starter = "forecast/_starter/"
    with zipfile.ZipFile(installed.wheel) as archive:
        packed = {
            name.removeprefix(starter): archive.read(name) for name in archive.namelist() if name.startswith(starter)
        }
        others = [name for name in archive.namelist() if not name.startswith((starter, "scenario_cascade-"))]
    expected = [
        ROOT / "forecast.toml",
        *ROOT.glob("models/*.*"),
        *ROOT.glob("reports/templates/*"),
        *ROOT.glob("data/russia_azerbaijan/feeds/*.toml"),
        ROOT / "data" / "russia_azerbaijan" / "history.csv",
        ROOT / "data" / "russia_azerbaijan" / "observations.csv",
    ]
    assert packed == {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in expected}
    assert sorted(others) == sorted(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("forecast/**/*.*")
        if path.suffix in {".py", ".pyi", ".toml", ".csv", ".typed", ".jinja", ".css", ".js", ".txt"}
    )


def test_the_first_commands_work(installed: Installed, tmp_path: Path) -> None:
    """`forecast init`, `check` and `log` work in the fresh environment, and the files arrive as they are."""
    assert "next: cd project && forecast run" in installed.run("forecast", "init", "project", cwd=tmp_path)
    root = tmp_path / "project"
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert set(files) >= {
        "models/russia_azerbaijan.toml",
        "data/russia_azerbaijan/history.csv",
        "data/russia_azerbaijan/observations.csv",
        "reports/templates/report.md.jinja",
    }
    assert files == {name: (ROOT / name).read_bytes() for name in files}
    assert "good, version" in installed.run("forecast", "check", cwd=root)
    rows = files["data/russia_azerbaijan/observations.csv"].decode().splitlines()[1:]
    assert len(installed.run("forecast", "log", "-n", "100", cwd=root).splitlines()) == 1 + len(rows)  # and the heads


# What type checkers read.

PROGRAM = """
import forecast

project = forecast.open(".")
result = project.update("russia_azerbaijan", as_of="2026-01-08", refit="never")
estimate = result.probability("confrontation", weeks=26)
mean: float = estimate.mean
found = result.what_if("arms_purchase_from_russia", on="2026-01-08")
difference: float = found.change("cooperation", weeks=26).difference
text: str = project.root.name
"""
WRONG = {
    "a number taken for text": 'name: str = result.probability("confrontation", weeks=26).mean',
    "weeks as text": 'result.probability("confrontation", weeks="26")',
    "a method that is not there": 'result.whatif("arms_purchase_from_russia")',
    "a choice that is none": 'project.update(refit="sometimes")',
}


# Whole libraries are not read, which takes minutes: none of their types is in the program.
MYPY = """
[mypy]
strict = True
follow_imports = silent
[mypy-IPython.*,altair.*,anyio.*,arviz.*,arviz_base.*,arviz_stats.*,dask.*,distributed.*,httpx.*,hypothesis.*,jinja2.*,\
matplotlib.*,narwhals.*,numba.*,numpy.*,pandas.*,polars.*,prompt_toolkit.*,pydantic.*,pymc.*,pytensor.*,rich.*,scipy.*,\
sqlalchemy.*,starlette.*,typer.*,xarray.*]
follow_imports = skip
follow_imports_for_stubs = True
"""


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_read_the_public_face(installed: Installed, tmp_path: Path, checker: str) -> None:
    """What programs use has types in the wheel: right use passes the strict check, and each wrong use is told."""
    (tmp_path / "right.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(PROGRAM + "\n".join(WRONG.values()) + "\n", encoding="utf-8")
    settings = {"pythonVersion": "3.12", "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    python = str(installed.bin / "python")
    (tmp_path / "mypy.ini").write_text(MYPY, encoding="utf-8")
    command = {
        "mypy": ["-m", "mypy", "--no-incremental", "--config-file", "mypy.ini", "--python-executable", python],
        "pyright": ["-m", "pyright", "--pythonpath", python],
    }[checker]
    told = installed.done(sys.executable, *command, "right.py", "wrong.py", cwd=tmp_path)
    first = PROGRAM.count("\n") + 1
    found = {(name, int(line)) for name, line in re.findall(r"(\w+)\.py:(\d+):.*error", told.stdout)}
    assert found == {("wrong", first + k) for k in range(len(WRONG))}, told.stdout + told.stderr
