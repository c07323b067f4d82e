"""Whether what a project holds is what was written: ledger, archive, fits and the reports beside the archive."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from forecast import inference
from forecast.base import prose
from forecast.base.errors import InputError, LedgerError
from forecast.base.shown import Shown, ShownTable, cell_shown
from forecast.project.ledgers import ledger_place
from forecast.project.reports import REPORT_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from forecast.ledger.chain import Head
    from forecast.ledger.issued import Issue
    from forecast.ledger.protocol import Ledger


@dataclass(frozen=True, repr=False)
class Verified(Shown):
    """What was looked at, and every fault: of the ``ledger``, of fits and of reports.

    ``head`` is the end of the ledger's chain; its first ``before`` rows were there before there was a chain. Of the
    ``fits``, those that are ``older`` were written by a version that kept no digest, so that they can only be read.
    """

    head: Head
    before: int
    issues: int
    fits: int
    older: tuple[str, ...]
    reports: int
    faults: tuple[str, ...]

    def _said(self) -> tuple[str, ...]:
        parts = [prose.count(self.head.links, "row"), prose.count(self.issues, "issue"), prose.count(self.fits, "fit")]
        found = prose.count(len(self.faults), "fault") if self.faults else "all is as it was written"
        return (f"{found}; {prose.listed(parts)}", *self.faults)

    def _shown_table(self) -> ShownTable:
        shown = self.to_dict() | {"head": self.head.digest}
        return ShownTable(["", "value"], [[name, cell_shown(value)] for name, value in shown.items()])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {**asdict(self), "head": self.head._asdict(), "older": list(self.older), "faults": list(self.faults)}


def verify(root: Path, store: Ledger) -> Verified:
    """Look at everything in the project ``root``.

    Raises
    ------
    LedgerError
        If the ledger is not as it was written: then nothing else can be compared with it.

    """
    if faults := store.verify():
        raise LedgerError(store.where, faults)
    issues = store.headings()
    fits = sorted(root.glob("data/*/fits/*.nc"))
    reports = _folders(root)
    older, faults = _read_fits(root, fits)
    faults += [*_orphans(root, issues), *_report_faults(root, store, issues)]
    before = store.before_chain()
    return Verified(store.head(), before, len(issues), len(fits), tuple(older), len(reports), tuple(faults))


def open_ledger(root: Path) -> Ledger:
    """Open the ledger of the project ``root``; it is made on first use.

    Raises
    ------
    LedgerError
        If it cannot be opened, or there is none where reports were issued from one.

    """
    require_begun(root)
    return ledger_place(root).open()


def require_begun(root: Path) -> None:
    """Make sure that no ledger is begun where reports were issued from one.

    Raises
    ------
    LedgerError
        If there is none, or an empty file in its place.

    """
    folders, place = _folders(root), ledger_place(root)
    if folders and not place.begun():
        raise LedgerError(place.name, [place.missing(str(folders[-1].relative_to(root)))])


def require_sound(root: Path, store: Ledger) -> None:
    """Make sure, quickly, that nothing was taken from the ledger or slipped into it.

    Raises
    ------
    LedgerError
        If it is not as it was written, or reports lie there that it knows nothing of.

    """
    if faults := store.verify(quick=True) or tuple(_orphans(root, store.headings())):
        raise LedgerError(store.where, faults)


def _folders(root: Path) -> list[Path]:
    """List the folders of issued reports."""
    return sorted(path.parent for path in root.glob(f"reports/*/*/{REPORT_DATA}"))


def _orphans(root: Path, issues: Sequence[Issue]) -> Iterator[str]:
    known = {(row.model, row.as_of.isoformat()) for row in issues}
    for folder in _folders(root):
        if (folder.parent.name, folder.name) not in known:
            yield (
                f"{folder.relative_to(root)}: the archive knows nothing of this report; "
                "restore a ledger that does, or move the report away"
            )


def _report_faults(root: Path, store: Ledger, issues: Sequence[Issue]) -> Iterator[str]:
    for issue in {(row.model, row.as_of): row for row in issues}.values():
        path = root / "reports" / issue.model / issue.as_of.isoformat() / REPORT_DATA
        try:
            said = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            said = None
        whole = store.forecast(issue.seq)
        if whole is None or said != json.loads(whole.content):
            yield (
                f"{path.relative_to(root)}: is not what the archive holds; "
                f"write it again: forecast report --model {issue.model} --as-of {issue.as_of}"
            )


def _read_fits(root: Path, fits: list[Path]) -> tuple[list[str], list[str]]:
    """Read all fits, and give those of older versions, which have no digest, and what is wrong with others."""
    older: list[str] = []
    faults: list[str] = []
    for path in fits:
        try:
            if not inference.read_whole(path):
                older.append(str(path.relative_to(root)))
        except InputError as error:
            faults.append(str(error).removeprefix(f"{root}/"))
    return older, faults
