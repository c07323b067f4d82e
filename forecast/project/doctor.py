"""What is well with an installation and a project, and what is not, with the remedy; nothing in the project is written.

Each part is looked at for itself, so that a broken one hides no other; whatever goes wrong on the way is a finding.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast import engine, inference, jobs
from forecast.base import prose
from forecast.base.clock import local_day
from forecast.base.errors import ForecastError, UntrustworthyError
from forecast.base.shown import Shown, ShownTable, cell_shown
from forecast.project.fits import Fits
from forecast.project.ledgers import ledger_place
from forecast.project.models import Models, load_with_history
from forecast.project.verification import verify

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from forecast.inference.model import Model
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.postgres import Served
    from forecast.ledger.protocol import Ledger

NEEDED = (
    "scenario-cascade", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "arviz", "xarray", "h5netcdf",
    "pandas", "sqlalchemy",
)  # fmt: skip
LEAST_FREE = 500_000_000  # bytes: ten fits
COMPILED = (".nbc", ".nbi")  # files of numba


@dataclass(frozen=True, repr=False)
class Finding(Shown):
    """One thing that was looked at: ``says`` holds what is so and, of a ``fault``, what to do."""

    topic: str
    says: str
    fault: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return asdict(self)

    def _said(self) -> tuple[str, ...]:
        return (f"{self.topic}{', a fault' if self.fault else ''}: {self.says}",)

    def _shown_table(self) -> ShownTable:
        return ShownTable(["", "value"], [[name, cell_shown(value)] for name, value in self.to_dict().items()])


def examine(root: Path, model: str | None, now: dt.datetime) -> list[Finding]:
    """Look at the installation and at the project in ``root``; ``model`` is the one that a schedule would run."""
    patient = _Patient(root.resolve(), model, now)
    parts: dict[str, Callable[[], Iterator[Finding]]] = {
        "versions": _versions,
        "caches": _caches,
        "folder": patient.folder,
        "models": patient.models,
        "ledger": patient.ledger,
        "fits": patient.fits,
        "schedule": patient.schedule,
    }
    if not (patient.root / "models").is_dir():
        parts = {name: parts[name] for name in ("versions", "caches", "folder")}
    return [finding for topic, look in parts.items() for finding in _looked_at(topic, look)]


def _looked_at(topic: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except ForecastError as error:
        yield Finding(topic, str(error), fault=True)
    except Exception as error:  # noqa: BLE001 - a doctor must not die of the disease
        says = f"could not be looked at ({type(error).__name__}: {error}); mend what the other findings name first"
        yield Finding(topic, says, fault=True)


# The installation.


def _versions() -> Iterator[Finding]:
    found = {"Python": platform.python_version()}
    for name in NEEDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            says = f"{name} is not installed; install the package again: pip install --force-reinstall scenario-cascade"
            yield Finding("versions", says, fault=True)
    yield Finding("versions", ", ".join(f"{name} {number}" for name, number in found.items()))


def kernel_folder() -> Path:
    """Where numba keeps compiled kernels: ``NUMBA_CACHE_DIR``, or beside their source."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    return Path(own) if own else Path(str(engine.__file__)).with_name("__pycache__")


def pytensor_folder() -> Path:
    """Where PyTensor keeps compiled functions: ``base_compiledir`` of ``PYTENSOR_FLAGS``, or its folder at home."""
    flags = dict(part.split("=", 1) for part in os.environ.get("PYTENSOR_FLAGS", "").split(",") if "=" in part)
    usual = Path(os.environ["LOCALAPPDATA"], "PyTensor") if sys.platform == "win32" else Path.home() / ".pytensor"
    return Path(flags.get("base_compiledir", usual)).expanduser()


def _compiled() -> bool:
    return any(path.suffix in COMPILED for path in kernel_folder().rglob("*"))


def _caches() -> Iterator[Finding]:
    for what, folder in (("compiled kernels", kernel_folder()), ("PyTensor's functions", pytensor_folder())):
        files = [path for path in folder.rglob("*") if path.is_file()]
        if what == "compiled kernels":
            files = [path for path in files if path.suffix in COMPILED]
        size = sum(path.stat().st_size for path in files)
        said = f"{what}: {prose.count(len(files), 'file')}, {prose.megabytes(size)} in {folder}"
        if not _writable(folder):
            yield Finding("caches", f"{said}, which may not be written; {_ELSEWHERE[what]}", fault=True)
        else:
            yield Finding("caches", said if files else f"{what}: none yet in {folder}; the first fit makes them")


_ELSEWHERE = {
    "compiled kernels": "mend its permissions, or name another folder in NUMBA_CACHE_DIR",
    "PyTensor's functions": "mend its permissions, or name another folder: PYTENSOR_FLAGS=base_compiledir=DIR",
}


def _writable(folder: Path) -> bool:
    """Whether a folder, or what would be made on the way to it, may be written."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


# The project.


class _Patient:
    def __init__(self, root: Path, model: str | None, now: dt.datetime) -> None:
        self.root = root
        self.now = now
        self._name = model
        self._models = Models(root, lambda: now)
        self._fits = Fits(root, self._models, lambda: self._store)

    @property
    def _store(self) -> Ledger:
        """The ledger as it is: to open it would make or mend one."""
        return ledger_place(self.root).as_it_is()

    def folder(self) -> Iterator[Finding]:
        """Look at the folder itself."""
        if not (self.root / "models").is_dir():
            says = f"{self.root}: is not a project folder (it has no models/); make one with `forecast init DIR`"
            yield Finding("folder", says, fault=True)
            return
        for name in ("data", "reports"):
            if not _writable(self.root / name):
                says = f"{self.root / name}: may not be written, so that nothing can be recorded; mend its permissions"
                yield Finding("folder", says, fault=True)
        free = shutil.disk_usage(self.root).free
        if free < LEAST_FREE:
            says = f"{self.root}: {free / 1e6:,.0f} MB are free; free some space, for a fit takes up to 50 MB"
            yield Finding("folder", says, fault=True)
        yield Finding("folder", f"{self.root}, {free / 1e9:,.1f} GB free")

    def models(self) -> Iterator[Finding]:
        """Read every model file, and say which is meant without a name."""
        today = local_day(self.now)
        for name in self._models.names:
            path = self._models.folder / f"{name}.toml"
            try:
                spec = load_with_history(path, self.root, lambda: today, strict=True)
            except ForecastError as error:
                yield Finding("models", str(error), fault=True)
            else:
                yield Finding("models", f"{name}: good, version {spec.hash}")
        yield Finding("models", f"without --model, {self._models.default} is meant")

    def ledger(self) -> Iterator[Finding]:
        """Look at all that the ledger holds, and at what the archive says of fits and reports."""
        place = ledger_place(self.root)
        if served := place.served():
            yield Finding("ledger", f"{place.name}: PostgreSQL {served.server}, {_schema(served.version)}")
            if served.version:
                yield _role(served)
            yield Finding("ledger", f"{served.writes} is writing" if served.writes else "nobody is writing")
        if not place.begun():
            if any(self.root.glob("reports/*/*/forecast.json")):
                says = f"{place.name}: {place.missing('a report')}"
                yield Finding("ledger", says, fault=True)
            else:
                yield Finding("ledger", "not begun; the first command that needs it takes the starter files in")
            return
        found = verify(self.root, self._store)
        size = prose.megabytes(place.size())
        rows = f"{prose.count(found.head.links, 'row')}, {size}, digest {found.head.digest[:12]}"
        yield Finding("ledger", f"sound: {rows}")
        for name in sorted({path.name for path in (self.root / "data").iterdir() if path.is_dir()}):
            entries = self._store.entries(name)
            yield Finding(
                "ledger",
                f"{name}: {prose.count(len(entries), 'row')} in force, watermark {self._store.watermark(name)}",
            )
        last = next(iter(self._store.headings()[-1:]), None)
        newest = f"; the last is of {last.model} as of {last.as_of}" if last else ""
        yield Finding("ledger", f"archive: {prose.count(found.issues, 'issued forecast')}{newest}")
        for fault in found.faults:
            yield Finding("ledger", fault, fault=True)

    def fits(self) -> Iterator[Finding]:
        """Count the fits; those of the present model are what updates start from."""
        fits = self._fits.kept(issued=())
        size = prose.megabytes(sum(one.bytes for one in fits))
        yield Finding("fits", f"{prose.count(len(fits), 'fit')}, {size}")
        for one in fits:
            if one.record is None:
                yield Finding(
                    "fits", f"{one.path}: cannot be read; delete it, and it is made again when it is needed", fault=True
                )
        newest = {one.record.model: one for one in reversed(fits) if one.record and one.present and one.trusted}
        for name, one in sorted(newest.items()):
            assert one.record is not None  # noqa: S101 - of those that can be read
            yield Finding(
                "fits", f"{name}: the newest of its present version is {one.path.stem}, as of {one.record.as_of}"
            )

    def schedule(self) -> Iterator[Finding]:
        """Say what a run now would do, and how the last one ended."""
        holder = jobs.RunLock(self.root / "reports" / "run.lock").holder()
        yield Finding("schedule", f"a run is under way{holder}" if holder else "no run is under way")
        if served := ledger_place(self.root).served():
            yield Finding("schedule", f"the server's lock of runs is held by {served.runs or 'nobody'}")
        yield from self._last_run()
        model = self._models.get(self._name)
        yield from self._next_run(model)

    def _last_run(self) -> Iterator[Finding]:
        try:
            lines = (self.root / "reports" / "run.log").read_text(encoding="utf-8", errors="replace").splitlines()
            last = json.loads(next(line for line in reversed(lines) if '"end"' in line))
            code, when = last["exit_code"], last["time"]
        except (OSError, ValueError, StopIteration, KeyError, TypeError):
            yield Finding("schedule", "no run has left a line in reports/run.log")
            return
        told = f"the last run ended {when[:16].replace('T', ' ')} UTC with code {code}"
        if code in {0, jobs.MOVED, jobs.RINGS}:
            yield Finding("schedule", f"{told} after {last.get('seconds', 0):,.0f} s; --timeout must allow for more")
        else:
            yield Finding("schedule", f"{told}: {last.get('message')}", fault=True)

    def _next_run(self, model: Model) -> Iterator[Finding]:
        name, today = model.spec.name, local_day(self.now)
        dataset = model.spec.model.dataset
        if not ledger_place(self.root).begun() or not self._store.watermark(dataset):
            yield Finding(
                "schedule", f"a run of {name} would be the first: it takes the starter rows in and makes a fit"
            )
            return
        evidence = model.evidence(self._store.entries(dataset, as_of=today), today)
        issued = [row for row in self._store.headings(name) if row.as_of == today]
        if issued and (issued[-1].evidence_hash, issued[-1].model_hash) == (evidence.hash, model.spec.hash):
            yield Finding("schedule", f"nothing is due: {name} was issued as of {today} from the same evidence")
        else:
            yield Finding("schedule", f"due: {name} was not issued as of {today} from the evidence there is")
        if not _compiled():
            yield Finding(
                "schedule", "a run would compile first, which takes minutes; whether it needs a fit is seen then"
            )
            return
        fitter = inference.Fitter(model, self._fits.folder(model), lambda _: set(), inference.Sampling(), 0, self.now)
        try:
            found = fitter.update(evidence, "never", prior=False)
        except UntrustworthyError:
            yield Finding("schedule", f"a run would make a fit: there is none of this version of {name}")
        else:
            yield Finding("schedule", _from(found))


def _schema(version: int) -> str:
    return f"schema {version} of the ledger" if version else "no ledger yet"


def _role(served: Served) -> Finding:
    """Say what the role may do that the ledger is opened by."""
    name, may = served.role
    says = {
        "change": "could change rows, as owner or by its rights; `forecast ledger grant ROLE` lets one in that may not",
        "add": "may read and add rows, and change none",
        "read": f"may only read, so that nothing can be recorded; the owner lets it: `forecast ledger grant {name}`",
        "nothing": f"may not read the ledger; the owner lets it: `forecast ledger grant {name}`",
    }
    return Finding("ledger", f"the role {name} {says[may]}", fault=may in {"read", "nothing"})


def _from(found: Posterior) -> str:
    trust = found.trust
    if trust.trusted:
        return f"a run would reweigh the fit {trust.anchor} of {trust.anchor_as_of}, and make no new one"
    return f"a run would make a new fit, for those at hand do not reach the evidence: {'; '.join(trust.reasons)}"
