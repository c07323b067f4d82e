"""Find the limit of the conflict alarm: how often it rings where the model is right; writes ``docs/alarm.md``.

Worlds are drawn from the reference model: parameters from the prior, a hidden path, reports. In each the alarm is
checked every week for two years. Nothing contradicts the model there, so whatever rings is a false alarm; the limit is
the one at which there is one in two years. Then the same worlds go wrong in known ways. It takes some eight minutes.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.alarm.contradictions import CONTRADICTIONS
from benchmarks.alarm.document import CANDIDATES, CHECKS, ONSET, document
from benchmarks.alarm.tails import tails_if_known, tails_if_not
from benchmarks.alarm.worlds import KINDS, pick, prior_draws, reference, simulate_world
from docs.builder.places import DOCS
from forecast.answers.alarm import SEED, WEEKS
from forecast.engine.blocks import Draws

WORLDS = (150, 300)  # of either kind, in which the parameters are known
UNCERTAIN = 12  # worlds in which they are not
BROKEN = 60  # worlds that go wrong, of each kind


def last_weeks() -> range:
    """Give the weeks at the ends of which the alarm is checked."""
    return range(WEEKS + 1, WEEKS + 1 + CHECKS)


def known_job(task: tuple[int, str, Draws]) -> list[float]:
    """Two years of one world, with the parameters known."""
    seed, kind, draw = task
    world = simulate_world(np.random.default_rng(seed), reference(), draw, kind, last_weeks()[-1])
    return tails_if_known(world, last_weeks())


def uncertain_job(task: tuple[int, str, Draws]) -> list[float]:
    """Two years of one world, whose parameters are one of many draws."""
    seed, kind, draws = task
    rng = np.random.default_rng(seed)
    world = simulate_world(rng, reference(), pick(draws, int(rng.integers(draws.size))), kind, last_weeks()[-1])
    return tails_if_not(world, draws, last_weeks())


def broken_job(task: tuple[int, str, Draws, int]) -> list[float]:
    """Weeks after the onset of a contradiction."""
    seed, kind, draw, which = task
    broken = CONTRADICTIONS[which]
    rng = np.random.default_rng(seed)
    world = simulate_world(
        rng, reference(), draw, kind, ONSET + WEEKS, bend=broken.bend, onset=ONSET, hold=broken.hold
    )  # fmt: skip
    return tails_if_known(world, range(ONSET + 1, ONSET + WEEKS + 1))


def main() -> None:
    """Simulate, count, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the worlds, for a quick look")
    share = parser.parse_args().share
    draws = prior_draws(reference())
    rng = np.random.default_rng(SEED)
    sizes = [max(2, round(share * size)) for size in (*WORLDS, UNCERTAIN, BROKEN)]
    order = iter(rng.permutation(draws.size))
    known, uncertain, broken = {}, {}, {}
    with ProcessPoolExecutor() as pool:
        for which, kind in enumerate(KINDS):
            tasks = [(1000 * which + k, kind, pick(draws, next(order))) for k in range(sizes[which])]
            known[kind] = np.array(list(pool.map(known_job, tasks)))
        for which, kind in enumerate(KINDS):
            some = Draws(*(part[rng.choice(draws.size, CANDIDATES, replace=False)] for part in draws))
            tasks = [(5000 + 1000 * which + k, kind, some) for k in range(sizes[2])]
            uncertain[kind] = np.array(list(pool.map(uncertain_job, tasks)))
        for which, kind in enumerate(KINDS):
            for n in range(len(CONTRADICTIONS)):
                jobs = [(9000 + 1000 * which + k, kind, pick(draws, k), n) for k in range(sizes[3])]
                broken[kind, n] = np.array(list(pool.map(broken_job, jobs)))
    (DOCS / "alarm.md").write_text(document(known, uncertain, broken), encoding="utf-8")


if __name__ == "__main__":
    main()
