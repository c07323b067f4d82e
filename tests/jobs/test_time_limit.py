"""A run is stopped in time, or has issued."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import pytest
from projects import archived
from unattended import NEXT, lines, observe, shown
from year import START, compile_small, run

from forecast.base import files as publish
from forecast.base.errors import OutOfTimeError
from forecast.inference import sampler
from forecast.jobs.timeout import time_limit

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_run_that_takes_too_long_is_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After --timeout a run that samples stops with 124, says so, and leaves nothing behind; later it works."""
    before = shown(root)
    observe(root, "flood", START)
    compile_small()
    sampling: list[float] = []
    wait = sampler._wait
    monkeypatch.setattr(sampler, "_wait", lambda *asked: (sampling.append(time.monotonic()), wait(*asked))[1])
    began = time.monotonic()
    options = ("--draws", "2000000", "--refit", "always", "--timeout", "2")
    done = run(root, START, *options)
    assert done.code == 124
    assert 2 <= time.monotonic() - began < 40
    assert sampling
    monkeypatch.undo()
    assert done.err == "forecast: the run took longer than --timeout 2 s and was stopped; nothing was issued\n"
    assert shown(root) == before
    assert len(archived(root)) == 1
    assert not list(root.glob("data/*/fits/.*"))
    assert {key: lines(root)[-1][key] for key in ("exit_code", "issued", "model")} == {
        "exit_code": 124, "issued": None, "model": "tiny",
    }  # fmt: skip
    assert run(root, START).code == 0


def test_time_does_not_matter_once_the_forecast_is_issued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If time runs out while the report is put in place, the run is ended as if it had not."""
    observe(root, "flood", START)
    monkeypatch.setattr(publish, "_settle", lambda _: signal.raise_signal(signal.SIGALRM))
    done = run(root, START, "--timeout", "500")
    assert (done.code, done.err) == (0, "")
    assert len(archived(root)) == 2


def test_time_matters_until_the_forecast_is_issued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If time runs out while the report is being written, nothing is issued and the last report stays."""
    before = shown(root)
    observe(root, "flood", START)
    monkeypatch.setattr(publish, "_write", lambda *_: signal.raise_signal(signal.SIGALRM))
    assert run(root, START, "--timeout", "500").code == 124
    assert shown(root) == before
    assert len(archived(root)) == 1


def test_the_limit_passes_through_what_catches_exceptions() -> None:
    """Code that goes on after any `Exception` is stopped all the same, and the alarm is off afterwards."""
    before = signal.getsignal(signal.SIGALRM)

    def stubborn() -> None:
        for _ in range(100):
            with contextlib.suppress(Exception):
                time.sleep(0.05)

    with pytest.raises(OutOfTimeError), time_limit(0.05):
        stubborn()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9"])
def test_a_limit_that_is_none_is_refused(seconds: str, root: Path) -> None:
    """A limit that is no number of seconds above 0 is refused before anything is done."""
    done = run(root, NEXT, "--timeout", seconds)
    assert done.code == 2
    assert "give seconds above 0" in done.err
