"""Small random models with ledgers that touch every rule of docs/method.md, for comparison with the oracle."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from oracle import Parameters, among, derived
from oracle_stages import _leads, _start
from small_models import BASIS

from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import compile_history
from forecast.inference.anchor import Anchor
from forecast.inference.shifted_prior import Parameters as Moving
from forecast.ledger import admiralty
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec


SEEDS = range(40)

WITH_PHASES = 3  # states of a stage
SHAPES = ((2, 2), (2, 3), (3, 2), (2, 2, 2))
CREDIBILITY = {"A1": 0.97, "B2": 0.85, "C3": 0.6, "D4": 0.35, "E5": 0.1, "F6": 0.0}  # one mapping a test may use


# The model.


def _interval(rng: np.random.Generator, low: float, high: float) -> str:
    a = rng.uniform(low, high)
    return f"[{a:.3f}, {a * rng.uniform(1.3, 4):.3f}]"


def _some(rng: np.random.Generator, names: Sequence[str]) -> list[str]:
    """Pick at least one of ``names`` and not all."""
    return sorted(map(str, rng.choice(names, size=int(rng.integers(1, len(names))), replace=False)))


def _quoted(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _moves(rng: np.random.Generator, states: Sequence[str], *, one_way: bool) -> list[tuple[str, str]]:
    """Choose transitions, in an order unlike that of the states: always a chain from the first state to the last."""
    there = list(itertools.pairwise(states))
    back = [] if one_way else [(b, a) for a, b in there]
    other = [edge for edge in itertools.permutations(states, 2) if edge not in there + [(b, a) for a, b in there]]
    extra = [] if one_way else [edge for edge in other if rng.random() < 0.6]
    edges = there + back + extra
    return [edges[k] for k in rng.permutation(len(edges))]


def _effects(
    rng: np.random.Generator, name: str, upstream: dict[str, tuple[str, ...]], moves: list[tuple[str, str]]
) -> list[str]:
    """Write one to three effects; with two stages upstream the first depends on both."""
    lines = []
    for k in range(int(rng.integers(1, 4)) if upstream else 0):
        a, b = moves[rng.integers(len(moves))]
        stages = list(upstream) if k == 0 else _some(rng, [*upstream, "?"])
        when = {stage: _some(rng, upstream[stage]) for stage in stages if stage in upstream}
        if not when:
            when = {next(iter(upstream)): _some(rng, upstream[next(iter(upstream))])}
        conditions = ", ".join(f"{stage} = {_quoted(states)}" for stage, states in when.items())
        times = _interval(rng, 2, 8) if rng.random() < 0.6 else _interval(rng, 0.1, 0.4)
        lines += [
            f"[stages.{name}.effects.e{k}]",
            f'from = "{a}"\nto = "{b}"\nwhen = {{ {conditions} }}\ntimes = {times}\n{BASIS}',
        ]
    return lines


def _stages(rng: np.random.Generator, shape: Sequence[int]) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Write the stages; one has an observable set that contains its last state and not its first.

    Of a stage with three states the last two are phases of one where nothing is observable; of the first stage where
    both are, too.
    """
    lines: list[str] = []
    states: dict[str, tuple[str, ...]] = {}
    observed = int(rng.integers(len(shape))) if rng.random() < 0.5 else int(np.argmax(shape))
    for s, size in enumerate(shape):
        name = f"stage_{'xyz'[s]}"
        own = tuple(f"{'xyz'[s]}{k}" for k in range(size))
        moves = _moves(rng, own, one_way=rng.random() < (0.05 if s == observed else 0.15))
        weighted = [own[0]] + [other for other in own[1:] if rng.random() < 0.5]
        weights = ", ".join(f"{w} = {rng.uniform(0.5, 4):.2f}" for w in reversed(weighted))
        observable = own[int(rng.integers(1, size)) :] if s == observed else ()
        lines += [f'[stages.{name}]\nlabel = "{name}"\nstates = {_quoted(own)}\nstart = {{ {weights} }}\n{BASIS}']
        if observable:
            lines[-1] += f"\nobservable = {_quoted(observable)}"
        if size == WITH_PHASES and (not observable or (name == "stage_x" and len(observable) > 1)):
            state, both = f"{own[1]}_or_{own[2]}", _quoted(own[1:])
            lines[-1] = lines[-1].replace(_quoted(own), _quoted([own[0], state])).replace(both, _quoted([state]))
            lines[-1] += f"\nphases = {{ {state} = {both} }}"
        for a, b in moves:
            per_year = _interval(rng, 1, 30)
            lines.append(f'[[stages.{name}.transitions]]\nfrom = "{a}"\nto = "{b}"\nper_year = {per_year}\n{BASIS}')
        lines += _effects(rng, name, states, moves)
        states[name] = own
    return lines, states


def _indicators(rng: np.random.Generator, states: dict[str, tuple[str, ...]], start: dt.date) -> list[str]:
    """Write five to seven indicators over all stages; the first is a one-off, sometimes reset by another one-off.

    The third and the sixth joined the vocabulary in the third week.
    """
    count = int(rng.integers(5, 8))
    stages = [list(states)[k % len(states)] for k in rng.permutation(count)]
    reset = int(rng.integers(1, count))
    mutual = rng.random() < 0.3
    lines = []
    for i, stage in enumerate(stages):
        grade = str(rng.choice(["weak", "moderate", "strong", "decisive"]))
        once = ""
        if i == 0:
            once = f'\nrepeats = false\nreset_by = "i{reset}"'
        elif i == reset and mutual:
            once = '\nrepeats = false\nreset_by = "i0"'
        elif rng.random() < (0.4 if i == reset else 0.15):
            once = "\nrepeats = false"
        if i % 3 == 2:
            once += f"\nsince = {start + dt.timedelta(days=17)}"
        lines.append(
            f'[indicators.i{i}]\nlabel = "i{i}"\nstage = "{stage}"\npoints_to = {_quoted(_some(rng, states[stage]))}\n'
            f'grade = "{grade}"\nclass = "{rng.choice(["slow", "fast"])}"\n'
            f'signs = [{{ what = "a sign" }}]{once}\n{BASIS}'
        )
    return lines


def model_text(rng: np.random.Generator) -> str:
    """Write a random model file: two or three stages, at most eight joint states."""
    shape = SHAPES[rng.integers(len(SHAPES))]
    start = dt.date(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, 700)))
    stages, states = _stages(rng, shape)
    first, *_, last = states
    c = rng.uniform(1.5, 6)
    header = (
        f'[model]\nname = "world"\ntitle = "World"\ndescription = "Random."\ndataset = "world"\nstart = {start}\n'
        f"step_days = 7\nreporting_lag_days = {(lag := rng.integers(0, 6))}\n"
        f"episode_days = {0 if lag % 2 else 3 * lag + 6}\nhorizons_weeks = [1, 2, 3]"
    )
    lines = [
        "format = 1",
        header,
        '[sources.s]\ntitle = "None"',
        *stages,
        *_indicators(rng, states, start),
    ]
    outcomes = {
        "outcome": {last: _some(rng, states[last])},
        "condition": {first: _some(rng, states[first])},
        "both": {name: _some(rng, own) for name, own in states.items()},
    }
    for name, wanted in outcomes.items():
        where = ", ".join(f"{stage} = {_quoted(own)}" for stage, own in wanted.items())
        lines.append(
            f'[outcomes.{name}]\nlabel = "{name}"\nstates = {{ {where} }}\nresolution = "By rule."\n'
            f'sources = ["somebody"]\nresolves = [{{ stories = 1, of = ["i1"], within_weeks = 4 }}]\n'
            f"frozen = {start}\n{BASIS}"
        )
    lines += [
        f"[priors.classes.slow]\nper_year = {_interval(rng, 0.5, 2)}\nspread = {_interval(rng, 0.2, 0.5)}\n{BASIS}",
        f"[priors.classes.fast]\nper_year = {_interval(rng, 1.5, 4)}\nspread = {_interval(rng, 0.2, 0.5)}\n{BASIS}",
        f"[priors.grades]\nweak = 2\nmoderate = 4\nstrong = 10\ndecisive = 30\nconcentration = {c:.2f}\n{BASIS}",
        f"[priors.departure]\nscale = {rng.uniform(0.1, 0.4):.3f}\n{BASIS}",
    ]
    if c < 3.5:
        lines.append(f"[priors.diagnosticity]\ntimes = [0.5, {1 + c / 10:.2f}]\n{BASIS}")
    text = "\n\n".join(lines) + "\n"
    for letter in "xyz":
        if f"{letter}1_or_{letter}2 = " in text:
            for part in ("points_to", *states):
                both = f'["{letter}1", "{letter}2"]'
                text = text.replace(f"{part} = {both}", f'{part} = ["{letter}1_or_{letter}2"]')
    return text


def draw_values(spec: ModelSpec, rng: np.random.Generator, *, of_prior: bool = False) -> dict[str, np.ndarray | float]:
    """Draw every parameter near its prior, on its own scale, laid out as for `oracle.log_prior`; or from its prior."""

    def around(intervals: list[tuple[float, float]]) -> np.ndarray:
        middle = np.array([np.sqrt(low * high) for low, high in intervals])
        sd = np.array([np.log(high / low) / 3.2897 if of_prior else 0.4 for low, high in intervals])
        return np.log(middle) + sd * rng.standard_normal(len(intervals))

    stages, indicators = spec.stages.values(), len(spec.indicators)
    values: dict[str, np.ndarray | float] = {
        "eta": around([move.per_year for stage in stages for move in stage.transitions]),
        "delta": around([effect.times for stage in stages for effect in stage.effects.values()]),
        "mu": around([prior.per_year for prior in spec.priors.classes.values()]),
        "log_sigma": around([prior.spread for prior in spec.priors.classes.values()]),
        "z": rng.standard_normal(indicators),
        "zeta": rng.standard_normal(indicators),
        "increment": rng.beta(spec.priors.grades.concentration, spec.priors.grades.concentration, size=4),
        "tau": float(abs(rng.standard_normal()) * spec.priors.departure.scale),
    }
    if spec.priors.diagnosticity is not None:
        low, high = spec.priors.diagnosticity.times
        (other,) = rng.spawn(1)
        values["kappa"] = float(np.sqrt(low * high) * (high / low) ** (other.standard_normal() / 3.2897))
    for name, stage in spec.stages.items():
        values[f"start_{name}"] = rng.dirichlet(list(_start(stage).values()))
    return values


# The ledger.


def _observe(rng: np.random.Generator, day: dt.date, last: dt.date, **fields: str | bool) -> dict:
    """Fill in the fields of a row that happened on ``day`` and was reported by ``last``."""
    late = min(int(rng.integers(0, 4)), max((last - day).days, 0))
    grade = str(rng.choice(["A1", "B2", "C3", "D4", "E5", "F6"], p=[0.2, 0.25, 0.2, 0.15, 0.12, 0.08]))
    precision = "month" if rng.random() < 0.2 else "day"
    reported_on = day + dt.timedelta(days=late)
    told = {"date": day, "reported_on": reported_on, "source": "somebody", "grade": grade, "precision": precision}
    return told | fields


def random_rows(spec: ModelSpec, as_of: dt.date, rng: np.random.Generator) -> tuple[list[Observation], list[Coverage]]:
    """Make a ledger around ``as_of`` that uses every field; ids are in no order, and rows are shuffled."""
    start = spec.model.start
    length = (as_of - start).days + 1

    def on(low: int = 0, high: int = length) -> dt.date:
        return start + dt.timedelta(days=int(rng.integers(low, max(high, low + 1))))

    names = list(spec.indicators)
    rows = [_observe(rng, on(), as_of, indicator=str(rng.choice(names))) for _ in range(rng.integers(3, 8))]
    for story in ("s1", "s2", "s3"):
        core = str(rng.choice(names))
        for _ in range(rng.integers(0, 4)):
            indicator = core if rng.random() < 0.5 else str(rng.choice(names))
            distinct = bool(rng.random() < 0.2)
            rows.append(_observe(rng, on(), as_of, indicator=indicator, story=story, distinct=distinct))
    for _ in range(rng.integers(0, 3)):  # assessments; of an observable stage only outside its set
        name = str(rng.choice(list(spec.stages)))
        state = str(rng.choice([s for s in spec.stages[name].states if s not in spec.stages[name].observable]))
        story = "s1" if rng.random() < 0.3 else ""
        rows.append(_observe(rng, on(), as_of, state=f"{name}.{state}", story=story))
    rows += _record_rows(spec, as_of, rng)
    rows += _one_off_rows(spec, as_of, rng)
    rows += _useless_rows(spec, as_of, rng)
    ids = rng.permutation(len(rows))
    shuffled = [Observation(id=f"r{ids[k]:02d}", **rows[k]) for k in rng.permutation(len(rows))]
    return shuffled, _coverage_rows(spec, as_of, rng)


def _record_rows(spec: ModelSpec, as_of: dt.date, rng: np.random.Generator) -> list[dict]:
    """Record the observable set, mostly, and sometimes its end, a repetition or a new beginning."""
    length = (as_of - spec.model.start).days + 1
    name, stage = next((name, stage) for name, stage in spec.stages.items() if stage.observable)
    outside = [s for s in stage.states if s not in stage.observable]
    days = sorted(rng.choice(length, size=3, replace=False))
    kinds = [(), ("in",), ("in", "in"), ("in", "out"), ("in", "out"), ("in", "out", "in")][rng.integers(6)]
    rows = []
    for day, kind in zip(days, kinds, strict=False):
        state = str(rng.choice(stage.observable if kind == "in" else outside))
        date = spec.model.start + dt.timedelta(days=int(day))
        rows.append(_observe(rng, date, as_of, state=f"{name}.{state}") | {"reported_on": date})
    return rows


def _one_off_rows(spec: ModelSpec, as_of: dt.date, rng: np.random.Generator) -> list[dict]:
    """See the one-off and what resets it in turn (closed, seen again, open, closed), or a beginning of that."""
    length = (as_of - spec.model.start).days + 1
    reset_by = spec.indicators["i0"].reset_by
    assert reset_by is not None
    days = sorted(rng.integers(0, length, size=4))
    orders = (["i0", "i0", reset_by, "i0"], ["i0", reset_by, "i0", "i0"], [reset_by, "i0", reset_by, "i0"])
    names = orders[rng.integers(3)]
    grades = [str(rng.choice(["A1", "B2", "D4"], p=[0.45, 0.4, 0.15])) for _ in names]
    dates = [spec.model.start + dt.timedelta(days=int(day)) for day in days]
    seen = list(zip(dates, names, grades, strict=True))[: rng.integers(1, 5)]
    return [_observe(rng, date, as_of, indicator=name) | {"grade": grade} for date, name, grade in seen]


def _useless_rows(spec: ModelSpec, as_of: dt.date, rng: np.random.Generator) -> list[dict]:
    """Add rows that must not count, in stories with rows that do: unknown, too early, not yet known."""
    first, name = next(iter(spec.stages)), str(rng.choice(list(spec.indicators)))
    start, day = spec.model.start, dt.timedelta(days=1)
    rows = [
        _observe(rng, start + day, as_of, indicator="nobody_knows", story="s1"),
        _observe(rng, start + day, as_of, state=f"{first}.nowhere"),
        _observe(rng, start - 3 * day, as_of, indicator=name, story="s1") | {"grade": "A1"},
        _observe(rng, as_of - day, as_of, indicator=name, story="s2") | {"reported_on": as_of + day, "grade": "A1"},
        _observe(rng, as_of + day, as_of + 2 * day, indicator=name, story="s3"),
    ]
    return [row for row in rows if rng.random() < 0.6]


def _coverage_rows(spec: ModelSpec, as_of: dt.date, rng: np.random.Generator) -> list[Coverage]:
    """Watch one indicator, a few, or all: overlapping, in parts of weeks, up to and past the reporting lag."""
    length = (as_of - spec.model.start).days + 1
    rows = []
    for k in range(rng.integers(0, 7)):
        indicator = "*" if rng.random() < 0.25 else f"i{rng.integers(0, len(spec.indicators))}"
        if rng.random() < 0.06:
            indicator = "nobody_knows"
        first, last = sorted(int(day) for day in rng.integers(-4, length, size=2))
        if rng.random() < 0.3:
            last = length - 1
        span = [spec.model.start + dt.timedelta(days=day) for day in (first, last)]
        late = int(rng.random() < 0.15) * 20
        reported_on = max(span[1], min(as_of, span[1] + dt.timedelta(days=2))) + dt.timedelta(days=late)
        rows.append(
            Coverage(id=f"c{k}", indicator=indicator, from_=span[0], to=span[1], reported_on=reported_on, source="us")
        )
    return rows


def random_world(
    rng: np.random.Generator,
) -> tuple[ModelSpec, Parameters, list[Observation], list[Coverage], dt.date]:
    """Make a model, one draw of its parameters, a ledger and a date, small enough to enumerate all hidden paths."""
    spec = parse_spec(model_text(rng), where="world")
    size = int(np.prod([len(stage.all_phases) for stage in spec.stages.values()]))
    most = {4: 6, 6: 5, 8: 4}[size]
    days = 7 * int(rng.integers(2, most)) + int(rng.integers(1, 8))
    as_of = spec.model.start + dt.timedelta(days=days - 1)
    parameters = derived(spec, draw_values(spec, rng))
    rows, coverage = random_rows(spec, as_of, rng)
    return spec, parameters, rows, coverage, as_of


# What the tests share.


@dataclass(frozen=True, eq=False)
class World:
    """A random world, two draws of its parameters, and the same as the engine's arrays."""

    spec: ModelSpec
    parameters: tuple[Parameters, Parameters]
    rows: tuple[Observation, ...]
    coverage: tuple[Coverage, ...]
    as_of: dt.date
    space: StateSpace
    evidence: Evidence
    draws: Draws


def credibility_of(row: Observation) -> float:
    """Give the credibility of a row by `CREDIBILITY`, as the oracle asks for it."""
    return CREDIBILITY[row.grade]


def compile_rows(space: StateSpace, entries: Iterable[Entry], as_of: dt.date) -> Evidence:
    """Compile entries with the engine, by `CREDIBILITY` instead of the package's own table."""
    with mock.patch.dict(admiralty.CREDIBILITY, CREDIBILITY):
        return compile_evidence(space, entries, as_of)


def draws_of(space: StateSpace, parameters: Sequence[Parameters]) -> Draws:
    """Lay draws by name out on the engine's axes, going by the names of the axes alone; channels stand at one."""
    told, rest = np.split(np.array(space.emission_names), [space.emission_indicator.size])
    rates = [_terms(space, name) for name in space.rate_names]
    emissions = [tuple(name.split("|")) for name in told.tolist()]
    starts = _split(space.stage_phases)
    return Draws(
        np.array([[p.log_rate[move] + sum(p.log_times[key] for key in effects) for move, effects in rates]
                  for p in parameters]),
        np.array([[*(p.log_lambda[key] for key in emissions), *(0.0 for _ in rest)] for p in parameters]),
        np.array([[p.start[stage][s] for stage, s in starts] for p in parameters]),
    )  # fmt: skip


def _split(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name.partition(".")[0], name.partition(".")[2]) for name in names]


def _terms(space: StateSpace, name: str) -> tuple[tuple[str, str, str], list[tuple[str, str]]]:
    """Name the transition of a rate, and the effects that are at work in its context."""
    move, _, context = name.partition("|")
    stage, _, edge = move.partition(".")
    a, _, b = edge.partition(">")
    here = dict(zip(space.stages, context.split(","), strict=False)) if context else {}
    effects = space.spec.stages[stage].effects.items()
    move = next(move for move in space.spec.stages[stage].transitions if _leads(space.spec, stage, move, a, b))
    return (stage, move.from_, move.to), [
        (stage, label)
        for label, effect in effects
        if among(space.spec, stage, a, [effect.from_])
        and among(space.spec, stage, b, [effect.to])
        and all(among(space.spec, up, here[up], states) for up, states in effect.when.items())
    ]


@cache
def small_world(seed: int) -> World:
    """Make the random world of ``seed``."""
    rng = np.random.default_rng(seed)
    spec, parameters, rows, coverage, as_of = random_world(rng)
    values = draw_values(spec, rng)
    values["zeta"] = 0.3 * values["zeta"]  # the oracle underflows where departures are extreme
    both = (parameters, derived(spec, values))
    space = StateSpace(spec)
    evidence = compile_rows(space, [*rows, *coverage], as_of)
    return World(spec, both, tuple(rows), tuple(coverage), as_of, space, evidence, draws_of(space, both))


# One small model in sight, for what is asked of a forecast.


def without_episodes(world: World) -> World:
    """Give the world in which every row is news."""
    spec = world.spec.model_copy(update={"model": world.spec.model.model_copy(update={"episode_days": 0})})
    space = StateSpace(spec)
    evidence = compile_rows(space, [*world.rows, *world.coverage], world.as_of)
    return replace(world, spec=spec, space=space, evidence=evidence)


def values_of(spec: ModelSpec, size: int, seed: int) -> list[dict[str, np.ndarray | float]]:
    """Draw ``size`` times from the prior of a model."""
    rng = np.random.default_rng(seed)
    return [draw_values(spec, rng, of_prior=True) for _ in range(size)]


def anchor_of(space: StateSpace, values: Sequence[dict[str, np.ndarray | float]], name: str = "prior") -> Anchor:
    """Give draws, laid out as for `oracle.log_prior`, as an anchor without evidence."""
    draws = draws_of(space, [derived(space.spec, one) for one in values])
    return Anchor(space, name, lambda: draws)


def moving_of(spec: ModelSpec, values: Sequence[dict[str, np.ndarray | float]]) -> Moving:
    """Give what moving needs of the same draws, by name."""
    stages = spec.stages.items()
    keys = {
        "eta": [
            f"stages.{name}.transitions.{move.from_}>{move.to}" for name, row in stages for move in row.transitions
        ],
        "delta": [f"stages.{name}.effects.{label}" for name, row in stages for label in row.effects],
        "mu": [f"priors.classes.{name}" for name in spec.priors.classes],
    }
    scale = np.log([1, *spec.priors.grades.medians])
    grade = np.array([np.cumsum(2 * np.diff(scale) * one["increment"]) for one in values])
    departure = np.array([one.get("kappa", 1.0) * np.exp(one["tau"] * np.asarray(one["zeta"])) for one in values])
    by_key = {
        key: np.array([np.atleast_1d(one[kind])[k] for one in values])
        for kind, names in keys.items()
        for k, key in enumerate(names)
    }
    if spec.priors.diagnosticity is not None:
        by_key["priors.diagnosticity"] = np.log([one["kappa"] for one in values])
    return Moving(
        by_key,
        grade,
        departure,
        compile_history(StateSpace(spec)),
        np.zeros((len(values), 0)),
        np.zeros((len(values), 0)),
    )
