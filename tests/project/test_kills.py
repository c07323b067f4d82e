"""Killed again and again, a project loses, doubles and half shows nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS
from projects import environment
from year import issued_tiny

AT_RANDOM, BETWEEN = 70, 30


@pytest.mark.slow
def test_a_hundred_killed_runs_lose_nothing(tmp_path: Path) -> None:
    """After each of 100 kills, of which 30 fall between archive and report, all that was issued is there once."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    paths = [str(place) for place in (TESTS.parent, TESTS, TESTS / "oracles")]
    done = subprocess.run(
        [sys.executable, str(TESTS / "oracles" / "kills.py"), str(root), str(AT_RANDOM), str(BETWEEN), "20260108"],
        env=environment(PYTHONPATH=":".join(paths)), capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    *kills, last = map(json.loads, done.stdout.splitlines())
    assert len(kills) == AT_RANDOM + BETWEEN
    assert all(kill["killed"] for kill in kills)
    assert not [kill["faults"] for kill in kills if kill["faults"]]
    between = [kill for kill in kills if kill["issued"] and not kill["shown"]]
    assert len(between) >= BETWEEN
    assert (last["ended"], last["faults"], last["whole"]) == (True, [], True)
    assert last["issues"] == 3 + sum(kill["issued"] for kill in kills), (
        "the first, two that were let be, and the killed"
    )
