"""Small worlds with channels: counts beside the other rows, and their likelihood by matrices and by scipy."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import oracle
from scipy.stats import nbinom
from worlds import World, compile_rows, credibility_of, small_world

from forecast.ledger.rows import Count, with_id
from forecast.theory.channels import Channel, ChannelClass
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.answers.target import Question
    from forecast.engine.blocks import Draws
    from forecast.evidence.compilation import Evidence


@dataclass(frozen=True)
class CountedWorld:
    """A `World` whose model has a channel for its first and two for its last stage, with weekly counts."""

    world: World
    space: StateSpace
    counts: tuple[Count, ...]
    evidence: Evidence
    draws: Draws


def channels_of(space: StateSpace) -> dict[str, Channel]:
    """One channel of the first stage and two of the last, each for its last state."""
    first, last = space.stages[0], space.stages[-1]
    points = {stage: (space.spec.stages[stage].states[-1],) for stage in (first, last)}
    return {
        "first_count": Channel(stage=first, points_to=points[first], grade="strong"),
        "second_count": Channel(stage=last, points_to=points[last], grade="moderate"),
        "third_count": Channel(stage=last, points_to=points[last], grade="weak"),
    }


def counted_world(seed: int) -> CountedWorld:
    """Give small world ``seed`` with counts; some weeks of a channel are missing, and some counts are 0."""
    world, rng = small_world(seed), np.random.default_rng(seed)
    priors = world.spec.priors.model_copy(update={"channels": {"counts": ChannelClass(per_volume=(0.01, 0.5))}})
    spec = world.spec.model_copy(update={"channels": channels_of(world.space), "priors": priors})
    space, start = StateSpace(spec), spec.model.start
    days = (world.as_of - start).days + 1
    counts = [
        with_id(
            Count(
                channel=name, from_=start + dt.timedelta(days=day), to=start + dt.timedelta(days=day + 6),
                count=int(rng.poisson(4)), exposure=float(rng.integers(20, 90)),
                reported_on=start + dt.timedelta(days=day + 6), source="a machine",
            )
        )
        for name in spec.channels
        for day in range(0, days - 6, 7)
        if rng.random() < 0.8
    ]  # fmt: skip
    evidence = compile_rows(space, [*world.rows, *world.coverage, *counts], world.as_of)
    own = rng.normal(-2.5, 0.7, (len(world.draws.log_lambda), len(space.emission_names)))
    own[:, [k for k, name in enumerate(space.emission_names) if name.endswith("|dispersion")]] += 3.0
    own[:, : world.draws.log_lambda.shape[1]] = world.draws.log_lambda
    return CountedWorld(world, space, tuple(counts), evidence, world.draws._replace(log_lambda=own))


NEVER = 1e-9  # chance of counts that are left out because they are larger than all others


def count_table(found: CountedWorld, share: Sequence[float], row: Count, question: Question) -> np.ndarray:
    """(N, 2) probabilities of each count of a week to come with the volume of ``row``, and the outcome no or yes.

    By matrices over joint states and by scipy, for draws of the world with weights ``share``.
    """
    spec, as_of = found.space.spec, found.world.as_of
    middle, date = row.from_ + dt.timedelta(days=3), question.date
    (until,) = (days[-1] for days in oracle.ahead_dates(spec, as_of, [row.to]) if middle in days)
    joint_states = oracle.joint_states(spec)
    level = list(spec.stages).index(spec.channels[row.channel].stage)
    inside = np.array(oracle._meets(spec, spec.outcomes[question.outcome].states))
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for k, weight in enumerate(share):
        p = found.world.parameters[k]
        rate = dict(zip(found.space.emission_names, np.exp(found.draws.log_lambda[k]), strict=True))
        now = forward(found, k)[0]
        value = np.stack([~inside, inside], axis=1).astype(float)
        steps = oracle.ahead_dates(spec, as_of, [until, date])
        for days in steps:
            if days[-1] <= until:
                now = now @ oracle.transition_matrix(spec, p, len(days))
        for days in reversed(steps):
            if days[-1] > until:
                value = oracle.transition_matrix(spec, p, len(days)) @ value
        size = rate[f"{row.channel}|dispersion"]
        means = np.array([row.exposure * rate[f"{row.channel}|{z[level]}"] for z in joint_states])
        both = now[:, None] * value
        for mean in np.unique(means):
            chance = size, size / (size + mean)
            chances = nbinom.pmf(np.arange(nbinom.isf(NEVER, *chance) + 1), *chance)
            parts.append((chances, weight * both[means == mean].sum(axis=0)))
    total = np.zeros((max(chances.size for chances, _ in parts), 2))
    for chances, outcome in parts:
        total[: chances.size] += np.outer(chances, outcome)
    return total


def log_likelihood(found: CountedWorld, k: int) -> float:
    """Log-likelihood of draw ``k`` by the oracle's matrices, up to the constant that the oracle leaves out as well."""
    return forward(found, k)[1]


def forward(found: CountedWorld, k: int) -> tuple[np.ndarray, float]:
    """Give the filtered joint states at ``as_of`` under draw ``k``, and the log-likelihood."""
    world, space, spec = found.world, found.space, found.space.spec
    p = world.parameters[k]
    likely = oracle.emissions(world.spec, p, world.rows, world.coverage, world.as_of, credibility_of).copy()
    rate = dict(zip(space.emission_names, np.exp(found.draws.log_lambda[k]), strict=True))
    weeks = oracle.step_dates(world.spec, world.as_of)
    for step, dates in enumerate(weeks):
        for name, channel in spec.channels.items():
            rows = [row for row in found.counts if row.channel == name and row.from_ + dt.timedelta(days=3) in dates]
            if not rows:
                continue
            level, size = list(spec.stages).index(channel.stage), rate[f"{name}|dispersion"]
            exposure, count = sum(row.exposure for row in rows), sum(row.count for row in rows)
            for z, joint in enumerate(oracle.joint_states(world.spec)):
                mean = exposure * rate[f"{name}|{joint[level]}"]
                likely[step, z] *= nbinom.pmf(count, size, size / (size + mean))
    moves = [oracle.transition_matrix(world.spec, p, days) for days in oracle.steps(world.spec, world.as_of)]
    alpha, total = oracle.initial(world.spec, p), 0.0
    for matrix, now in zip(moves, likely, strict=True):
        alpha = (alpha @ matrix) * now
        total += np.log(alpha.sum())
        alpha = alpha / alpha.sum()
    return alpha, float(total)
