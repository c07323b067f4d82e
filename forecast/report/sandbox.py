"""Templates of a project run apart: without a way out of them, and within limits of time, memory and output."""

from __future__ import annotations

import ctypes
import re
import sys
import threading
from collections.abc import Sized
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, override

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from jinja2.bccache import Bucket
    from jinja2.runtime import Context


SECONDS = 60.0  # a report takes about one
CHARACTERS = 50_000_000  # of output; a report has some two million
BYTES = 2**30  # of memory beyond what the process has had
NUMBER = 1_000_000  # what a text is repeated or filled up to in one step
BITS = 10_000  # of a number
LOOK = 0.05  # seconds between two looks at the limits
LONG_NUMBER = re.compile(r"\d{7}")


class LimitError(jinja2.TemplateError):
    """A template takes too long, or wants or writes too much."""


class SlowError(LimitError):
    """A template takes too long."""

    def __init__(self) -> None:
        """Say how long it may take."""
        super().__init__(f"it takes more than {SECONDS:g} seconds")


class LargeError(LimitError):
    """A template wants too much memory."""

    def __init__(self) -> None:
        """Say how much it may have."""
        super().__init__(f"it takes more than {BYTES // 2**20:,} MB of memory")


class _Compiled(jinja2.BytecodeCache):
    """Templates that this process has compiled, by their file, each as long as its text is the same."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, bytes] = {}

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is kept of a file; Jinja looks whether its text was this one."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = {autoescape: _Compiled() for autoescape in (False, True)}  # what is compiled depends on it


class Sandbox(SandboxedEnvironment):
    """Templates of the first of some folders that has them; nothing they do reaches what is not given to them."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, folders: Sequence[Path], *, autoescape: bool) -> None:
        """Look for templates in ``folders``; what is missing in their data is a fault."""
        super().__init__(
            loader=jinja2.FileSystemLoader(folders), undefined=jinja2.StrictUndefined, autoescape=autoescape,
            trim_blocks=True, lstrip_blocks=True, bytecode_cache=_COMPILED[autoescape],
        )  # fmt: skip
        self.filters = {name: _bounded(filter_) for name, filter_ in self.filters.items()}

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse a result out of all proportion, which no limit of time could stop."""
        if operator == "%" and isinstance(left, str):
            _refuse_long(left)
        elif operator != "%":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, Sized) and isinstance(other, int) and len(one) * other > NUMBER:
                    _too_large(f"{other} times a text or list of {len(one)}")
            if isinstance(left, int) and isinstance(right, int):
                bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
                if bits > BITS:
                    _too_large(f"a number of some {bits} bits")
        return super().call_binop(context, operator, left, right)

    @override
    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Refuse to fill a text up to a length out of all proportion."""
        _refuse_large(args, kwargs)
        return super().call(context, obj, *args, **kwargs)

    @override
    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Refuse ``str.format`` with a width out of all proportion."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            _refuse_long(str(value.__self__))
        return wrapped


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # with what tells Jinja how to call it
    def bounded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever a template gives
        _refuse_large(args, kwargs)
        if function.__name__ == "do_format":
            _refuse_long(str(args[0]))
        return function(*args, **kwargs)

    return bounded


def _refuse_large(args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and abs(value) > NUMBER:
            _too_large(f"the number {value}" if abs(value) < NUMBER**3 else "a number that long")


def _refuse_long(text: str) -> None:
    if LONG_NUMBER.search(text):
        _too_large("a format with a number that long")


def _too_large(what: str) -> None:
    msg = f"{what} is more than a report needs"
    raise SecurityError(msg)


def fill(environment: Sandbox, template: str, context: Mapping[str, Any]) -> str:
    """Render a template.

    Raises
    ------
    LimitError
        If that takes longer than `SECONDS`, or more than `BYTES` of memory or `CHARACTERS` of output.
    Exception
        Whatever is wrong with the template.

    """
    parts: list[str] = []
    size = 0
    with _limited():
        for part in environment.get_template(template).generate(context):
            parts.append(part)
            size += len(part)
            if size > CHARACTERS:
                msg = f"it writes more than {CHARACTERS:,} characters"
                raise LimitError(msg)
    return "".join(parts)


@contextmanager
def _limited() -> Generator[None]:
    """Let another thread end this block from outside: a loop that writes nothing looks at no clock."""
    here, end, lock = threading.get_ident(), threading.Event(), threading.Lock()
    most = _peak() + BYTES

    def watch() -> None:
        looks = 0
        while not end.wait(LOOK):
            looks += 1
            fault = SlowError if looks * LOOK > SECONDS else LargeError if _peak() > most else None
            if fault:
                with lock:
                    if not end.is_set():
                        _raise_in(here, fault)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            end.set()
            _raise_in(here, None)  # what was to be raised and has not been is not raised elsewhere
        watcher.join()


def _raise_in(thread: int, fault: type[Exception] | None) -> None:
    what = ctypes.py_object(fault) if fault else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _peak() -> int:
    """Bytes of memory that the process has had at most; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
