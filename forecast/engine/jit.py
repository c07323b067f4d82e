"""How kernels are compiled: kept on disk, without the GIL; sums may be reordered, NaN and infinity mean themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable


_OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"reassoc", "contract", "nsz"},
}
# numba keeps a compiled function until its own file changes, and a kernel calls kernels of other files: what is kept is
# valid for the content of all of them.
STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba on its first call; it keeps its type."""
    compiled: Any = numba.njit(**_OPTIONS)(function)
    compiled._cache._cache_file._source_stamp = STAMP  # noqa: SLF001 - numba offers no other way to say so
    return cast("Callable[P, R]", compiled)
