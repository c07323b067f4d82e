"""How kernels are compiled: kept on disk, without the GIL; sums may be reordered, NaN and infinity mean themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["kernel"]

_OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"reassoc", "contract", "nsz"},
}


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba on its first call; it keeps its type."""
    return cast("Callable[P, R]", numba.njit(**_OPTIONS)(function))
