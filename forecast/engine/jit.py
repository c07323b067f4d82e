"""How kernels are compiled: kept on disk, without the GIL; sums may be reordered, NaN and infinity mean themselves."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numba
from numba.core.compiler_lock import global_compiler_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


_OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "nogil": True,
    "no_cfunc_wrapper": True,  # nobody calls a kernel from C: those that are called by address have entries
    "fastmath": {"reassoc", "contract", "nsz"},
}
# numba keeps a compiled function until its own file changes, and a kernel calls kernels of other files: what is kept is
# valid for the content of all of them.
STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba on its first call; it keeps its type.

    A process that needs what another is compiling waits for it, and then reads what that one has kept.
    """
    compiled: Any = numba.njit(**_OPTIONS)(function)
    compiled._cache._cache_file._source_stamp = STAMP  # noqa: SLF001 - numba offers no other way to say so
    at_once = compiled.compile

    def alone(signature: object) -> object:
        with global_compiler_lock, _turn(compiled):  # in this order, or two threads could wait for each other
            return at_once(signature)

    compiled.compile = alone
    return cast("Callable[P, R]", compiled)


def _turn(compiled: Any) -> AbstractContextManager[object]:  # noqa: ANN401 - of numba
    """Let one process at a time compile what nobody has kept yet; where nothing can be kept each does for itself."""
    kept = compiled._cache._cache_file  # noqa: SLF001 - as above
    if kept._load_index():  # noqa: SLF001
        return nullcontext()
    from filelock import FileLock  # noqa: PLC0415 - brings asyncio, and is needed but once on a machine

    folder = Path(compiled.stats.cache_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{compiled.py_func.__module__}.{compiled.py_func.__name__}.lock").acquire()
    except OSError:
        return nullcontext()
