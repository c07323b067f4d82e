"""Fits are reproducible, come back from disk as they were, and say when they are not to be believed."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from forecast.base.errors import InputError, UntrustworthyError
from forecast.engine.blocks import Draws
from forecast.inference.fit import Fit, fit_id, fit_model
from forecast.inference.fit_files import (
    load_arrays,
    load_cells,
    load_fit,
    load_record,
    read_whole,
    save_fit,
)
from forecast.inference.fitter import Fitter
from forecast.inference.model import Model
from forecast.inference.settings import Diagnostics, Sampling, Settings, check_fit
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from pathlib import Path

    from worlds import World

    from forecast.evidence.compilation import Evidence
    from forecast.inference.sampler import Sampler

NOW = dt.datetime(2026, 1, 9, 8, 30, tzinfo=dt.UTC)
SHORT = Settings(draws=60, tune=100, chains=2, seed=7)
GOOD = Diagnostics(
    divergences=0, max_r_hat=1.005, max_r_hat_of="a", min_ess=900.0, min_ess_of="b", forecast_r_hat=1.001,
    forecast_ess=2000.0, efficiency=0.8,
)  # fmt: skip


@pytest.fixture(scope="module")
def fit(compiled_world: World, sampler: Sampler) -> Fit:
    """Fit the small world briefly."""
    return fit_model(compiled_world.space, compiled_world.evidence, sampler, SHORT, watermark=12, now=NOW)


def test_fit_records_what_it_is(fit: Fit, compiled_world: World) -> None:
    """A fit carries model, evidence, date, watermark, seed, versions and time; draws are chains end to end."""
    assert (fit.model, fit.model_hash) == ("world", compiled_world.spec.hash)
    assert (fit.evidence_hash, fit.as_of, fit.watermark) == (compiled_world.evidence.hash, compiled_world.as_of, 12)
    assert fit.settings == SHORT
    assert fit.created_at == "2026-01-09T08:30:00+00:00"
    assert set(fit.versions) >= {"pymc", "nutpie", "numpy"}
    posterior = fit.chains().posterior
    assert dict(posterior.sizes)["chain"] == 2
    for name, array in zip(Draws._fields, fit.draws, strict=True):
        assert array.shape[0] == 120
        np.testing.assert_array_equal(array, posterior[name].to_numpy().reshape(120, -1))


def test_same_seed_same_draws(fit: Fit, compiled_world: World, sampler: Sampler) -> None:
    """The same settings give the identical draws; another seed gives others."""
    again = fit_model(compiled_world.space, compiled_world.evidence, sampler, SHORT, watermark=12, now=NOW)
    for one, other in zip(fit.draws, again.draws, strict=True):
        np.testing.assert_array_equal(one, other)
    settings = dataclasses.replace(SHORT, seed=8)
    other = fit_model(compiled_world.space, compiled_world.evidence, sampler, settings, watermark=12, now=NOW)
    assert not np.array_equal(fit.draws.log_rate, other.draws.log_rate)


def test_progress_is_reported(compiled_world: World, sampler: Sampler) -> None:
    """Progress never goes back and ends at the total: every step of every chain."""
    seen: list[tuple[int, int]] = []
    settings = Settings(draws=20, tune=30, chains=2)
    sampler.sample(compiled_world.evidence, settings, lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {100}
    counts = [done for done, _ in seen]
    assert counts == sorted(counts)
    assert counts[-1] == 100


def test_round_trip(fit: Fit, compiled_world: World, tmp_path: Path) -> None:
    """A saved fit is loaded with identical draws and everything it said about itself."""
    path = save_fit(fit, tmp_path / "fits")
    assert path == tmp_path / "fits" / f"{fit.id}.nc"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    found = load_fit(path, compiled_world.space)
    for one, other in zip(found.draws, fit.draws, strict=True):
        np.testing.assert_array_equal(one, other)
    for field in dataclasses.fields(Fit):
        if field.name == "cells":
            for one, other in zip(found.cells, fit.cells, strict=True):
                np.testing.assert_array_equal(one, other)
        elif field.name not in {"draws", "chains"}:
            assert getattr(found, field.name) == getattr(fit, field.name), field.name
    for one, other in zip(found.chains(), fit.chains(), strict=True):
        assert one is not None
        xr.testing.assert_equal(one, other)
    names = ("class_log_rate", "log_rate")
    for name, array in load_arrays(path, names).items():
        np.testing.assert_array_equal(array, fit.chains().posterior[name].to_numpy())


@pytest.mark.parametrize("damage", ["cut", "overwritten", "empty", "text", "no posterior", "missing"])
def test_corrupted_file_is_refused(fit: Fit, compiled_world: World, tmp_path: Path, damage: str) -> None:
    """A file that is not a whole fit is one clear error with its path and what to do."""
    path = save_fit(fit, tmp_path)
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "overwritten":
            path.write_bytes(bytes(200) + content[200:])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a fit")
        case "no posterior":
            xr.Dataset({"a": ("b", [1.0])}).to_netcdf(path, engine="h5netcdf")
        case _:
            path.unlink()
    with pytest.raises(InputError, match="delete the file and run") as caught:
        load_fit(path, compiled_world.space)
    assert str(path) in str(caught.value)


def test_a_flipped_bit_is_noticed(fit: Fit, compiled_world: World, tmp_path: Path) -> None:
    """One bit that has changed among the draws makes the file unreadable."""
    path = save_fit(fit, tmp_path)
    content = bytearray(path.read_bytes())
    first = content.index(fit.draws.log_lambda[3].tobytes())
    content[first + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="delete the file and run"):
        load_fit(path, compiled_world.space)


def test_every_byte_of_a_fit_is_covered(fit: Fit, tmp_path: Path, rng: np.random.Generator) -> None:
    """A check notices a flip anywhere: among draws, names, notes and the digest itself; a fit without one is none."""
    path = save_fit(fit, tmp_path)
    whole = path.read_bytes()
    read_whole(path)
    places = [0, whole.index(b"max_r_hat"), len(whole) - 70, len(whole) - 1, *rng.integers(0, len(whole), 60).tolist()]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="delete the file"):
            read_whole(path)
    for other in (whole[:-71], whole[:-71] + whole[-71:].replace(b"sha256", b"md5   "), whole + b"more"):
        path.write_bytes(other)
        with pytest.raises(InputError, match="its digest is missing or another"):
            read_whole(path)


def test_changed_notes_of_a_fit_are_never_used(fit: Fit, compiled_world: World, tmp_path: Path) -> None:
    """HDF5 has no checksum of what a file says about itself; better diagnostics than it had are noticed on reading."""
    path = save_fit(fit, tmp_path)
    whole = path.read_bytes()
    said = f'"divergences": {fit.diagnostics.divergences}'.encode()
    assert whole.count(said) == 1
    path.write_bytes(whole.replace(said, said[:-1] + b"7"))
    for read in (load_record, lambda path: load_fit(path, compiled_world.space), load_cells):
        with pytest.raises(InputError, match="what it says about itself was changed; delete the file"):
            read(path)


@pytest.mark.parametrize(
    "about", ['"text"', "[1]", "{}", '{"model": "world"}', '{"model": "world", "model_hash": "?"}']
)
def test_file_with_other_notes_is_refused(fit: Fit, compiled_world: World, tmp_path: Path, about: str) -> None:
    """A file whose notes are not a fit's is one clear error with its path."""
    path = save_fit(fit, tmp_path)
    about = about.replace("?", compiled_world.spec.hash)
    fit.chains().posterior.assign_attrs(about=about).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError) as caught:
        load_fit(path, compiled_world.space)
    assert str(path) in str(caught.value)


def test_fit_of_another_model_is_refused(
    fit: Fit, reference: StateSpace, compiled_world: World, tmp_path: Path
) -> None:
    """A fit of another model, or of another version of this one, is refused and the error names both."""
    path = save_fit(fit, tmp_path)
    with pytest.raises(InputError, match="delete the file") as caught:
        load_fit(path, reference)
    assert all(part in str(caught.value) for part in (str(path), "'world'", "'russia_azerbaijan'"))
    header = compiled_world.spec.model.model_copy(update={"reporting_lag_days": 9})
    changed = StateSpace(compiled_world.spec.model_copy(update={"model": header}))
    with pytest.raises(InputError, match=changed.spec.hash):
        load_fit(path, changed)


def test_unwritable_folder_is_refused(fit: Fit, tmp_path: Path) -> None:
    """A fit that cannot be written leaves nothing behind and says where."""
    (tmp_path / "fits").write_text("a file, not a folder")
    with pytest.raises(InputError, match="fits"):
        save_fit(fit, tmp_path / "fits")
    assert [file.name for file in tmp_path.iterdir()] == ["fits"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"divergences": 5}, "5 divergent"),
        ({"max_r_hat": 1.02}, "R-hat 1.020 of a"),
        ({"max_r_hat": float("nan")}, "R-hat nan of a"),
        ({"min_ess": 399.0}, "effective sample size 399 of b"),
        ({"min_ess": float("nan")}, "effective sample size nan of b"),
        ({"forecast_r_hat": 1.011}, "R-hat 1.011 of a published probability"),
        ({"forecast_ess": 399.0}, "effective sample size 399 of a published probability"),
    ],
)
def test_bad_fit_is_refused(fit: Fit, change: dict, complaint: str) -> None:
    """Divergences, R-hat and effective sample size each make a fit untrustworthy, with exit code 3 and a remedy."""
    long = dataclasses.replace(fit, settings=Settings(), diagnostics=GOOD)
    assert check_fit(long) is long
    bad = dataclasses.replace(long, diagnostics=dataclasses.replace(GOOD, **change))
    with pytest.raises(UntrustworthyError, match=complaint) as caught:
        check_fit(bad)
    assert "--draws" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_fit_that_fails_is_made_again_carefully(
    fit: Fit, compiled_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, twice as long and in smaller steps; bad fits that are accepted and good ones are made once."""
    asked: list[Settings] = []

    def sampled(space: StateSpace, evidence: Evidence, _: object, settings: Settings, **_more: object) -> Fit:
        asked.append(settings)
        bad = settings == SHORT or settings.seed == 13
        diagnostics = dataclasses.replace(GOOD, divergences=1000) if bad else GOOD
        return dataclasses.replace(
            fit, id=fit_id(space, evidence, settings), settings=settings, diagnostics=diagnostics
        )

    monkeypatch.setattr("forecast.inference.fitter.fit_model", sampled)
    monkeypatch.setattr(Model, "sampler", lambda *_: None)
    evidence, stages = compiled_world.evidence, list[str]()

    def fitter(settings: Settings, *, accept_bad: bool) -> Fitter:
        return Fitter(
            Model(compiled_world.spec),
            tmp_path,
            lambda _: set(),
            Sampling(settings, accept_bad, stages.append),
            12,
            NOW,
        )

    careful = Settings(draws=120, tune=200, chains=2, seed=7, target_accept=0.95)
    one = fitter(SHORT, accept_bad=False)
    assert one.fit(evidence).settings == careful
    assert (asked, one.made, stages[-1]) == ([SHORT, careful], 2, "sampling again, longer")
    assert fitter(SHORT, accept_bad=False).fit(evidence).settings == careful
    assert fitter(SHORT, accept_bad=True).fit(evidence).settings == SHORT
    assert fitter(careful, accept_bad=False).fit(evidence).settings == careful
    assert len(asked) == 2, "what was made is loaded"
    with pytest.raises(UntrustworthyError, match="1000 divergent"):
        fitter(dataclasses.replace(SHORT, seed=13), accept_bad=False).fit(evidence)
    assert len(asked) == 4


def test_short_fit_has_honest_diagnostics(fit: Fit) -> None:
    """Diagnostics name a parameter, R-hat is about one or above, and 120 draws do not pass for many more."""
    assert fit.diagnostics.min_ess < 250
    assert 0.99 < fit.diagnostics.max_r_hat < 3
    assert fit.diagnostics.min_ess_of.split("[")[0] in set(map(str, fit.chains().posterior.data_vars))


def test_id_depends_on_everything_that_determines_the_draws(compiled_world: World) -> None:
    """Each setting, the evidence and the model give another id; the same ones the same."""
    space, evidence = compiled_world.space, compiled_world.evidence
    base = fit_id(space, evidence, Settings())
    assert base == fit_id(space, evidence, Settings())
    changed = [{"draws": 1001}, {"tune": 1001}, {"chains": 5}, {"seed": 2}]
    ids = {fit_id(space, evidence, dataclasses.replace(Settings(), **change)) for change in changed}
    ids.add(fit_id(space, dataclasses.replace(evidence, hash="0" * 12), Settings()))
    header = compiled_world.spec.model.model_copy(update={"reporting_lag_days": 9})
    other = StateSpace(compiled_world.spec.model_copy(update={"model": header}))
    ids.add(fit_id(other, evidence, Settings()))
    assert len(ids | {base}) == 7
