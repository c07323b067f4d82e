"""Settings of a fit, its diagnostics and its record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.base.errors import UntrustworthyError
from forecast.base.shown import Shown, ShownTable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable


MAX_R_HAT = 1.01
MIN_ESS_PER_CHAIN = 100
MAX_DIVERGING = 0.001


@dataclass(frozen=True)
class Settings:
    """How to sample: ``chains`` × (``tune`` + ``draws``) from ``seed``, with so much acceptance.

    At the usual 0.8 a year of some 300 reports of the reference model gives divergences (docs/decisions.md).
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    seed: int = 1
    target_accept: float = 0.9

    @property
    def careful(self) -> Settings:
        """Twice as long, in smaller steps: for a fit that failed its checks."""
        return replace(self, draws=2 * self.draws, tune=2 * self.tune, target_accept=(1 + self.target_accept) / 2)


@dataclass(frozen=True)
class Sampling:
    """How new fits are made: their settings, whether one that fails its checks is used, and who is told of progress."""

    settings: Settings = field(default_factory=Settings)
    accept_bad: bool = False
    on_stage: Callable[[str], None] = lambda _: None
    on_draw: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Diagnostics:
    """Whether the chains can be believed: worst values over all parameters and the names that have them.

    ``forecast_…`` are the worst over the published probabilities; ``efficiency`` is the lowest effective sample size of
    their means over the number of draws, at most 1.
    """

    divergences: int
    max_r_hat: float
    max_r_hat_of: str
    min_ess: float
    min_ess_of: str
    forecast_r_hat: float
    forecast_ess: float
    efficiency: float

    def complaints(self, settings: Settings) -> list[str]:
        """List what is wrong, in words; empty for a good fit."""
        found: list[str] = []
        if self.divergences > MAX_DIVERGING * settings.chains * settings.draws:
            found.append(f"{self.divergences} divergent transitions")
        if not self.max_r_hat <= MAX_R_HAT:
            found.append(f"R-hat {self.max_r_hat:.3f} of {self.max_r_hat_of} (at most {MAX_R_HAT})")
        least = MIN_ESS_PER_CHAIN * settings.chains
        if not self.min_ess >= least:
            found.append(f"effective sample size {self.min_ess:.0f} of {self.min_ess_of} (at least {least})")
        if not self.forecast_r_hat <= MAX_R_HAT:
            found.append(f"R-hat {self.forecast_r_hat:.3f} of a published probability (at most {MAX_R_HAT})")
        if not self.forecast_ess >= least:
            found.append(f"effective sample size {self.forecast_ess:.0f} of a published probability (at least {least})")
        return found


@dataclass(frozen=True)
class Learned:
    """What the evidence has taught about one rate (per year) or effect (a multiplier): 90 % intervals before and after.

    ``narrowing`` is the posterior standard deviation over the prior's, on the log scale: 1 means nothing was learned.
    """

    name: str
    kind: str
    prior: tuple[float, float]
    posterior: tuple[float, float]
    narrowing: float


@dataclass(frozen=True, repr=False)
class FitRecord(Shown):
    """What a fit says about itself, without its draws."""

    id: str
    model: str
    model_hash: str
    evidence_hash: str
    as_of: dt.date
    watermark: int
    settings: Settings
    diagnostics: Diagnostics
    learned: tuple[Learned, ...]
    versions: dict[str, str]
    created_at: str

    def _said(self) -> tuple[str, ...]:
        wrong = self.diagnostics.complaints(self.settings)
        verdict = f"failed its checks: {'; '.join(wrong)}" if wrong else "passed its checks"
        size = prose.count(self.settings.chains * self.settings.draws, "draw")
        return (f"{self.id} of {self.model} as of {self.as_of}, {size}, {verdict}",)

    def _shown_table(self) -> ShownTable:
        """Show what was learned of each link: 90 % intervals before and after."""
        rows = [
            [row.name, _spanned(row.prior), _spanned(row.posterior), f"{row.narrowing:.2f}"] for row in self.learned
        ]
        return ShownTable(["", "prior", "posterior", "narrowing"], rows)


def _spanned(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2g} to {interval[1]:.2g}"


def check_fit[F: FitRecord](fit: F) -> F:
    """Return ``fit`` if its chains can be believed.

    Raises
    ------
    UntrustworthyError
        With what is wrong and what to do, otherwise.

    """
    complaints = fit.diagnostics.complaints(fit.settings)
    if complaints:
        msg = (
            f"the fit of {fit.model!r} as of {fit.as_of} cannot be trusted: {'; '.join(complaints)}; "
            "sample more still (--tune, --draws), or look at it anyway with --accept-bad-fit"
        )
        raise UntrustworthyError(msg)
    return fit
