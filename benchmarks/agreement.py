"""Compare the package with `numpyro_model`: the densities they state, and the means of their chains.

Run as ``agreement.py MODEL.toml CELLS.npz DRAWS.npz FIT.nc``; prints one JSON object. PyMC's unconstrained log-density
minus the Jacobians of its transforms, written here by hand, is the density of the natural parameters; so is NumPyro's
`log_density`. They may differ by a constant: a simplex of n values has a Jacobian of a constant times their product.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from numpyro.infer.util import log_density

from benchmarks.numpyro_model import model as numpyro_model
from benchmarks.numpyro_model import read
from benchmarks.reference import reference
from forecast.inference.sampler import Sampler

POINTS = 20
SPREAD = 0.5  # of the random points around the initial one; far wider ones overflow a float in exp(τ ζ)
TOLERANCE = 1e-8
FEW_ERRORS = 4.0  # false alarm in about 1 of 900 comparisons of 17 means


def natural(name: str, value: np.ndarray) -> tuple[str, np.ndarray, float]:
    """Take one of PyMC's unconstrained values back to its parameter; also the log of the Jacobian."""
    if name.endswith("_simplex__"):
        logit = np.append(value, -value.sum())
        inside = np.exp(logit - logit.max())
        inside /= inside.sum()
        return name.removesuffix("_simplex__"), inside, float(np.log(inside).sum())
    if name.endswith("_logodds__"):
        inside = 1 / (1 + np.exp(-value))
        return name.removesuffix("_logodds__"), inside, float(np.sum(np.log(inside) + np.log1p(-inside)))
    if name.endswith("_log__"):
        return name.removesuffix("_log__"), np.exp(value), float(np.sum(value))
    return name, value, 0.0


def densities(model_file: str, cells_file: str) -> dict[str, float]:
    """Compare log-densities at random points."""
    model, _, evidence = reference()
    sampler = Sampler(model.space, evidence)
    initial = model.to_pymc(evidence).initial_point(0)
    order = [value.name for value in sampler._model.value_vars]  # noqa: SLF001 - the order of a point has no public name
    data = read(model_file, cells_file)
    rng = np.random.default_rng(2)
    differences, values = [], []
    for _ in range(POINTS):
        free = {name: value + rng.normal(0.0, SPREAD, np.shape(value)) for name, value in initial.items()}
        ours, _ = sampler.log_density(evidence, np.concatenate([np.ravel(free[name]) for name in order]))
        parameters = {}
        for name, value in free.items():
            parameter, inside, jacobian = natural(name, value)
            parameters[parameter] = inside
            ours -= jacobian
        theirs = float(log_density(numpyro_model, (data,), {}, parameters)[0])
        differences.append(ours - theirs)
        values.append(ours)
    return {
        "density_difference_sd": float(np.std(differences)),
        "density_sd": float(np.std(values)),
        "density_constant": float(np.mean(differences)),
    }


def means(draws_file: str, fit_file: str) -> dict[str, float]:
    """Compare posterior means of the transitions' log rates, in Monte Carlo standard errors of their difference."""
    with xr.open_dataset(fit_file, engine="h5netcdf") as fit:
        ours = fit["transition_log_rate"].to_numpy()
    with np.load(draws_file) as draws:
        theirs, diverging = draws["transition_log_rate"], int(draws["diverging"].sum())
    scores, sizes = [], []
    for k in range(ours.shape[2]):
        squared = 0.0
        for chains in (ours[:, :, k], theirs[:, :, k]):
            sizes.append(float(array_stats.ess(chains)))
            squared += chains.var() / sizes[-1]
        scores.append(float((ours[:, :, k].mean() - theirs[:, :, k].mean()) / np.sqrt(squared)))
    return {
        "worst_mean_in_errors": float(np.max(np.abs(scores))),
        "transitions": len(scores),
        "numpyro_divergences": diverging,
        "ess_min_forecast": min(sizes[::2]),
        "ess_min_numpyro": min(sizes[1::2]),
    }


def main() -> None:
    """Compare, print, and fail where they disagree."""
    model_file, cells_file, draws_file, fit_file = sys.argv[1:]
    found = {**densities(model_file, cells_file), **means(draws_file, fit_file)}
    print(json.dumps(found))
    if not found["density_difference_sd"] < TOLERANCE:
        sys.exit(f"the two densities differ: {found['density_difference_sd']:.3g}")
    if not found["worst_mean_in_errors"] < FEW_ERRORS:
        sys.exit(f"posterior means differ by {found['worst_mean_in_errors']:.1f} Monte Carlo errors")


if __name__ == "__main__":
    main()
