"""The two likelihoods as PyTensor operations: that of the reports, and that of a history.

Compiled graphs call their kernels by address, so that these are compiled once and not again into each of several
layers of every graph.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytensor.tensor as pt
from numba import types
from numba.extending import overload
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.cache import _call_cached_ptr, compile_numba_function_src
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from forecast.engine.arrays import Cells, Chain
from forecast.engine.gradient import log_likelihood_and_gradient
from forecast.engine.history import Spans, history_log_likelihood
from forecast.engine.jit import STAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


DIFFERENTIABLE = 3
# PyTensor keeps compiled functions by name and not by content: without this, a changed kernel would go unnoticed.
VERSION = hashlib.sha256(STAMP.encode() + Path(__file__).read_bytes()).hexdigest()
_FLOATS = [types.Array(types.float64, ndim, "C") for ndim in range(3)]
_INTS = [types.Array(types.int64, ndim, "C") for ndim in range(4)]
KERNELS = {  # what that of each operation reads
    "reports": (
        *(_FLOATS[1] for _ in range(DIFFERENTIABLE)),
        _INTS[1], _INTS[1], _INTS[2], _INTS[3], _INTS[1],  # Chain
        _FLOATS[1], _INTS[2], _FLOATS[2], _FLOATS[1], _INTS[2], _FLOATS[2], _INTS[1],  # Cells
    ),
    "history": (_FLOATS[1], _FLOATS[0], _INTS[2], _FLOATS[2], _FLOATS[2], _INTS[2]),
}  # fmt: skip
_OUTPUTS = {
    "reports": types.Tuple((types.float64, *(_FLOATS[1] for _ in range(DIFFERENTIABLE)))),
    "history": types.Tuple((types.float64, _FLOATS[1])),
}


class ReportsLogp(Op):
    """Log-likelihood of the reports and its gradients with respect to the first three inputs, in one pass.

    Inputs: ``log_rate`` (R,), ``log_lambda`` (E,), ``start`` (Σn,), then the arrays of `Chain` and of `Cells` in their
    order. Outputs: the value, and a gradient for each of the first three inputs.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:  # noqa: ANN401 - PyTensor's signature
        """Describe the outputs."""
        return Apply(self, _inputs("reports", inputs), [pt.dscalar(), pt.dvector(), pt.dvector(), pt.dvector()])

    def perform(self, node: Apply, inputs: list[NDArray[Any]], output_storage: list[list[Any]]) -> None:
        """Compute outside a compiled graph."""
        del node
        log_rate, log_lambda, start, *rest = inputs
        found = log_likelihood_and_gradient(Chain(*rest[:5]), Cells(*rest[5:]), log_rate, log_lambda, start)
        for storage, part in zip(output_storage, found, strict=True):
            storage[0] = np.asarray(part)

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Gradients have the shapes of their inputs."""
        del node
        return [(), *shapes[:DIFFERENTIABLE]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:  # noqa: ANN401 - PyTensor's signature
        """Scale the gradients, which the forward call has already computed."""
        scale = cotangents[0]
        return [*(scale * outputs[k] for k in (1, 2, 3)), *(disconnected_type() for _ in inputs[DIFFERENTIABLE:])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the first three inputs carry a gradient."""
        return [[k < DIFFERENTIABLE] * 4 for k in range(len(node.inputs))]


class HistoryLogp(Op):
    """Log-likelihood of a history and its gradient with respect to the first input, in one pass.

    Inputs: (Q,) log rates per year, then the arrays of `Spans` in their order. Outputs: the value and the gradient.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:  # noqa: ANN401 - PyTensor's signature
        """Describe the outputs."""
        return Apply(self, _inputs("history", inputs), [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: list[NDArray[Any]], output_storage: list[list[Any]]) -> None:
        """Compute outside a compiled graph."""
        del node
        log_rate, years, *rest = inputs
        found = history_log_likelihood(Spans(float(years), *rest), log_rate)
        for storage, part in zip(output_storage, found, strict=True):
            storage[0] = np.asarray(part)

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Give the gradient the shape of the log rates."""
        del node
        return [(), shapes[0]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:  # noqa: ANN401 - PyTensor's signature
        """Scale the gradient, which the forward call has already computed."""
        return [cotangents[0] * outputs[1], *(disconnected_type() for _ in inputs[1:])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the log rates carry a gradient."""
        return [[k == 0] * 2 for k in range(len(node.inputs))]


def _inputs(name: str, inputs: tuple[Any, ...]) -> list[Any]:
    """Give inputs the numbers that the kernel reads: `pm.Data` narrows integers."""
    return [pt.cast(part, str(kind.dtype)) for part, kind in zip(inputs, KERNELS[name], strict=True)]


_entries: dict[str, Any] = {}  # compiled ones; their code lives as long as they do


def address_of(name: str) -> int:
    """Compile one of `KERNELS` for compiled callers, or read what is kept of it; gives where its code lies."""
    if name not in _entries:
        parts = [f"part_{k}" for k in range(len(KERNELS[name]))]
        call = {
            "reports": f"kernel(Chain({', '.join(parts[3:8])}), Cells({', '.join(parts[8:])}), {', '.join(parts[:3])})",
            "history": f"kernel(Spans(part_1.item(), {', '.join(parts[2:])}), part_0)",
        }
        kernel = {"reports": log_likelihood_and_gradient, "history": history_log_likelihood}
        source = f"def {name}_entry({', '.join(parts)}): return {call[name]}"
        names = {"__name__": __name__, "Chain": Chain, "Cells": Cells, "Spans": Spans, "kernel": kernel[name]}
        entry = compile_numba_function_src(source, f"{name}_entry", names, cache_key=f"{name}-{VERSION}")
        _entries[name] = numba.cfunc(_OUTPUTS[name](*KERNELS[name]), cache=True)(entry)
    return _entries[name].address


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array as kernels take it: contiguous, and no constant."""
    return array


@overload(_plain, strict=False)
def _plain_compiled(array: Any) -> Callable[..., Any]:  # noqa: ANN401 - a type of numba
    if array.layout != "C":
        return lambda array: np.ascontiguousarray(array)  # noqa: PLW0108 - numba takes functions of Python alone
    return (lambda array: array) if array.mutable else (lambda array: array.copy())


def _caller(name: str) -> tuple[Any, int]:
    """Give a compiled function of an operation's inputs that calls its kernel by address."""

    @numba.njit
    def address():  # noqa: ANN202 - compiled
        with numba.objmode(found=types.intp):
            found = address_of(name)
        return found  # noqa: RET504 - numba reads no return within `objmode`

    inputs, outputs = KERNELS[name], _OUTPUTS[name]
    parts = [f"part_{k}" for k in range(len(inputs))]
    source = (
        f"def {name}_logp({', '.join(parts)}):\n"
        f"    found = at(address, kind, {name!r})({', '.join(f'plain({part})' for part in parts)})\n"
        f"    return np.asarray(found[0]), {', '.join(f'found[{k}]' for k in range(1, len(outputs)))},\n"
    )
    names: dict[str, Any] = {
        "__name__": __name__, "np": np, "at": _call_cached_ptr, "address": address, "plain": _plain,
        "kind": types.FunctionType(outputs(*inputs)),
    }  # fmt: skip
    return numba.njit(compile_numba_function_src(source, f"{name}_logp", names)), int(VERSION[:8], 16)


@register_funcify_default_op_cache_key(ReportsLogp)
def _funcify_reports_logp(op: ReportsLogp, node: Apply, **kwargs: Any) -> Any:  # noqa: ANN401 - PyTensor's signature
    del op, node, kwargs
    return _caller("reports")


@register_funcify_default_op_cache_key(HistoryLogp)
def _funcify_history_logp(op: HistoryLogp, node: Apply, **kwargs: Any) -> Any:  # noqa: ANN401 - PyTensor's signature
    del op, node, kwargs
    return _caller("history")


reports_logp = ReportsLogp()
history_logp = HistoryLogp()
