"""What docs/service.md says of the service is so: its table of addresses, its limits, and its commands, which run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import places
import pytest
from needs import LACKING
from projects import environment
from service_scenes import NOW, listening, served
from year import issued_tiny

from forecast.service import limits
from forecast.service.app import ROOT, Door
from forecast.service.desk import Desk

if TYPE_CHECKING:
    from service_scenes import Served

PAGE = (places.ROOT / "docs" / "service.md").read_text(encoding="utf-8")
OPEN = {"/health", "/ready"}
# The page speaks of the reference model, the test asks a small one.
NAMES = {
    "russia_azerbaijan": "tiny", "confrontation": "tension", "presidents_meeting": "march", "2026-01-07": "2025-01-13",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the issued project."""
    return Path(shutil.copytree(issued_tiny(), tmp_path / "project"))


def _scope(team: Served, method: str, path: str) -> str:
    """Find out what an address takes, by asking without a token and with one that may read."""
    filled = re.sub(r"\{\w+\}", "1", path)
    body = {} if method == "POST" else None
    bearer = team.bearer("read", "Bob")
    if path.endswith("/events"):  # a stream: only whether it is open is asked
        return "read" if team.client.get(filled).status_code == 401 else "none"
    if team.client.request(method, filled, json=body).status_code != 401:
        return "none"
    refused = team.client.request(method, filled, json=body, headers=bearer)
    return "write" if refused.status_code == 403 else "read"


def test_the_table_names_each_address_with_its_scope(project: Path) -> None:
    """What the application has is in the table, in its words, with the scope that it really takes."""
    team = served(project, Door("0.0.0.0"))  # noqa: S104 - nothing listens
    paths = json.loads((places.ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    expected = [
        f"| `{method.upper()} {path.removeprefix(ROOT)}` | {_scope(team, method.upper(), path)} | "
        f"{about['description'].removesuffix('.')} |"
        for path, methods in paths.items()
        for method, about in methods.items()
    ]
    rows = re.findall(r"^\| `(?:GET|POST|PUT|PATCH|DELETE) /.*\|$", PAGE, flags=re.MULTILINE)
    assert rows == expected, "write these lines into docs/service.md"


def test_the_limits_are_those_of_the_page() -> None:
    """Bytes and requests."""
    assert f"a body of more than {limits.LARGEST // 1024} KiB" in PAGE
    assert f"more than {limits.BURST:.0f} requests at once, or {limits.RATE:.0f} a second" in PAGE


def test_the_commands_of_the_page_run(project: Path) -> None:
    """Each block of commands, in order, against a service that listens; every answer says what it rests on."""
    if shutil.which("curl") is None:
        pytest.skip(f"{LACKING}curl")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    with listening(Desk(project, lambda: NOW)) as address:
        script = "\n".join(blocks).replace("http://127.0.0.1:8000", address)
        for name, small in NAMES.items():
            script = script.replace(name, small)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=project, capture_output=True, text=True, check=False,  # noqa: S607
            env=environment(PATH=path, NO_PROXY="127.0.0.1"), timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count('"rests_on"') == 4
    for said in ('{"status":"ok"}', '"new":["march-2025-01-13', '"state":"queued"', '"asked_by":"ada"', "event: news"):
        assert said in done.stdout, done.stdout
