"""A fit as ArviZ reads it: groups, names, densities that are the model's, and a file that comes back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import arviz
import numpy as np
import pytest
import xarray as xr

from forecast.inference.datatree import to_datatree
from forecast.inference.fit import Chains, fit_model
from forecast.inference.fit_files import load_chains, load_fit, save_fit
from forecast.inference.pymc_model import build_model, plainly
from forecast.inference.sampler import STATS, Sampler
from forecast.inference.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from worlds import World

    from forecast.inference.fit import Fit

NOW = dt.datetime(2026, 1, 9, 8, 30, tzinfo=dt.UTC)
SHORT = Settings(draws=60, tune=100, chains=2, seed=7)


@pytest.fixture(scope="module")
def fit(compiled_world: World, sampler: Sampler) -> Fit:
    """Fit the small world briefly."""
    return fit_model(compiled_world.space, compiled_world.evidence, sampler, SHORT, watermark=12, now=NOW)


@pytest.fixture(scope="module")
def tree(fit: Fit) -> xr.DataTree:
    """Give the fit as a tree."""
    return fit.to_datatree()


def test_groups_are_those_of_arviz(tree: xr.DataTree, fit: Fit) -> None:
    """Posterior, statistics under ArviZ's names, data, prior and densities; every group says where it comes from."""
    groups = {
        "posterior", "sample_stats", "observed_data", "constant_data", "prior", "log_prior", "log_likelihood",
    }  # fmt: skip
    assert set(tree.children) == groups
    assert set(tree["sample_stats"].data_vars) == set(STATS.values())
    assert tree["sample_stats"]["diverging"].dtype == bool
    assert int(tree["sample_stats"]["diverging"].sum()) == fit.diagnostics.divergences
    assert tree["sample_stats"].sizes == {"chain": 2, "draw": 60}
    assert tree["observed_data"]["reports"].to_numpy() == pytest.approx(fit.cells.observed)
    assert tree["constant_data"]["step_years"].to_numpy() == pytest.approx(fit.cells.years)
    assert (tree.attrs["id"], tree.attrs["as_of"]) == (fit.id, str(fit.as_of))
    assert {tree[name].attrs["inference_library"] for name in groups} == {"nutpie"}


def test_names_are_those_of_the_pymc_model(tree: xr.DataTree, compiled_world: World) -> None:
    """What the tree holds is called as in the model, so that a user of PyMC finds it."""
    model = build_model(compiled_world.space, compiled_world.evidence)
    named = set(model.named_vars)
    assert set(map(str, tree["posterior"].data_vars)) <= named
    assert set(map(str, tree["prior"].data_vars)) == set(map(str, tree["posterior"].data_vars))
    assert set(map(str, tree["observed_data"].data_vars)) <= named
    assert set(map(str, tree["constant_data"].data_vars)) <= named


def test_densities_are_those_of_the_model(tree: xr.DataTree, compiled_world: World) -> None:
    """Of some draws log prior and log-likelihood are what PyMC's own functions of the model say."""
    model = build_model(compiled_world.space, compiled_world.evidence)
    free, values = model.free_RVs, [model.rvs_to_values[part] for part in model.free_RVs]
    how = {"inputs": values, "mode": "FAST_COMPILE", "on_unused_input": "ignore"}
    with plainly():
        prior, reports = (
            model.compile_fn(model.logp(vars=parts, jacobian=False), **how) for parts in (free, model.observed_RVs)
        )
    for chain, draw in ((0, 0), (1, 17), (1, 59)):
        at = tree["posterior"].to_dataset().isel(chain=chain, draw=draw)
        point = {}
        for part in free:
            value, transform = model.rvs_to_values[part], model.rvs_to_transforms[part]
            raw = at[part.name].to_numpy()
            point[value.name] = (
                raw if transform is None else transform.forward(raw, *part.owner.inputs).eval(mode="FAST_COMPILE")
            )
        log_prior = sum(float(one[chain, draw]) for one in tree["log_prior"].data_vars.values())
        assert float(prior(point)) == pytest.approx(log_prior, rel=1e-8)
        assert float(reports(point)) == pytest.approx(float(tree["log_likelihood"]["reports"][chain, draw]), rel=1e-8)


def test_prior_draws_are_of_the_prior(tree: xr.DataTree, compiled_world: World) -> None:
    """Draws in the group have the centre and the spread of the file's intervals, within four standard errors."""
    moves = [move.per_year for stage in compiled_world.spec.stages.values() for move in stage.transitions]
    drawn = tree["prior"]["transition_log_rate"].to_numpy().reshape(120, -1)
    middle = np.array([np.log(low * high) / 2 for low, high in moves])
    sd = np.array([np.log(high / low) / 2 / 1.6448536 for low, high in moves])
    assert np.all(np.abs(drawn.mean(axis=0) - middle) < 4 * sd / np.sqrt(120))
    assert np.all(np.abs(drawn.std(axis=0) / sd - 1) < 4 / np.sqrt(240))


def test_a_file_comes_back(tree: xr.DataTree, tmp_path: Path) -> None:
    """`arviz.from_netcdf` reads what was written, without loss, and ArviZ's sensitivity takes it."""
    tree.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    back = arviz.from_netcdf(tmp_path / "fit.nc")
    for name in tree.children:
        xr.testing.assert_equal(back[name].to_dataset(), tree[name].to_dataset())
    found = arviz.psense_summary(back, var_names=["transition_log_rate"])
    assert {"prior", "likelihood"} <= set(found.columns)
    back.close()


def test_a_loaded_fit_gives_the_same_tree(fit: Fit, tree: xr.DataTree, tmp_path: Path, compiled_world: World) -> None:
    """A fit from its file gives the same groups as right after sampling."""
    found = load_fit(save_fit(fit, tmp_path), compiled_world.space).to_datatree()
    for name in tree.children:
        xr.testing.assert_identical(found[name].to_dataset(), tree[name].to_dataset())


def test_older_files_have_no_statistics(fit: Fit, tmp_path: Path) -> None:
    """A file of a version that kept no statistics opens without that group."""
    old = dataclasses.replace(fit, chains=lambda: Chains(fit.chains().posterior, None))
    chains = load_chains(save_fit(old, tmp_path))
    assert chains.stats is None
    found = to_datatree(fit, chains, fit.cells, None)
    assert set(found.children) == {"posterior", "observed_data", "constant_data"}
