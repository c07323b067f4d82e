"""Models of a project: its model files by name, which of them is meant without a name, and what their rows may name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from forecast import inference, ledger, theory
from forecast.base.clock import local_day
from forecast.base.errors import InputError, ModelFileError, nearest
from forecast.base.toml_text import read_bounded, read_toml
from forecast.project.project_file import PROJECT_FILE, read_project_file

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from forecast.inference.model import Model
    from forecast.ledger.check import Vocabulary
    from forecast.theory.spec import ModelSpec


class Models:
    """The model files of the project at ``root``, each with the history of its dataset; read once, on first use."""

    def __init__(self, root: Path, clock: Callable[[], dt.datetime]) -> None:
        """Point at a project; ``clock`` gives the time (aware, UTC)."""
        self.root = root
        self._clock = clock
        self.folder = root / "models"
        self._read: dict[str, Model] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the model files, sorted."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.toml")))

    def get(self, name: str | None = None) -> Model:
        """Read a model; without a ``name``, the one that is meant then.

        Raises
        ------
        ModelFileError
            If the file has faults.
        LedgerError
            If the history of its dataset has.
        InputError
            If there is no such model, or several and no name.

        """
        name = name or self.default
        if name not in self._read:
            self.require(name)
            spec = load_with_history(self.folder / f"{name}.toml", self.root, lambda: local_day(self._clock()))
            self._read.setdefault(name, inference.Model(spec))  # what another thread has read meanwhile stays
        return self._read[name]

    def require(self, name: str) -> None:
        """Make sure that there is a file of this name.

        Raises
        ------
        InputError
            If there is none.

        """
        if name not in self.names:
            msg = f"{self.folder}: there is no model {name!r}; {nearest(name, self.names)}"
            raise InputError(msg)

    @property
    def default(self) -> str:
        """Name of the model that is meant without a name.

        It is the one that ``forecast.toml`` names; without that line the only one, or the only one that extends no
        other.

        Raises
        ------
        InputError
            If the one that the file names is not there, or without the line that leaves none, or several.

        """
        names, named = self.names, read_project_file(self.root).model
        if named is not None:
            if named not in names:
                msg = f"{self.root / PROJECT_FILE}: model: there is no model {named!r}; {nearest(named, names)}"
                raise InputError(msg)
            return named
        kinds = {name: self._stands_alone(name) for name in names} if len(names) > 1 else dict.fromkeys(names, True)
        alone = [name for name in names if kinds[name]] or [name for name in names if kinds[name] is None]
        if len(alone) != 1:
            have = (
                f'there are {", ".join(names)}; name one with --model, or for good in {PROJECT_FILE}: model = "…"'
                if names
                else "there is none; see `forecast init`"
            )
            msg = f"{self.folder}: which model? {have}"
            raise InputError(msg)
        return alone[0]

    def _stands_alone(self, name: str) -> bool | None:
        """Whether a model file extends no other; none if that cannot be read.

        Only what stands above its tables is read, so these may be faulty.
        """
        try:
            text = read_bounded(self.folder / f"{name}.toml", errors="replace")
            return "extends" not in read_toml(re.split(r"^\s*\[\[?\w", text, maxsplit=1, flags=re.MULTILINE)[0])
        except (OSError, ValueError):
            return None

    def vocabulary(self, dataset: str, today: dt.date) -> Vocabulary:
        """Name the indicators and states that any of the models of a dataset defines.

        A faulty model blocks nobody but itself: it defines nothing here, unless no model of the dataset can be read.

        Raises
        ------
        ModelFileError
            If every model that might define something has faults.

        """
        specs, faulty = list[theory.ModelSpec](), list[ModelFileError]()
        for name in self.names:
            try:
                spec = self.get(name).spec
            except ModelFileError as error:
                faulty.append(error)
            else:
                specs += [spec] * (spec.model.dataset == dataset)
        if not specs and faulty:
            raise faulty[0]
        states: dict[str, tuple[str, ...]] = {}
        for spec in specs:
            for name, stage in spec.stages.items():
                states[name] = tuple(dict.fromkeys((*states.get(name, ()), *stage.states)))
        return ledger.Vocabulary(
            indicators={name: theory.words_of(row) for spec in specs for name, row in spec.indicators.items()},
            states=states,
            start=min(spec.model.start for spec in specs),
            today=today,
            channels=sorted({name for spec in specs for name in spec.channels}),
        )


def load_with_history(
    file: Path, root: Path, today: Callable[[], dt.date], on_notice: Callable[[str], object] = lambda _: None,
    *, strict: bool = False,
) -> ModelSpec:  # fmt: skip
    """Read a model file, and the history of its dataset in the project at ``root`` if a stage of it has units.

    A ``strict`` reading finds fault with an outcome that is said to be frozen after ``today``.

    Raises
    ------
    ModelFileError
        If the model file has faults.
    LedgerError
        If the history has.

    """
    spec = theory.load_spec(file, today() if strict else None)
    path = root / "data" / spec.model.dataset / ledger.HISTORY_FILE
    if not path.exists() or all(stage.units is None for stage in spec.stages.values()):
        return spec
    return spec.with_history(ledger.read_history(path, today(), on_notice))
