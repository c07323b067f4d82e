"""Workers for a study: a local cluster, or a Dask scheduler elsewhere."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from forecast.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator


SCHEDULER_SECONDS = 5
PROCESSORS = "PYTHON_CPU_COUNT"  # an environment variable that Python reads when it starts


@contextmanager
def connect(workers: int | None, scheduler: str | None) -> Generator[Any]:
    """Connect to a Dask scheduler, or start ``workers`` processes here, one a processor by default; gives the client.

    The processors are shared among the processes (from Python 3.13 on; before that each takes all of them in turn).

    Raises
    ------
    InputError
        If Dask is not installed, or nobody answers at the address.

    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "a study needs Dask; install the extra: pip install 'scenario-cascade[cluster]'"
        raise InputError(msg) from error
    if scheduler is None:
        workers = workers or os.cpu_count() or 1
        with (
            _shared_processors(workers),
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=SCHEDULER_SECONDS, set_as_default=False)  # which would stay after an error
    except (OSError, ValueError, TypeError) as error:
        msg = f"--scheduler {scheduler}: no Dask scheduler answers there; start one, or leave the option out"
        raise InputError(msg) from error
    with client, client.as_current():
        yield client


@contextmanager
def _shared_processors(processes: int) -> Generator[None]:
    """Have processes that are started now, or again, take an equal share of the processors and not all of them."""
    before = os.environ.get(PROCESSORS)
    os.environ[PROCESSORS] = str(max((os.cpu_count() or 1) // processes, 1))
    try:
        yield
    finally:
        if before is None:
            del os.environ[PROCESSORS]
        else:
            os.environ[PROCESSORS] = before
