"""``history.md``: what the history teaches, from the figures of `benchmarks.history`, and every spell."""

from __future__ import annotations

import json
import math
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from docs.builder.markdown import bullets, code, page, para, plain, table
from docs.builder.places import MODEL, ROOT, spec_of
from forecast.base.prose import count, listed, spoken
from forecast.evidence.spell_timelines import read_spells, timelines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.evidence.spell_timelines import Timeline

FIGURES = ROOT / "benchmarks" / "history" / "figures.json"
SHARINGS = ("unpooled", "pooled", "partial")
ONSET, STRAIN = "victory_brings_confrontation", "victory_strains_cooperation"


class Difference(NamedTuple):
    """A sum of differences of scores over units, and its standard error."""

    total: float
    error: float

    def __str__(self) -> str:
        """Write it with its sign."""
        return f"{self.total:+.1f} ± {self.error:.1f}"


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Say by how much ``one`` scores above ``other``: the error is √n times the deviation of the n differences."""
    gaps = [a - b for a, b in zip(one, other, strict=True)]
    return Difference(math.fsum(gaps), math.sqrt(len(gaps)) * statistics.stdev(gaps))


def spells() -> list[Timeline]:
    """Give every spell of the reference model's history."""
    return timelines(read_spells(spec_of(MODEL)))


def crises() -> list[Timeline]:
    """Give every spell of confrontation, that of the model's own evidence among them."""
    return [row for row in spells() if row.stage == "relations" and row.states == ("confrontation",)]


def history_page() -> str:
    """Set out the study's figures, then every spell."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    return page(
        "What history teaches",
        "the reference model, its history and the figures of `python -m benchmarks.history`",
        _introduction(found),
        "## Countries left out one at a time\n",
        _relations(found),
        "## Durations of confrontation\n",
        _durations(found["durations"]),
        "## What is learned of a victory's effect\n",
        _effects(found["effects"]),
        "## Wars left out one at a time\n",
        _peace(found),
        "## Every spell\n",
        _every_spell(),
    )


def _introduction(found: Mapping[str, Any]) -> str:
    return para(
        "The forecast is about one country and one war, and a year of news says little about how long a crisis lasts",
        "or how often one begins. So the model also reads a *history*: when Russia's neighbours were in confrontation",
        "with Russia and when they were not, and how earlier wars past their first year ended and whether the peace",
        "held. Such a stretch of time is a *spell*. This page asks whether reading them helps: each country is hidden",
        "in turn, the model learns from the others, and is scored by how probable it then finds what the hidden one",
        "went through. The score is the logarithm of that probability, in nats; higher is better, and a difference of",
        "1 means that the spells are 2.7 times as probable under the better reading. At the end stands every spell.",
    ) + "\n" + para(
        "The scores are measured by `python -m benchmarks.history`, which takes some minutes and keeps them in",
        f"`benchmarks/history/figures.json`; they are of model version `{found['version']}`. The table of spells",
        "follows from `data/russia_azerbaijan/history.csv`. [The method](method.md) says how they enter the model.",
    )  # fmt: skip


def _scores(found: Mapping[str, Any], **what: object) -> Mapping[str, Any]:
    (row,) = [row for row in found["scored"] if all(row[key] == value for key, value in what.items())]
    return row


def _values(row: Mapping[str, Any]) -> list[float]:
    return [row["scores"][unit] for unit in sorted(row["scores"])]


def _relations(found: Mapping[str, Any]) -> str:
    readings = {(phases, effects): {sharing: _scores(found, stage="relations", phases=phases, effects=effects,
                                                     sharing=sharing) for sharing in SHARINGS}
                for phases in (1, 2) for effects in (True, False)}  # fmt: skip
    sums = [
        [_reading(*key), *(f"{math.fsum(_values(row[sharing])):.1f}" for sharing in SHARINGS)]
        for key, row in readings.items()
    ]
    gains = [
        [_reading(*key), *(str(difference(_values(row["partial"]), _values(row[other]))) for other in SHARINGS[:2]),
         str(difference(_values(row["pooled"]), _values(row["unpooled"])))]
        for key, row in readings.items()
    ]  # fmt: skip
    phases = [
        [name, *(str(difference(_values(readings[one][sharing]), _values(readings[other][sharing])))
                 for sharing in SHARINGS)]
        for name, one, other in (
            ("two phases − one, with effects", (2, True), (1, True)),
            ("two phases − one, without effects", (2, False), (1, False)),
            ("with effects − without, one phase", (1, True), (1, False)),
            ("with effects − without, two phases", (2, True), (2, False)),
        )
    ]  # fmt: skip
    units = sorted(readings[1, True]["partial"]["scores"])
    each = [
        [plain(_name(unit)), *(f"{readings[phases, True][sharing]['scores'][unit]:.1f}" for phases in (1, 2)
                                     for sharing in SHARINGS)]
        for unit in units
    ]  # fmt: skip
    return "\n".join([
        para(
            "*Pooled*: all countries have the same rates. *Unpooled*: each knows only the prior, which is wide, and",
            "learns nothing from the others. *Partial*: as in the model, a country's rates all depart by a common",
            "factor of their own, whose spread is learned; that of the hidden country is integrated over its prior.",
            "*Two phases*, as in the model: a confrontation begins acute, and ends in a truce or settles in; one that",
            "lingers leads to a truce at a rate of its own. *One phase*: it leads there at one rate, with the interval",
            "of the base rates, widened: 0.15 to 4 a year. *Without effects*: a Russian success changes no rate.",
            f"Each score is of onsets and ends together. Sums over {len(units)} countries:",
        ),
        table(["reading", *SHARINGS], sums),
        "Gain by sharing, with its standard error over countries:\n",
        table(["reading", "partial − unpooled", "partial − pooled", "pooled − unpooled"], gains),
        "Gain by phases and by effects:\n",
        table(["difference", *SHARINGS], phases),
        "Country by country, with effects (1: one phase, 2: two phases):\n",
        table(["country", *(f"{sharing}, {phases}" for phases in (1, 2) for sharing in SHARINGS)], each),
        _findings(readings),
        _sampling([row for rows in readings.values() for row in rows.values()]),
    ])  # fmt: skip


def _findings(readings: Mapping[tuple[int, bool], Mapping[str, Mapping[str, Any]]]) -> str:
    """Say in words what the tables show; a test holds the words to the figures."""
    one, two = readings[1, True], readings[2, True]
    phases = difference(_values(two["partial"]), _values(one["partial"]))
    harm = difference(_values(one["partial"]), _values(one["unpooled"]))
    help_ = difference(_values(two["partial"]), _values(two["unpooled"]))
    effects = difference(_values(one["partial"]), _values(readings[1, False]["partial"]))
    spreads = [row["partial"]["learned"]["spread"] for row in (one, two)]
    gains = {unit: two["partial"]["scores"][unit] - score for unit, score in one["partial"]["scores"].items()}
    largest = sorted(gains, key=gains.__getitem__, reverse=True)[:4]
    learned = two["partial"]["learned"]
    return bullets(
        f"**Phases help**: {phases} nats under partial pooling, the most for"
        f" {listed([f'{_name(unit)} ({gains[unit]:+.1f})' for unit in largest])}: a confrontation of more than a decade"
        " and others of weeks or less, which one rate of leaving cannot both make likely.",
        f"An acute confrontation ends in a truce at {_interval(learned['acute>truce'][1:])} a year and settles in at"
        f" {_interval(learned['acute>lingering'][1:])}; a lingering one ends in a truce at"
        f" {_interval(learned['lingering>truce'][1:])} (medians and 90 % intervals, here and below).",
        f"**Sharing seems to help once there are phases** ({help_} against each country alone) **and to harm**"
        f" before ({harm}), each by about one standard error: with one rate,"
        " short crises elsewhere say that a long one is all but impossible.",
        f"**Countries then hardly differ**: the spread of their log rates is {_interval(spreads[0][1:])} with one phase"
        f" and {_interval(spreads[1][1:])} with two, where pooling scores the same as"
        " partial pooling. Much of what looked like differences between countries was a matter of phases.",
        f"**The victory's effects are not borne out**: with them the spells are less probable ({effects}), whatever the"
        " reading. They stand in the model because the article argues them, not because the record shows them.",
        "Twelve countries are few: a difference of one or two standard errors is no proof, and the list of crises"
        " is not exhaustive.",
    )


def _interval(quantiles: Sequence[float]) -> str:
    low, median, high = quantiles
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def _reading(phases: int, effects: bool) -> str:  # noqa: FBT001 - a key
    return f"{('one phase', 'two phases')[phases - 1]}, {'with' if effects else 'without'} effects"


def _sampling(rows: Sequence[Mapping[str, Any]]) -> str:
    fits = [row for row in rows if "r_hat" in row]
    again = sum(len(row["refitted"]) for row in fits)
    return para(
        f"Monte Carlo errors of single scores are at most {max(row['error'] for row in rows):.2f}. Scores are from",
        "the draws of one fit to all, reweighted to leave a unit out (Pareto-smoothed), or from a fit without it where",
        f"the draws do not reach ({count(again, 'time')} of {sum(len(row['scores']) for row in fits)}); largest r-hat",
        f"{max(row['r_hat'] for row in fits):.3f}, least effective sample size {min(row['ess'] for row in fits):,.0f},",
        f"{count(sum(row['divergences'] for row in fits), 'divergence')}.",
    )


def _durations(found: Mapping[str, Any]) -> str:
    names = {
        "one rate": "one rate of leaving", "two phases": "two phases",
        "two phases, second like the first": "two phases, the second with the first's intervals",
        "one rate, best fit": "one rate, best fit to the others", "two phases, best fit": "two phases, best fit",
    }  # fmt: skip
    rows = [
        [label, f"{math.fsum(found[name]['scores']):.1f}",
         str(difference(found[name]["scores"], found[BASELINE[name]]["scores"])) if name in BASELINE else ""]
        for name, label in names.items()
    ]  # fmt: skip
    each = [
        [plain(_name(unit)), f"{years:.2f}" + ("" if over else " and lasting"),
         *(f"{found[name]['scores'][k]:.2f}" for name in ("one rate", "two phases"))]
        for k, (unit, years, over) in enumerate(zip(found["units"], found["years"], found["over"], strict=True))
    ]  # fmt: skip
    least = min(found[name]["ess"] for name in names if "ess" in found[name])
    return "\n".join([
        para(
            f"The {len(found['years'])} spells of confrontation by themselves, the model's own crisis of 2025 among",
            "them: the log density of each duration in years, given the other durations, without countries,",
            "conditions or onsets. Rates of leaving have the prior of the reference model (to truce and to",
            "cooperation, added); *best fit* takes the single rates that fit the others best instead of averaging over",
            "what they may be. Gains are over one rate, with their standard error over durations.",
        ),
        table(["reading", "sum", "gain"], rows),
        para(
            "An earlier trial had −33.2 for one rate and −19.0 for two phases, a gain of 14: as best fits do. When",
            "rates are averaged over what they may be, as the model does, the gain is smaller, because a rate that is",
            "not known exactly is less surprised by a crisis of twelve years. Averages are over points of the prior,",
            f"worth at least {least:,.0f} draws.",
        ),
        table(["country", "years", "one rate", "two phases"], each),
    ])  # fmt: skip


BASELINE = {
    "two phases": "one rate", "two phases, second like the first": "one rate",
    "two phases, best fit": "one rate, best fit",
}  # fmt: skip


def _effects(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        [row["reading"], row["sharing"], *(_narrowed(row["learned"].get(name)) for name in (ONSET, STRAIN)),
         _narrowed(row.get("together"))]
        for row in rows
    ]  # fmt: skip
    full, calm = (
        next(row for row in rows if row["reading"] == name and row["sharing"] == "partial")
        for name in ("truce and cooperation hidden", "one calm state")
    )
    rates = {name: full["learned"][name][2] for name in MOVES}
    share = rates["cooperation>truce"] / (rates["cooperation>truce"] + rates["truce>cooperation"])
    from_truce = share * rates["truce>confrontation"]
    onsets = from_truce / (from_truce + (1 - share) * rates["cooperation>confrontation"])
    return "\n".join([
        para(
            "By how much does a Russian success multiply the rate at which confrontations begin? Given are the",
            "standard deviation of its logarithm over that of the prior (1: nothing was learned), then median and 90 %",
            "interval of the multiplier. *Both*: averaged over truce and cooperation by how often they are visited.",
        ),
        table(["reading", "sharing", code(ONSET), code(STRAIN), "both"], lines),
        para(
            "The trial had 0.74 and ×1.8 (1.05–3.0), with calm and crisis as the only states. Read like that, the",
            f"history says {calm['learned'][ONSET][0]:.2f} and ×{_interval(calm['learned'][ONSET][1:])}. In the model",
            f"itself {code(ONSET)} keeps {full['learned'][ONSET][0]:.2f} of its prior's deviation. The reason: the",
            "record does not say whether a calm neighbour was in truce or in cooperation, and each has its own rate of",
            f"onset and its own effect. At the medians of the rates some {100 * onsets:.0f} % of onsets come from",
            "truce, so what onsets after a success say is divided between two effects, and the other one, whose prior",
            "is wider, gives way first. The average of both is narrowed more, to",
            f"{full['together'][0]:.2f} of its prior's deviation. To learn more of the article's own effect one would",
            "need dates of truce and cooperation in other countries. Every reading moves the multiplier towards 1, the",
            "model's own by hardly anything.",
        ),
        _sampling_of_effects(rows),
    ])  # fmt: skip


MOVES = ("truce>confrontation", "truce>cooperation", "cooperation>truce", "cooperation>confrontation")


def _narrowed(learned: Sequence[float] | None) -> str:
    return "" if learned is None else f"{learned[0]:.2f}; ×{_interval(learned[1:])}"


def _sampling_of_effects(rows: Sequence[Mapping[str, Any]]) -> str:
    return para(
        f"Largest r-hat {max(row['r_hat'] for row in rows):.3f}, least effective sample size",
        f"{min(row['ess'] for row in rows):,.0f}, {count(sum(row['divergences'] for row in rows), 'divergence')}: the",
        "ratios are good to some 0.02.",
    )


def _peace(found: Mapping[str, Any]) -> str:
    rows = {sharing: _scores(found, stage="peace", sharing=sharing) for sharing in SHARINGS}
    gains = {
        f"{one} − {other}": difference(_values(rows[one]), _values(rows[other]))
        for one, other in (("partial", "unpooled"), ("pooled", "unpooled"), ("partial", "pooled"))
    }
    spread = rows["partial"]["learned"]["spread"]
    units = sorted(rows["partial"]["scores"])
    return "\n".join([
        para(
            "The same for the stage of peace: wars past their first year, from then until a deal, and the deals for as",
            "long as they held, at most five years. Whether talks were advancing is not recorded, so it is hidden.",
            "The history has no conditions for this stage, so there are no effects to compare.",
        ),
        table(["", *SHARINGS], [["sum", *(f"{math.fsum(_values(rows[name])):.1f}" for name in SHARINGS)]]),
        table(["difference", "nats"], [[name, str(gain)] for name, gain in gains.items()]),
        para(
            f"Wars learn from each other ({gains['partial − unpooled']} against each alone). Partial pooling and full",
            f"pooling cannot be told apart: the spread of log rates between wars is {_interval(spread[1:])}.",
        ),
        table(
            ["war", *SHARINGS],
            [[plain(_name(unit)), *(f"{rows[name]['scores'][unit]:.1f}" for name in SHARINGS)] for unit in units],
        ),
        _sampling(list(rows.values())),
    ])  # fmt: skip


def _every_spell() -> str:
    rows = spells()
    parts = [
        para(
            "*Under* says for how many years of the spell a Russian success was in force. Grades are of source (A to",
            "F) and information (1 to 6). Not used are spells graded below even odds, and what the model's own",
            "evidence tells. A beginning without a day means that only the month is known.",
        )
    ]
    for stage in dict.fromkeys(row.stage for row in rows):
        lines = [
            [
                plain(_name(row.unit)), " or ".join(plain(spoken(state)) for state in row.states), row.begins,
                str(row.to or "still so"), f"{row.years:.1f}", plain(row.under), plain(row.source), row.grade,
                plain("; ".join(filter(None, [row.note, row.left_out and f"not used: {row.left_out}"]))),
            ]
            for row in rows
            if row.stage == stage
        ]  # fmt: skip
        head = ["unit", "state", "from", "to", "years", "under", "source", "grade", "note"]
        parts += [f"### {plain(spoken(stage).capitalize())}\n", table(head, lines)]
    return "\n".join(parts)


def _name(unit: str) -> str:
    return unit.replace("_", " ").title()
