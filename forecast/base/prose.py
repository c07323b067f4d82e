"""Sentences from numbers: rounded to what their Monte Carlo error allows, right in sign and in grammar."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


PRIOR_ONLY = "prior only"  # a forecaster: the theory without evidence
TOO_RARE = "too rare"  # to say what a condition brings
RARE = f"{TOO_RARE}: the condition is less likely than 1%, too rare to say what it would bring"
NOISE = 2.0  # a difference of less than so many standard errors is not told from none
ROUNDING = 1e-12  # what sums in another order leave is no difference
LEAST = 0.005  # half a percentage point; less is said in words
ICD203 = (  # from which probability on a term holds
    (0.95, "almost certain"), (0.80, "very likely"), (0.55, "likely"), (0.45, "roughly even chance"),
    (0.20, "unlikely"), (0.05, "very unlikely"),
)  # fmt: skip
LEAST_LIKELY = "almost no chance"  # the term below them all
UNITS = (1, 2, 5, 10, 20, 50, 100)  # of percentage points, to which numbers are rounded


def _unit(mcse: float) -> int:
    """Percentage points to round to, so that the last digit is worth at least two standard errors."""
    wanted = 200 * mcse
    return next((unit for unit in UNITS if unit >= wanted), UNITS[-1])


def spoken(name: str) -> str:
    """Give a name of the model file as words: ``strategic victory``."""
    return name.replace("_", " ")


def link(name: str) -> str:
    """Give a rate or an effect of the model file in words: ``peace: stalled to advancing``, ``victory: signing``."""
    stage, _, what = name.removeprefix("stages.").replace("transitions.", "").replace("effects.", "").partition(".")
    return spoken(f"{stage}: {what.replace('>', ' to ')}")


def day(date: dt.date, precision: str = "day") -> str:
    """Write a date as ``9 Oct 2025``, or ``Oct 2025`` where only the month is known."""
    return f"{date.day} {date:%b %Y}" if precision == "day" else f"{date:%b %Y}"


def on_day(text: str) -> str:
    """Write an ISO date as ``9 Oct 2025``."""
    return day(dt.date.fromisoformat(text))


VOWELS = tuple("aeiou")


def count(number: int, word: str) -> str:
    """``1 week``, ``3 weeks``, ``1,000 weeks``, ``2 deliveries``."""
    if number == 1:
        return f"1 {word}"
    ends_in_y = word.endswith("y") and word[-2:-1] not in VOWELS
    return f"{number:,} {word[:-1]}ies" if ends_in_y else f"{number:,} {word}s"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``11th``."""
    teen = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def dotted(place: Iterable[str | int]) -> str:
    """Write what leads to a value, with the items of lists counted from one: ``stages.peace.transitions.1st``."""
    return ".".join(ordinal(part + 1) if isinstance(part, int) else part for part in place)


def listed(parts: Sequence[str]) -> str:
    """Join as ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def chance(value: float, mcse: float = 0.0) -> str:
    """Round a probability: whole percent, or fewer digits where the error asks for it; 0 and 100 only if certain.

    It is the only rounding of probabilities, in sentences, tables and charts: one number looks the same everywhere,
    wherever its error is given.
    """
    if value in {0.0, 1.0}:
        return f"{abs(value):.0%}"
    unit = _unit(mcse)
    rounded = unit * round(100 * value / unit)
    if rounded <= 0:
        return f"<{unit}%"
    if rounded >= 100:  # noqa: PLR2004 - percent
        return f">{100 - unit}%"
    return f"{'about ' if unit > 1 else ''}{rounded}%"


def term(value: float) -> str:
    """Give the term of ICD 203 for a probability, such as ``likely``: those of the Intelligence Community Directive.

    Its ranges overlap at their ends; there the likelier term is taken, as the numbers of MISP's taxonomy have it.
    """
    return next((words for least, words in ICD203 if value >= least), LEAST_LIKELY)


def megabytes(size: int) -> str:
    """Write a size in bytes: ``44.1 MB``."""
    return f"{size / 1e6:,.1f} MB"


def percents(shares: Sequence[float]) -> list[int]:
    """Round shares of a whole to percent so that they add up to 100."""
    whole = [math.floor(100 * share) for share in shares]
    rest = sorted(range(len(shares)), key=lambda k: whole[k] - 100 * shares[k])
    for k in rest[: 100 - sum(whole)]:
        whole[k] += 1
    return whole


def adds_up(texts: Iterable[str]) -> bool:
    """Whether the parts of a whole add up to 100 % as `chance` and `figure` write them, so that a reader can check."""
    shown = [text.removeprefix("about ").rstrip("%") for text in texts]
    return all(text.isdigit() for text in shown) and sum(map(int, shown)) == 100  # noqa: PLR2004 - percent


def figure(value: float, mcse: float = 0.0) -> str:
    """Write a probability for a cell or a tile: as `chance` does, without the word."""
    return chance(value, mcse).removeprefix("about ")


Said = tuple[float, float]  # a probability and its Monte Carlo error


def gap(before: Said, after: Said) -> float:
    """Difference of two probabilities as `chance` writes them, in percentage points; unrounded beside a bound."""
    texts = [figure(*one).rstrip("%") for one in (before, after)]
    if not all(text.isdigit() for text in texts):
        return 100 * (after[0] - before[0])
    return float(texts[1]) - float(texts[0])


def rounded_apart(before: Said, after: Said) -> bool:
    """Whether two probabilities look a point apart, as 3.4 and 3.6 % do, and are less than half a point apart."""
    return round(abs(gap(before, after))) == 1 and abs(after[0] - before[0]) < LEAST


def points_apart(before: Said, after: Said, mcse: float) -> str | None:
    """Say how far apart two probabilities are that a reader sees: ``3 points``; None where it is not told from none.

    ``mcse`` is the error of the difference. What is said is the difference of what is shown, but for a point that is
    only there because one of them was rounded up.
    """
    if abs(after[0] - before[0]) <= NOISE * mcse:
        return None
    size = round(abs(gap(before, after)))
    if not size or rounded_apart(before, after):
        return "less than a point"
    about = any(chance(*one).startswith("about ") for one in (before, after))
    return f"{'about ' if about else ''}{count(size, 'point')}"


def signed_gap(before: Said, after: Said) -> str:
    """Give the difference of two probabilities that a reader sees, in points with its sign: ``+3``, ``−3``, ``±0``.

    It is ``+<1`` where they look a point apart and are not half as far.
    """
    if rounded_apart(before, after):
        return f"{'+' if after[0] > before[0] else '−'}<1"
    size = round(gap(before, after))
    return f"{size:+d}".replace("-", "−") if size else "±0"


def change(before: Said, after: Said, mcse: float) -> str:
    """Set two probabilities beside each other: ``8% → 5% (−3)``; ``mcse`` is the error of the difference."""
    noise = abs(after[0] - before[0]) <= NOISE * mcse and round(gap(before, after)) != 0
    return f"{figure(*before)} → {figure(*after)} ({'within error' if noise else signed_gap(before, after)})"


def points(difference: float, mcse: float) -> str | None:
    """Round the size of a difference of probabilities: ``31 points``; None where it is not told from none."""
    size = abs(difference)
    if size <= max(NOISE * mcse, ROUNDING):
        return None
    unit = _unit(mcse)
    rounded = unit * round(100 * size / unit)
    if size < LEAST or rounded == 0:
        return "less than a point" if unit == 1 else f"less than {unit} points"
    return f"{'about ' if unit > 1 else ''}{count(rounded, 'point')}"


def signed(difference: float, mcse: float) -> str:
    """Round a difference of probabilities to percentage points with its sign: ``+16``; tenths where they are known."""
    if 200 * mcse <= 0.1:  # noqa: PLR2004 - two standard errors, of a tenth of a point
        text = f"{100 * difference:+.1f}"
    else:
        unit = _unit(mcse)
        text = f"{unit * round(100 * difference / unit):+d}"
    return "0" if not text.strip("+-0.") else text.replace("-", "−")


def bits(value: float) -> str:
    """Write an amount of information: three decimals, or that it is less."""
    return f"{value:.3f} bits" if value >= 0.0005 else "less than 0.001 bits"  # noqa: PLR2004


def moved(what: str, difference: float, mcse: float, outcome: str) -> str:
    """Say what something did to an outcome: ``Dushanbe (9 Oct 2025) took 31 points off confrontation``."""
    size = points(difference, mcse)
    if size is None:
        return f"{what} made no difference to {outcome} that the draws could tell"
    return f"{what} took {size} off {outcome}" if difference < 0 else f"{what} added {size} to {outcome}"


def multiple(factor: float) -> str:
    """Write a factor with two digits: ``×1.5``."""
    return f"×{number(factor)}"


def number(value: float) -> str:
    """Write a positive number with two digits: ``0.086``, ``1.5``, ``120``."""
    rounded = float(f"{value:.1e}")
    return f"{rounded:.{max(0, 1 - math.floor(math.log10(rounded)))}f}"


def spread(estimate: Mapping[str, float]) -> str:
    """Mean and 90 % interval in percent: ``18% (5–41)``; the mean is rounded as its error asks, where it has one."""
    low, high = (chance(estimate[key]).rstrip("%") for key in ("low", "high"))
    mean = figure(estimate["mean"], estimate.get("mcse", 0.0))
    return mean if low == high == mean.rstrip("%") else f"{mean} ({low}–{high})"
