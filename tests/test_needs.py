"""Tests that need a browser or systemd find it, get it where they may, and say loudly when they did without."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import needs
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    type Program = Callable[..., Path]

pytest_plugins = ("pytester",)

SCRIPT = Path(needs.__file__)
TESTS = """
from needs import require

def test_page():
    require("browser")

def test_units():
    require("systemd-analyze")

def test_other():
    pass
"""
LINE = "NOT TESTED for want of "
PAGE = f"{LINE}a browser (install Chromium or Chrome, or name one in the variable CHROME): 1 of test_all.py"
UNITS = f"{LINE}systemd-analyze (install systemd): 1 of test_all.py"
FAILURE = "; a failure, since CI is set"


PLAYWRIGHT = """
from contextlib import nullcontext
from types import SimpleNamespace

def sync_playwright():
    return nullcontext(SimpleNamespace(chromium=SimpleNamespace(executable_path="/no/such/chrome")))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Give a machine without any program, Playwright's browser included, and what installs one that is a script.

    In place of Playwright, whose driver takes a second to start, is what answers as it does where it gets no browser.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("env", "chmod", "touch", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:1")  # nothing answers there
    monkeypatch.setenv("POSTGRES_BINARIES", str(folder))
    stand_in = tmp_path / "modules" / "playwright"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text("raise SystemExit(1)")
    (stand_in / "sync_api.py").write_text(PLAYWRIGHT)
    monkeypatch.setenv("PYTHONPATH", str(stand_in.parent), prepend=os.pathsep)
    for name in ("CHROME", "CI", "PYTEST_ADDOPTS", needs.NAMED):
        monkeypatch.delenv(name, raising=False)

    def install(name: str, script: str = "exit 0") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return install


@pytest.fixture
def playwright(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Give such a machine with Playwright itself."""
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].partition(os.pathsep)[2])
    return program


# Finding.


def test_browsers_come_in_order(program: Program) -> None:
    """The first of the known names that works is taken, and none where none is."""
    assert needs.find("browser") is None
    for name in ("microsoft-edge", "msedge", "google-chrome", "chromium-browser", "chromium"):
        path = program(name)
        assert needs.find("browser") == str(path)


def test_a_browser_that_does_not_run_is_none(program: Program) -> None:
    """A script that only says how to install a browser is passed over."""
    program("chromium", "echo install it; exit 1")
    edge = program("microsoft-edge", 'test "$*" = --version')
    assert needs.find("browser") == str(edge)


def test_playwrights_own_browser_is_the_last(playwright: Program) -> None:
    """What Playwright has installed for itself is used where there is no other."""
    asked = subprocess.run([sys.executable, "-c", needs.OWN], capture_output=True, text=True, check=True)
    own = playwright(asked.stdout.strip())
    assert needs.find("browser") == str(own)
    chrome = playwright("google-chrome")
    assert needs.find("browser") == str(chrome)


@pytest.mark.usefixtures("playwright")
def test_a_browser_is_looked_for_while_a_page_is_open() -> None:
    """A process that keeps Playwright open, as the tests of the page do, may ask too."""
    ask = "import needs, playwright.sync_api as play\nwith play.sync_playwright(): print(needs.find('browser'))"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=SCRIPT.parent, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.parametrize("whole", [True, False])
def test_chrome_wins(program: Program, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:  # noqa: FBT001
    """The variable names the browser, by its path or by its name."""
    program("chromium")
    mine = program("mine")
    monkeypatch.setenv("CHROME", str(mine) if whole else "mine")
    assert needs.find("browser") == str(mine)


@pytest.mark.parametrize("script", [None, "exit 1"])
def test_chrome_that_is_wrong_is_told(program: Program, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """A browser that is named and not there, or does not run, stops the set-up, whatever else is there."""
    program("chromium")
    if script:
        program("mine", script)
    monkeypatch.setenv("CHROME", "mine")
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the variable CHROME names 'mine', which is no program that runs; correct it or unset it\n"


def test_the_newest_server_is_taken(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several versions side by side the highest number counts, as a number; without any, one on the path."""
    monkeypatch.setenv("POSTGRES_BINARIES", str(tmp_path / "bin" / "versions" / "*" / "bin"))
    assert needs.find("postgresql") is None
    path = program("postgres")
    assert needs.find("postgresql") == str(path)
    newest = [program(f"versions/{number}/bin/postgres") for number in (9, 16)][1]
    assert needs.find("postgresql") == str(newest)


# Getting.

APT = """
echo "$*" >>{log}
for last in "$@"; do :; done
case "$last" in
    fonts-liberation) name=chromium ;;
    systemd) name=systemd-analyze ;;
    postgresql) name=postgres ;;
    *) exit 0 ;;
esac
echo '#!/bin/sh' >{folder}/$name && chmod +x {folder}/$name
"""


def set_up(program: Program, tmp_path: Path) -> tuple[list[str], list[str]]:
    """Run the set-up; give what it printed and what apt-get was asked."""
    log = tmp_path / "log"
    log.unlink(missing_ok=True)
    program("apt-get", APT.format(log=log, folder=tmp_path / "bin"))
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines(), log.read_text().splitlines() if log.exists() else []


def test_apt_brings_what_is_missing_and_only_that(program: Program, tmp_path: Path) -> None:
    """What is missing is installed once; what somebody removes is brought back; what is there is left alone."""
    program("sudo", 'test "$1" = -n && shift && exec "$@"')
    install = "install --yes --no-install-recommends"
    told, asked = set_up(program, tmp_path)
    assert asked == [
        "update", f"{install} chromium fonts-liberation", f"{install} systemd", f"{install} postgresql",
    ]  # fmt: skip
    assert [line.partition("; trying ")[0].partition("Missing for the tests: ")[2] for line in told] == [
        "browser", "", "browser, systemd-analyze, postgresql", "browser", "systemd-analyze", "postgresql",
    ]  # fmt: skip
    assert told[1] == "... which did not work"
    begun = time.perf_counter()
    assert set_up(program, tmp_path) == ([], [])
    assert time.perf_counter() - begun < 5
    (tmp_path / "bin" / "systemd-analyze").unlink()
    assert set_up(program, tmp_path)[1] == ["update", f"{install} systemd"]


@pytest.mark.parametrize(("allowed", "first"), [(True, ["sudo", "-n", "env"]), (False, None)])
def test_who_may_not_is_not_asked(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: bool, first: list[str] | None  # noqa: FBT001
) -> None:  # fmt: skip
    """Without being root, apt-get is called only through a sudo that wants no password."""
    log = tmp_path / "log"
    program("apt-get", f'echo "$*" >>{log}')
    program("sudo", f'test "$1" = -n && shift && {"exec" if allowed else "false"} "$@"')
    program("true")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs._as_root() == first
    needs.bring()
    assert log.exists() == allowed


def test_where_nothing_can_be_had_the_set_up_goes_on(playwright: Program) -> None:
    """A download and an apt-get that fail are told, and are no error of the set-up."""
    playwright("sudo", 'shift && exec "$@"')
    playwright("apt-get", "exit 1")
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n... which did not work\n") == 2


def test_what_hangs_is_ended_with_what_it_started(program: Program, tmp_path: Path) -> None:
    """A command that takes too long has not succeeded, and nothing of it goes on."""
    late = tmp_path / "late"
    hangs = program("hangs", f"(sleep 2; touch {late}) & wait")
    assert not needs.done([str(hangs)], 0.5)
    time.sleep(2)
    assert not late.exists()
    assert needs.done([str(program("quick"))], 30)


# Telling.


@pytest.fixture
def run(pytester: pytest.Pytester, program: Program, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple]:
    """Give what runs three tests, of which two need something, on a machine that has what is named."""

    def run(*arguments: str, has: tuple[str, ...] = (), ci: str = "", tests: str = TESTS) -> tuple:
        for name in has:
            program(name)
        monkeypatch.setenv("PYTHONPATH", str(SCRIPT.parent), prepend=os.pathsep)
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # saves a second each time
        if ci:
            monkeypatch.setenv("CI", ci)
        pytester.makepyprojecttoml('[tool.pytest.ini_options]\naddopts = "-ra --strict-markers"\n')
        pytester.makeconftest('pytest_plugins = ("needs",)\n')
        pytester.makepyfile(test_all=tests)
        done = pytester.runpytest_subprocess(*arguments)
        told = [line for line in done.outlines if line.startswith(LINE)]
        assert [line for line in done.outlines if line][-len(told) - 1 : -1] == told
        return done.ret, told, done.parseoutcomes()

    return run


BY_WORKERS = [("-p", "xdist", "-n", "2")] if importlib.util.find_spec("xdist") else []


@pytest.mark.parametrize("arguments", [(), *BY_WORKERS])
@pytest.mark.parametrize("ci", ["", "true"])
def test_one_line_at_the_end_tells_what_was_not_tested(
    run: Callable[..., tuple], arguments: tuple[str, ...], ci: str
) -> None:
    """Just before pytest's last line stands what was skipped for want of what; with CI set it is a failure."""
    code, told, counts = run(*arguments, ci=ci)
    assert told == [f"{PAGE}; {UNITS}{FAILURE if ci else ''}"]
    assert code == (1 if ci else 0)
    assert (counts["passed"], counts["skipped"]) == (1, 2)


def test_only_what_is_missing_is_told(run: Callable[..., tuple]) -> None:
    """With a browser only systemd is told of."""
    assert run(ci="true", has=("chromium",))[:2] == (1, [f"{UNITS}{FAILURE}"])


def test_nothing_is_told_where_all_is_there(run: Callable[..., tuple]) -> None:
    """Where nothing is missing no line is added, tests that are skipped for another reason are no failure."""
    other = f"import pytest\n{TESTS}\ndef test_elsewhere():\n    pytest.skip('for another reason')\n"
    code, told, counts = run(ci="true", has=("chromium", "systemd-analyze"), tests=other)
    assert (code, told) == (0, [])
    assert (counts["passed"], counts["skipped"]) == (3, 1)


def test_a_failure_stays_one(run: Callable[..., tuple]) -> None:
    """Without CI a test that fails decides, whatever was skipped."""
    code, told, _ = run(tests=TESTS.replace("pass", "assert False"))
    assert (code, told) == (1, [f"{PAGE}; {UNITS}"])


def test_a_wrong_browser_is_an_error_of_the_tests_too(
    run: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where CHROME names what is not there the tests of the page fail, and are not skipped."""
    monkeypatch.setenv("CHROME", "/no/such")
    code, told, counts = run()
    assert (code, told, counts["failed"]) == (1, [UNITS], 1)
