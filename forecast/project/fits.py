"""Fits that a project keeps: listed with what needs them, pruned, and handed to other programs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecast import inference
from forecast.base import prose
from forecast.base.errors import InputError, ModelFileError, nearest
from forecast.base.files import replace_file
from forecast.base.shown import Shown, ShownTable
from forecast.project.ledgers import ledger_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from forecast.inference.model import Model
    from forecast.inference.settings import FitRecord
    from forecast.ledger.protocol import Ledger
    from forecast.project.models import Models


@dataclass(frozen=True, repr=False)
class KeptFit(Shown):
    """A file with a fit: what it says of itself (None where it cannot be read), its size, and who needs it.

    ``issues`` counts the issued forecasts that rest on it. It is ``present`` where it was drawn from the model file as
    it is now: from such fits updates start.
    """

    path: Path
    bytes: int
    record: FitRecord | None
    issues: int
    present: bool

    @property
    def trusted(self) -> bool:
        """Whether it passed its checks."""
        return self.record is not None and not self.record.diagnostics.complaints(self.record.settings)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        fit = self.record
        return {
            "id": self.path.stem, "model": fit and fit.model, "as_of": fit and fit.as_of.isoformat(),
            "made": fit and fit.created_at, "draws": fit and fit.settings.chains * fit.settings.draws,
            "bytes": self.bytes, "issues": self.issues, "present": self.present, "trusted": self.trusted,
            "readable": fit is not None,
        }  # fmt: skip

    def _said(self) -> tuple[str, ...]:
        of = f"{self.record.model} as of {self.record.as_of}" if self.record else "cannot be read"
        return (f"{self.path.stem}, {of}; {prose.count(self.issues, 'issued forecast')} on it",)

    def _shown_table(self) -> ShownTable:
        return ShownTable(["", "value"], [[name, str(value)] for name, value in self.to_dict().items()])


@dataclass(frozen=True)
class Fits:
    """Fits under ``root``, with the versions that ``models`` have now and the issues of ``ledger()``.

    ``locked()`` keeps runs away while files are deleted.
    """

    root: Path
    models: Models
    ledger: Callable[[], Ledger]
    locked: Callable[[], AbstractContextManager[None]] = nullcontext

    def folder(self, model: Model) -> Path:
        """Folder of the fits of the model's dataset."""
        return self.root / "data" / model.spec.model.dataset / "fits"

    def kept(self, issued: Sequence[str] | None = None) -> list[KeptFit]:
        """List all fits by model, the newest first; those that cannot be read come last.

        ``issued`` are the fits of issued forecasts, by default those of the archive.
        """
        if issued is None:
            begun = ledger_place(self.root).begun()
            issued = [row.fit for row in self.ledger().headings()] if begun else []
        found = [self._kept(path, issued) for path in sorted(self.root.glob("data/*/fits/*.nc")) if _is_fit(path)]
        found.sort(key=lambda one: one.record.created_at if one.record else "", reverse=True)
        return sorted(found, key=lambda one: (one.record is None, one.record.model if one.record else ""))

    def _kept(self, path: Path, issued: Sequence[str]) -> KeptFit:
        try:
            record = inference.load_record(path)
        except InputError:
            record = None
        present = record is not None and self._model_of(record) is not None
        return KeptFit(path, path.stat().st_size, record, issued.count(path.stem), present)

    def _model_of(self, record: FitRecord) -> Model | None:
        """Give the model that a fit was drawn from, if its file still says the same."""
        try:
            model = self.models.get(record.model)
        except (InputError, ModelFileError):
            return None
        return model if model.spec.hash == record.model_hash else None

    def prune(self, keep: int, *, dry_run: bool) -> tuple[list[KeptFit], list[tuple[KeptFit, str]]]:
        """Delete all but the ``keep`` newest fits of each model and those that are needed; not in a ``dry_run``.

        Gives those that go, and those that stay with the reason.

        Raises
        ------
        BusyError
            If a run is under way, which may be reading one of them.

        """
        if dry_run:
            return parted(self.kept(), keep)
        with self.locked():
            gone, stay = parted(self.kept(), keep)
            for one in gone:
                one.path.unlink(missing_ok=True)
            return gone, stay

    def export(self, name: str, target: Path) -> bool:
        """Write a fit as ArviZ reads it; whether it was drawn from the model as it is now.

        Of another version the groups that need the model are left out: see `inference.to_datatree`.

        Raises
        ------
        InputError
            If there is no such fit, or the file cannot be read or written.

        """
        if target.suffix.lower() != ".nc":
            msg = f"{target}: a fit is exported as netCDF; give a name that ends with .nc"
            raise InputError(msg)
        paths = {path.stem: path for path in self.root.glob("data/*/fits/*.nc") if _is_fit(path)}
        if name not in paths:
            msg = f"there is no fit {name!r}; {nearest(name, paths)}; see `forecast fits list`"
            raise InputError(msg)
        inference.read_whole(paths[name])
        record, chains = inference.load_record(paths[name]), inference.load_chains(paths[name])
        model = self._model_of(record)
        tree = inference.to_datatree(record, chains, inference.load_cells(paths[name]), model.space if model else None)
        replace_file(target, bytes(tree.to_netcdf(None, engine="h5netcdf")))  # a full disk would end the process
        return model is not None


def _is_fit(path: Path) -> bool:
    return not path.stem.startswith("prior-")


def parted(fits: Sequence[KeptFit], keep: int) -> tuple[list[KeptFit], list[tuple[KeptFit, str]]]:
    """Part fits, the newest of each model first, into those that may go, and those that stay with the reason."""
    gone: list[KeptFit] = []
    stay: list[tuple[KeptFit, str]] = []
    count: dict[str, int] = {}
    started = set[str]()
    for one in fits:
        if one.record is None:
            stay.append((one, "cannot be read; see `forecast verify`"))
            continue
        name = one.record.model
        count[name] = count.get(name, 0) + 1
        first = one.present and one.trusted and name not in started
        started |= {name} if first else set()
        if count[name] <= keep:
            stay.append((one, f"one of the {keep:,} newest of {name}" if keep > 1 else f"the newest of {name}"))
        elif one.issues:
            stay.append((one, f"{prose.count(one.issues, 'issued forecast')} of the archive on it"))
        elif first:
            stay.append((one, f"updates of {name} start from it"))
        else:
            gone.append(one)
    return gone, stay
