"""The worker: takes runs from the queue and makes them, one at a time."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from forecast import inference
from forecast.base.errors import BusyError, ForecastError
from forecast.project.project import Project
from forecast.service.answers import told
from forecast.service.telemetry import begin

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from forecast.ledger.jobs import Job, Jobs
    from forecast.service.telemetry import Telemetry


LOOK = 0.5  # seconds between two looks at the queue
BEAT = 20.0  # seconds after which a worker says that it is there, whatever it does
PATIENCE = 600.0  # seconds for which a run waits for another


def work(
    root: Path, clock: Callable[[], dt.datetime], *, stop: threading.Event,
    on_job: Callable[[str], object] = lambda _: None, once: bool = False, telemetry: Telemetry | None = None,
) -> None:  # fmt: skip
    """Make the runs of a project's queue until ``stop`` is set, or ``once`` none is left; ``on_job`` hears of each."""
    with closing(telemetry or begin()) as telling:
        _take(root, clock, stop, on_job, telling, once=once)


def _take(
    root: Path, clock: Callable[[], dt.datetime], stop: threading.Event, on_job: Callable[[str], object],
    telling: Telemetry, *, once: bool,
) -> None:  # fmt: skip
    name = f"{socket.gethostname()}:{os.getpid()}"
    queue = Project(root, clock).ledger.jobs
    while not stop.is_set():
        job = queue.take(name, clock())
        if job is not None:
            on_job(f"job {job.seq}: {job.model} as of {job.as_of}, asked for by {job.asked_by or 'nobody named'}")
            _make(root, queue, job, clock, telling)
            done = queue.get(job.seq)
            on_job(
                f"job {job.seq}: {done.state if done else 'gone'}{f', {done.message}' if done and done.message else ''}"
            )
        elif once:
            return
        else:
            stop.wait(LOOK)


def _make(root: Path, queue: Jobs, job: Job, clock: Callable[[], dt.datetime], telling: Telemetry) -> None:
    """Make a run, and note how far it is and how it ends."""
    over = threading.Event()

    def on_stage(stage: str) -> None:
        queue.tell(job, clock(), stage=stage)

    last = clock()

    def on_draw(done: int, total: int) -> None:
        nonlocal last
        now = clock()
        if done == total or (now - last).total_seconds() > LOOK:
            last = now
            queue.tell(job, now, stage="sampling", done=done, total=total)

    def beat() -> None:
        while not over.wait(BEAT):
            queue.tell(job, clock())

    threading.Thread(target=beat, daemon=True).start()
    try:
        with telling.job(job.model, job.seq) as tell:

            def on_each(stage: str) -> None:
                tell(stage)
                on_stage(stage)

            issue = _run(Project(root, clock, job.asked_by), job, on_each, on_draw, PATIENCE)
        queue.end(job, clock(), issue=issue)
    except ForecastError as error:
        queue.end(job, clock(), message=told(error, root))
    except Exception as error:
        queue.end(job, clock(), message=f"failed unexpectedly ({type(error).__name__}); the worker's log has more")
        raise
    finally:
        over.set()


def _run(
    project: Project, job: Job, on_stage: Callable[[str], None], on_draw: Callable[[int, int], None], patience: float
) -> int:
    """Issue the forecast, and give its number; another run is waited for, for so many seconds."""
    model = project.model(job.model)
    while True:
        try:
            settings = inference.Settings()
            return project.run(model, job.as_of, settings, on_stage=on_stage, on_draw=on_draw).issued.seq
        except BusyError:
            if patience <= 0:
                raise
            on_stage("waiting for another run")
            patience -= LOOK
            threading.Event().wait(LOOK)
