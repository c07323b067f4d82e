"""Fixtures: the reference model with the article's rows, and generators whose seed is in sight."""

from __future__ import annotations

import datetime as dt
import gc
import os
from itertools import groupby
from typing import TYPE_CHECKING

import arviz_stats.base  # noqa: F401 - its import looks at all modules that there are, and there are few yet
import numpy as np
import pytest
from hypothesis import settings
from modelfiles import vocabulary_of
from oracle import derived
from oracle_stages import _start
from places import MODEL, ROOT, ROWS, TESTS
from projects import SHARED, shared
from rivals import made, prior_draws
from worlds import draw_values, draws_of, small_world

from forecast.evidence.compilation import compile_evidence
from forecast.inference.model import Model
from forecast.ledger.check import check_entries
from forecast.ledger.files import read_rows
from forecast.ledger.history import read_history
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from worlds import World

    from forecast.engine.blocks import Draws
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.fit import Fit
    from forecast.inference.sampler import Sampler
    from forecast.ledger.rows import Entry
    from forecast.project.project import Project
    from forecast.theory.spec import ModelSpec

AS_OF = dt.date(2026, 1, 8)
EARLY = {"base", "evidence", "feeds", "ledger", "theory"}

pytest_plugins = ("needs",)
pytest.register_assert_rewrite("accounts", "contract", "entries", "scenes", "track", "unattended", "year")


first = SHARED not in os.environ
folder = shared()  # before there are workers, who find it in their environment
if first:
    os.environ["FORECAST_TESTS_SESSION"] = str(os.getpid())
os.environ.pop("FORECAST_LEDGER", None)  # tests have ledgers of their own


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Give one more than the processors: workers wait for what another makes, and for processes of their own."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with tests that ask for no kernel and no fit: on a fresh machine these are being made meanwhile.

    Each worker begins with a part of the list, so that each part does. Tests of one file and files of one folder stay
    together, for they share what a process makes once.
    """
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    order: dict[Path, int] = {}
    folders = sorted(items, key=lambda item: order.setdefault(item.path.parent, len(order)))
    early, late = [], []
    for _, group in groupby(folders, key=lambda item: item.path):
        tests = list(group)
        (early if tests[0].path.relative_to(TESTS).parts[0] in EARLY else late).append(tests)
    parts = zip(_shares(early, workers), _shares(late, workers), strict=True)
    items[:] = [item for pair in parts for share in pair for item in share]


def _shares(files: list[list[pytest.Item]], count: int) -> list[list[pytest.Item]]:
    """Cut the tests of files that follow each other into shares of much the same size, between two files."""
    shares: list[list[pytest.Item]] = [[] for _ in range(count)]
    total, done = sum(map(len, files)), 0
    for tests in files:
        shares[count * done // total].extend(tests)
        done += len(tests)
    return shares


def pytest_collection() -> None:
    """Let the collector rest while tests are collected: what is made then stays to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector pass over what collecting has made, which is much to look through, and come less often."""
    gc.enable()
    gc.set_threshold(50_000, 20, 50)
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Stop the server that the session's processes share; the process that began the session does it."""
    if first:
        from databases import stop_shared  # noqa: PLC0415 - pytest wants to import what it imports first

        stop_shared(folder)


settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def rng() -> np.random.Generator:
    """Give a generator that is the same in every test, whatever order they run in."""
    return np.random.default_rng(20260108)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser, where there is one.

    It lasts no longer than a module: meanwhile an event loop is running in this thread, in which no other can.
    """
    from needs import require  # noqa: PLC0415 - a plugin, which pytest wants to import
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - most files need none

    program = require("browser")
    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield started
        started.close()


# The reference model.


@pytest.fixture(scope="session")
def reference_spec() -> ModelSpec:
    """Read the article's model."""
    return load_spec(MODEL)


@pytest.fixture(scope="session")
def reference(reference_spec: ModelSpec) -> StateSpace:
    """Give the axes of the article's model."""
    return StateSpace(reference_spec)


@pytest.fixture(scope="session")
def article_rows(reference_spec: ModelSpec) -> list[Entry]:
    """Read the article's dated events."""
    return check_entries(read_rows(ROWS), vocabulary_of(reference_spec, AS_OF))


@pytest.fixture(scope="session")
def reference_evidence(reference: StateSpace, article_rows: list[Entry]) -> Evidence:
    """Compile the article's events as of its latest date."""
    return compile_evidence(reference, article_rows, AS_OF)


def _prior_draws(space: StateSpace, size: int, seed: int) -> Draws:
    rng = np.random.default_rng(seed)
    return draws_of(space, [derived(space.spec, draw_values(space.spec, rng, of_prior=True)) for _ in range(size)])


@pytest.fixture(scope="session")
def reference_prior(reference: StateSpace) -> Draws:
    """Draw 50 times from the prior of the article's model."""
    return _prior_draws(reference, 50, 1)


@pytest.fixture(scope="session")
def reference_medians(reference: StateSpace) -> Draws:
    """Give the one draw in which every parameter is at its prior median (start: its mean)."""
    spec = reference.spec
    stages, classes = spec.stages.values(), spec.priors.classes.values()

    def middle(intervals: list[tuple[float, float]]) -> np.ndarray:
        return np.array([np.log(low * high) / 2 for low, high in intervals])

    values: dict[str, np.ndarray | float] = {
        "eta": middle([move.per_year for stage in stages for move in stage.transitions]),
        "delta": middle([effect.times for stage in stages for effect in stage.effects.values()]),
        "mu": middle([row.per_year for row in classes]),
        "log_sigma": middle([row.spread for row in classes]),
        "z": np.zeros(len(spec.indicators)),
        "zeta": np.zeros(len(spec.indicators)),
        "increment": np.full(4, 0.5),
        "tau": 0.0,
    }
    for name, stage in spec.stages.items():
        weights = np.array(list(_start(stage).values()))
        values[f"start_{name}"] = weights / weights.sum()
    return draws_of(reference, [derived(spec, values)])


@pytest.fixture(scope="session")
def reference_fit(reference_spec: ModelSpec, article_rows: list[Entry]) -> Fit:
    """Fit the article's model to its history and to the article's events, as a project does, at the default length."""
    from forecast.inference.fit import fit_model  # noqa: PLC0415 - slow to import
    from forecast.inference.sampler import Sampler  # noqa: PLC0415
    from forecast.inference.settings import Settings  # noqa: PLC0415 - slow to import

    told = read_history(ROOT / "data" / reference_spec.model.dataset / "history.csv", AS_OF)
    space = StateSpace(reference_spec.with_history(told))
    evidence, now = compile_evidence(space, article_rows, AS_OF), dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
    return fit_model(space, evidence, Sampler(space, evidence), Settings(), watermark=36, now=now)


# One small world that is compiled.


@pytest.fixture(scope="session")
def compiled_world() -> World:
    """Choose a small world with effects, two free starts and cells of every kind."""
    return small_world(31)


@pytest.fixture(scope="session")
def sampler(compiled_world: World) -> Sampler:
    """Compile the small world."""
    from forecast.inference.sampler import Sampler  # noqa: PLC0415 - slow to import

    return Sampler(compiled_world.space, compiled_world.evidence)


# Rivals.


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Make the project of rivals, each of which draws from its prior once."""
    kept: dict[str, Anchor] = {}

    def prior(model: Model, count: int, folder: Path, evidence: Evidence) -> Anchor:
        if model.spec.name not in kept:
            kept[model.spec.name] = prior_draws(model, count, folder, evidence)
        return kept[model.spec.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "prior", prior)
        yield made(tmp_path_factory.mktemp("rivals"))
