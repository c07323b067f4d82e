"""A fit as ArviZ reads it: a tree of groups with what was drawn, what was observed, and the densities of the model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from forecast import inference
from forecast.engine.blocks import Blocks, Draws, chains_joined
from forecast.engine.filtering import evaluate
from forecast.engine.history_draws import history_log_likelihoods
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import compile_history
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.engine.arrays import Cells, Floats
    from forecast.evidence.history import History
    from forecast.inference.fit import Chains
    from forecast.inference.settings import FitRecord
    from forecast.theory.statespace import StateSpace


OBSERVED = "cell_observed"  # the data that PyMC's ``reports`` are observed to be
DIMS = {"cell_what": ("cell", "cell_place"), "cell_value": ("cell", "cell_number"), OBSERVED: ("cell",),
        "step_years": ("step",)}  # fmt: skip


def to_datatree(fit: FitRecord, chains: Chains, cells: Cells, space: StateSpace | None) -> xr.DataTree:
    """Give a fit as a tree of groups, all under the names of `Model.to_pymc`.

    ``posterior`` and ``sample_stats`` hold what was drawn, ``observed_data`` and ``constant_data`` the evidence and the
    history. By the model of ``space`` there are also ``prior`` (as many draws of the priors that the model file
    states, before any history), ``log_prior`` (of each parameter under each draw, natural logarithms) and
    ``log_likelihood`` (of all reports together, whose hidden path is summed out, and of the history). Without it, for
    a fit of another version of the model, these three are left out, and so is the history.
    """
    groups: dict[str, Any] = {"posterior": chains.posterior}
    if chains.stats is not None:
        groups["sample_stats"] = chains.stats
    data = inference.evidence_data(cells) if space is None else inference.data_of(cells, compile_history(space))
    groups["observed_data"] = xr.Dataset({"reports": (DIMS[OBSERVED], data.pop(OBSERVED))})
    groups["constant_data"] = xr.Dataset(
        {name: (DIMS.get(name) or tuple(f"{name}_{k}" for k in range(part.ndim)), part) for name, part in data.items()}
    )
    if space is not None:
        groups |= _densities(fit, chains.posterior, cells, space)
    about = {name: str(getattr(fit, name)) for name in ("id", "model", "model_hash", "evidence_hash", "as_of")}
    common = {"created_at": fit.created_at, "inference_library": "nutpie", "creation_library": "scenario-cascade"}
    tree = xr.DataTree.from_dict({name: part.assign_attrs(common) for name, part in groups.items()})
    tree.attrs |= about | common
    return tree


def _densities(fit: FitRecord, posterior: xr.Dataset, cells: Cells, space: StateSpace) -> dict[str, xr.Dataset]:
    """Give the groups that need the model: draws of its priors, and its densities under each draw of the posterior."""
    model = inference.build_model(space, compile_evidence(space, (), space.spec.model.start))
    names = [str(name) for name in posterior.data_vars]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    prior: dict[str, xr.DataArray] = {}
    for name, part in zip(names, inference.prior_draws(model, names, math.prod(shape), fit.settings.seed), strict=True):
        own = posterior[name].shape[2:]  # what no parameter moves has no draws
        prior[name] = posterior[name].copy(data=np.broadcast_to(part, (math.prod(shape), *own)).reshape(*shape, *own))
    draws = Draws(*(np.ascontiguousarray(chains_joined(posterior[name].to_numpy())) for name in Draws._fields))
    likelihood = {"reports": evaluate(Blocks(chain_of(space), draws), cells).log_likelihood}
    history = compile_history(space)
    if history.units:
        likelihood["history"] = _of_history(history, posterior)
    return {
        "prior": xr.Dataset(prior),
        "log_prior": _each(inference.log_prior(model, posterior), shape),
        "log_likelihood": _each(likelihood, shape),
    }


def _of_history(history: History, posterior: xr.Dataset) -> Floats:
    """(S,) log-likelihood of the spells under each draw, with what each unit departs: the model's ``history``."""
    names = ("transition_log_rate", "effect_log_times", "unit_log_spread", "unit_offset")
    transition, effect, log_spread, offset = (chains_joined(posterior[name].to_numpy()) for name in names)
    departure = np.exp(log_spread)[:, history.unit_stage] * offset
    multiplied = transition[:, history.rate_transition] + effect @ history.rate_effect.T
    return history_log_likelihoods(history.spans, np.ascontiguousarray(multiplied + departure[:, history.rate_unit]))


def _each(densities: Mapping[str, Floats], shape: tuple[int, int]) -> xr.Dataset:
    arrays = {name.replace(" ", "_"): part.reshape(shape) for name, part in densities.items()}
    return xr.Dataset({name: (("chain", "draw"), part) for name, part in arrays.items()})
