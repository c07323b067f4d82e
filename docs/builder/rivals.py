"""``rivals.md``: what every rival of the reference model changes, and the experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.builder.entries import basis, interval, meets
from docs.builder.markdown import code, page, para, plain, table
from docs.builder.places import MODEL, ROOT, spec_of
from forecast.theory.assumptions import assumptions
from forecast.theory.spec import ClassPrior, Effect, Transition

if TYPE_CHECKING:
    from forecast.theory.spec import GradePrior, Indicator, ModelSpec, Outcome, Stage


def rivals_page() -> str:
    """Set out what every rival of the reference model changes, and the voices that the reference holds."""
    parent = spec_of(MODEL)
    specs = [spec_of(path) for path in sorted(MODEL.parent.glob("*.toml"))]
    rivals = [spec for spec in specs if spec.extends == parent.name]
    return page(
        "Rival theories",
        "the model files",
        para(
            "A rival is a model file that extends another and says only what differs; [the guide](guide.md) says how",
            f"to write one. Those below extend [`{parent.name}`](model.md): everything else, the evidence included,",
            "is as there, so that forecasts differ by the argument alone.",
        ),
        *(_rival(parent, spec) for spec in rivals),
        "## Experts\n",
        para(
            "Several voices in one model file, each with intervals in place of the file's own. Where a pool is asked",
            "for, they count with their weights; the model's own forecast does not use them.",
        ),
        _expert_table(parent),
    )


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
    return {**found, "priors.grades": spec.priors.grades, "priors.departure": spec.priors.departure}


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
