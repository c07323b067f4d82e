"""What tests need besides Python: finds it, gets it (`python tests/needs.py`), and tells of what is missing.

A test asks with `require` and is skipped where there is none; a run of pytest then ends with one line that says so, and
fails where CI is set.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "msedge", "microsoft-edge")
PACKAGES = {
    "browser": ("chromium", "fonts-liberation"),
    "systemd-analyze": ("systemd",),
    "postgresql": ("postgresql",),
}
NAMED = "FORECAST_TEST_POSTGRES"  # a variable: the address of a database in which tests may make schemas
BINARIES = "/usr/lib/postgresql/*/bin"  # where Debian puts what is not for everybody
HOW = {
    "browser": "a browser (install Chromium or Chrome, or name one in the variable CHROME)",
    "systemd-analyze": "systemd-analyze (install systemd)",
    "postgresql": f"PostgreSQL (install it, or name a database in the variable {NAMED})",
}
OWN = """
from playwright.sync_api import sync_playwright
with sync_playwright() as play:
    print(play.chromium.executable_path)
"""
LACKING = "NOT TESTED for want of "
DOWNLOAD, INSTALL = 120, 900  # seconds


def done(command: list[str], seconds: float) -> bool:
    """Say whether a command succeeds in time; after that it is killed, with what it has started."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return False
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def working(program: str) -> str | None:
    """Give the path of a program that tells its version; one that only says how to install it is none."""
    path = shutil.which(program)
    return path if path and done([path, "--version"], 30) else None


def _own_browser() -> str | None:
    """Give Playwright's own browser; asked in another process, as a process that has a page open may not ask twice."""
    asked = subprocess.run([sys.executable, "-c", OWN], capture_output=True, text=True, check=False)
    return working(asked.stdout.strip())


def _server() -> str | None:
    """Give the path of PostgreSQL's server, the newest; POSTGRES_BINARIES says where it may lie."""
    folders = sorted(glob.glob(os.environ.get("POSTGRES_BINARIES", BINARIES)), key=_numbers)  # noqa: PTH207 - absolute
    places = [str(Path(folder) / "postgres") for folder in reversed(folders)]
    return next(filter(None, map(working, [*places, "postgres"])), None)


def _numbers(path: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", path)]


def find(what: str) -> str | None:
    """Give the path of a program.

    The browser is what CHROME names, what is installed, or Playwright's own; of PostgreSQL it is the server.
    """
    if what == "postgresql":
        return _server()
    if what != "browser":
        return working(what)
    if named := os.environ.get("CHROME"):
        if path := working(named):
            return path
        message = f"the variable CHROME names {named!r}, which is no program that runs; correct it or unset it"
        raise FileNotFoundError(message)
    return next(filter(None, map(working, BROWSERS)), None) or _own_browser()


def require(what: str) -> str:
    """Give the path, or skip the test."""
    return find(what) or pytest.skip(LACKING + HOW[what])


# Getting it.


def _as_root() -> list[str] | None:
    """Give what runs a command as root without asking, if anything does."""
    if os.geteuid() == 0:
        return ["env"]
    return ["sudo", "-n", "env"] if done(["sudo", "-n", "true"], 30) else None


def _get(what: str, command: list[str], seconds: float) -> bool:
    """Say whether a command that gets something succeeds, telling what is tried."""
    print(f"Missing for the tests: {what}; trying {' '.join(command)}", flush=True)  # noqa: T201
    if done(command, seconds):
        return True
    print("... which did not work", flush=True)  # noqa: T201
    return False


def _lacks(what: str) -> bool:
    return find(what) is None and not (what == "postgresql" and os.environ.get(NAMED))


def bring() -> None:
    """Get what is missing, as far as it can be had here without asking."""
    missing = [what for what in PACKAGES if _lacks(what)]
    if "browser" in missing:
        _get("browser", [sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD)
        missing = [what for what in missing if _lacks(what)]
    if not missing or shutil.which("apt-get") is None or (root := _as_root()) is None:
        return
    apt = [*root, "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if _get(", ".join(missing), [*apt, "update"], INSTALL):
        for what in missing:
            _get(what, [*apt, "install", "--yes", "--no-install-recommends", *PACKAGES[what]], INSTALL)


# What pytest says at the end; this module is a plugin of conftest.py.


def _lacking(config: pytest.Config) -> str:
    """Say in one line which tests were skipped for want of what; empty if none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist; the process that started it tells
        return ""
    skipped = [(str(row.longrepr[2]), row.nodeid.partition("::")[0]) for row in reporter.stats.get("skipped", [])]
    counts = Counter((why.removeprefix("Skipped: "), file) for why, file in skipped if LACKING in why)
    told: dict[str, list[str]] = {}
    for (why, file), count in sorted(counts.items()):
        told.setdefault(why, []).append(f"{count} of {file}")
    return "; ".join(f"{why}: {', '.join(files)}" for why, files in told.items())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Tell after everything else what was not tested."""
    yield
    if line := _lacking(config):
        failure = "; a failure, since CI is set" if os.environ.get("CI") else ""
        terminalreporter.write_line(f"{line}{failure}", red=True, bold=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where CI is set and something was not tested."""
    if os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK and _lacking(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


if __name__ == "__main__":
    try:
        bring()
    except FileNotFoundError as error:
        sys.exit(str(error))
