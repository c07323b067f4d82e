"""Files that are seen whole or not at all: each is written beside its place, forced to the disk and then renamed."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import TYPE_CHECKING

from forecast.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path


DRAFT = re.compile(r"\..+\.(\d+)\.(draft|part)")  # an older version called those of fits parts
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_WRITING: set[Path] = set()  # drafts of this process


@contextmanager
def published(folder: Path, files: Mapping[str, bytes], patterns: Iterable[str] = ()) -> Generator[None]:
    """Write ``files`` as hidden drafts, and put them in place, in their order, when the block has done its work.

    Only then what else in ``folder`` matches one of ``patterns`` is deleted: files of an older version. If the block
    fails, the folder is as it was.

    Raises
    ------
    InputError
        If a file cannot be written.

    """
    drafts = {name: folder / f".{name}.{os.getpid()}.draft" for name in files}
    fresh = [place for place in (folder, folder.parent) if not place.exists()]
    try:
        with _clear_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                _write(drafts[name], content)
        yield
        with _clear_errors(folder):
            for name, draft in drafts.items():
                draft.replace(folder / name)
            old = {path for pattern in patterns for path in folder.glob(pattern)}
            for path in old - {folder / name for name in files}:
                path.unlink(missing_ok=True)
            _settle(folder)
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        for place in fresh:
            remove_if_empty(place)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder with nothing in it; anything else stays."""
    with suppress(OSError):
        folder.rmdir()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; `InputError` if it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); {_remedy(error)}"
        raise InputError(msg) from error


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in place of ``path``, or of what it is a link to; `InputError` if it cannot."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{get_ident()}.{os.getpid()}.draft")
    try:
        try:
            _WRITING.add(draft)
            _write(draft, content)
            draft.replace(path)
            _settle(path.parent)
        finally:
            _WRITING.discard(draft)
            draft.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}); {_remedy(error)}"
        raise InputError(msg) from error


def clear_drafts(root: Path) -> None:
    """Delete what killed processes left in the project folder ``root``: drafts, and empty folders of reports.

    Reports are written under the project's lock only, so whoever holds it may delete every draft of one. Fits and heads
    of the ledger are written without it, so theirs stay while their process lives.
    """
    for path in root.glob("reports/**/.*.draft"):
        if DRAFT.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
    for path in (*root.glob("data/*/fits/.*"), *root.glob("data/.*")):
        found = DRAFT.fullmatch(path.name)
        if found and path not in _WRITING and int(found[1]) != os.getpid() and not lives(int(found[1])):
            with suppress(OSError):
                path.unlink()
    for folder in root.glob("reports/*/*/"):
        remove_if_empty(folder)
        if not folder.exists():
            remove_if_empty(folder.parent)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remedy(error: OSError) -> str:
    return "free some space" if error.errno in NO_SPACE else "choose another place or mend its permissions"


def _settle(folder: Path) -> None:
    """Force the names in a folder to the disk, where that can be done."""
    with suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def lives(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # there, and somebody else's
        return True
    return True


@contextmanager
def _clear_errors(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{folder}: the report cannot be written ({error.strerror}); check the folder's permissions and space"
        raise InputError(msg) from error
