"""Generate the documents that follow from the model file, the rows and the code.

Run ``.venv/bin/python docs/build.py`` to write them, with ``--check`` to name those that are out of date.
"""

from __future__ import annotations

import argparse
import csv
import html
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import typer.main

from forecast.base.errors import EXIT_CODES
from forecast.cli.app import app
from forecast.engine.blocks import BLOCK, Blocks, Draws
from forecast.engine.propagate import Ahead, Horizons, Questions, Read
from forecast.ledger.admiralty import CREDIBILITY, INFORMATION, RELIABILITY
from forecast.ledger.files import read_rows
from forecast.theory.assumptions import assumptions, bases
from forecast.theory.modelfile import load_spec
from forecast.theory.spec import GRADES, ClassPrior, Effect, Transition, log_normal
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.theory.spec import Basis, GradePrior, Indicator, ModelSpec, Outcome, Rule, Sign, Stage

    Floats = NDArray[np.float64]
    Conditions = Mapping[str, tuple[str, ...]]

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODEL = ROOT / "models" / "russia_azerbaijan.toml"
ROWS = ROOT / "data" / "russia_azerbaijan" / "observations.csv"
PASSAGES = ROOT / "tests" / "passages.csv"
CLAIMS = ROOT / "tests" / "claims.csv"


# Markdown.


def plain(text: object) -> str:
    """Text from a file in one line in which nothing is markup; spans such as `weak` stay code."""
    parts = re.split(r"(`[A-Za-z0-9_.>-]+`)", re.sub(r"\s+", " ", str(text)).strip())
    return "".join(part if k % 2 else _escaped(part) for k, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """Give a name as code, or as plain text where it could break out of it."""
    return f"`{text}`" if re.fullmatch(r"[\w.,:/ >-]+", text) else plain(text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def page(title: str, source: str, *parts: str) -> str:
    """Put a document together."""
    head = f"# {title}\n\n<!-- Made by docs/build.py from {source}; do not edit. -->\n"
    return "\n".join([head, *parts]).rstrip() + "\n"


def para(*sentences: str) -> str:
    """Join sentences to a paragraph of lines that fit a screen."""
    return textwrap.fill(" ".join(sentences), 118, break_long_words=False, break_on_hyphens=False) + "\n"


def bullets(*items: str) -> str:
    """List items, each wrapped."""
    return "".join(textwrap.indent(para(item), "  ").replace("  ", "- ", 1) for item in items)


def number(value: float) -> str:
    """Two significant digits, never in powers of ten."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def interval(pair: tuple[float, float]) -> str:
    """Write a 90 % interval."""
    return f"{number(pair[0])} to {number(pair[1])}"


def median(pair: tuple[float, float]) -> float:
    """Median of the log-normal with this 90 % interval."""
    return float(np.exp(log_normal(pair)[0]))


def names(states: Iterable[str]) -> str:
    """List states in words."""
    return " or ".join(state.replace("_", " ") for state in states)


def basis(rows: Iterable[Basis]) -> str:
    """Write every basis of an entry: kind, quote, source, note."""
    return "<br>".join(_basis(row) for row in rows)


def _basis(row: Basis) -> str:
    text = f"*{row.kind}*"
    if row.quote:
        text += f": “{plain(row.quote)}”" if row.kind == "article" else f": {plain(row.quote)}"
    if row.source and row.source != row.kind:
        text += f" ({plain(row.source)})"
    if row.note:
        join = ":" if not row.quote else "" if text.endswith((".”", "!”", "?”")) else "."
        text += f"{join} {plain(row.note)}"
    return text


def meets(when: Conditions) -> str:
    """Write a condition on stages: ``peace: fresh deal or settled deal; victory: secured``."""
    return plain("; ".join(f"{stage}: {names(states)}" for stage, states in when.items()))


# The model.


def model_page() -> str:
    """State every assumption of the model file."""
    spec = load_spec(MODEL)
    header = spec.model
    path = MODEL.relative_to(ROOT)
    about = para(
        f"The file is [`{path}`](../{path}); what it says is set out here, and [the method](method.md) says what is",
        f"computed from it. Version `{spec.hash}`. The clock starts on {header.start} and ticks every",
        f"{header.step_days} days; systematic coverage counts up to {header.reporting_lag_days} days before the date",
        f"of a forecast; horizons are {', '.join(map(str, header.horizons_weeks))} weeks.",
    )
    return page(
        f"The model: {plain(header.title)}",
        "the model file",
        para(plain(header.description)),
        about,
        _origin(spec),
        "## The cascade\n",
        para(
            "Solid arrows are moves, with their median rate per year. While a condition holds, its dotted arrow",
            "multiplies the rate into a state from the state named, by the median factor. Dotted lines without a",
            "head join a condition to the states that make it up.",
        ),
        f"```mermaid\n{mermaid(spec)}\n```\n",
        *(_stage_section(spec, name) for name in spec.stages),
        "## Outcomes\n",
        _outcome_tables(spec),
        "## Priors shared by all indicators\n",
        _prior_tables(spec),
    )


def _origin(spec: ModelSpec) -> str:
    kinds = [row.kind for _, row in bases(spec)]
    meaning = {
        "article": "words of the theory, quoted",
        "reference": "a row of the base rates, cited by its number and put briefly",
        "judgement": "the modeller's choice, with its reason",
    }
    rows = [[f"*{kind}*", text, str(kinds.count(kind))] for kind, text in meaning.items()]
    sources = [[code(key), plain(row.title), str(row.published or "")] for key, row in spec.sources.items()]
    return "\n".join(
        [
            "## Where the assumptions come from\n",
            "Each entry gives its basis, of one or more kinds.\n",
            table(["kind", "meaning", "in this model"], rows),
            table(["source", "title", "published"], sources),
        ]
    )


def mermaid(spec: ModelSpec) -> str:
    """Draw stages, moves and effects as a Mermaid flow chart."""
    lines = ["flowchart TB"]
    for name, stage in spec.stages.items():
        lines.append(f'  subgraph {name}_stage["{_quoted(stage.label)}"]')
        lines += [f'    {name}_{state}(["{_quoted(state.replace("_", " "))}"])' for state in stage.states]
        lines += [
            f'    {name}_{move.from_} -->|"{number(median(move.per_year))}"| {name}_{move.to}'
            for move in stage.transitions
        ]
        lines.append("  end")
    whens: list[Conditions] = []
    pulls: dict[tuple[str, str], list[str]] = {}
    for name, stage in spec.stages.items():
        for effect in stage.effects.values():
            if effect.when not in whens:
                whens.append(effect.when)
            here = pulls.setdefault((_node(effect.when, whens), f"{name}_{effect.to}"), [])
            here.append(f"×{number(median(effect.times))} from {effect.from_.replace('_', ' ')}")
    lines += _condition_lines(spec, whens)
    lines += [f'  {node} -.->|"{"<br>".join(map(_quoted, texts))}"| {to}' for (node, to), texts in pulls.items()]
    conditions = [_node(when, whens) for when in whens if not _single(when)]
    lines += ["  classDef condition stroke-dasharray: 4 3", f"  class {','.join(conditions)} condition"]
    return "\n".join(lines[: None if conditions else -2])


def _quoted(text: str) -> str:
    return html.escape(text)


def _single(when: Conditions) -> bool:
    return [len(states) for states in when.values()] == [1]


def _node(when: Conditions, whens: list[Conditions]) -> str:
    """Name the node of a condition: the state itself where the condition is one state."""
    if _single(when):
        ((stage, (state,)),) = when.items()
        return f"{stage}_{state}"
    return f"condition_{whens.index(when)}"


def _condition_lines(spec: ModelSpec, whens: list[Conditions]) -> list[str]:
    """Draw conditions of several states, each joined to what it consists of: states, or a smaller condition."""
    lines = []
    for when in whens:
        if _single(when):
            continue
        label = next((row.label for row in spec.outcomes.values() if row.states == when), meets(when))
        node = _node(when, whens)
        lines.append(f'  {node}{{{{"{_quoted(label)}"}}}}')
        rest = dict(when)
        for other in whens:
            if other != when and not _single(other) and other.items() <= rest.items():
                lines.append(f"  {_node(other, whens)} -.- {node}")
                rest = {stage: states for stage, states in rest.items() if stage not in other}
        lines += [f"  {stage}_{state} -.- {node}" for stage, states in rest.items() for state in states]
    return lines


def _stage_section(spec: ModelSpec, name: str) -> str:
    stage = spec.stages[name]
    total = sum(stage.start.values())
    states = [
        [
            code(state),
            plain(stage.describe.get(state, "")),
            f"{number(stage.start[state])} ({stage.start[state] / total:.0%})" if state in stage.start else "none",
            "yes" if state in stage.observable else "",
        ]
        for state in stage.states
    ]
    moves = [
        [f"{code(move.from_)} → {code(move.to)}", interval(move.per_year), number(median(move.per_year)),
         basis(move.basis)]
        for move in stage.transitions
    ]  # fmt: skip
    parts = [
        f"## Stage `{name}`: {plain(stage.label)}\n",
        "### States\n",
        "Weights are those of a Dirichlet distribution over the state at the start; in brackets their share.\n",
        table(["state", "meaning", "start weight", "observable"], states),
        f"Basis of the start: {basis(stage.basis)}\n",
        "### Transitions\n",
        "Rates per year.\n",
        table(["move", "90 % interval", "median", "basis"], moves),
    ]
    if stage.effects:
        effects = [_effect_row(key, effect) for key, effect in stage.effects.items()]
        parts += [
            "### Effects\n",
            "Multipliers on a rate while the condition upstream holds.\n",
            table(["effect", "on", "while", "90 % interval", "median", "basis"], effects),
        ]
    indicators = {key: row for key, row in spec.indicators.items() if row.stage == name}
    return "\n".join([*parts, _indicator_tables(indicators)])


def _effect_row(key: str, effect: Effect) -> list[str]:
    move = f"{code(effect.from_)} → {code(effect.to)}"
    return [code(key), move, meets(effect.when), interval(effect.times), number(median(effect.times)),
            basis(effect.basis)]  # fmt: skip


def _indicator_tables(indicators: Mapping[str, Indicator]) -> str:
    short = [
        [code(key), plain(row.label), plain(names(row.points_to)), row.grade, plain(row.class_), _repeats(row)]
        for key, row in indicators.items()
    ]
    long = [
        [code(key), "<br>".join(_sign(sign) for sign in row.signs), basis(row.basis)] for key, row in indicators.items()
    ]
    return "\n".join(
        [
            "### Indicators\n",
            table(["indicator", "what it is", "points to", "grade", "class", "once only"], short),
            "What each looks like, with the passage that names the sign where there is one:\n",
            table(["indicator", "signs", "basis"], long),
        ]
    )


def _repeats(row: Indicator) -> str:
    if row.repeats:
        return ""
    return f"yes, until {code(row.reset_by)}" if row.reset_by else "yes"


def _sign(sign: Sign) -> str:
    return plain(sign.what) + (f": “{plain(sign.quote)}”" if sign.quote else "")


def _outcome_tables(spec: ModelSpec) -> str:
    rows = [[code(key), plain(row.label), meets(row.states), basis(row.basis)] for key, row in spec.outcomes.items()]
    rules = [_resolution(key, row) for key, row in spec.outcomes.items()]
    asked = [
        [
            code(row.outcome),
            plain(row.condition.replace("_", " ")),
            "its beginning" if row.after else "both on the date",
        ]
        for row in spec.conditionals
    ]
    return "\n".join(
        [
            table(["outcome", "label", "states", "basis"], rows),
            "How the world resolves them. Every clause of a rule has to be met.\n",
            table(["outcome", "in words", "rule", "sources", "frozen"], rules),
            "### Conditionals\n",
            "Probabilities that are asked under a condition.\n",
            table(["outcome", "condition", "counted from"], asked),
        ]
    )


def _resolution(key: str, row: Outcome) -> list[str]:
    rule = "<br>".join(_rule(part) for part in row.resolves)
    return [code(key), plain(row.resolution), rule, plain("; ".join(row.sources)), str(row.frozen)]


def _rule(rule: Rule) -> str:
    if rule.observable:
        return f"{code(rule.observable)} on record in an observable state"
    return f"{rule.stories} stories within {rule.within_weeks} weeks of: {', '.join(map(code, rule.of))}"


def _prior_tables(spec: ModelSpec) -> str:
    priors = spec.priors
    classes = [
        [code(key), interval(row.per_year), number(median(row.per_year)), interval(row.spread), basis(row.basis)]
        for key, row in priors.classes.items()
    ]
    grades = [[grade, f"×{number(value)}"] for grade, value in zip(GRADES, priors.grades.medians, strict=True)]
    return "\n".join(
        [
            "### Classes\n",
            para(
                "*Rate*: how often a year a typical indicator of the class is detected in a state that it does not",
                "point to. *Spread*: standard deviation of the log rates within the class.",
            ),
            table(["class", "rate, 90 % interval", "median", "spread, 90 % interval", "basis"], classes),
            "### Grades\n",
            para(
                "An indicator occurs this many times as often in the states it points to (prior medians;",
                f"concentration {number(priors.grades.concentration)}).",
            ),
            table(["grade", "multiplier"], grades),
            f"Basis: {basis(priors.grades.basis)}\n",
            "### Departure\n",
            para(
                "How far one indicator departs from its grade: half-normal with scale",
                f"{number(priors.departure.scale)} on the log scale of the log multiplier.",
            ),
            f"Basis: {basis(priors.departure.basis)}\n",
        ]
    )


# The rivals.


def rivals_page() -> str:
    """Set out what every rival of the reference model changes, and the voices that the reference holds."""
    parent = load_spec(MODEL)
    specs = [load_spec(path) for path in sorted(MODEL.parent.glob("*.toml"))]
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


# The article's passages.


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def passages_page() -> str:
    """Map passages to rows, rows to indicators, and claims to entries of the model."""
    passages = _read(PASSAGES)
    rows = [dict(row.cells) for row in read_rows(ROWS)]
    dated = [[row["n"], f"“{plain(row['passage'])}”", plain(row["date_text"]), _place(row["row_id"])]
             for row in passages]  # fmt: skip
    told = [
        [
            code(row["id"]),
            row["date"][: 7 if row["precision"] == "month" else 10],
            code(row["indicator"] or row["state"]),
            plain(row["grade"]),
            ", ".join(part["n"] for part in passages if part["row_id"] == row["id"]),
            plain(row["note"]),
        ]
        for row in rows
    ]
    claims = [[row["n"], f"“{plain(row['passage'])}”", code(row["entry"])] for row in _read(CLAIMS)]
    return page(
        "Passages of the article",
        "tests/passages.csv, tests/claims.csv and the starter evidence",
        para(
            "Where each dated passage of the article went, what each row of the starter evidence stands on, and",
            "which entry of the [model](model.md) carries each claim.",
        ),
        "## Dated passages\n",
        "A passage has become a row, or stands in the model, or is background and dates no event of its own.\n",
        table(["n", "passage", "date", "place"], dated),
        "## Rows\n",
        "A date without a day means that only the month is known. *Passages* are numbers of the table above.\n",
        table(["row", "date", "indicator or state", "grade", "passages", "note"], told),
        "## Claims\n",
        table(["n", "passage", "entry of the model"], claims),
    )


def _place(text: str) -> str:
    kind, colon, rest = text.partition(": ")
    if not colon:
        return f"row {code(text)}"
    return f"{kind} {code(rest)}" if kind == "model" else plain(text)


# Credibility.

SOURCES = {
    "A": "completely reliable",
    "B": "usually reliable",
    "C": "fairly reliable",
    "D": "not usually reliable",
    "E": "unreliable",
    "F": "reliability cannot be judged",
}
NEWS = {
    "1": "confirmed by other sources",
    "2": "probably true",
    "3": "possibly true",
    "4": "doubtful",
    "5": "improbable",
    "6": "truth cannot be judged",
}


def credibility_page() -> str:
    """Show the table of credibilities and why it is as it is."""
    grid = [[f"**{s}** {SOURCES[s]}", *(f"{CREDIBILITY[s + i]:.2f}" for i in NEWS)] for s in SOURCES]
    factors = [
        [f"{s} {SOURCES[s]}", f"{RELIABILITY[s]:.2f}", f"{i} {NEWS[i]}", f"{INFORMATION[i]:.2f}"]
        for s, i in zip(SOURCES, NEWS, strict=True)
    ]
    return page(
        "Credibility of a row",
        "the table in forecast/ledger.py",
        para(
            "Every observation carries an Admiralty grade: a letter for the source and a digit for the information,",
            "judged apart. The grade gives the credibility *w*, the probability that what the row reports is so. How",
            "*w* enters the likelihood is in [the method](method.md).",
        ),
        table(["source and information", *(f"**{i}** {words}" for i, words in NEWS.items())], grid),
        "## Why these numbers\n",
        para(
            "The words of the system rank; they are not numbers. Here each letter and each digit gets a probability,",
            "and a grade gets the product: the source passes a true report on, *and* the information holds. The",
            "product treats the two as independent, which is what grading them apart asks for.",
        ),
        table(["source", "passes it on", "information", "holds"], factors),
        bullets(
            "Nothing reaches 1: even a confirmed report from the best source can be a mistake.",
            "F and 6 mean *cannot be judged*, not *bad*. They are even odds, so F stands above E and 6 level with 4.",
            "A row with a small *w* says little. It never speaks against what it reports.",
            "A one-off indicator is closed, or opened again, only by a row with *w* of at least ½.",
            "The numbers are a convention of this package. They are fixed in the code and not learned: some thirty rows"
            " cannot teach thirty-six numbers.",
        ),
    )


# The command line.


def cli_page() -> str:
    """Write the reference of the command line from the commands themselves."""
    group = typer.main.get_command(app)
    commands = group.commands  # pyright: ignore[reportAttributeAccessIssue]
    index = [[f"[`forecast {name}`](#forecast-{name})", _help(command)[0]] for name, command in commands.items()]
    return page(
        "Command line",
        "the commands themselves",
        f"{plain(group.help)}\n",
        table(["command", "what it does"], index),
        *(_command(name, command) for name, command in commands.items()),
        "## Exit codes\n",
        table(
            ["code", "meaning"],
            [[str(code), meaning] for code, meaning in EXIT_CODES.items()],
        ),
        "Messages about errors go to standard error. `--json` prints JSON and nothing else to standard output.\n",
    )


def _help(command: object) -> tuple[str, str]:
    """Split a command's help into its text and its example."""
    text, _, example = str(getattr(command, "help", "")).partition("Example: ")
    return re.sub(r"\s+", " ", text).strip(), example.strip().strip("`")


def _command(name: str, command: object) -> str:
    text, example = _help(command)
    params = list(getattr(command, "params", []))
    usage = [f"forecast {name}"]
    rows = []
    for param in params:
        if param.param_type_name == "argument":
            shown = param.name.upper() + ("..." if param.nargs == -1 else "")
            usage.append(shown if param.required else f"[{shown}]")
        else:
            kind = "" if param.is_flag else f" {param.metavar or ('N' if isinstance(param.default, int) else 'TEXT')}"
            shown = ", ".join(opt + kind for opt in param.opts)
            if param.required:
                usage.append(param.opts[0] + kind)
        rows.append([f"`{shown}`", plain(param.help or ""), _default(param)])
    if any(param.param_type_name == "option" and not param.required for param in params):
        usage.append("[OPTIONS]")
    parts = [f"## forecast {name}\n", f"{text}\n", f"```text\n{' '.join(usage)}\n```\n"]
    parts += [table(["argument or option", "meaning", "default"], rows), f"Example:\n\n```sh\n{example}\n```\n"]
    return "\n".join(parts)


def _default(param: object) -> str:
    if getattr(param, "required", False):
        return "required"
    value = getattr(param, "default", None)
    least = getattr(param, "min", None)
    shown = "" if value in (None, "", False) else code(str(value))
    return f"{shown} (at least {least})" if least is not None else shown


# What the prior says.

DRAWS = 4000
SEED = 20260109
CHECK_WEEKS = (12, 25, 52)
LONG_WEEKS = 260
LATER_WEEKS = 13
CHECK_START = {"peace": ("advancing",), "victory": ("open",), "relations": ("truce",)}
CHECK_DEAL = (0.10, 0.17, 0.28)
CHECK_CONFRONTATION = 0.24
CHECK_SECURED = 0.46
CHECK_SHARE = (0.20, 0.42, 0.65)


class Share(NamedTuple):
    """A probability: mean over draws and 90 % interval over draws."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it in percent."""
        return f"{self.mean:.0%} ({self.low:.0%} to {self.high:.0%})"


def prior_draws(space: StateSpace, size: int, rng: np.random.Generator) -> Draws:
    """Draw the rates from the prior; sightings and the start play no part here and are left at zero."""
    stages = space.spec.stages.values()

    def drawn(intervals: list[tuple[float, float]]) -> Floats:
        mean, sd = np.array([log_normal(pair) for pair in intervals]).T
        return mean + sd * rng.standard_normal((size, len(intervals)))

    transition = drawn([move.per_year for stage in stages for move in stage.transitions])
    effect = drawn([effect.times for stage in stages for effect in stage.effects.values()])
    log_rate = transition[:, space.rate_transition] + effect @ space.rate_effect.T
    return Draws(log_rate, np.zeros((size, len(space.emission_names))), np.zeros((size, len(space.stage_states))))


def _share(values: Floats) -> Share:
    return Share(float(values.mean()), *(float(edge) for edge in np.quantile(values, [0.05, 0.95])))


def _ratio(part: Floats, whole: Floats) -> Share:
    """Ratio of expectations; the interval is over draws weighted by ``whole``."""
    each = part / whole
    order = np.argsort(each)
    weight = (np.cumsum(whole[order]) - whole[order] / 2) / whole.sum()
    return Share(float(part.mean() / whole.mean()), *(float(x) for x in np.interp([0.05, 0.95], weight, each[order])))


class Prior:
    """Figures that the prior implies, from one set of draws and the start of the base rates' own check."""

    def __init__(self, spec: ModelSpec) -> None:
        """Draw from the prior."""
        self.space = StateSpace(spec)
        self.draws = prior_draws(self.space, DRAWS, np.random.default_rng(SEED))
        self.start = self.space.members(CHECK_START).astype(float)
        self.deal = self.space.members(spec.outcomes["deal"].states)
        self.secured = self.space.members({"victory": ("secured",)})
        self.settled = self.space.members({"peace": ("settled_deal",)})

    def _answers(
        self, weeks: Sequence[int], later: int, sets: list[Floats], after: list[tuple[Floats, Floats]]
    ) -> Read:
        """Answer from the start: sets at the horizons, entered by them, and beginnings with what follows."""
        size = self.space.size
        pairs = tuple(np.array([pair[k] for pair in after]).reshape(-1, size).astype(bool) for k in (0, 1))
        step = self.space.spec.model.step_days / 365.25
        horizons = Horizons(0.0, step, 0.0, step, 0.0, np.array(weeks))
        asked = Questions(np.array(sets), np.array(sets), *pairs, np.full(len(after), later))
        blocks = Blocks(chain_of(self.space), self.draws)
        states = np.broadcast_to(self.start[:, None], (blocks.count, size, BLOCK))
        return Ahead(blocks, horizons, asked).read(np.ascontiguousarray(states))

    def reached(self, sets: list[Floats]) -> list[list[Share]]:
        """Probability of entering each set within each of `CHECK_WEEKS`."""
        found = self._answers(CHECK_WEEKS, 1, sets, []).reached
        return [[_share(found[h, m]) for h in range(len(CHECK_WEEKS))] for m in range(len(sets))]

    def secured_shares(self, weeks: int) -> list[Share]:
        """Share of the deals first signed within ``weeks`` that are secured: at once, once settled, and later."""
        now = self._answers([weeks], 0, [self.deal], [(self.secured, self.deal), (self.secured, self.settled)]).after
        then = self._answers(
            [weeks], LATER_WEEKS, [self.deal], [(self.deal & self.secured, self.deal), (self.deal, self.deal)]
        ).after
        return [_ratio(*now[0]), _ratio(*now[1]), _ratio(then[0, 0], then[1, 0])]


def _against(mine: float, theirs: float) -> str:
    gap = round(100 * mine) - round(100 * theirs)
    if abs(gap) <= 1:
        return "the same up to rounding"
    return f"{abs(gap)} points {'higher' if gap > 0 else 'lower'}"


def prior_page() -> str:
    """Say what the prior implies before any evidence, beside the base rates."""
    spec = load_spec(MODEL)
    prior = Prior(spec)
    sets = [prior.deal, prior.space.members(spec.outcomes["confrontation"].states), prior.secured]
    deal, confrontation, secured = prior.reached(sets)
    year, long = prior.secured_shares(CHECK_WEEKS[-1]), prior.secured_shares(LONG_WEEKS)
    low, middle, high = CHECK_SHARE
    shares = [
        [label, str(first), str(second)]
        for label, first, second in zip(
            ("in the week of signing", "when it settles", f"{LATER_WEEKS} weeks after signing, if still in force"),
            year,
            long,
            strict=True,
        )
    ]
    events = [
        ["a deal is signed", *(str(share) for share in deal), ", ".join(f"{x:.0%}" for x in CHECK_DEAL)],
        ["a confrontation begins", *(str(share) for share in confrontation), f"52 weeks: {CHECK_CONFRONTATION:.0%}"],
        ["the terms are secured, deal or not", *(str(share) for share in secured), f"52 weeks: {CHECK_SECURED:.0%}"],
    ]
    return page(
        "What the prior says",
        "the model file",
        para(
            f"Before any evidence: {DRAWS} draws of the rates from the prior, seed {SEED}, each propagated exactly.",
            "All figures start from advancing talks, open terms and a truce, as the base rates' own check does. They",
            "are means over draws, with 90 % intervals over draws. The simulation error of a mean is below one",
            "point.",
        ),
        "## Share of deals that end secured\n",
        para(
            f"Of the first deals signed within {CHECK_WEEKS[-1]} and within {LONG_WEEKS} weeks, those with terms that",
            "are a victory for Russia. Draws count in proportion to the deals they produce.",
        ),
        table(["secured", f"signed within {CHECK_WEEKS[-1]} weeks", f"signed within {LONG_WEEKS} weeks"], shares),
        para(
            f"The base rates give a share at signing: {middle:.0%} ({low:.0%} to {high:.0%}). Rates have no jump at",
            f"signing, so in that week the model's share is lower, {long[0].mean:.0%} of the deals within",
            f"{LONG_WEEKS} weeks. The effects of a deal bring it to {long[1].mean:.0%} when the deal settles and to",
            f"{long[2].mean:.0%} of those in force after {LATER_WEEKS} weeks. The intervals are wider than the base",
            "rates', because the rates before a deal are so little known. Deals of the first year stay lower",
            f"({year[1].mean:.0%} when they settle), because the terms start open and have had little time to change.",
        ),
        "## Within a year\n",
        "Probability that it begins within so many weeks.\n",
        table(["event", *(f"{weeks} weeks" for weeks in CHECK_WEEKS), "base rates' check"], events),
        bullets(
            f"*Deal*: {_against(deal[-1].mean, CHECK_DEAL[-1])}. The rates into a deal are those of the base rates.",
            f"*Confrontation*: {_against(confrontation[-1].mean, CHECK_CONFRONTATION)}. While talks are stalled the"
            " model slows moves from truce to confrontation, which is the article's argument and not in the base rates;"
            " a strategic victory, which raises them, seldom comes within the year.",
            f"*Secured*: {_against(secured[-1].mean, CHECK_SECURED)}. The base rates let a share of the deals be"
            " secured on signing; the model lets them become secured over the first months.",
        ),
    )


PAGES: dict[str, Callable[[], str]] = {
    "model.md": model_page,
    "passages.md": passages_page,
    "credibility.md": credibility_page,
    "cli.md": cli_page,
    "prior.md": prior_page,
    "rivals.md": rivals_page,
}


def out_of_date(pages: Iterable[str] = tuple(PAGES)) -> list[str]:
    """Name the documents that are not what they would be now."""
    stale = []
    for name in pages:
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != PAGES[name]():
            stale.append(name)
    return stale


def main() -> int:
    """Write the documents, or check them."""
    parser = argparse.ArgumentParser(description="Write the generated documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a document is out of date")
    if parser.parse_args().check:
        stale = out_of_date()
        for name in stale:
            print(f"docs/{name} is out of date; run docs/build.py")
        return 1 if stale else 0
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
