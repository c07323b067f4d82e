"""The main job works on the lowest versions that pyproject.toml allows, and on the newest that can be got."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from needs import LACKING
from projects import environment

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
SHORT = ("--draws", "200", "--tune", "200", "--chains", "2", "--accept-bad-fit")


def got(*arguments: str, cwd: Path) -> None:
    """Run uv, or skip the test loudly where packages cannot be got."""
    if not UV.exists():
        pytest.skip(f"{LACKING}uv (make it with `make pins`)")
    done = subprocess.run(
        [str(UV), "--quiet", *arguments], cwd=cwd, capture_output=True, text=True, timeout=1800, check=False
    )
    if done.returncode and re.search(r"dns|connect|network|request failed|offline", done.stderr, re.IGNORECASE):
        pytest.skip(f"{LACKING}packages that cannot be got")
    assert done.returncode == 0, done.stderr


def run(program: Path, *arguments: str, cwd: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run a program of the new environment, which must end with one of ``codes``."""
    done = subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        env={name: value for name, value in environment().items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode in codes, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_the_main_job_works_on_the_lowest_and_on_the_newest_versions(resolution: str, tmp_path: Path) -> None:
    """In an environment of its own: a project is made, its forecast issued, shown, updated and exported."""
    wanted = tmp_path / "wanted.txt"
    extras = ("--extra", "excel", "--extra", "parquet")
    options = ("--resolution", resolution, "--python", sys.executable, "--no-emit-index-url")
    got("pip", "compile", "--upgrade", *options, *extras, str(ROOT / "pyproject.toml"), "-o", str(wanted), cwd=tmp_path)
    got("venv", "--python", sys.executable, str(tmp_path / "venv"), cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    install = ("pip", "install", "--python", str(python))
    got(*install, "--only-binary", ":all:", "--requirement", str(wanted), cwd=tmp_path)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    got(*install, "--no-deps", str(wheel), cwd=tmp_path)

    program, root = python.with_name("forecast"), tmp_path / "project"
    run(program, "init", str(root), cwd=tmp_path)
    assert "issued" in run(program, "run", "--as-of", "2026-01-08", *SHORT, cwd=root)
    assert "As of 8 Jan 2026" in run(program, "show", cwd=root)
    run(program, "update", "--as-of", "2026-01-08", "--refit", "never", "--accept-bad-fit", cwd=root, codes=(0, 3))
    run(program, "export", "rows.xlsx", cwd=root)
    assert "36" in run(program, "import", "rows.xlsx", cwd=root)
    run(program, "export-archive", "archive.parquet", cwd=root)
    assert "all is as it was written" in run(program, "verify", cwd=root)
    assert {path.name for path in root.glob("reports/*/2026-01-08/*") if path.suffix in {".html", ".md", ".json"}} == {
        "report.html", "report.md", "forecast.json",
    }  # fmt: skip
    if resolution == "lowest-direct":
        _are_the_bounds(wanted)


def _are_the_bounds(wanted: Path) -> None:
    """Make sure that each bound is the version that was used: one that nobody can have would promise too much."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = dict(row.split(">=") for row in project["dependencies"])
    used = dict(re.findall(r"^([\w-]+)==(\S+)", wanted.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert not {name: (low, used[name]) for name, low in said.items() if not f"{used[name]}.".startswith(f"{low}.")}
