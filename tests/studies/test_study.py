"""Worlds of the engine are placed, many of them are computed by workers, and nothing that was computed is lost."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

import dask.config
import numpy as np
import pytest
from toys import die_once, toy
from typer.testing import CliRunner

from benchmarks.validation.bugs import Blind
from forecast.base.errors import InputError
from forecast.cli.app import app
from forecast.inference.model import Model
from forecast.inference.settings import Settings
from forecast.studies import calibrate
from forecast.studies.calibrate import calibration_world, sbc_world, study_spec
from forecast.studies.run import about, run_worlds, work_of
from forecast.studies.verdicts import judge_ranks, places_of
from forecast.studies.workers import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from forecast.theory.spec import ModelSpec


SHORT = Settings(draws=100, tune=100, chains=2)


# Worlds of the engine.


@cache
def compiled() -> Model:
    """Give the small model, which is compiled once."""
    return Model(study_spec())


def test_a_world_is_placed_whole_and_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """One world gives a place for every parameter and forecast, the same each time; another world gives others."""
    monkeypatch.setattr(calibrate, "WEEKS", 13)  # instead of a year: fits are quick
    one, again, other = (sbc_world(compiled(), SHORT, 1, world) for world in (4, 4, 5))
    names = one["name"].tolist()
    assert len(set(names)) == len(names) == 38 + 12 + 1 + 2 * 7 + 3 + 1
    assert ((one["place"] > 0) & (one["place"] < 1)).all()
    assert one["place"].tolist() == again["place"].tolist() != other["place"].tolist()


def test_outcomes_are_read_off_the_path(spec: ModelSpec) -> None:
    """Each kind of forecast comes true when the path says so; what has no condition is not scored."""
    states = "llhlhhllllllllllllll"
    names = {"l": "low", "h": "high"}
    path = [{"pressure": names[s], "relations": "fresh" if k in {2, 6} else "good"} for k, s in enumerate(states)]

    def read(now: int, outcome: str, kind: str, given: str | None = None, weeks: int | None = None) -> float:
        return calibrate._outcome(spec, path, now, (outcome, kind, given, weeks, None))

    assert [read(k, "pressed", "already") for k in (1, 2)] == [0.0, 1.0]
    assert [read(k, "pressed", "at", None, 1) for k in (0, 1)] == [0.0, 1.0]
    assert [read(k, "pressed", "reached", None, 1) for k in (0, 1, 2, 4)] == [0.0, 1.0, 0.0, 0.0]
    assert read(0, "pressed", "reached", None, 4) == 1.0
    assert read(1, "broken", "given", "pressed", 1) == 1.0
    assert read(3, "broken", "given", "pressed", 1) == 0.0
    assert np.isnan(read(0, "broken", "given", "pressed", 1))
    assert read(2, "broken", "after", "2 weeks after pressed", 2) == 1.0  # it begins at 4
    assert read(0, "broken", "after", "2 weeks after pressed", 2) == 0.0  # it begins at 2
    assert np.isnan(read(5, "broken", "after", "2 weeks after pressed", 2))


def test_a_year_of_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weekly forecasts are published with intervals; the true probabilities are those of the parameters."""
    monkeypatch.setattr(calibrate, "WEEKS", 2)  # so few that draws of the prior reach them on every machine
    monkeypatch.setattr("forecast.inference.model.INFORMED_DRAWS", 2000)  # a quarter of the usual ones
    found = calibration_world(compiled(), SHORT, 1, 0)
    assert found["said"].shape == (2, found["name"].size) == (2, 18)
    assert np.isfinite(found["said"]).all()
    assert (found["low"] <= found["said"]).all()
    assert (found["said"] <= found["high"]).all()
    assert set(np.unique(found["outcome"][np.isfinite(found["outcome"])])) <= {0.0, 1.0}
    assert np.isfinite(found["true"]).all()
    assert found["fits"] == 0
    assert not np.allclose(found["said"], found["true"])


def test_horizons_off_the_grid_are_refused() -> None:
    """A model whose horizons end within a step is refused: its paths do not say what is then."""
    spec = study_spec()
    model = Model(spec.model_copy(update={"model": spec.model.model_copy(update={"step_days": 5})}))
    with pytest.raises(InputError, match="no whole steps of 5 days"):
        calibration_world(model, SHORT, 1, 0)


# Many worlds.


HEADER = {"kind": "toy", "seed": 1}


@contextmanager
def inside(workers: int = 1) -> Generator:
    """Run Dask in this process."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - slow to import

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def refuse() -> Generator:
    """Stand for a cluster that nobody should ask for."""
    pytest.fail("nothing was left to compute")


def test_worker_counts_agree(tmp_path: Path) -> None:
    """One worker and three give the same worlds."""
    one = run_worlds(tmp_path / "one", HEADER, toy, 6, partial(inside, 1))
    three = run_worlds(tmp_path / "three", HEADER, toy, 6, partial(inside, 3))
    assert [row["x"].tolist() for row in one] == [row["x"].tolist() for row in three]
    assert one[0]["x"].tolist() == toy(0)["x"].tolist() != one[1]["x"].tolist()


def test_a_study_goes_on_and_recomputes_nothing(tmp_path: Path) -> None:
    """Finished worlds are left untouched, further ones are added, and a finished study asks for no cluster."""
    progress: list[tuple[int, int]] = []
    run_worlds(tmp_path, HEADER, toy, 2, inside)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    found = run_worlds(tmp_path, HEADER, toy, 4, inside, on_world=lambda *row: progress.append(row))
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert set(after) == {"study.json", *(f"world-{k:05}.npz" for k in range(4))}
    assert {name: after[name] for name in before} == before
    assert progress == [(2, 4), (3, 4), (4, 4)]
    again = run_worlds(tmp_path, HEADER, toy, 3, refuse)
    assert [row["x"].tolist() for row in again] == [row["x"].tolist() for row in found[:3]]


def test_a_changed_study_is_refused_and_nothing_overwritten(tmp_path: Path, spec: ModelSpec) -> None:
    """A folder of another model, seed or length of chains is refused, by the name of what differs."""
    header = about("sbc", spec, SHORT, 1)
    run_worlds(tmp_path, header, toy, 1, inside)
    content = {path: path.read_bytes() for path in tmp_path.iterdir()}
    slower = spec.model_copy(update={"model": spec.model.model_copy(update={"reporting_lag_days": 7})})
    nearer = spec.model_copy(update={"model": spec.model.model_copy(update={"horizons_weeks": (2,)})})
    broken = spec.outcomes["broken"].model_copy(update={"states": {"relations": ("good",)}})
    swapped = spec.model_copy(update={"outcomes": {**spec.outcomes, "broken": broken}})
    for other, what in (
        (about("sbc", slower, SHORT, 1), f"model_hash was {spec.hash}, is {slower.hash}"),
        (about("sbc", nearer, SHORT, 1), "horizons_weeks was"),
        (about("sbc", swapped, SHORT, 1), "outcomes_hash was"),
        (about("sbc", spec, SHORT, 2), "seed was 1, is 2"),
        (about("sbc", spec, dataclasses.replace(SHORT, draws=200), 1), "draws was 100, is 200"),
    ):
        with pytest.raises(InputError, match=what):
            run_worlds(tmp_path, other, toy, 2, refuse)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == content


def test_spoilt_folders_are_named(tmp_path: Path) -> None:
    """A broken header, a broken world and worlds without a header each give a message that names the file."""
    run_worlds(tmp_path, HEADER, toy, 1, inside)
    (tmp_path / "world-00000.npz").write_bytes(b"half")
    with pytest.raises(InputError, match=r"world-00000\.npz: cannot be read"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study\.json: cannot be read"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)
    (tmp_path / "study.json").unlink()
    with pytest.raises(InputError, match=r"worlds without a study\.json"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """A worker process that is killed at a world is replaced, and the study is as if nothing had happened."""
    marks = tmp_path / "marks"
    marks.mkdir()
    found = run_worlds(tmp_path / "study", HEADER, partial(die_once, marks), 5, partial(connect, 1, None))
    assert (marks / "died-2").exists()
    assert len({path.name.rsplit("-", 1)[1] for path in marks.glob("made-*")}) == 2, "two processes did the work"
    assert [row["x"].tolist() for row in found] == [toy(k)["x"].tolist() for k in range(5)]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="processors cannot be shared before Python 3.13")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_share_the_processors(workers: int) -> None:
    """One has all of them; two have half of them each, and never none."""
    with connect(workers, None) as client:
        assert set(client.run(os.cpu_count).values()) == {max((os.cpu_count() or 1) // workers, 1)}
        assert len(client.run(os.cpu_count)) == workers
    assert "PYTHON_CPU_COUNT" not in os.environ


# The command.


def test_without_dask_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error names it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"scenario-cascade\[cluster\]"):
        run_worlds(tmp_path, HEADER, toy, 1, partial(connect, 1, None))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_is_not_there(address: str) -> None:
    """Within seconds the error says that nobody answers, and at which address."""
    begun = time.monotonic()
    with pytest.raises(InputError, match=rf"--scheduler {address}: no Dask scheduler answers"), connect(None, address):
        pytest.fail("connected")
    assert time.monotonic() - begun < 15
    assert "scheduler" not in dask.config.config  # or whatever computes next in this process would ask for it


def test_a_scheduler_that_is_there_does_the_worlds(tmp_path: Path) -> None:
    """A study is done by the scheduler at an address, and leaves nothing behind."""
    from distributed import LocalCluster  # noqa: PLC0415 - slow to import

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        run_worlds(tmp_path, HEADER, toy, 3, partial(connect, None, cluster.scheduler_address))
    assert len(list(tmp_path.glob("*"))) > 1
    assert "scheduler" not in dask.config.config


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_sums_a_study_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> None:
    """The command prints the verdict of a finished study, in words or as JSON."""
    spec = study_spec()

    def world_of(_kind: str, *_rest: object) -> Callable[[int], dict[str, np.ndarray]]:
        return lambda world: {"name": np.array(["a", "b"]), "place": np.random.default_rng(world).random(2)}

    header = about("sbc", spec, Settings(), 1)
    run_worlds(tmp_path / "s", header, world_of("sbc"), 12, inside)
    monkeypatch.setattr("forecast.studies.workers.connect", refuse)
    more = ["--json"] if as_json else []
    done = CliRunner().invoke(app, ["study", "sbc", "--worlds", "12", "--output", str(tmp_path / "s"), *more])
    assert done.exit_code == 0, done.output
    if as_json:
        content = json.loads(done.stdout)
        assert (content["worlds"], content["kind"], content["rejected"]) == (12, "sbc", [])
        assert set(content["adjusted"]) == {"a", "b"}
    else:
        assert "Off at a family-wise 5 % among 2: none." in done.stdout
        assert "12 worlds in" in done.stdout


# With the engine, for minutes.


@pytest.mark.slow
def test_real_worlds_survive_a_kill_and_do_not_depend_on_workers(tmp_path: Path) -> None:
    """A worker killed amid real worlds costs nothing, and two workers give what one gives."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - slow to import

    spec = study_spec()
    work, header = work_of("sbc", spec, SHORT, 1), about("sbc", spec, SHORT, 1)
    killed: list[int] = []

    @contextmanager
    def with_a_kill() -> Generator:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            pids = list(client.run(os.getpid).values())

            def kill(done: int, _total: int) -> None:
                if done == 2 and not killed:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

            hooks.append(kill)
            yield client

    hooks: list[Callable[[int, int], None]] = []
    two = run_worlds(
        tmp_path / "two", header, work, 6, with_a_kill, on_world=lambda *row: [hook(*row) for hook in hooks]
    )
    one = run_worlds(tmp_path / "one", header, work, 6, partial(connect, 1, None))
    assert killed
    assert [row["place"].tolist() for row in one] == [row["place"].tolist() for row in two]


@pytest.mark.slow
def test_the_engine_passes_and_a_bug_does_not() -> None:
    """Twenty worlds of the engine pass; the same twenty with coverage ignored do not."""
    spec = study_spec()
    right = judge_ranks(places_of([sbc_world(compiled(), SHORT, 1, k) for k in range(20)]))
    assert right.rejected == []
    assert right.omnibus > 0.001
    blind = Blind(spec)
    wrong = judge_ranks(places_of([sbc_world(blind, SHORT, 1, k) for k in range(20)]))
    assert wrong.rejected or wrong.omnibus < 0.001
