"""Programs run each in a process of its own, forked from one that has the packages loaded.

Importing them takes most of the time of a short command. One server does it for all processes of a run of the tests;
it ends with the run, or when the folder that they share is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from projects import environment, shared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER = """
import gc, importlib, json, os, pkgutil, select, socket, sys, threading, traceback
import forecast, sqlalchemy.dialects.sqlite

for module in pkgutil.walk_packages(forecast.__path__, "forecast."):
    importlib.import_module(module.name)
prepared = {""}

def become(asked, streams):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.argv = ["-c", *asked["arguments"]]
    sys.path[0] = ""
    code = 0
    try:
        try:
            exec(compile(asked["program"], "<string>", "exec"), {"__name__": "__main__"})
        finally:
            threading._shutdown()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)

def start(asked, told, streams):
    if os.fork():
        return
    command = os.fork()
    if not command:
        become(asked, streams)
    os.write(told, b"%d " % command)
    os.closerange(0, told)
    os.closerange(told + 1, 1024)
    os.write(told, b"%d " % os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]))
    os._exit(0)

def needed():
    try:
        os.kill(session, 0)
    except ProcessLookupError:
        return False
    return os.path.exists(place)

place, session = sys.argv[1], int(sys.argv[2])
asking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
asking.bind(place + ".new")
gc.collect()
gc.freeze()
os.rename(place + ".new", place)
while needed():
    if select.select([asking], [], [], 1)[0]:
        _, (told, *streams, request), _, _ = socket.recv_fds(asking, 16, 5)
        with open(request, encoding="utf-8") as file:
            asked = json.load(file)
        if asked["first"] not in prepared:
            prepared.add(asked["first"])
            exec(compile(asked["first"], "<string>", "exec"), {"__name__": "first"})
            gc.collect()
            gc.freeze()
        start(asked, told, streams)
        for part in (told, *streams):
            os.close(part)
    while True:
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                break
        except ChildProcessError:
            break
"""

CLIENT = """#!{python} -IS
import json, os, socket, sys

asked = {{"program": {program!r}, "arguments": sys.argv[1:], "first": {first!r}}}
asked |= {{"cwd": os.getcwd(), "env": dict(os.environ)}}
ours, theirs = os.pipe()
request = os.memfd_create("request")
os.write(request, json.dumps(asked).encode())
os.lseek(request, 0, os.SEEK_SET)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
    asking.connect({server!r})
    socket.send_fds(asking, [b"start"], [theirs, 0, 1, 2, request])
os.close(theirs)
with open(ours, "rb") as told:
    sys.exit(int(told.read().split()[1]) % 256)
"""

SESSION = "FORECAST_TESTS_SESSION"  # a variable: the number of the process that began the run of the tests


class Forked:
    """A process that was started, much as `subprocess.Popen` has it."""

    def __init__(self, told: int) -> None:
        """Take the pipe that tells the process's number and, in the end, its exit code."""
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115 - closed when the process has ended
        self._words = b""
        self.returncode: int | None = None
        while b" " not in self._words:
            self._read()
        self.pid = int(self._words.split()[0])

    def _read(self) -> None:
        part = self._told.read(64)
        if not part:
            told = Path(f"{_place()}.log").read_text(encoding="utf-8", errors="replace")
            msg = f"the process was not started, or whoever waited for it was ended: {told[-2000:] or 'unknown'}"
            raise RuntimeError(msg)
        self._words += part

    def poll(self) -> int | None:
        """Give the exit code, if the process has ended."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """Wait for the end; `subprocess.TimeoutExpired` if it takes longer."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def _ended(self, timeout: float) -> int | None:
        until = time.monotonic() + timeout
        while self.returncode is None:
            if not select.select([self._told], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            self._read()
            if self._words.count(b" ") == 2:
                self.returncode = int(self._words.split()[1])
                self._told.close()
        return self.returncode

    def kill(self) -> None:
        """Kill the process, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _place() -> Path:
    return shared() / "forks"


def _server() -> str:
    """Find the server, or start it, and give its address."""
    place = _place()
    with FileLock(f"{place}.lock"):
        if not place.exists():
            variables = environment(OPENBLAS_NUM_THREADS="1")  # a process with threads cannot be forked
            with Path(f"{place}.log").open("wb") as log:
                server = subprocess.Popen(
                    [sys.executable, "-c", SERVER, str(place), os.environ.get(SESSION, str(os.getpid()))],
                    env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            while not place.exists():
                if server.poll() is not None:
                    raise RuntimeError(Path(f"{place}.log").read_text(encoding="utf-8"))
                time.sleep(0.01)
            server.returncode = 0  # it may outlive this process
    return str(place)


def forked(  # noqa: PLR0913 - as `subprocess.Popen` has it
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: int | None = None, stdout: int | None = None,
    stderr: int | None = None, first: str = "",
) -> Forked:  # fmt: skip
    """Start ``python -c PROGRAM ARGUMENTS``; a stream is a file's number, or nothing.

    ``first`` is a program that the server runs itself, once: what it leaves in memory is there for all that follow.
    """
    python, option, program, *arguments = command
    assert (python, option) == (sys.executable, "-c")
    asked = {"program": program, "arguments": arguments, "cwd": str(cwd), "env": dict(env), "first": first}
    ours, theirs = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [nothing if stream is None else stream for stream in (stdin, stdout, stderr)]
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as request,  # a message cannot be as long everywhere
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking,
        ):
            json.dump(asked, request)
            request.seek(0)
            asking.connect(_server())
            socket.send_fds(asking, [b"start"], [theirs, *streams, request.fileno()])
    finally:
        os.close(nothing)
        os.close(theirs)
    return Forked(ours)


def run_forked(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 300, first: str = "", **_: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``python -c PROGRAM ARGUMENTS`` without input, as `subprocess.run` does, and give what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = forked(command, cwd=cwd, env=env, stdout=out.fileno(), stderr=err.fileno(), first=first)
        try:
            code = started.wait(timeout)
        finally:
            started.kill()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess([*command], code, *said)


def put_program(path: Path, program: str, first: str = "") -> None:
    """Make a file that runs ``program`` with the arguments, folder, variables and streams that it is given, forked."""
    text = CLIENT.format(python=sys.executable, program=program, first=first, server=_server())
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
