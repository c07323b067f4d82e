"""A process that opens the same fit or the same model again finds it made; what was written over is read anew."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from forecast.base.errors import InputError
from forecast.base.lately import Lately
from forecast.engine.propagate import Ahead, Questions
from forecast.inference.fit import fit_model
from forecast.inference.fit_files import identity, save_fit
from forecast.inference.model import Model
from forecast.inference.sampler import COMPILED, compiled
from forecast.inference.settings import Settings
from forecast.quantities.from_draws import horizons_of
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from pathlib import Path

    from worlds import World

    from forecast.inference.anchor import Anchor
    from forecast.inference.fit import Fit
    from forecast.inference.sampler import Sampler

NOW = dt.datetime(2026, 1, 9, 8, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def fits(compiled_world: World, sampler: Sampler) -> tuple[Fit, Fit]:
    """Fit the small world briefly from two seeds."""
    world = compiled_world
    one, other = (
        fit_model(world.space, world.evidence, sampler, Settings(draws=60, tune=60, chains=2, seed=seed), watermark=1,
                  now=NOW)
        for seed in (1, 2)
    )  # fmt: skip
    return one, other


def only(world: World, folder: Path) -> Anchor:
    """Open a folder with one fit."""
    (anchor,) = Model(world.spec).anchors(folder)
    return anchor


def test_a_fit_that_is_opened_again_is_not_read_again(
    fits: tuple[Fit, Fit], compiled_world: World, tmp_path: Path
) -> None:
    """Draws, and the values of their states, are shared by models of one process, and by copies of the file."""
    world = compiled_world
    path = save_fit(fits[0], tmp_path / "one")
    (tmp_path / "two").mkdir()
    shutil.copy2(path, tmp_path / "two")
    one, other = (only(world, tmp_path / name) for name in ("one", "two"))
    horizons = horizons_of(world.space, world.as_of)
    assert one is not other
    assert one.blocks is other.blocks
    assert one.ahead(horizons) is other.ahead(horizons)
    assert one.unloaded().blocks is one.blocks


def test_a_file_that_was_written_over_is_read_anew(
    fits: tuple[Fit, Fit], compiled_world: World, tmp_path: Path
) -> None:
    """Neither a fit of the same name, nor one that was damaged, is taken for what the process holds."""
    world = compiled_world
    path = save_fit(fits[0], tmp_path)
    first, name = only(world, tmp_path).blocks, identity(path)
    content = path.read_bytes()
    path.unlink()
    replaced = save_fit(fits[1], tmp_path)
    replaced = replaced.rename(path)
    second = only(world, tmp_path).blocks
    assert not np.array_equal(first.draws.log_rate, second.draws.log_rate)
    at = content.index(fits[0].draws.log_rate[:60].tobytes()[:64])
    path.write_bytes(content[:at] + bytes(64) + content[at + 64 :])
    assert identity(path) != name
    with pytest.raises(InputError, match="not a readable fit"):
        _ = only(world, tmp_path).blocks


def test_what_bears_no_digest_is_shared_with_nobody(tmp_path: Path) -> None:
    """A file of an earlier version, and one that is not there, have no identity."""
    (tmp_path / "old.nc").write_bytes(b"\x89HDF" + bytes(200))
    assert identity(tmp_path / "old.nc") is None
    assert identity(tmp_path / "none.nc") is None
    (tmp_path / "empty.nc").touch()
    assert identity(tmp_path / "empty.nc") is None


def test_an_identity_is_of_content_and_time(fits: tuple[Fit, Fit], tmp_path: Path) -> None:
    """A copy that keeps its time has the same, one that was touched has another."""
    path = save_fit(fits[0], tmp_path)
    copied = shutil.copy2(path, tmp_path / "copy.nc")
    assert identity(path) == identity(copied) is not None
    os.utime(copied, ns=(1, 1))
    assert identity(path) != identity(copied)


def test_other_questions_have_other_values(compiled_world: World, fits: tuple[Fit, Fit], tmp_path: Path) -> None:
    """Values are shared by who asks the same of the same horizons, and by nobody else."""
    world = compiled_world
    save_fit(fits[0], tmp_path)
    blocks = only(world, tmp_path).blocks
    today, tomorrow = (horizons_of(world.space, world.as_of + dt.timedelta(days=k)) for k in (0, 1))
    sets = np.array([world.space.members(row.states) for row in world.spec.outcomes.values()])
    asked = Questions(sets, sets, sets[:1], sets[1:2], np.array([2]))
    others = [asked._replace(**{name: ~part}) for name, part in asked._asdict().items() if name != "later"]
    others.append(asked._replace(later=asked.later + 1))
    names = {Ahead(blocks, today, one).name for one in (asked, *others)} | {Ahead(blocks, tomorrow, asked).name}
    assert len(names) == 2 + len(others)
    assert Ahead(blocks, today, asked._replace(at=sets.copy())).name in names


def test_a_process_keeps_what_it_compiled_last(compiled_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same structure and numbers are compiled once; others for themselves; the oldest goes."""
    made: list[str] = []

    def make(space: StateSpace, _: object) -> tuple[str]:
        made.append(space.spec.hash)
        return (space.spec.hash,)

    monkeypatch.setattr("forecast.inference.sampler.Sampler", make)
    monkeypatch.setattr("forecast.inference.sampler._compiled", Lately(COMPILED))
    world = compiled_world
    model = world.spec.model
    specs = [
        world.spec.model_copy(update={"model": model.model_copy(update={"reporting_lag_days": 30 + k})})
        for k in range(COMPILED + 1)
    ]
    words = world.spec.model_copy(update={"model": model.model_copy(update={"title": "Other words"})})
    for spec in (world.spec, words, *specs[:-1], world.spec, specs[-1], specs[-1], world.spec):
        compiled(StateSpace(spec), world.evidence)
    assert made == [one.hash for one in (world.spec, *specs[:-1], world.spec, specs[-1])]
