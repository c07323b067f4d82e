"""``rivals.md``: what every rival of the reference model changes, how they do on the history, and the experts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docs.builder.entries import basis, interval, meets
from docs.builder.history import FIGURES, difference, spells
from docs.builder.markdown import code, page, para, plain, table
from docs.builder.places import MODEL, ROOT, spec_of
from forecast.base.prose import NOISE, count, listed
from forecast.theory.assumptions import assumptions
from forecast.theory.indicators import ClassPrior
from forecast.theory.stages import Effect, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from docs.builder.history import Difference
    from forecast.theory.indicators import GradePrior, Indicator
    from forecast.theory.outcomes import Outcome
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Stage


def rivals_page() -> str:
    """Set out what every rival changes, what the history says of them, and the voices that the reference holds."""
    parent, *rivals = family(MODEL)
    return page(
        "Rival theories",
        "the model files and the figures of `python -m benchmarks.history`",
        para(
            "A rival is a model file that extends another and says only what differs; [the guide](guide.md) says how",
            f"to write one. Those below extend [`{parent.name}`](model.md): everything else, the evidence included,",
            "is as there, so that forecasts differ by the argument alone.",
        ),
        *(_rival(parent, spec) for spec in rivals),
        "## What the history says\n",
        _on_history(json.loads(FIGURES.read_text(encoding="utf-8"))),
        "## Experts\n",
        para(
            "Several voices in one model file, each with intervals in place of the file's own. Where a pool is asked",
            "for, they count with their weights; the model's own forecast does not use them.",
        ),
        _expert_table(parent),
    )


def family(model: Path) -> list[ModelSpec]:
    """Read a model and, behind it, the rivals that lie beside it and extend it."""
    parent = spec_of(model)
    specs = [spec_of(path) for path in sorted(model.parent.glob("*.toml"))]
    return [parent, *(spec for spec in specs if spec.extends == parent.name)]


def _on_history(figures: Mapping[str, Any]) -> str:
    found = figures["rivals"]
    names: list[str] = list(found["versions"])
    by_stage = {row["stage"]: row for row in found["stages"]}
    return "\n".join([
        para(
            "The rivals disagree on what a Russian victory does to Russia's neighbours, and the [history](history.md)",
            "holds what became of them after earlier Russian successes. So each unit (a country, or for the stage of",
            "peace a war) is hidden in turn; every model learns from the others, and is scored by how probable it then",
            "finds what the hidden one went through: the logarithm of that probability, in nats, higher is better.",
            "*Behind the best* has its standard error over units. *Stacking weights* are those of the mixture of the",
            "models that foretells best, with 90 % intervals over resampled units; one whose interval runs from 0 to",
            "100 % says nothing.",
            f"`forecast compare {' '.join(names)}` prints the same.",
        ),
        table(
            ["stage", "model", "sum", "behind the best", "stacking weight"],
            [_stage_row(row, name) for row in by_stage.values() for name in names],
        ),
        para(*_verdict(figures, by_stage["relations"])),
        table(
            ["effect of a victory", *(code(name) for name in names)],
            [[code(effect.partition(".")[2]), *(_learned(found["effects"][name].get(effect)) for name in names)]
             for effect in found["effects"][names[0]]],
        ),
        para(
            "With the history, median and 90 % interval; behind it the standard deviation of the logarithm over that",
            "of the model file's own interval: 1 means that nothing was learned.",
        ),
        table(
            ["unit", *(code(name) for name in names)],
            [[f"{row['stage']}: {row['unit']}", *(f"{row['scores'][name]['value']:.2f}" for name in names)]
             for row in found["units"]],
        ),
        para(*_reach(found), f"Versions: {listed([f'{code(k)} {code(v)}' for k, v in found['versions'].items()])}."),
    ])  # fmt: skip


def _stage_row(row: Mapping[str, Any], name: str) -> list[str]:
    behind = row["behind"][name]
    low, high = row["intervals"][name]
    best = behind["nats"] == 0
    return [
        f"{row['stage']} ({count(row['units'], 'unit')})", code(name), f"{row['totals'][name]:.1f}",
        "" if best else f"{behind['nats']:.2f} ± {behind['error']:.2f}",
        f"{row['weights'][name]:.0%} ({low:.0%}–{high:.0%})",
    ]  # fmt: skip


def _verdict(figures: Mapping[str, Any], relations: Mapping[str, Any]) -> Iterator[str]:
    """Say what the scores of the relations say about the effects of a victory."""
    ranked = sorted(relations["totals"], key=relations["totals"].__getitem__, reverse=True)
    best, *others = ranked
    behind = {name: relations["behind"][name] for name in others}
    worse = [name for name in others if behind[name]["nats"] > NOISE * behind[name]["error"]]
    if worse:
        gaps = [f"{code(name)} ({behind[name]['nats']:.1f} ± {behind[name]['error']:.1f} nats)" for name in worse]
        yield f"**{code(best)} foretells the countries better than {listed(gaps)}.**"
    equal = [name for name in others if name not in worse]
    if equal:
        gaps = [f"{code(name)} ({behind[name]['nats']:.1f} ± {behind[name]['error']:.1f} nats)" for name in equal]
        yield f"**The history cannot tell {code(best)} from {listed(gaps)}.**"
    rows = [row for row in spells() if row.stage == "relations" and not row.left_out]
    under = sum(years for row in rows for name, years in row.conditions if name)
    whole = sum(row.years for row in rows)
    yield f"Of {whole:.0f} years of these countries {under:.0f} passed under a Russian success."
    losses = [gain for gain in _gains_by_effects(figures) if gain.total < -NOISE * gain.error]
    if losses:
        yield (
            "With every effect of a success left out the reference foretells the same spells better, by "
            f"{listed([f'{-gain.total:.1f} ± {gain.error:.1f}' for gain in losses])} nats ([history](history.md), one "
            "phase and two)."
        )
    yield (
        "So the record bears the theory's victory effects out, as far as twelve countries can."
        if best == MODEL.stem and len(worse) == len(others)
        else "So the record does not bear the theory's victory effects out. They rest on the article's argument, and "
        "what a model says of Baku after a Russian victory is the judgement in its file, hardly touched by the history."
    )
    yield (
        "On the wars the models hold the same, so that differences there are chance of the draws, and show how small "
        "that is."
    )


def _gains_by_effects(figures: Mapping[str, Any]) -> list[Difference]:
    """Say what the effects of a success are worth in the reference, with one phase and with two."""
    scores = {
        (row["phases"], row["effects"]): [row["scores"][unit] for unit in sorted(row["scores"])]
        for row in figures["scored"]
        if (row["stage"], row["sharing"]) == ("relations", "partial")
    }
    return [
        difference(scores[phases, True], scores[phases, False]) for phases in sorted({phases for phases, _ in scores})
    ]


def _learned(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "none"
    low, middle, high = row["quantiles"]
    return f"×{middle:.2f} ({low:.2f}–{high:.2f}), {row['narrowing']:.2f}"


def _reach(found: Mapping[str, Any]) -> Iterator[str]:
    scores = [score for row in found["units"] for score in row["scores"].values()]
    yield (
        f"Monte Carlo errors of single scores are at most {max(score['mcse'] for score in scores):.2f}. The scores are "
        "from draws that have read every unit, reweighted to leave one out (Pareto-smoothed; largest k-hat "
        f"{max(score['k_hat'] or 0.0 for score in scores):.2f})."
    )
    far = [
        f"{row['unit']} under {name}" for row in found["units"] for name, s in row["scores"].items() if not s["reached"]
    ]
    if far:
        yield f"The draws do not reach {listed(far)}: do not rely on those scores."


def _rival(parent: ModelSpec, spec: ModelSpec) -> str:
    before, after = entries(parent), entries(spec)
    rows = [
        [_entry(key, before.get(key), after.get(key)), _numbers(before.get(key)), _numbers(after.get(key)),
         basis(after[key].basis) if key in after else ""]
        for key in {**after, **before}
        if before.get(key) != after.get(key)
    ]  # fmt: skip
    path = (MODEL.parent / f"{spec.name}.toml").relative_to(ROOT)
    return "\n".join(
        [
            f"## {plain(spec.model.title)}\n",
            para(plain(spec.model.description)),
            para(f"[`{path}`](../{path}), version `{spec.hash}`.", "The header of the file gives the whole argument."),
            table(["entry", f"in {code(parent.name)}", "here", "basis"], rows),
        ]
    )


def entries(spec: ModelSpec) -> dict[str, Stage | Transition | Effect | Indicator | Outcome | ClassPrior | GradePrior]:
    """Everything that gives a basis, by dotted key; a stage without what has a key of its own."""
    found = {}
    for name, stage in spec.stages.items():
        found[f"stages.{name}"] = stage.model_copy(update={"transitions": (), "effects": {}})
        found |= {f"stages.{name}.transitions.{move.from_}>{move.to}": move for move in stage.transitions}
        found |= {f"stages.{name}.effects.{label}": effect for label, effect in stage.effects.items()}
    for kind, rows in (("indicators", spec.indicators), ("outcomes", spec.outcomes)):
        found |= {f"{kind}.{name}": row for name, row in rows.items()}
    found |= {f"priors.classes.{name}": row for name, row in spec.priors.classes.items()}
    found |= {"priors.grades": spec.priors.grades, "priors.departure": spec.priors.departure}
    scale = spec.priors.diagnosticity
    return found if scale is None else found | {"priors.diagnosticity": scale}


def _entry(key: str, *versions: object) -> str:
    """Name an entry; of an effect also say on what and while what, as it is here or else as it was."""
    effects = [row for row in versions if isinstance(row, Effect)]
    if not effects:
        return code(key)
    shown = effects[-1]
    return f"{code(key)}<br>{code(shown.from_)} → {code(shown.to)}, while {meets(shown.when)}"


def _numbers(row: object) -> str:
    match row:
        case None:
            return "none"
        case Transition():
            return interval(row.per_year)
        case Effect():
            return f"×{interval(row.times)}"
        case ClassPrior():
            return f"{interval(row.per_year)}; spread {interval(row.spread)}"
        case _:
            return "see the file"


def _expert_table(spec: ModelSpec) -> str:
    own = assumptions(spec)
    rows = [
        [
            f"{code(expert.name)}: {plain(expert.label)}",
            f"{spec.expert_weights[expert.name]:.0%}",
            "<br>".join(
                f"{code(key)}: {interval(pair)} (the file: {interval(own[key])})" for key, pair in expert.priors.items()
            )
            or "the file's own",
            basis(expert.basis),
        ]
        for expert in spec.experts
    ]
    return table(["expert", "weight", "intervals", "basis"], rows)
