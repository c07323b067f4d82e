"""The draws behind what if and do: fitted when wanted, weighted where needed, and paired in their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import oracle
import pytest
from scenes import CONDITIONALS, DAY, Scene, after_of, ask, asker_of, same, scenes
from worlds import World, draw_values, draws_of, small_world, without_episodes

from forecast.engine.blocks import Draws
from forecast.inference.anchor import PRIOR, Anchor
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence


pytestmark = pytest.mark.usefixtures("rare_conditions_are_said")


def test_draws_that_are_all_alike_have_no_error() -> None:
    """With one set of parameters weights stay equal, intervals have no width, and nothing has an error."""
    scene = Scene(small_world(9), draws=1)
    for when in ("now", "running", "next middle"):
        date = scene.day(when)
        name = scene.repeating()[0]
        found = ask(scene.asker(), name, on=date, refit="auto")
        assert found.trust.trusted
        assert found.trust.k_hat is None
        assert max(row.after.high - row.after.low for row in found.changes) < 1e-12
        assert max(row.mcse for row in found.changes) < 1e-12
        expected = scene.supposed([scene.sighting(name, date)], {}, date)
        same({key: value for key, value in after_of(found).items() if key in expected}, expected)


def many(world: World, size: int, seed: int = 1) -> Draws:
    """Draw parameters near the prior."""
    rng = np.random.default_rng(seed)
    return draws_of(world.space, [oracle.derived(world.spec, draw_values(world.spec, rng)) for _ in range(size)])


class Fitter:
    """Stands for a fit to evidence, and keeps what it was asked for."""

    def __init__(self, space: StateSpace, draws: Draws) -> None:
        """Take the draws of the fit."""
        self.space, self.draws = space, draws
        self.asked: list[Evidence] = []

    def fit(self, evidence: Evidence) -> Anchor:
        """Give the draws as those of a fit to ``evidence``: none that cannot explain it."""
        self.asked.append(evidence)
        all_ = Anchor(self.space, "fit", lambda: self.draws, cells=evidence.cells)
        draws = Draws(*(part[np.isfinite(all_.log_likelihood)] for part in self.draws))
        return Anchor(self.space, "fit", lambda: draws, cells=evidence.cells, as_of=evidence.as_of)


@pytest.mark.parametrize("later", [0, 4, 10])
def test_fits_are_made_when_they_are_wanted(later: int) -> None:
    """With "auto" only where the gate is shut, with "never" never, with "always" always; and its draws are used."""
    scene = Scene(small_world(9))
    date = scene.as_of + later * DAY
    name = scene.repeating()[0]
    alike = Draws(*(part[:1].repeat(400, axis=0) for part in scene.draws))
    for draws, shut in ((alike, False), (scene.draws, True)):
        for refit, fits in (("auto", shut), ("never", False), ("always", True)):
            fitter = Fitter(scene.space, many(scene.world, 300))
            asker = asker_of(scene.space, draws, scene.entries, scene.as_of, fitter.fit)
            found = ask(asker, name, on=date, refit=refit)
            assert len(fitter.asked) == fits
            assert found.trust.anchor == ("fit" if fits else PRIOR)
            if not fits:
                assert found.trust.trusted is not shut
                continue
            assert fitter.asked[0].until == date
            assert fitter.asked[0].as_of == scene.as_of
            assert found.trust.k_hat is None, "draws of a fit to this very evidence need no weights"
            row = found.change("outcome", weeks=2)
            assert row.mcse == pytest.approx(np.hypot(row.before.mcse, row.after.mcse))
            assert row.after.mcse > 0


def test_a_fit_to_a_supposed_future_needs_no_weights() -> None:
    """Draws of a fit to the supposed evidence are weighted alike in every world, whatever the steps are read in."""
    for scene in (Scene(without_episodes(scene.world)) for scene in scenes(2)):
        fitter = Fitter(scene.space, many(scene.world, 400))
        draws = fitter.draws
        asker = asker_of(scene.space, draws, scene.entries, scene.as_of, fitter.fit)
        found = ask(asker, scene.repeating()[0], on=scene.day("next middle"), grade="B2", refit="always")
        assert found.trust.k_hat is None
        assert found.trust.ess == pytest.approx(found.trust.draws)


def test_errors_of_differences_are_paired() -> None:
    """From the same draws a small change is known better than the two numbers it lies between."""
    world = small_world(9)
    draws = many(world, 1000)
    space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
    asker = asker_of(space, draws, (), world.as_of)
    name = next(n for n, one in world.spec.indicators.items() if one.repeats)
    stage = list(world.spec.stages)[-1]
    for found in (
        ask(asker, name, grade="E4"),
        ask(asker, not_seen={name: world.as_of + DAY}),
        asker.do({stage: world.spec.stages[stage].states[0]}, on=world.as_of + 5 * DAY, hold=False),
    ):
        moved = [row for row in found.changes if row.before.mcse > 1e-9]
        assert moved
        assert all(row.mcse < np.hypot(row.before.mcse, row.after.mcse) for row in moved)
        assert np.median([row.mcse / np.hypot(row.before.mcse, row.after.mcse) for row in moved]) < 0.7


@pytest.fixture(scope="module")
def plenty() -> Draws:
    """Draw a great many parameters of one world."""
    return many(small_world(9), 24_000)


@pytest.mark.parametrize("what", ["now", "later", "done"])
def test_the_error_of_a_difference_is_its_spread(what: str, plenty: Draws) -> None:
    """Over many sets of draws differences vary by what their error says."""
    world = small_world(9)
    space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
    name = next(n for n, one in world.spec.indicators.items() if one.repeats)
    stage = list(world.spec.stages)[-1]
    size, sets = 400, 60
    values, errors = [], []
    for k in range(sets):
        part = Draws(*(one[k * size : (k + 1) * size] for one in plenty))
        asker = asker_of(space, part, (), world.as_of)
        if what == "done":
            found = asker.do({stage: world.spec.stages[stage].states[-1]}, on=world.as_of + 3 * DAY, hold=False)
        else:
            found = ask(asker, name, on=world.as_of + (4 * DAY if what == "later" else 0 * DAY), grade="E4")
        assert found.trust.k_hat is None or found.trust.k_hat < 0.7
        rows = [row for row in found.changes if row.kind in {"at", "given", "reached"}]
        values.append([row.difference for row in rows])
        errors.append([row.mcse for row in rows])
    spread = np.std(values, axis=0, ddof=1)
    moving = spread > 1e-9
    assert moving.sum() > 5
    # the spread of 60 values is known to 1 / sqrt(120) = 9 %; 0.4 is four times that and some bias
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(errors), axis=0))[moving], spread[moving], rtol=0.4)
