"""Files of fits and prior draws: written whole, read with checksums, pruned."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from forecast.base.errors import InputError
from forecast.base.files import make_folder, replace_file
from forecast.engine.arrays import Cells
from forecast.engine.blocks import Draws
from forecast.inference.fit import Chains, Fit
from forecast.inference.left_out import SharedDraws
from forecast.inference.settings import Diagnostics, FitRecord, Learned, Settings

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from forecast.theory.statespace import StateSpace


ABOUT_DIGEST = "about_sha256"  # of what a file says about itself, for HDF5 has no checksums of that
DIGEST_MARK = b"sha256 "
DIGEST_BYTES = len(DIGEST_MARK) + 64
UNREADABLE = (
    OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip
ALONE = ("alone_log_rate", "alone_start")  # draws of a prior file that know of no history
EVIDENCE, STATS = "evidence_", "sample_stats_"  # before the names of what is no draw of the posterior
SHARED = "shared_"  # before the names of what units have in common, likewise
KEPT_FITS = 20  # of each model, beside those that an issued forecast names


def save_fit(fit: Fit, folder: Path) -> Path:
    """Write ``folder/<id>.nc`` (h5netcdf, with checksums), atomically; returns the path."""
    posterior, stats = fit.chains()
    about = asdict(FitRecord(**{field.name: getattr(fit, field.name) for field in fields(FitRecord)}))
    cells = {f"{EVIDENCE}{name}": _array(f"{EVIDENCE}{name}", part) for name, part in fit.cells._asdict().items()}
    kept = {f"{STATS}{name}": part for name, part in (stats.data_vars.items() if stats is not None else ())}
    return _write(posterior.assign(cells | kept).assign_attrs(about=json.dumps(about, default=str)), folder, fit.id)


class Prior(NamedTuple):
    """Draws from the prior, or with a history from prior × history, each worth ``efficiency`` independent ones.

    With a history ``shared`` holds of the same draws what units have in common, ``alone`` draws from the prior without
    it, and ``narrowing`` by name of each link the standard deviation with the history over the one without; without a
    history they are none and empty. Of ``alone`` only log rates and starts are kept in the file: where there are no
    reports, no rate of an indicator matters.
    """

    draws: Draws
    efficiency: float
    alone: Draws | None
    narrowing: dict[str, float]
    shared: SharedDraws | None


def save_prior(space: StateSpace, prior: Prior, folder: Path) -> Path:
    """Write draws from the prior; returns the path."""
    import xarray as xr  # noqa: PLC0415 - slow to import

    about = {"efficiency": prior.efficiency, "narrowing": prior.narrowing}
    arrays = {name: _array(name, part) for name, part in prior.draws._asdict().items()}
    if prior.alone is not None:
        kept = zip(ALONE, (prior.alone.log_rate, prior.alone.start), strict=True)
        arrays |= {name: _array(name, part) for name, part in kept}
    if prior.shared is not None:
        arrays |= {f"{SHARED}{name}": _array(name, part) for name, part in prior.shared._asdict().items()}
    attributes = {"about": json.dumps({"model": space.spec.name, "model_hash": space.spec.hash, **about})}
    return _write(xr.Dataset(arrays, attrs=attributes), folder, _prior_name(space))


def load_prior(space: StateSpace, folder: Path) -> Prior | None:
    """Read what `save_prior` wrote; None if there is nothing that can be read."""
    path = folder / f"{_prior_name(space)}.nc"
    try:
        about, arrays = _read(path, Draws._fields)
        efficiency, narrowing = float(about["efficiency"]), dict(about["narrowing"])
        names = tuple(f"{SHARED}{name}" for name in SharedDraws._fields)
        kept = _read(path, ALONE + names)[1] if narrowing else None
    except (InputError, KeyError):
        return None
    if kept is None:
        return Prior(Draws(**arrays), efficiency, None, narrowing, None)
    log_rate, start = (kept[name] for name in ALONE)
    nothing = np.broadcast_to(0.0, (len(log_rate), len(space.emission_names)))  # takes no memory
    alone = Draws(log_rate, nothing, start)
    return Prior(Draws(**arrays), efficiency, alone, narrowing, SharedDraws(*(kept[name] for name in names)))


def _prior_name(space: StateSpace) -> str:
    return f"prior-{space.spec.name}-{space.spec.hash}"


def _array(name: str, values: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[Any]]:
    return tuple(f"{name}_{k}" for k in range(values.ndim)), values


def _write(dataset: xr.Dataset, folder: Path, name: str) -> Path:
    """Write in memory first: HDF5 ends the process where a disk is full. The digest of it all follows at the end."""
    path = folder / f"{name}.nc"
    dataset = dataset.assign_attrs({ABOUT_DIGEST: hashlib.sha256(dataset.attrs["about"].encode()).hexdigest()})
    numbers = {str(key): {"fletcher32": True} for key, part in dataset.data_vars.items() if part.size and part.ndim}
    whole: Any = dataset.to_netcdf(None, engine="h5netcdf", encoding=numbers)
    content = bytes(whole)
    make_folder(folder)
    replace_file(path, content + _digest(content))
    return path


def _digest(content: bytes) -> bytes:
    return DIGEST_MARK + hashlib.sha256(content).hexdigest().encode()


def load_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Read arrays (chains, draws, …) of the posterior of a fit by their ``names``, quicker than the whole.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    return _read(path, names)[1]


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what a file says about itself, and some of its arrays."""
    try:
        with h5py.File(path) as file:
            content: Any = file
            about, digest = content.attrs["about"], content.attrs.get(ABOUT_DIGEST)
            found = json.loads(about), {name: content[name][()] for name in names}
            changed = digest is not None and digest != hashlib.sha256(about.encode()).hexdigest()
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if changed:
        msg = f"{path}: what it says about itself was changed; delete the file and run the command again"
        raise InputError(msg)
    return found


def read_whole(path: Path) -> bool:
    """Read everything in the file of a fit, or of draws from the prior, and hold it against its digest.

    Whether it has one: older versions wrote none, and then only HDF5's own checksums of the numbers were looked at.

    Raises
    ------
    InputError
        If any byte of it is not as it was written, or the fit is not the one that the file is called after.

    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    sound = content[-DIGEST_BYTES:] == _digest(content[:-DIGEST_BYTES])
    if not sound and (DIGEST_MARK in content[-DIGEST_BYTES:] or not _is_older(path)):
        msg = f"{path}: its digest is missing or another; delete the file, and it is made again when it is needed"
        raise InputError(msg)
    try:
        with h5py.File(path) as file:
            parts: Any = file
            about, names = json.loads(parts.attrs["about"]), tuple(parts)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    _read(path, names)
    if not sound:
        return False
    if not path.stem.startswith("prior-") and _record(path, about).id != path.stem:
        msg = f"{path}: holds another fit; delete the file and run the command again"
        raise InputError(msg)
    return True


def identity(path: Path) -> Hashable | None:
    """Name what a file holds by its digest, its size and when it was written; none if it bears no digest.

    A copy has the name of the original, a file that was written over has another. The numbers are not read.
    """
    try:
        about = path.stat()
        with path.open("rb") as file:
            file.seek(max(about.st_size - DIGEST_BYTES, 0))
            digest = file.read()
    except OSError:
        return None
    return (digest, about.st_size, about.st_mtime_ns) if digest.startswith(DIGEST_MARK) else None


def _is_older(path: Path) -> bool:
    """Whether a file was written before there were digests; a version that writes them says so within, too."""
    try:
        with h5py.File(path) as file:
            return "about" in file.attrs and ABOUT_DIGEST not in file.attrs
    except UNREADABLE:
        return False


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: is not a readable fit ({type(error).__name__}); delete the file and run the command again"
    )


def load_record(path: Path) -> FitRecord:
    """Read what a fit says about itself.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    return _record(path, _read(path, ())[0])


def load_cells(path: Path) -> Cells:
    """Read the evidence of a fit.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    names = tuple(f"{EVIDENCE}{name}" for name in Cells._fields)
    return Cells(*_read(path, names)[1].values())


def load_fit(path: Path, space: StateSpace) -> Fit:
    """Read a fit of the model of ``space``; its chains are read when they are asked for.

    Raises
    ------
    InputError
        If the file cannot be read as a fit, or was drawn from another model or another version of this one.

    """
    about, arrays = _read(path, Draws._fields)
    record = _record(path, about)
    if (record.model, record.model_hash) != (space.spec.name, space.spec.hash):
        msg = (
            f"{path}: was drawn from model {record.model!r} version {record.model_hash}, not from "
            f"{space.spec.name!r} version {space.spec.hash}; delete the file and run the command again"
        )
        raise InputError(msg)
    draws = Draws(*(np.ascontiguousarray(part.reshape(-1, part.shape[-1])) for part in arrays.values()))
    parts = {field.name: getattr(record, field.name) for field in fields(FitRecord)}
    return Fit(**parts, space=space, cells=load_cells(path), draws=draws, chains=lambda: load_chains(path))


def load_chains(path: Path) -> Chains:
    """Read everything that was drawn for a fit, with named dims.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    import xarray as xr  # noqa: PLC0415 - slow to import

    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            whole = dataset.drop_attrs().load()
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    names = [str(name) for name in whole.data_vars]
    stats = {name: name.removeprefix(STATS) for name in names if name.startswith(STATS)}
    drawn = [name for name in names if not name.startswith((EVIDENCE, STATS))]
    return Chains(whole[drawn], whole[[*stats]].rename(stats) if stats else None)


def _record(path: Path, about: dict[str, Any]) -> FitRecord:
    try:
        learned = [
            Learned(row["name"], row["kind"], tuple(row["prior"]), tuple(row["posterior"]), row["narrowing"])
            for row in about.pop("learned")
        ]
        about["as_of"] = dt.date.fromisoformat(about["as_of"])
        about["settings"] = Settings(**about["settings"])
        about["diagnostics"] = Diagnostics(**about["diagnostics"])
        return FitRecord(**about, learned=tuple(learned))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error


def prune_fits(space: StateSpace, folder: Path, issued: set[str]) -> tuple[str, ...]:
    """Delete old fits of a model: all but the `KEPT_FITS` made last and those that ``issued`` names; gives their ids.

    Draws from the prior of other versions of the model go too. Files that cannot be read are left alone.
    """
    made: dict[str, tuple[str, str]] = {}
    for path in folder.glob("*.nc"):
        try:
            about = _read(path, ())[0]
        except InputError:
            continue
        if about.get("model") != space.spec.name:
            continue
        if path.stem.startswith("prior-"):
            if path.stem != _prior_name(space):
                path.unlink(missing_ok=True)
        else:
            made[path.stem] = (str(about.get("created_at")), path.stem)
    old = sorted(made, key=made.__getitem__)[:-KEPT_FITS]
    gone = tuple(name for name in old if name not in issued)
    for name in gone:
        (folder / f"{name}.nc").unlink(missing_ok=True)
    return gone
