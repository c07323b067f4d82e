"""Units that schedulers take, whose commands run."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import yaml
from croniter import croniter
from forking import put_program
from needs import require
from projects import PROGRAM, call, environment, strict_json
from unattended import lines
from year import COMPILED, SHORT, START

from forecast.base.errors import InputError
from forecast.cli import schedules
from forecast.jobs import scheduler_units
from forecast.jobs.scheduler_units import Job, cron_line, github_files, systemd_files

if TYPE_CHECKING:
    from collections.abc import Callable


BIN = Path(sys.executable).parent


@pytest.fixture
def odd(root: Path, tmp_path: Path) -> Path:
    """Move the project to a folder with a name that every scheduler reads in its own way."""
    return Path(shutil.move(root, tmp_path / "50 %h $HOME 'quoted\" #1"))


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a program that does what the installed one does, and print units that name it; it starts at once.

    That units name the installed program, which runs, is shown by the test of one scheduler.
    """
    path = tmp_path / "quick" / "forecast"
    path.parent.mkdir()
    put_program(path, PROGRAM[-1], COMPILED)
    monkeypatch.setattr(schedules, "_program", lambda: (str(path),))
    return path


def printed(root: Path, *arguments: str, zone: str = "UTC", shell: str = "") -> str:
    """Print a unit as a user does, on a machine in a time ``zone`` whose ``shell`` may be set to another."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schedules, "LOCALTIME", Path("/usr/share/zoneinfo", zone))
        if shell:
            patched.setenv("TZ", shell)
        done = call("schedule", *arguments, cwd=root)
    assert (done.code, done.err) == (0, "")
    return done.out


def runs(command: list[str], root: Path, **variables: str) -> None:
    """Run the command of a unit, as of the day that is issued, from a place far from the project."""
    done = subprocess.run(
        command, cwd="/", env=environment(**variables), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing new to issue" in done.stdout
    assert lines(root)[-1]["issued"] == "same"


SAME_DAY = ("--as-of", str(START), *SHORT)


def from_crontab(line: str) -> tuple[str, str]:
    """Read a line as cron does: five fields, and a command in which only an escaped percent sign is one."""
    fields, command = re.fullmatch(r"((?:\S+ ){4}\S+) (.*)\n", line).groups()  # type: ignore[union-attr]
    assert not re.search(r"(?<!\\)%", command)
    return fields, command.replace(r"\%", "%")


def test_cron_runs_the_command_once_a_day(odd: Path) -> None:
    """Where the clock shows UTC the line names the time, and its command runs as it stands."""
    line = printed(odd, "cron", "--at", "05:07", "--notify-if", "tension:3", "--timeout", "500", zone="UTC")
    fields, command = from_crontab(line)
    times = croniter(fields, dt.datetime(2026, 1, 9, tzinfo=dt.UTC))
    assert [times.get_next(dt.datetime) for _ in range(2)] == [
        dt.datetime(2026, 1, day, 5, 7, tzinfo=dt.UTC) for day in (9, 10)
    ]
    assert shlex.split(command)[0] == str(BIN / "forecast")
    assert shlex.split(command)[-4:] == ["--notify-if", "tension:3", "--timeout", "500"]
    runs(["sh", "-c", f"{command} {shlex.join(SAME_DAY)}"], odd)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_cron_in_another_time_zone_waits_for_utc(odd: Path, tmp_path: Path, zone: str) -> None:
    """Where the clock shows another time the line looks every quarter of an hour whether it is time in UTC."""
    fields, command = from_crontab(printed(odd, "cron", "--at", "05:07", zone=zone))
    assert croniter.is_valid(fields)
    assert fields == "7,22,37,52 * * * *"
    assert command.startswith('test "$(date -u +%H:%M)" != 05:07 || ')
    if zone == "Asia/Kathmandu":
        date = tmp_path / "bin" / "date"
        date.parent.mkdir()
        for now, out in (("05:22", ""), ("05:07", "Usage")):
            date.write_text(f"#!/bin/sh\n[ \"$*\" = '-u +%H:%M' ] && echo {now}\n")
            date.chmod(0o755)
            path = f"{date.parent}:{os.environ['PATH']}"
            done = subprocess.run(
                ["/bin/sh", "-c", f"{command} --help"],
                env=environment(PATH=path),
                capture_output=True,
                text=True,
                check=True,
            )
            assert bool(done.stdout) == bool(out)
            assert out in done.stdout


@pytest.mark.parametrize(
    ("zone", "shell"), [("UTC", "Asia/Kathmandu"), ("Asia/Kathmandu", "UTC"), ("none", "America/New_York")]
)
def test_the_shell_is_not_taken_for_the_machine(root: Path, zone: str, shell: str) -> None:
    """The variable TZ of whoever prints a unit changes nothing; a machine that says nothing shows UTC."""
    fields, _ = from_crontab(printed(root, "cron", "--at", "05:07", zone=zone, shell=shell))
    assert fields == ("7,22,37,52 * * * *" if zone == "Asia/Kathmandu" else "7 5 * * *")
    for scheduler in ("systemd", "github"):
        (root / wheel(root)).touch()
        text = printed(root, scheduler, "--at", "05:07", zone=zone, shell=shell)
        assert text == printed(root, scheduler, "--at", "05:07")
        assert '"7 5 * * *"  # UTC' in text or "05:07:00 UTC" in text


def exec_start(unit: str) -> list[str]:
    """Read the command of a service as systemd does: after the colon only quotes and percent signs are special."""
    (line,) = re.findall(r"^ExecStart=:(.*)$", unit, flags=re.MULTILINE)
    return [word.replace("%%", "%") for word in shlex.split(line)]


type Analyze = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def analyze() -> Analyze:
    """Ask systemd, where there is one."""
    program = require("systemd-analyze")
    return lambda *arguments: subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_systemd_takes_the_units_and_their_command_runs(
    odd: Path, tmp_path: Path, analyze: Analyze, quick: Path
) -> None:
    """No fault is found by systemd in service and timer, it reads the time as meant, and the command runs."""
    folder = tmp_path / "units"
    options = ("--at", "05:07", "--notify-if", "tension:3", "--timeout", "500")
    files = printed(odd, "systemd", *options, "--output", str(folder)).splitlines()
    assert [Path(file).suffix for file in files] == [".service", ".timer"]
    service, timer = (folder / Path(file).name for file in files)
    done = analyze("verify", "--man=no", str(service), str(timer))
    assert (done.returncode, done.stderr) == (0, "")
    (when,) = re.findall(r"^OnCalendar=(.*)$", timer.read_text(), flags=re.MULTILINE)
    assert "05:07:00 UTC" in analyze("calendar", "--base-time=2026-01-09 00:00:00 UTC", when).stdout
    unit = service.read_text()
    assert exec_start(unit)[0] == str(quick)
    assert exec_start(unit)[-4:] == ["--notify-if", "tension:3", "--timeout", "500"]
    assert "TimeoutStartSec=560\n" in unit
    runs([*exec_start(unit), *SAME_DAY], odd)
    both = printed(odd, "systemd", *options)
    assert both == f"# {service.name}\n{unit}\n# {timer.name}\n{timer.read_text()}"


def test_systemd_would_notice_a_fault(tmp_path: Path, analyze: Analyze) -> None:
    """The check of the units is one: a program that is not there is a fault."""
    job = Job((str(tmp_path / "no program"),), tmp_path, "tiny", (), dt.time(6))
    ((name, text), _) = systemd_files(job, "root").items()
    (tmp_path / name).write_text(text)
    assert analyze("verify", "--man=no", str(tmp_path / name)).returncode != 0


@pytest.mark.parametrize(("folder", "private"), [("srv", "yes"), ("tmp", "no"), ("var/tmp", "no")])
def test_systemd_hides_no_folder_that_is_needed(folder: str, private: str) -> None:
    """A project among temporary files is not hidden from its own job."""
    unit = systemd_files(Job(("/usr/bin/forecast",), Path("/", folder, "x"), "tiny", (), dt.time(6)), "me")
    assert f"PrivateTmp={private}\n" in unit["forecast-x.service"]


def check_workflow(path: Path) -> int:
    """Hold a workflow against the schema of GitHub's workflows."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def git(*arguments: str, cwd: Path) -> str:
    """Run git."""
    names = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *names, *arguments], cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    return done.stdout


def wheel(root: Path) -> str:
    """Make the folder of a repository in which a wheel of this package can lie, and name its place."""
    (root / "wheels").mkdir(exist_ok=True)
    return f"wheels/scenario_cascade-{version('scenario-cascade')}-py3-none-any.whl"


def test_github_takes_the_workflow_and_its_steps_run(odd: Path, tmp_path: Path, quick: Path) -> None:
    """The workflow fits GitHub's schema; its steps run the project and push report and archive, not the lock."""
    work, far = tmp_path / "work", tmp_path / "far.git"
    work.mkdir()
    git("init", "--bare", str(far), cwd=tmp_path)
    git("init", cwd=work)
    git("remote", "add", "origin", str(far), cwd=work)
    root = Path(shutil.move(odd, work / odd.name))
    (work / wheel(work)).touch()
    (work / ".gitignore").write_text("ledger.db*\nfits/\nreports/\n")
    git("add", ".", cwd=work)
    git("commit", "--message", "project", cwd=work)
    git("push", "--set-upstream", "origin", "HEAD", cwd=work)
    path = tmp_path / "forecast.yml"
    path.write_text(printed(root, "github", "--at", "05:07", "--notify-if", "tension:3", "--timeout", "500"))
    assert check_workflow(path) == 0
    workflow = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - `on` stays a word
    fields = workflow["on"]["schedule"][0]["cron"]
    assert croniter(fields, dt.datetime(2026, 1, 9, tzinfo=dt.UTC)).get_next(dt.datetime).strftime("%H:%M") == "05:07"
    steps = {step.get("name", step.get("uses")): step for step in workflow["jobs"]["forecast"]["steps"]}
    out = tmp_path / "out"
    for name in ("Forecast", "Keep the report and the archive"):
        script = steps[name]["run"]
        if name == "Forecast":
            assert "--notify-if tension:3 --timeout 500" in script
            script = script.replace(" || code=$?", f" {shlex.join(SAME_DAY)} || code=$?")
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=work, capture_output=True, text=True, check=False,  # noqa: S607
            env=environment(GITHUB_OUTPUT=str(out), PATH=f"{quick.parent}:{os.environ['PATH']}"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert out.read_text() == "code=0\n"
    kept = git("-c", "core.quotePath=off", "ls-tree", "-r", "-z", "--name-only", "main", cwd=far).split("\0")
    names = {str(Path(name).relative_to(root.name)) for name in kept if name.startswith(root.name)}
    assert {"data/ledger.db", "reports/run.log", f"reports/tiny/{START}/forecast.json"} <= names
    assert "reports/run.lock" not in names


def test_a_workflow_beside_a_ledger_that_is_elsewhere(tmp_path: Path) -> None:
    """With PostgreSQL it installs the extra, is given the secrets by name, and commits of the ledger only its head.

    systemd's unit has the network then, and else has none.
    """
    job = Job(("/usr/bin/forecast",), Path("/srv/x"), "tiny", (), dt.time(6), remote=True)
    (text,) = github_files(job, None).values()
    path = tmp_path / "forecast.yml"
    path.write_text(text)
    assert check_workflow(path) == 0
    steps = yaml.safe_load(text)["jobs"]["forecast"]["steps"]
    given = {step["name"]: step for step in steps if "name" in step}
    assert "[postgres]" in given["Install"]["run"]
    assert given["Forecast"]["env"] == {
        "FORECAST_LEDGER": "${{ secrets.FORECAST_LEDGER }}", "PGPASSWORD": "${{ secrets.PGPASSWORD }}",
    }  # fmt: skip
    kept = given["Keep the report and the head of the ledger"]["run"]
    assert "-- reports data/ledger.head ':(exclude)reports/run.lock'\n" in kept
    assert "ledger.db" not in text
    unit = systemd_files(job, "me")["forecast-x.service"]
    assert "PrivateNetwork" not in unit
    assert "PrivateNetwork=yes\n" in systemd_files(dataclasses.replace(job, remote=False), "me")["forecast-x.service"]


def test_github_would_notice_a_fault(tmp_path: Path) -> None:
    """The check of the workflow is one: a misspelt key is a fault."""
    job = Job(("forecast",), tmp_path, "tiny", (), dt.time(6))
    (text,) = github_files(job, None).values()
    (tmp_path / "bad.yml").write_text(text.replace("runs-on", "run-on"))
    assert check_workflow(tmp_path / "bad.yml") != 0


VERSIONS = r" pymc==\S+ pytensor==\S+ nutpie==\S+ numba==\S+ numpy==\S+"
GIT = {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}}


@pytest.mark.parametrize(
    ("origin", "asked"),
    [
        (None, r"scenario-cascade==\S+"),
        ({"url": "file:///a/x.whl", "archive_info": {}}, r"wheels/scenario_cascade-\S+-py3-none-any\.whl"),
        ({"url": "file:///a/source", "dir_info": {}}, r"wheels/scenario_cascade-\S+-py3-none-any\.whl"),
        ({"url": "https://example.org/a.whl", "archive_info": {}}, "'scenario-cascade @ https://example.org/a.whl'"),
        (GIT, "'scenario-cascade @ git\\+https://example.org/x.git@0a1b'"),
    ],
)
def test_github_installs_the_package_from_where_it_came(
    origin: dict[str, object] | None, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a runner cannot get, a file of this machine, it takes from the repository; that it is missing is said."""
    told = mock.Mock(read_text=lambda _: json.dumps(origin) if origin else None)
    monkeypatch.setattr(scheduler_units, "distribution", lambda _: told)
    (text,) = github_files(Job(("forecast",), tmp_path, "tiny", (), dt.time(6)), None).values()
    assert re.search(f"pip install {asked}{VERSIONS}$", text, re.MULTILINE)
    missing = scheduler_units.missing_wheel(tmp_path)
    assert bool(missing) == ("wheels" in asked)
    if missing:
        assert f"commit its wheel as {wheel(tmp_path)}" in missing[0]
        (tmp_path / wheel(tmp_path)).touch()
        assert not scheduler_units.missing_wheel(tmp_path)


def test_github_installs_what_is_pinned(tmp_path: Path) -> None:
    """Next to the source its pins are used."""
    job = Job(("forecast",), tmp_path, "tiny", (), dt.time(6), timeout=3600)
    for name in ("pins.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    (text,) = github_files(job, None).values()
    assert "pip install --constraint pins.txt .\n" in text
    assert "timeout-minutes: 75\n" in text
    assert not scheduler_units.missing_wheel(tmp_path)


@pytest.mark.parametrize("name", ["line\nbreak", "back\\slash", "bell\a"])
def test_a_name_that_a_unit_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    """What would end a line or means different things to different crons is refused."""
    with pytest.raises(InputError, match="cannot stand in a unit of cron"):
        cron_line(Job(("forecast",), tmp_path / name, "tiny", (), dt.time(6)), utc=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("cron", "--at", "24:00"), "is no time of day"),
        (("cron", "--at", "6:00"), "is no time of day"),
        (("cron", "--notify-if", "tensoin:5"), "did you mean 'tension'"),
        (("systemd", "--timeout", "0"), "give seconds above 0"),
        (("cron", "--output", "x"), "--output is for files"),
    ],
)
def test_a_unit_that_could_not_run_is_not_printed(root: Path, arguments: tuple[str, ...], told: str) -> None:
    """What a run would refuse, or no scheduler can do, is refused when the unit is asked for."""
    done = call("schedule", *arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_units_as_json(root: Path, tmp_path: Path) -> None:
    """`--json` gives the files by name, and where they were written."""
    given = strict_json(call("schedule", "systemd", "--json", "--model", "tiny", cwd=root).out)
    assert given["folder"] is None
    assert sorted(given["files"]) == ["forecast-project.service", "forecast-project.timer"]
    assert '"--model" "tiny"' in given["files"]["forecast-project.service"]
    written = strict_json(call("schedule", "github", "--json", "-o", str(tmp_path / "flows"), cwd=root).out)
    assert (tmp_path / "flows" / "forecast-project.yml").read_text() == written["files"]["forecast-project.yml"]


# Feeds.

FEED = """
[feed]
kind = "plain"
title = "Made up"
{where}
license = "none"
[window]
from = 2025-01-01
[columns]
id = "id"
day = "date"
code = "what"
place = "where"
[sightings.{indicator}]
codes = ["shot"]
places = ["here"]
"""
HERE, THERE = 'folder = "files"', 'url = "https://example.org/{day}.csv"\nevery = "day"'


def with_feed(root: Path, where: str, indicator: str = "shot") -> None:
    """Give a project a feed, of a folder or of an address."""
    (dataset,) = (path for path in (root / "data").iterdir() if path.is_dir())
    (dataset / "feeds" / "files").mkdir(parents=True)
    (dataset / "feeds" / "files" / "day-2025-01-02.csv").write_text("id,date,what,where\n1,2025-01-02,shot,here\n")
    (dataset / "feeds" / "mine.toml").write_text(FEED.replace("{where}", where).replace("{indicator}", indicator))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_cron_pulls_feeds_before_it_runs_and_runs_even_so(odd: Path, zone: str) -> None:
    """The line pulls and runs; a pull that fails, for a fault in the feed's file, stops no run."""
    with_feed(odd, HERE, "no_such_indicator")
    _, command = from_crontab(printed(odd, "cron", zone=zone))
    assert command.endswith("; }")
    if zone == "UTC":
        pull, run = command.removeprefix("{ ").removesuffix("; }").split("; ")
        assert shlex.split(pull)[1:] == ["feed", "pull", "--project", str(odd), "--model", "tiny"]
        failed = subprocess.run(shlex.split(pull), env=environment(), capture_output=True, check=False)
        assert failed.returncode == 2
        assert shlex.split(run)[1] == "run"
        runs(["sh", "-c", f"{command.removesuffix('; }')} {shlex.join(SAME_DAY)}; }}"], odd)
    else:
        assert command.partition(" || ")[2].startswith("{ ")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("where", [HERE, THERE])
def test_systemd_pulls_feeds_in_a_unit_of_its_own(odd: Path, tmp_path: Path, analyze: Analyze, where: str) -> None:
    """It comes before the run, which it cannot stop, and alone may reach the network, if a feed has an address."""
    with_feed(odd, where)
    network = where == THERE
    folder = tmp_path / "units"
    files = printed(odd, "systemd", "--output", str(folder)).splitlines()
    pull, service, timer = (folder / Path(file).name for file in files)
    assert pull.name == service.name.replace(".service", "-pull.service")
    done = analyze("verify", "--man=no", *map(str, (pull, service, timer)))
    assert (done.returncode, done.stderr) == (0, "")
    run, before = service.read_text(), pull.read_text()
    assert f"Wants={pull.name}\nAfter={pull.name}\n" in run
    assert "Requires=" not in run
    assert "PrivateNetwork=yes" in run
    assert ("PrivateNetwork=yes" in before, "AF_INET" in before) == (not network, network)
    assert ("Wants=network-online.target" in before) == network
    assert exec_start(before)[1:3] == ["feed", "pull"]
    if not network:
        done = subprocess.run(exec_start(before), env=environment(), capture_output=True, text=True, check=False)
        assert (done.returncode, "mine: 1 new file" in done.stdout) == (0, True), done.stderr


def test_github_pulls_feeds_before_it_runs(odd: Path, tmp_path: Path) -> None:
    """Its step may fail; the package comes with the extra for feeds; what is kept of feeds is cached, not decisions."""
    (odd / wheel(odd)).touch()
    plain = printed(odd, "github")
    assert "feed pull" not in plain
    with_feed(odd, HERE)
    path = tmp_path / "forecast.yml"
    path.write_text(printed(odd, "github"))
    assert check_workflow(path) == 0
    workflow = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - `on` stays a word
    steps = workflow["jobs"]["forecast"]["steps"]
    names = [step.get("name") for step in steps]
    assert names.index("Pull feeds") == names.index("Forecast") - 1
    step = steps[names.index("Pull feeds")]
    assert step["continue-on-error"] == "true"
    assert shlex.split(step["run"])[1:] == ["feed", "pull", "--project", ".", "--model", "tiny"]
    assert "[feeds]" in steps[names.index("Install")]["run"]
    (cache,) = (step["with"]["path"].split() for step in steps if "cache" in step.get("uses", ""))
    assert "**/data/*/feeds/*/**" in cache
    assert "!**/data/*/feeds/*/rejected.csv" in cache


def test_feeds_beside_a_ledger_that_is_elsewhere(tmp_path: Path) -> None:
    """The pull reaches PostgreSQL as the run does, even if no feed has an address, and is told who it is there."""
    job = Job(("/usr/bin/forecast",), Path("/srv/x"), "tiny", (), dt.time(6), pulls=True, remote=True)
    units = systemd_files(job, "me")
    for name in ("forecast-x-pull.service", "forecast-x.service"):
        assert "PrivateNetwork" not in units[name]
        assert "Wants=network-online.target" in units[name]
        assert "EnvironmentFile=-/etc/forecast-x.env\n" in units[name]
    (text,) = github_files(job, None).values()
    path = tmp_path / "forecast.yml"
    path.write_text(text)
    assert check_workflow(path) == 0
    steps = {step.get("name"): step for step in yaml.safe_load(text)["jobs"]["forecast"]["steps"]}
    assert "[feeds,postgres]" in steps["Install"]["run"]
    assert steps["Pull feeds"]["env"] == steps["Forecast"]["env"]


def test_a_project_without_feeds_is_scheduled_as_before(root: Path) -> None:
    """Nothing is pulled, and no unit may reach the network."""
    for scheduler in ("cron", "systemd"):
        text = printed(root, scheduler)
        assert "feed pull" not in text.replace('" "', " ")
        assert "AF_INET" not in text
