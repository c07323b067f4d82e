"""The compiled model: PyMC's log-density as one cached native function, sampled by nutpie's NUTS.

PyMC states the density and PyTensor compiles it to a function that is kept on disk. nutpie's own compiler for PyMC
models compiles everything again in each process, and a density called through Python makes the chains wait for each
other; so a C entry around PyTensor's function, kept on disk as well, is handed to nutpie (docs/decisions.md, *Handing
the compiled density to nutpie*). The evidence is an argument of that entry: one `Sampler` serves every evidence of its
model.
"""

from __future__ import annotations

import ctypes
import hashlib
from copy import copy
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import nutpie
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.pytensorf import join_nonshared_inputs
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src
from pytensor.tensor.variable import TensorConstant

from forecast.base.lately import Lately
from forecast.engine.arrays import COUNTED, COVERED
from forecast.engine.blocks import Draws
from forecast.evidence.history import compile_history
from forecast.inference.pymc_model import NUMBER, build_model, data_of, plainly, prior_draws

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from forecast.evidence.compilation import Evidence
    from forecast.evidence.history import History
    from forecast.inference.settings import Settings
    from forecast.theory.statespace import StateSpace


OWN = ("indicator_offset", "indicator_departure")  # of each indicator, and of nothing else
CHANNELS = "channel_"  # how the names of all parameters of channels begin
OWN_COUNTS = ("channel_departure", "channel_log_dispersion")  # of each channel; its rate hangs on those of its class
JITTER = 0.5  # half-width of the uniform jitter of starting points, on the unconstrained scale
POLL_SECONDS = 0.1
COMPILED = 4  # samplers that a process keeps
STATS = {  # nutpie's names of what it says of each draw, and ArviZ's
    "diverging": "diverging", "depth": "tree_depth", "n_steps": "n_steps", "mean_tree_accept": "acceptance_rate",
    "energy": "energy", "logp": "lp", "step_size": "step_size",
}  # fmt: skip
KINDS = ("float64", "int64")  # of the constants that are arguments
_DOUBLES = numba.types.CPointer(numba.types.double)
_DENSITY = numba.types.int64(numba.types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, numba.types.voidptr)
_EXPAND = numba.types.int64(numba.types.uint64, numba.types.uint64, _DOUBLES, _DOUBLES, numba.types.voidptr)
# The C entry that nutpie calls. ``data`` points to a table of integers: a counter, the address and number of the
# places that move (the others stand at 0), then for each argument of the density its address and its shape.
_ENTRY = """
def density_entry(size, point_, gradient_, value_, data_):
    try:
        data = carray(data_, ({length},), np.int64)
        moving = carray(address(data[1]), (data[2],), np.int64)
        some = carray(point_, (data[2],))
        slopes = carray(gradient_, (data[2],))
        point = np.zeros({size})
        for k in range(data[2]):
            point[moving[k]] = some[k]
        value, gradient = density(point, {arguments})
        carray(value_, (1,))[0] = value.item()
        for k in range(data[2]):
            slopes[k] = gradient[moving[k]]
        if not (np.isfinite(value.item()) and np.all(np.isfinite(gradient))):
            return 4
    except Exception:
        return 1
    return 0
"""


@numba.cfunc(_EXPAND, cache=True)
def _keep(_size: int, count: int, point_: Any, kept_: Any, data_: Any) -> int:  # noqa: ANN401 - C pointers
    """Keep the point itself, and count it: the first entry of the table is how many draws were made."""
    point = numba.carray(point_, (count,))
    kept = numba.carray(kept_, (count,))
    for k in range(count):
        kept[k] = point[k]
    numba.carray(data_, (1,), np.int64)[0] += 1
    return 0


_compiled: Lately[Sampler] = Lately(COMPILED)


def compiled(space: StateSpace, evidence: Evidence) -> Sampler:
    """Give the sampler of a model; what this process has compiled last is not compiled again.

    Two models with the same numbers and structure (`ModelSpec.hash`) have the same density, whatever file they are of.
    ``evidence`` may be any of its evidences.
    """
    return _compiled.get(space.spec.hash, lambda: Sampler(space, evidence))


class Sampler:
    """The density of one model, compiled once; `sample` draws under any evidence of the model."""

    def __init__(self, space: StateSpace, evidence: Evidence) -> None:
        """Compile the model of ``space``; ``evidence`` may be any of its evidences."""
        self.history = compile_history(space)
        self._channels = len(space.channels)
        model = freeze_dims_and_data(build_model(space, evidence), data=[])
        model.check_bounds = False
        with plainly():
            point = model.initial_point(0)
        self._start = np.concatenate([np.ravel(point[value.name]) for value in model.value_vars])
        ends = np.cumsum([np.size(point[value.name]) for value in model.value_vars])
        self._own = {
            value.name: np.arange(end - np.size(point[value.name]), end)
            for value, end in zip(model.value_vars, ends, strict=True)
            if value.name in OWN or value.name.startswith(CHANNELS)
        }
        self._model = model
        shown = [*model.free_RVs, *model.deterministics]
        with model:
            logp = model.logp()
            gradient = pt.concatenate([part.ravel() for part in pt.grad(logp, model.value_vars)])
            by_name = {part.name: part for part in model.unobserved_value_vars}
            values = [by_name[variable.name] for variable in shown]
            self._density = _Density([logp, gradient], model, point)
            values, joined = join_nonshared_inputs(point, values, model.value_vars)
            points = pt.matrix("points")
            # once for all draws, so that nothing has to be compiled
            with plainly():
                self._expand = pm.compile([points], vectorize_graph(values, {joined: points}), mode="FAST_COMPILE")
        self._variables = [
            (variable.name, variable.ndim, model.named_vars_to_dims.get(variable.name, ())) for variable in shown
        ]

    def under(self, history: History) -> Sampler:
        """Give a sampler of the same model under another ``history`` of the same units; nothing is compiled."""
        other = copy(self)
        other.history = history
        return other

    def prior(self, count: int, seed: int) -> Draws:
        """Draw ``count`` times from the prior."""
        return Draws(*prior_draws(self._model, Draws._fields, count, seed))

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the unconstrained variables in the order in which `log_density`'s point holds them."""
        return tuple(value.name for value in self._model.value_vars)

    def log_density(self, evidence: Evidence, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-density and gradient at an unconstrained ``point`` (see `value_names`), under ``evidence``."""
        table, alive = self._density.table(data_of(evidence.cells, self.history), np.arange(self._start.size))
        found = self._density.call(table, point)
        del alive  # until here: the table holds addresses of these arrays
        return found

    def sample(
        self, evidence: Evidence, settings: Settings, on_draw: Callable[[int, int], None] | None = None
    ) -> tuple[xr.Dataset, xr.Dataset]:
        """Draw from the posterior under ``evidence``; ``on_draw(done, total)`` is told of the progress.

        What belongs to an indicator or channel that the evidence never speaks of has its prior for its posterior, so
        NUTS leaves it out and it is drawn from there; so is all that concerns channels where nothing was counted.

        Returns the posterior (chain, draw, …) with named dims, and of each draw what the sampler did (`STATS`).
        """
        moving = self.moving(evidence)
        table, alive = self._density.table(data_of(evidence.cells, self.history), moving)
        size = moving.size

        def start(seed: int) -> np.ndarray:
            return self._start[moving] + np.random.default_rng(seed).uniform(-JITTER, JITTER, size)

        compiled = CompiledPyMCModel(
            dims={}, reparameterized_names=[], compiled_logp_func=self._density.entry, compiled_expand_func=_keep,
            initial_point_func=start, shared_data={}, shared_var_keys={}, user_data=table, n_expanded=size,
            shape_info=(["point"], [slice(0, size)], [(size,)]), logp_func=None, expand_func=None, _n_dim=size,
            _shapes={"point": (size,)}, _coords={},
        )  # fmt: skip
        running = nutpie.sample(
            compiled, draws=settings.draws, tune=settings.tune, chains=settings.chains, seed=settings.seed,
            target_accept=settings.target_accept, adaptation="low_rank",
            save_warmup=False, progress_bar=False, blocking=False,
        )  # fmt: skip
        trace = _wait(running, table, settings.chains * (settings.draws + settings.tune), on_draw)
        del alive  # until here: the table holds addresses of these arrays
        points = self._whole(trace["posterior"]["point"].to_numpy(), moving, settings.seed)
        stats = {name: (("chain", "draw"), trace["sample_stats"][theirs].to_numpy()) for theirs, name in STATS.items()}
        return self._posterior(points), xr.Dataset(stats)

    def moving(self, evidence: Evidence) -> NDArray[np.int64]:
        """Places of an unconstrained point that ``evidence`` says anything of: what NUTS moves."""
        what, available = evidence.cells.what, evidence.cells.available
        spoken_of = available.any(axis=0)
        spoken_of[what[what[:, 1] == COVERED, 3]] = True
        counted = np.zeros(self._channels, dtype=np.bool_)
        counted[what[what[:, 1] == COUNTED, 3] - spoken_of.size] = True
        moving = np.ones(self._start.size, dtype=np.bool_)
        for name, places in self._own.items():
            moving[places] = spoken_of if name in OWN else counted if name in OWN_COUNTS else counted.any()
        return np.flatnonzero(moving)

    def _whole(self, points: np.ndarray, moving: NDArray[np.int64], seed: int) -> np.ndarray:
        """Put draws from the prior where nothing moved."""
        whole = np.empty((*points.shape[:2], self._start.size))
        if moving.size < self._start.size:
            own = prior_draws(self._model, self._own, points[..., 0].size, seed)
            for places, part in zip(self._own.values(), own, strict=True):
                whole[..., places] = part.reshape(*points.shape[:2], -1)
        whole[..., moving] = points
        return whole

    def _posterior(self, points: np.ndarray) -> xr.Dataset:
        arrays: dict[str, xr.DataArray] = {}
        found = self._expand(points.reshape(-1, points.shape[-1]))
        for (name, ndim, dims), part in zip(self._variables, found, strict=True):
            shape = part.shape[part.ndim - ndim :]  # what no parameter moves has no draws
            arrays[name] = xr.DataArray(
                np.broadcast_to(part, (points[..., 0].size, *shape)).reshape(*points.shape[:2], *shape),
                dims=("chain", "draw", *dims),
                coords={dim: list(self._model.coords[dim]) for dim in dims},
            )
        return xr.Dataset(arrays)


def _wait(running: Any, table: np.ndarray, total: int, on_draw: Callable[[int, int], None] | None) -> Any:  # noqa: ANN401 - nutpie's
    report = on_draw or (lambda _done, _total: None)
    try:
        while True:
            try:
                trace = running.wait(timeout=POLL_SECONDS)
            except TimeoutError:
                report(min(int(table[0]), total), total)
            else:
                report(total, total)
                return trace
    except BaseException:
        running.abort()
        raise


def _apart(outputs: list[Any]) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Put shared variables in the places of a graph's arrays and `NUMBER`s, and give what they hold, by name.

    PyTensor keeps compiled functions by their constants; without any, a model with other numbers in its file compiles
    nothing anew. Vectors and numbers lie end to end, since every argument takes its time to compile.
    """
    places: dict[Any, Any] = {}
    found: dict[str, np.ndarray] = {}

    def hold(name: str, values: np.ndarray) -> Any:  # noqa: ANN401 - PyTensor's
        found[name] = values
        return pytensor.shared(values, name=name, shape=values.shape if values.ndim > 1 else None)

    parts = [part for part in ancestors(outputs) if isinstance(part, TensorConstant) and part.dtype in KINDS]
    for kind in KINDS:
        flat = [part for part in parts if part.dtype == kind and (part.ndim == 1 or part.name == NUMBER)]
        ends = np.cumsum([0, *(part.data.size for part in flat)])
        bounds = hold(f"bounds_{kind}", ends)
        values = hold(f"numbers_{kind}", np.concatenate([np.empty(0, kind), *(np.ravel(part.data) for part in flat)]))
        for k, part in enumerate(flat):
            some = values[bounds[k] : bounds[k + 1]]
            places[part] = pt.specify_shape(some, part.type.shape) if part.ndim else some[0]
    for k, part in enumerate(part for part in parts if part.ndim > 1):
        places[part] = hold(f"array_{k}", part.data)
    return clone_replace(outputs, places), found


class _Density:
    """PyTensor's compiled log-density and gradient behind a C entry."""

    def __init__(self, outputs: list[Any], model: pm.Model, point: dict[str, np.ndarray]) -> None:
        outputs, self._numbers = _apart(outputs)
        joined_outputs, joined = join_nonshared_inputs(point, outputs, model.value_vars)
        with pytensor.config.change_flags(numba__fastmath=False):  # or digits tell where it was compiled
            function = pm.compile([joined], joined_outputs, mode="NUMBA")
        outermost = function.vm.jit_fn.py_func  # only hands its arguments on, which takes long to compile
        self._size = sum(int(np.size(part)) for part in point.values())
        # with their types, as `pm.Data` narrows integers
        self._arguments = [(shared.name, shared.dtype) for shared in function.get_shared()]
        arguments: list[str] = []
        length = 3
        for shared in function.get_shared():
            shape = "".join(f"data[{length + 1 + k}], " for k in range(shared.ndim))
            arguments.append(f"carray(address(data[{length}]), ({shape}), np.{shared.dtype})")
            length += 1 + shared.ndim
        self._length = length
        source = _ENTRY.format(length=length, size=self._size, arguments=", ".join(arguments))
        key = hashlib.sha256((CACHED_SRC_FUNCTIONS[outermost] + source).encode()).hexdigest()
        names: dict[str, Any] = {
            "__name__": __name__,
            "np": np,
            "carray": numba.carray,
            "address": address_as_void_pointer,
            "density": outermost.__globals__["jitable_func"],
        }
        entry = compile_numba_function_src(source, "density_entry", names, cache_key=key)
        self.entry = numba.cfunc(_DENSITY, cache=True)(entry)

    def table(self, data: dict[str, NDArray[Any]], moving: NDArray[np.int64]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Give the table that the entry reads under ``data``, and the arrays that have to outlive it."""
        known = data | self._numbers
        arrays = [np.asarray(known[name], dtype=dtype, order="C") for name, dtype in self._arguments]
        table = [0]
        for array in (moving, *arrays):
            table += [array.ctypes.data, *array.shape]
        return np.array(table, dtype=np.int64), [moving, *arrays]

    def call(self, table: np.ndarray, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Call the entry from Python."""
        point = np.ascontiguousarray(point, dtype=np.float64)
        value, gradient = np.empty(1), np.empty(self._size)
        doubles = ctypes.POINTER(ctypes.c_double)
        self.entry.ctypes(
            self._size, *(part.ctypes.data_as(doubles) for part in (point, gradient, value)), table.ctypes.data
        )
        return float(value[0]), gradient
