"""A new project folder: from the files that come with the package, or with a model of one's own to begin with."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from forecast import theory
from forecast.base.errors import FaultsError, InputError
from forecast.project.project_file import PROJECT_FILE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

FOLDERS = ("models", "data", "reports")
SCHEMA = Path("models") / "model.schema.json"  # for editors; model files name it


def init(path: str | Path) -> list[Path]:
    """Lay out a project folder with the reference model, which is its own, and starter evidence; gives the files.

    Raises
    ------
    FaultsError
        If any of the files is there already; nothing is written then.

    """
    source = starter_folder()
    wanted = [
        source / PROJECT_FILE,
        source / SCHEMA,
        *sorted((source / "models").glob("*.toml")),
        *sorted((source / "data").glob("*/*.csv")),
        *sorted((source / "data").glob("*/feeds/*.toml")),
        *sorted((source / "reports" / "templates").glob("*")),
    ]
    return _write(Path(path).resolve(), {file.relative_to(source): file.read_bytes() for file in wanted})


def init_blank(path: str | Path, stages: Mapping[str, Sequence[str]], today: dt.date) -> list[Path]:
    """Lay out a project folder with a new model of these ``stages``, called as the folder is; gives the files.

    Raises
    ------
    FaultsError
        If no model can be called so or have such stages, or if any of the files is there already; nothing is written
        then.

    """
    root = Path(path).resolve()
    name = re.sub(r"[\W_]+", "_", root.name.lower()).strip("_")
    texts = {
        PROJECT_FILE: f'# What holds for every command in this project folder.\n\nmodel = "{name}"\n',
        Path("models") / f"{name}.toml": theory.blank_model(name, stages, today),
        SCHEMA: (starter_folder() / SCHEMA).read_text(encoding="utf-8"),
    }
    return _write(root, {file: text.encode() for file, text in texts.items()})


def _write(root: Path, contents: Mapping[Path, bytes]) -> list[Path]:
    targets = {root / file: content for file, content in contents.items()}
    taken = [target for target in targets if target.exists()]
    if taken:
        raise FaultsError(str(root), [f"{file}: is there already; choose an empty folder" for file in taken])
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for target, content in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        msg = f"{root}: cannot be written: {error.strerror}; choose a folder you may write to"
        raise InputError(msg) from error
    return list(targets)


def starter_folder() -> Path:
    """Where the reference model and its starter evidence lie: in the installed package, or in the source tree."""
    package = Path(str(files("forecast")))
    packed = package / "_starter"
    return packed if packed.is_dir() else package.parent
