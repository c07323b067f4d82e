"""The small file ``forecast.toml`` of a project: what holds for every command in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from forecast.base.errors import FaultsError, InputError, brief, nearest
from forecast.base.toml_text import place_in, read_bounded, read_toml

PROJECT_FILE = Path("forecast.toml")


_NEEDED = {
    "model": 'the name of a model, such as "russia_azerbaijan"',
    "ledger": 'the address of a database, such as "postgresql+psycopg://USER@HOST/DATABASE?schema=NAME"',
}


class ProjectFile(NamedTuple):
    """Content of the file: ``model`` is meant where none is named; ``ledger`` is the address of one in a database."""

    model: str | None = None
    ledger: str | None = None


def read_project_file(root: Path) -> ProjectFile:
    """Read the file of the project at ``root``; one that is not there says nothing.

    Raises
    ------
    InputError
        If it cannot be read, is no TOML, or holds a key or value that means nothing here; all such keys are listed.

    """
    path = root / PROJECT_FILE
    try:
        content = read_toml(read_bounded(path))
    except FileNotFoundError:
        return ProjectFile()
    except (OSError, ValueError) as error:
        msg = f"{place_in(path, error)}: cannot be read as TOML ({error}); mend it, or delete it to name a model with "
        msg += "each command"
        raise InputError(msg) from error
    known = ProjectFile._fields
    faults = [f"{key}: means nothing here; {nearest(key, known)}" for key in content if key not in known]
    faults += [
        f"{key}: needs {_NEEDED[key]}, got {brief(content[key])}"
        for key in known
        if key in content and not isinstance(content[key], str)
    ]
    if faults:
        raise FaultsError(str(path), faults)
    return ProjectFile(**content)
