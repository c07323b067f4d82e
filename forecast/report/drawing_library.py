"""The drawing library as one script for a page; put together once on a machine, and then kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

import vl_convert
from platformdirs import user_cache_path

from forecast.base.errors import InputError
from forecast.base.files import make_folder, replace_file

if TYPE_CHECKING:
    from pathlib import Path


SNIPPET = "window.vegaEmbed = vegaEmbed;"


class Library:
    """The drawing library, put together by a process of its own while the pictures are drawn, unless it is kept."""

    _read: ClassVar[list[str]] = []

    def __init__(self) -> None:
        """Look for it, and begin with it if it is not there."""
        if not self._read and (kept := _kept()):
            self._read.append(kept)
        self._process = None if self._read else _started()

    def text(self) -> str:
        """Give the script, which is the same for every page; `InputError` if it would end its element."""
        if not self._read:
            out, _ = self._process.communicate() if self._process else ("", "")
            script = _harmless(out or _bundled())
            _keep(script)
            self._read.append(script)
        return self._read[0]


def kept_library() -> Path:
    """Where the library of this version is kept: the first line of the file is the digest of the rest."""
    name = f"library-{version('vl-convert-python')}-{hashlib.sha256(SNIPPET.encode()).hexdigest()[:8]}.js"
    return user_cache_path("scenario-cascade") / name


def _kept() -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        digest, _, script = kept_library().read_bytes().partition(b"\n")
        if digest.decode() == hashlib.sha256(script).hexdigest():
            return script.decode()
    return None


def _keep(script: str) -> None:
    path, content = kept_library(), script.encode()
    with suppress(InputError):  # where nothing may be written, it is put together again next time
        make_folder(path.parent)
        replace_file(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _started() -> subprocess.Popen[str] | None:
    program = f"import sys, vl_convert; sys.stdout.write(vl_convert.javascript_bundle({SNIPPET!r}))"
    command = [sys.executable, "-c", program]
    try:
        return subprocess.Popen(  # noqa: S603 - this Python, and nothing from outside
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
    except OSError:  # no process to be had: it is put together here, which takes longer
        return None


def _bundled() -> str:
    return vl_convert.javascript_bundle(SNIPPET)


def _harmless(script: str) -> str:
    if "</script" in script.lower() or "<!--" in script:
        msg = "the drawing library cannot stand in a page; install the version of vl-convert-python that pins.txt names"
        raise InputError(msg)
    return script
