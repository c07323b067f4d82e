"""Posteriors of other evidence under the draws of one anchor, kept for all who ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.inference.reweighting import reweigh

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior


KEPT = 64  # posteriors; of the reference model each takes some 2 MB


class Reweighed:
    """The draws of ``anchor``, weighted to whatever evidence is asked for; the first `KEPT` answers are kept.

    What every outcome would be without a source, and one of them without each source, ask for the same evidence.
    Threads that ask at once may each compute it.
    """

    def __init__(self, anchor: Anchor) -> None:
        """Begin with none."""
        self.anchor = anchor
        self._kept: dict[str, Posterior] = {}

    def to(self, evidence: Evidence) -> Posterior:
        """Give the draws weighted to ``evidence``; errors are those of `reweigh`."""
        found = self._kept.get(evidence.hash)
        if found is None:
            found = reweigh(self.anchor, evidence)
            if len(self._kept) < KEPT:
                self._kept[evidence.hash] = found
        return found
