"""Studies of many simulated worlds, resumable, on as many workers as there are."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.base.errors import ForecastError, InputError
from forecast.base.files import make_folder, replace_file
from forecast.inference.model import Model
from forecast.studies.calibrate import calibration_world, sbc_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from forecast.inference.settings import Settings
    from forecast.studies.calibrate import Figures
    from forecast.theory.spec import ModelSpec

    Work = Callable[[int], Figures]


# Many worlds.

_models: dict[tuple[str, str], Model] = {}


def in_worker(  # noqa: PLR0913, PLR0917 - pickled with its arguments
    make: type[Model], world_of: Callable[..., Figures], spec: ModelSpec, settings: Settings, seed: int,
              world: int) -> Figures:  # fmt: skip
    """Compute a world with a model that this process keeps for the next one."""
    key = (make.__name__, spec.hash + spec.model_dump_json())  # the hash leaves out what is only read off the draws
    if key not in _models:
        _models[key] = make(spec)
    return world_of(_models[key], settings, seed, world)


def work_of(kind: str, spec: ModelSpec, settings: Settings, seed: int, make: type[Model] = Model) -> Work:
    """Give what computes a world of a study from its number, in any process.

    Forecasts start from draws of the prior, which a history would narrow and worlds are drawn from: they go without.
    """
    if kind == "calibration":
        return partial(in_worker, make, calibration_world, spec.with_history(()), settings, seed)
    return partial(in_worker, make, sbc_world, spec, settings, seed)


def about(kind: str, spec: ModelSpec, settings: Settings, seed: int) -> dict[str, Any]:
    """Say all that determines a study's worlds."""
    asked = spec.model_dump_json(include={"outcomes": {"__all__": {"states"}}, "conditionals": True})
    return {
        "kind": kind, "model": spec.name, "model_hash": spec.hash,
        "outcomes_hash": hashlib.sha256(asked.encode()).hexdigest()[:12],
        "horizons_weeks": list(spec.model.horizons_weeks), **asdict(settings), "seed": seed,
    }  # fmt: skip


def run_worlds(  # noqa: PLR0913 - what a study is made of
    folder: Path, header: Mapping[str, Any], work: Work, worlds: int,
    connected: Callable[[], AbstractContextManager[Any]],
    *, on_world: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Figures]:  # fmt: skip
    """Compute the worlds that ``folder`` lacks of the first ``worlds``, and give the figures of all of these.

    ``connected`` gives a Dask client, and is asked for one only if a world is missing. A worker that dies costs the
    world that it was at, which another begins anew.

    Raises
    ------
    InputError
        If the folder holds another study, or a file of it cannot be read.
    ForecastError
        If a world ends its workers again and again.

    """
    _open(folder, header)
    files = [folder / f"world-{world:05}.npz" for world in range(worlds)]
    missing = [world for world, file in enumerate(files) if not file.exists()]
    on_world(worlds - len(missing), worlds)
    if missing:
        with connected() as client:
            from distributed import as_completed  # noqa: PLC0415 - an extra, which `connected` asks for
            from distributed.scheduler import KilledWorker  # noqa: PLC0415

            futures = {client.submit(work, world, pure=False): world for world in missing}
            for done, future in enumerate(as_completed(list(futures)), 1):
                try:
                    _write(files[futures[future]], future.result())
                except KilledWorker as error:
                    msg = f"world {futures[future]} kills its workers (out of memory?); finished worlds are kept"
                    raise ForecastError(msg) from error
                future.release()
                on_world(worlds - len(missing) + done, worlds)
    return [_read(file) for file in files]


def _open(folder: Path, header: Mapping[str, Any]) -> None:
    """Make sure that a folder holds this study, or nothing yet."""
    path = folder / "study.json"
    if not path.exists():
        if any(folder.glob("world-*.npz")):
            msg = f"{folder}: holds worlds without a study.json that says whose; give another --output"
            raise InputError(msg)
        make_folder(folder)
        replace_file(path, json.dumps(header, indent=1).encode())
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); give another --output"
        raise InputError(msg) from error
    changed = [name for name in {**found, **header} if found.get(name) != header.get(name)]
    if changed:
        was = "; ".join(f"{name} was {found.get(name)}, is {header.get(name)}" for name in changed)
        msg = f"{folder}: holds another study ({was}); give another --output, or ask for the same"
        raise InputError(msg)


def _write(path: Path, figures: Figures) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **figures)
    replace_file(path, buffer.getvalue())


def _read(path: Path) -> Figures:
    try:
        with np.load(path) as content:
            return dict(content)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        msg = f"{path}: cannot be read ({error}); delete the file and run the study again"
        raise InputError(msg) from error
