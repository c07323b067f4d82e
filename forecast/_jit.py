"""How kernels are compiled: kept on disk, without the GIL; sums may be reordered, NaN and infinity mean themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
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
# numba keeps a compiled function until its own file changes, and a kernel calls kernels of other files: what is kept is
# valid for the content of all of them.
_SOURCES = ("_jit", "hmm", "blocks", "evaluate", "propagate")
_STAMP = hashlib.sha256(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in _SOURCES)).hexdigest()


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba on its first call; it keeps its type."""
    compiled: Any = numba.njit(**_OPTIONS)(function)
    compiled._cache._cache_file._source_stamp = _STAMP  # noqa: SLF001 - numba offers no other way to say so
    return cast("Callable[P, R]", compiled)
