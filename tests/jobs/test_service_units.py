"""Units of the service: systemd takes them and they start it; the container's file holds what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from needs import require
from projects import call, environment, strict_json

from forecast.jobs.service_units import Address, container_file, service_files

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTRUCTIONS = {
    "FROM", "LABEL", "ENV", "RUN", "VOLUME", "USER", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD",
}  # fmt: skip


@pytest.fixture
def odd(root: Path, tmp_path: Path) -> Path:
    """Move the project to a folder with a name that systemd reads in its own way."""
    return Path(shutil.move(root, tmp_path / "50 %h $HOME 'quoted\" #1"))


def command_of(unit: str) -> list[str]:
    """Read the command of a service as systemd does."""
    (line,) = re.findall(r"^ExecStart=:(.*)$", unit, flags=re.MULTILINE)
    return [word.replace("%%", "%") for word in shlex.split(line)]


def instructions(text: str) -> list[tuple[str, str]]:
    """Read a Containerfile: its instructions in order, without comments, each in one line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(re.split(r"\s+", line, maxsplit=1)) for line in joined.splitlines()]  # type: ignore[misc]


def probe(port: int) -> list[str]:
    """Give the container's check of its health, as a command of this Python."""
    (check,) = [rest for word, rest in instructions(container_file(port)) if word == "HEALTHCHECK"]
    words = json.loads(check.partition("CMD ")[2])
    assert words[:2] == ["python", "-c"]
    return [sys.executable, *words[1:]]


class Started:
    """A server that runs, and the port at which it does."""

    def __init__(self, command: list[str]) -> None:
        """Start it, and wait until it says where it is."""
        self.process = subprocess.Popen(command, cwd="/", env=environment(), stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        self.port = int(re.search(r":(\d+)/", line)[1])  # type: ignore[index]

    def stop(self) -> int:
        """Ask it to end, as systemd and Docker do, and give how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def server(odd: Path) -> Iterator[Started]:
    """Start the server by the command of its unit, on a free port."""
    unit, _ = service_files(_program(), odd, Address(port=0), "me", remote=False).values()
    started = Started(command_of(unit))
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()
    started.process.stdout.close()  # type: ignore[union-attr]


def _program() -> tuple[str, ...]:
    return (str(Path(sys.executable).with_name("forecast")),)


def test_systemd_takes_the_units_of_the_service(odd: Path, tmp_path: Path) -> None:
    """No fault is found in server and worker; each starts again after a failure and stands behind the walls."""
    analyze, folder = require("systemd-analyze"), tmp_path / "units"
    done = call("schedule", "service", "--host", "::1", "--port", "8080", "--output", str(folder), cwd=odd)
    assert (done.code, done.err) == (0, "")
    files = sorted(folder.iterdir())
    assert [file.name.rpartition("-")[2] for file in files] == ["server.service", "worker.service"]
    checked = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    server, worker = (file.read_text() for file in files)
    assert command_of(server)[1:] == ["serve", "--no-worker", "--host", "::1", "--port", "8080", "--project", str(odd)]
    assert command_of(worker)[1:] == ["worker", "--project", str(odd)]
    for unit in (server, worker):
        lines = unit.splitlines()
        walls = {"ProtectSystem=strict", "NoNewPrivileges=yes", "Restart=on-failure", "CapabilityBoundingSet="}
        assert walls <= set(lines)
        assert [line for line in lines if line.startswith("ReadWritePaths=")] != []
        assert re.search(r"^TimeoutStopSec=\d+$", unit, re.MULTILINE)
    assert "PrivateNetwork" not in server
    assert "PrivateNetwork=yes\n" in worker


def test_a_worker_reaches_a_ledger_that_is_elsewhere(tmp_path: Path) -> None:
    """Where the ledger is in PostgreSQL the worker needs the network, and has it."""
    _, worker = service_files(_program(), tmp_path, Address(), "me", remote=True).values()
    assert "PrivateNetwork" not in worker


def test_every_unit_reaches_a_ledger_that_is_elsewhere(odd: Path, tmp_path: Path) -> None:
    """Where it is in PostgreSQL, server, worker and daily run have the network, wait for it, and read who they are.

    The address is in none of them, for it may hold a password; a variable that only this shell knows is told.
    """
    analyze, secret = require("systemd-analyze"), "battery-staple"
    login = f"desk:{secret}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECAST_LEDGER", f"postgresql://{login}@db.example.org/forecasts")
        for scheduler in ("service", "systemd"):
            done = call("schedule", scheduler, "--output", str(tmp_path / "units"), cwd=odd)
            assert done.code == 0
            assert re.search(r"FORECAST_LEDGER says here where .* give it in /etc/forecast-\S+\.env too", done.err)
        assert "as a line of the crontab" in call("schedule", "cron", cwd=odd).err
    files = sorted((tmp_path / "units").iterdir())
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    units = [file.read_text() for file in files if file.suffix == ".service"]
    assert len(units) == 3
    for unit in units:
        assert "PrivateNetwork" not in unit
        assert "\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n" in unit
        assert "\nAfter=network-online.target\nWants=network-online.target\n" in unit
        assert re.search(r"^EnvironmentFile=-/etc/forecast-\S+\.env$", unit, re.MULTILINE)
        assert secret not in unit


def test_the_server_of_the_unit_starts_is_healthy_and_ends(server: Started) -> None:
    """The command runs as it stands; the container's check passes while it does and fails after; it ends in peace."""
    healthy = subprocess.run(probe(server.port), capture_output=True, env=environment(), check=False)
    assert healthy.returncode == 0, healthy.stderr
    assert server.stop() == 0
    assert subprocess.run(probe(server.port), capture_output=True, check=False).returncode != 0


def test_the_worker_of_the_unit_ends_when_it_is_asked(odd: Path) -> None:
    """A signal ends a worker that has nothing to do, at once and with success."""
    _, unit = service_files(_program(), odd, Address(), "me", remote=False).values()
    process = subprocess.Popen(command_of(unit), cwd="/", env=environment())
    try:
        status = Path(f"/proc/{process.pid}/status")
        for _ in range(600):  # until it listens to the signal
            caught = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
            if caught and int(caught[1], 16) & (1 << (signal.SIGTERM - 1)):
                break
            time.sleep(0.05)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_the_container_is_built_from_wheels_and_runs_as_nobody(root: Path) -> None:
    """Each instruction is known; one image is all that comes from a network; the user is not root."""
    text = call("schedule", "container", "--port", "9000", cwd=root).out
    found = instructions(text)
    assert {word for word, _ in found} <= INSTRUCTIONS
    assert found[0] == ("FROM", f"docker.io/library/python:{sys.version_info.major}.{sys.version_info.minor}-slim")
    runs = [rest for word, rest in found if word == "RUN"]
    (install,) = [run for run in runs if "pip" in run]
    assert "--no-index --find-links=/wheels 'scenario-cascade[serve,postgres,mcp,telemetry]'" in install
    assert not [run for run in runs if re.search(r"apt|curl|wget|https?:", run)]
    by_word = dict(found)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", by_word["USER"])
    assert by_word["EXPOSE"] == "9000"
    assert "/project" in json.loads(by_word["VOLUME"])
    (program,) = json.loads(by_word["ENTRYPOINT"])
    assert Path(sys.executable).with_name(program).exists()
    command = json.loads(by_word["CMD"])
    assert command == ["serve", "--host", "0.0.0.0", "--port", "9000"]  # noqa: S104 - its own addresses
    assert call(command[0], "--help", cwd=root).code == 0


@pytest.mark.parametrize(
    "run", [rest for word, rest in instructions(container_file(8000)) if word == "RUN" and "--mount" not in rest]
)
def test_the_shell_of_the_container_is_sound(run: str) -> None:
    """A shell reads its lines without a fault."""
    done = subprocess.run(["/bin/sh", "-n", "-c", run], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("service", "--at", "05:00"), "are for a run every day"),
        (("container", "--timeout", "5"), "are for a run every day"),
        (("cron", "--port", "9000"), "are for the service"),
        (("container", "--host", "::"), "--publish says where it is reached"),
    ],
)
def test_what_a_unit_does_not_have_is_refused(root: Path, arguments: tuple[str, ...], told: str) -> None:
    """An option that would say nothing is a fault."""
    done = call("schedule", *arguments, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_the_container_as_json(root: Path) -> None:
    """`--json` gives the file by its name."""
    given = strict_json(call("schedule", "container", "--json", cwd=root).out)
    assert given == {"files": {"Containerfile": container_file(8000)}, "folder": None}
