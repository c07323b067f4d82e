"""Channels in the PyMC model: their rates and dispersions are those of the written method, and fits learn them."""

from __future__ import annotations

import numpy as np
import pytest
from counts import counted_world
from worlds import SEEDS, compile_rows

from forecast.inference.pymc_model import build_model, prior_draws
from forecast.inference.sampler import Sampler
from forecast.studies.truth import Truth
from forecast.theory.assumptions import assumptions, with_intervals

LEVELS = ("channel_log_level", "channel_class_log_rate")
NAMES = (
    "channel_class_log_rate", "channel_class_log_spread", "channel_class_log_contrast", "channel_log_rate",
    "channel_departure", "channel_log_dispersion", "channel_log_times", "log_lambda",
)  # fmt: skip


def test_rates_of_channels_are_those_of_the_method() -> None:
    """In draws of the prior, rates and dispersions of channels are what the simulator makes of the parameters."""
    found = counted_world(SEEDS[0])
    spec, space = found.space.spec, found.space
    drawn = dict(zip(NAMES, prior_draws(build_model(space, found.evidence), NAMES, 6, 3), strict=True))
    names = list(space.emission_names)
    for k in range(6):
        truth = Truth(spec, {name: np.atleast_1d(drawn[name][k]) for name in NAMES[:-2]})
        for name, row in spec.channels.items():
            for phase in spec.stages[row.stage].all_phases:
                rate, dispersion = truth.counted(name, phase)
                assert drawn["log_lambda"][k, names.index(f"{name}|{phase}")] == pytest.approx(np.log(rate))
            assert drawn["log_lambda"][k, names.index(f"{name}|dispersion")] == pytest.approx(np.log(dispersion))


def test_a_model_without_channels_is_the_same_as_before() -> None:
    """It has no variable of channels, no assumption about them, and the version that it had."""
    world = counted_world(SEEDS[0]).world
    model = build_model(world.space, world.evidence)
    assert not [variable.name for variable in model.free_RVs if variable.name.startswith("channel")]
    assert not [key for key in assumptions(world.spec) if "channels" in key]
    changed = world.spec.priors.model_copy(update={"channels": counted_world(SEEDS[0]).space.spec.priors.channels})
    assert world.spec.model_copy(update={"priors": changed}).hash == world.spec.hash
    assert counted_world(SEEDS[0]).space.spec.hash != world.spec.hash


def test_nuts_moves_only_channels_that_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel without a count keeps its prior, and where nothing was counted nothing about channels moves."""
    monkeypatch.setattr("forecast.inference.sampler._Density", lambda *_: None)  # what moves is known without it
    found = counted_world(SEEDS[0])
    sampler = Sampler(found.space, found.evidence)
    everything = sampler.moving(found.evidence).size
    nothing = sampler.moving(found.world.evidence).size
    assert everything - nothing == 3 * len(found.space.channels) + 3 * len(found.space.channel_classes)
    first = [row for row in found.counts if row.channel == "first_count"]
    one = compile_rows(found.space, [*found.world.rows, *found.world.coverage, *first], found.world.as_of)
    assert everything - sampler.moving(one).size == 2 * (len(found.space.channels) - 1)
    whole = sampler._whole(np.zeros((2, 200, nothing)), sampler.moving(found.world.evidence), 1)
    levels, classes = (whole[..., sampler._own[name]].reshape(400, -1) for name in LEVELS)
    assert np.corrcoef(levels[:, 0], classes[:, 0])[0, 1] > 0.5  # drawn together


def test_assumptions_of_channels_can_be_exchanged() -> None:
    """What a class counts and how far its grades are right are assumptions like any other."""
    spec = counted_world(SEEDS[0]).space.spec
    keys = {"priors.channels.counts": (0.2, 0.4), "priors.channels.counts.contrast": (0.5, 0.9)}
    assert set(keys) < set(assumptions(spec))
    changed = with_intervals(spec, keys).priors.channels["counts"]
    assert (changed.per_volume, changed.contrast) == ((0.2, 0.4), (0.5, 0.9))
