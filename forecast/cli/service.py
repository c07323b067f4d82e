"""Commands of the service: serve a project to a team, and work on the runs that it asks for."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forecast.base.errors import InputError
from forecast.base.sanitise import one_line
from forecast.cli.options import HERE, ProjectOption, open_project, utc_now

if TYPE_CHECKING:
    from collections.abc import Generator

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    proxy_header: Annotated[
        str | None,
        typer.Option("--proxy-header", help="Header in which a proxy on this machine names who has signed in."),
    ] = None,
    proxy_scope: Annotated[
        str, typer.Option("--proxy-scope", help="What they may do: read or write.", metavar="read|write")
    ] = "read",
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Also make the runs that are asked for.")] = True,
    project: ProjectOption = HERE,
) -> None:
    """Serve the project: a live page and a JSON API, for this machine unless --host says otherwise.

    Example: `forecast serve --port 8000`
    """
    if proxy_scope not in {"read", "write"}:
        msg = f"--proxy-scope {proxy_scope!r} is none; give read or write"
        raise InputError(msg)
    scope: Literal["read", "write"] = "write" if proxy_scope == "write" else "read"
    service = _service()
    proxy = service.Proxy(proxy_header, scope) if proxy_header else None
    found = open_project(project)
    door = service.Door(host, port, proxy)
    with _worker(found.root) if worker else contextlib.nullcontext():
        service.serve(found.root, utc_now, door, on_ready=_say_ready)


def _say_ready(address: str) -> None:
    print(f"serving at {address} (Ctrl-C stops)", flush=True)


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Stop when no run is waiting.")] = False,
    project: ProjectOption = HERE,
) -> None:
    """Make the runs that a service was asked for, one at a time, until a signal says to stop.

    Example: `forecast worker --once`
    """
    service, stop = _service(), threading.Event()
    # By a thread of its own: the one that is interrupted may hold the event's lock.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop.set).start())
    service.work(open_project(project).root, utc_now, stop=stop, on_job=_say, once=once)
    _say("no run is waiting" if once else "stopped")


def _say(line: str) -> None:
    print(one_line(line), flush=True)


@contextlib.contextmanager
def _worker(root: Path) -> Generator[None]:
    """Have a worker as a process of its own, which ends with this one."""
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(root, os.getpid()), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()


def _work(root: Path, parent: int) -> None:
    """Work until the process ``parent`` is gone; a job that was under way is taken again by the next worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    service = _service()
    service.work(root, utc_now, stop=threading.Event(), on_job=_say)


def _service():  # noqa: ANN202 - a package that an extra brings
    try:
        from forecast import service  # noqa: PLC0415 - only these commands need the extra

        service.Door  # noqa: B018 - loads it
    except ImportError as error:
        msg = "this needs the extra for a service: pip install 'scenario-cascade[serve]'"
        raise InputError(msg) from error
    return service
