"""Scenes of small models: a few draws with weights of one's choice, rows and a date, with all paths ahead."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import oracle
import oracle_cells
from small_models import tiny_spec
from worlds import draw_values, draws_of, small_world

from forecast.engine.filtering import evaluate
from forecast.engine.pareto import Weights
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Observation
from forecast.quantities.from_draws import possible
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.engine.blocks import Draws
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


@dataclass(frozen=True, eq=False)
class Future:
    """All paths from ``as_of`` to a date under one draw: weights (N,) and joint states (N, points)."""

    paths: np.ndarray
    weights: np.ndarray
    dates: list[list[dt.date]]


@dataclass(frozen=True, eq=False)
class Scene:
    """A model, a few draws with weights of their own, rows, and a date."""

    spec: ModelSpec
    parameters: tuple[oracle.Parameters, ...]
    share: tuple[float, ...]
    entries: tuple[Entry, ...]
    as_of: dt.date

    @cached_property
    def space(self) -> StateSpace:
        """The axes."""
        return StateSpace(self.spec)

    @cached_property
    def found(self) -> Posterior:
        """The draws as the engine's posterior."""
        return posterior_of(self.space, draws_of(self.space, self.parameters), self.share, self.entries, self.as_of)

    @property
    def told(self) -> list[Observation]:
        """Rows without coverage."""
        return [row for row in self.entries if isinstance(row, Observation)]

    @cached_property
    def now(self) -> list[np.ndarray]:
        """States at ``as_of`` under each draw, by all paths that lead there; unnormalised."""
        cover = [row for row in self.entries if not isinstance(row, Observation)]
        found = []
        for p in self.parameters:
            emission = oracle.emissions(self.spec, p, self.told, cover, self.as_of, w)
            moves = [oracle.transition_matrix(self.spec, p, n) for n in oracle.steps(self.spec, self.as_of)]
            paths, weights = oracle._grown(oracle.initial(self.spec, p), moves, emission)
            found.append(np.bincount(paths[:, -1], weights, minlength=emission.shape[1]))
        return found

    @property
    def closed(self) -> frozenset[str]:
        """One-offs that have happened and were not opened again."""
        rest = oracle_cells._records(self.spec, oracle_cells._usable(self.spec, self.told, self.as_of, w), w)[1]
        return oracle_cells._read(self.spec, oracle_cells._count_stories(self.spec, rest, w))[1]

    def futures(self, until: dt.date, date: dt.date) -> list[Future]:
        """Enumerate; a draw under which the rows are impossible has no paths."""
        dates = oracle.ahead_dates(self.spec, self.as_of, [until, date])
        found = []
        for p, now in zip(self.parameters, self.now, strict=True):
            moves = [oracle.transition_matrix(self.spec, p, len(days)) for days in dates]
            start = now / now.sum() if now.sum() > 0 else now
            found.append(Future(*oracle._grown(start, moves), dates))
        return found

    def rates(self, draw: int, indicator: str, future: Future, until: dt.date) -> np.ndarray:
        """(N, steps) expected sightings of an indicator in each step up to ``until``, on each path."""
        p, stage = self.parameters[draw], self.spec.indicators[indicator].stage
        place = list(self.spec.stages).index(stage)
        each = np.array([math.exp(p.log_lambda[indicator, z[place]]) for z in oracle.joint_states(self.spec)])
        steps = [k for k, days in enumerate(future.dates) if days[-1] <= until]
        years = np.array([len(future.dates[k]) / 365.25 for k in steps])
        return each[future.paths[:, [k + 1 for k in steps]]] * years


def posterior_of(
    space: StateSpace, draws: Draws, share: Sequence[float], entries: Sequence[Entry], as_of: dt.date
) -> Posterior:
    """Give draws the weights of one's choice."""
    anchor = Anchor(space, PRIOR, lambda: draws)
    evidence = compile_evidence(space, entries, as_of)
    evaluation = possible(space, evidence, evaluate(anchor.blocks, evidence.cells))
    weights = np.array(share) * np.isfinite(evaluation.log_likelihood)
    return Posterior(space, evidence, anchor, evaluation, Weights(weights / weights.sum(), None))


def random_scene(seed: int) -> Scene | None:
    """Take a small world with two draws of unequal weight, unless its rows cannot have happened."""
    world = small_world(seed)
    share = np.random.default_rng(seed).dirichlet((2, 2))
    scene = Scene(world.spec, world.parameters, tuple(share), (*world.rows, *world.coverage), world.as_of)
    alive = np.array([now.sum() > 0 for now in scene.now])
    if not alive.any():
        return None
    left = np.where(alive, share, 0.0)
    return replace(scene, share=tuple(left / left.sum()))


def tiny_scene(  # noqa: PLR0913 - what a scene is made of
    *, draws: int = 2, seed: int = 0, entries: Sequence[Entry] = (), as_of: dt.date = dt.date(2025, 1, 24),
    change: Callable[[oracle.Parameters], oracle.Parameters] = lambda p: p, spec: ModelSpec | None = None,
) -> Scene:  # fmt: skip
    """Take the tiny model with one draw, as often as wanted."""
    spec = spec or tiny_spec()
    p = change(oracle.derived(spec, draw_values(spec, np.random.default_rng(seed))))
    return Scene(spec, (p,) * draws, (1 / draws,) * draws, tuple(entries), as_of)


def seen(indicator: str, day: dt.date, **more: str) -> Observation:
    """Make a sighting up."""
    told = {"source": "us", "grade": "A1", "id": f"{indicator}-{day}"} | more
    return Observation(indicator=indicator, date=day, reported_on=day, **told)
