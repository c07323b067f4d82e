"""A new project folder from the files that come with the package."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from forecast.base.errors import FaultsError, InputError
from forecast.project.project_file import PROJECT_FILE

FOLDERS = ("models", "data", "reports")


def init(path: str | Path) -> list[Path]:
    """Lay out a project folder with the reference model, which is its own, and starter evidence; gives the files.

    Raises
    ------
    FaultsError
        If any of the files is there already; nothing is written then.

    """
    root = Path(path).resolve()
    source = starter_folder()
    wanted = [
        source / PROJECT_FILE,
        *sorted((source / "models").glob("*.toml")),
        *sorted((source / "data").glob("*/*.csv")),
        *sorted((source / "reports" / "templates").glob("*")),
    ]
    targets = [root / file.relative_to(source) for file in wanted]
    taken = [target for target in targets if target.exists()]
    if taken:
        raise FaultsError(str(root), [f"{file}: is there already; choose an empty folder" for file in taken])
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for file, target in zip(wanted, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as error:
        msg = f"{root}: cannot be written: {error.strerror}; choose a folder you may write to"
        raise InputError(msg) from error
    return targets


def starter_folder() -> Path:
    """Where the reference model and its starter evidence lie: in the installed package, or in the source tree."""
    package = Path(str(files("forecast")))
    packed = package / "_starter"
    return packed if packed.is_dir() else package.parent
