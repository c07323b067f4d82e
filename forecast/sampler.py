# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingTypeArgument=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportReturnType=false, reportPrivateImportUsage=false, reportCallIssue=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false, reportUnknownLambdaType=false
# PyTensor, PyMC and nutpie carry no types that pyright can read.
"""The compiled model: PyMC's log-density as one cached native function, sampled by nutpie's NUTS.

PyMC states the density and PyTensor compiles it to a function that is kept on disk. nutpie's own compiler for PyMC
models compiles everything again in each process, so the compiled function is handed to nutpie directly
(docs/decisions.md,
*Handing the compiled density to nutpie*). The evidence is an argument of that function: one `Sampler` serves every
evidence of its model.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from nutpie.compiled_pyfunc import from_pyfunc
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.pytensorf import join_nonshared_inputs
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

from forecast.model import build_model, data_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.evidence import Evidence
    from forecast.fit import Settings
    from forecast.statespace import StateSpace

__all__ = ["Sampler"]

JITTER = 0.5  # half-width of the uniform jitter of starting points, on the unconstrained scale


class Sampler:
    """The density of one model, compiled once; `sample` draws under any evidence of the model."""

    def __init__(self, space: StateSpace, evidence: Evidence) -> None:
        """Compile the model of ``space``; ``evidence`` may be any of its evidences."""
        model = freeze_dims_and_data(build_model(space, evidence), data=[])
        model.check_bounds = False
        point = model.initial_point(0)
        self._start = np.concatenate([np.ravel(point[value.name]) for value in model.value_vars])
        self._model = model
        with model:
            logp = model.logp()
            gradient = pt.concatenate([part.ravel() for part in pt.grad(logp, model.value_vars)])
            shown = [*model.free_RVs, *model.deterministics]
            by_name = {part.name: part for part in model.unobserved_value_vars}
            values = pt.concatenate([by_name[variable.name].ravel() for variable in shown])
            self._density = _Native([logp, gradient], model, point)
            self._expand = _Native([values], model, point)
            shapes = pm.compile([], [pt.as_tensor(variable.shape) for variable in shown], mode="FAST_COMPILE")()
        self._variables = [
            (variable.name, tuple(int(n) for n in shape), model.named_vars_to_dims.get(variable.name, ()))
            for variable, shape in zip(shown, shapes, strict=True)
        ]

    def log_density(self, evidence: Evidence, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-density and gradient at an unconstrained ``point``, under ``evidence``."""
        value, gradient = self._density.bind(evidence)(point)
        return float(value), np.asarray(gradient)

    def sample(
        self, evidence: Evidence, settings: Settings, on_draw: Callable[[int, int], None] | None = None
    ) -> tuple[xr.Dataset, int]:
        """Draw from the posterior under ``evidence``.

        Returns the posterior (chain, draw, …) with named dims, and the number of divergent transitions after tuning.
        """
        density = self._density.bind(evidence)
        total = settings.chains * (settings.draws + settings.tune)
        done = 0

        def make_density() -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
            def call(point: np.ndarray) -> tuple[float, np.ndarray]:
                value, gradient = density(point)
                return float(value), gradient

            return call

        def make_keep(*_: Any) -> Callable[[np.ndarray], dict[str, np.ndarray]]:  # noqa: ANN401 - nutpie's seeds and chain
            def keep(point: np.ndarray) -> dict[str, np.ndarray]:
                nonlocal done
                done += 1
                if on_draw is not None:
                    on_draw(done, total)
                return {"point": point}

            return keep

        def start(seed: int) -> np.ndarray:
            return self._start + np.random.default_rng(seed).uniform(-JITTER, JITTER, self._start.size)

        compiled = from_pyfunc(
            self._start.size, make_density, make_keep, [np.dtype("float64")], [(self._start.size,)], ["point"],
            make_initial_point_fn=start,
        )  # fmt: skip
        trace = nutpie.sample(
            compiled, draws=settings.draws, tune=settings.tune, chains=settings.chains, seed=settings.seed,
            save_warmup=False, progress_bar=False,
        )  # fmt: skip
        points = trace["posterior"]["point"].to_numpy()
        return self._posterior(evidence, points), int(trace["sample_stats"]["diverging"].to_numpy().sum())

    def _posterior(self, evidence: Evidence, points: np.ndarray) -> xr.Dataset:
        expand = self._expand.bind(evidence)
        flat = np.array([expand(np.ascontiguousarray(point))[0] for chain in points for point in chain])
        arrays: dict[str, xr.DataArray] = {}
        first = 0
        for name, shape, dims in self._variables:
            last = first + int(np.prod(shape, dtype=int))
            arrays[name] = xr.DataArray(
                flat[:, first:last].reshape(*points.shape[:2], *shape),
                dims=("chain", "draw", *dims),
                coords={dim: list(self._model.coords[dim]) for dim in dims},
            )
            first = last
        return xr.Dataset(arrays)


class _Native:
    """A PyTensor graph of a model as a native function of one unconstrained point that does not hold the GIL."""

    def __init__(self, outputs: list[Any], model: pm.Model, point: dict[str, np.ndarray]) -> None:
        joined_outputs, joined = join_nonshared_inputs(point, outputs, model.value_vars)
        function = pm.compile([joined], joined_outputs, mode="NUMBA")
        self._arguments = [shared.name for shared in function.get_shared()]
        compiled = function.vm.jit_fn
        python = compiled.py_func
        copy = types.FunctionType(python.__code__, python.__globals__, python.__name__, python.__defaults__)
        CACHED_SRC_FUNCTIONS[copy] = CACHED_SRC_FUNCTIONS[python] + "-nogil"
        self._call = numba.njit(copy, cache=True, nogil=True, fastmath=compiled.targetoptions.get("fastmath", False))

    def bind(self, evidence: Evidence) -> Callable[[np.ndarray], Any]:
        """Give the function of the point alone, under ``evidence``."""
        data = data_of(evidence)
        arguments = tuple(np.ascontiguousarray(data[name]) for name in self._arguments)
        call = self._call

        def bound(point: np.ndarray) -> Any:  # noqa: ANN401 - the tuple of the graph's outputs
            return call(point, *arguments)

        return bound
