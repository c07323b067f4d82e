"""The density of docs/method.md written a second time, in NumPyro and JAX, sampled with NumPyro's NUTS.

It shares no code with the package: it reads the model file and the history itself, and takes the evidence as the arrays
that `run.py fit` saves (the cells of docs/method.md). Run as ``numpyro_model.py MODEL.toml CELLS.npz DRAWS.npz``: a
cold process that samples and saves its draws.
"""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import itertools
import sys
import tomllib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import lax
from numpyro.infer import MCMC, NUTS, init_to_median

numpyro.enable_x64()

GRADES = ("weak", "moderate", "strong", "decisive")
WIDTH_90 = 3.2897  # of a standard normal's central 90 % interval, to the digits that the package uses
COVERED, SELECTIVE, ASSESSMENT = 0, 1, 2
RELIABLE = dict(zip("ABCDEF", (0.98, 0.9, 0.75, 0.55, 0.3, 0.5), strict=True))
LIKELY = dict(zip("123456", (0.98, 0.9, 0.75, 0.5, 0.2, 0.5), strict=True))
CREDIBLE = {s + i for s, a in RELIABLE.items() for i, b in LIKELY.items() if round(a * b, 2) >= 1 / 2}


def read(model_file: str, cells_file: str) -> dict[str, Any]:
    """Lay out the model file, the history of its dataset and the cells as plain arrays."""
    spec = tomllib.loads(Path(model_file).read_text(encoding="utf-8"))
    path = Path(model_file).parents[1] / "data" / spec["model"]["dataset"] / "history.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
    with np.load(cells_file) as saved:
        cells = {name: saved[name] for name in saved.files}
    return {**_structure(spec), **_indicators(spec), **_cells(spec, cells), **_history(spec, rows)}


def _log_normal(intervals: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    logs = np.log(np.array(intervals, dtype=float).reshape(-1, 2))
    return logs.mean(axis=1), (logs[:, 1] - logs[:, 0]) / WIDTH_90


def _phases(stage: dict[str, Any], name: str) -> list[str]:
    """Phases of a state; a state without phases, and a phase, stand for themselves."""
    found = stage.get("phases", {}).get(name, [name])
    return [f"{name}_{k + 1}" for k in range(found)] if isinstance(found, int) else found


def _own(stage: dict[str, Any]) -> list[str]:
    return [phase for state in stage["states"] for phase in _phases(stage, state)]


def _among(stage: dict[str, Any], phase: str, names: list[str]) -> bool:
    return any(phase in _phases(stage, name) for name in names)


def _ways(stage: dict[str, Any], move: dict[str, Any]) -> list[tuple[int, int]]:
    """Where a transition leads from and to: from each phase of a state, to the first."""
    own = _own(stage)
    return [(own.index(a), own.index(_phases(stage, move["to"])[0])) for a in _phases(stage, move["from"])]


def _begins(stage: dict[str, Any]) -> list[float]:
    """Weights of the phases at the start; 0 for those in which it cannot be."""
    first = {_phases(stage, state)[0]: float(weight) for state, weight in stage["start"].items()}
    return [first.get(phase, 0.0) for phase in _own(stage)]


def _structure(spec: dict[str, Any]) -> dict[str, Any]:
    """Which transition and which effects stand behind the rate of each stage in each context."""
    stages = spec["stages"]
    names = list(stages)
    moves = [(name, move) for name in names for move in stages[name]["transitions"]]
    effects = [(name, effect) for name in names for effect in stages[name].get("effects", {}).values()]
    states = list(itertools.product(*(_own(stages[name]) for name in names)))
    tables, stage_state = [], []
    for level, name in enumerate(names):
        own = _own(stages[name])
        contexts = list(itertools.product(*(_own(stages[up]) for up in names[:level])))
        there = np.zeros((len(contexts), len(own), len(own)))  # 1 where there is a transition
        move_of = np.zeros(there.shape, int)
        switched = np.zeros((*there.shape, len(effects)))
        for c, context in enumerate(contexts):
            here = dict(zip(names, context, strict=False))
            for m, (stage, move) in enumerate(moves):
                if stage == name:
                    for a, b in _ways(stages[name], move):
                        there[c, a, b], move_of[c, a, b] = 1, m
            for e, (stage, effect) in enumerate(effects):
                if stage == name and all(_among(stages[up], here[up], some) for up, some in effect["when"].items()):
                    ends = [[own.index(p) for p in _phases(stages[name], effect[end])] for end in ("from", "to")]
                    switched[c][np.ix_(*ends, [e])] = 1
        # joint z → z′ reads the context of the new upstream states, the old own state and the new own state
        context_of = np.array([contexts.index(z[:level]) for z in states])
        own_of = np.array([own.index(z[level]) for z in states])
        tables.append((there, move_of, switched, context_of, own_of))
        stage_state.append(own_of)
    return {
        "stages": names,
        "tables": tables,
        "stage_state": stage_state,
        "transition": _log_normal([move["per_year"] for _, move in moves]),
        "effect": _log_normal([effect["times"] for _, effect in effects]),
        "start": [
            (np.flatnonzero(_begins(stages[n])), np.array([w for w in _begins(stages[n]) if w]), len(_own(stages[n])))
            for n in names
        ],
    }  # fmt: skip


def _history(spec: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, Any]:
    """Lay out timelines: each is (stage, unit, start, [(before, within, crossing, after, effects)])."""
    stages = {name: stage for name, stage in spec["stages"].items() if "units" in stage}
    last = max((dt.date.fromisoformat(row["to"] or row["from"]) for row in rows), default=None)
    known = []
    for row in rows:
        own = row["stage"] in stages and row["unit"] == stages[row["stage"]]["units"]["own"]
        begin, end = dt.date.fromisoformat(row["from"]), dt.date.fromisoformat(row["to"]) if row["to"] else last
        if row["grade"] in CREDIBLE and not (own and begin >= spec["model"]["start"]):
            known.append((row["stage"], row["unit"], begin, min(end, spec["model"]["start"]) if own else end, row))
    known.sort(key=lambda one: one[:3])
    timelines: list[list[Any]] = []
    for one in known:
        if timelines and timelines[-1][-1][:2] == one[:2] and timelines[-1][-1][3] == one[2]:
            timelines[-1].append(one)
        else:
            timelines.append([one])
    units = sorted({one[:2] for one in known}, key=lambda one: (list(stages).index(one[0]), one[1]))
    own = [
        units.index((name, stage["units"]["own"])) if name in stages else -1 for name, stage in spec["stages"].items()
    ]
    spans = [(k == 0, *timeline[:3], *part) for timeline in (_timeline(spec, rows, units) for rows in timelines)
             for k, part in enumerate(timeline[3])]  # fmt: skip
    widest = max(len(_own(stage)) for stage in spec["stages"].values())

    def padded(column: int) -> np.ndarray:
        return np.array([np.pad(span[column], (0, widest - len(span[column]))) for span in spans]).reshape(-1, widest)

    told = {
        "reset": np.array([span[0] for span in spans], bool),
        "span_unit": np.array([span[2] for span in spans], int),
        "span_start": padded(3),
        "span_before": padded(4),
        "span_within": padded(5),
        "crossing": np.array([span[6] for span in spans], int),
        "after": np.array([span[7] for span in spans], int),
        **_span_rates(spec, [(span[1], span[8]) for span in spans], widest),
        "unit_stage": np.array([list(stages).index(stage) for stage, _ in units], int),
        "unit_spread": _log_normal([stage["units"]["spread"] for stage in stages.values()]),
        "own_unit": np.array(own),
    }
    return told | _shared(told)


def _span_rates(spec: dict[str, Any], spans: list[tuple[int, np.ndarray]], widest: int) -> dict[str, Any]:
    """Which transition and which effects stand behind each entry of a span's matrix."""
    names = list(spec["stages"])
    moves = [(name, move) for name in names for move in spec["stages"][name]["transitions"]]
    effects = [(name, effect) for name in names for effect in spec["stages"][name].get("effects", {}).values()]
    there = np.zeros((len(spans), widest, widest))
    move_of, switched = np.zeros(there.shape, int), np.zeros((*there.shape, len(effects)))
    for k, (level, active) in enumerate(spans):
        here = spec["stages"][names[level]]
        own = _own(here)
        for m, (stage, move) in enumerate(moves):
            for a, b in _ways(here, move) if stage == names[level] else ():
                there[k, a, b], move_of[k, a, b] = 1, m
                for e, (up, effect) in enumerate(effects):
                    same = (
                        up == stage and _among(here, own[a], [effect["from"]]) and _among(here, own[b], [effect["to"]])
                    )
                    switched[k, a, b, e] = same * active[e]
    return {"span_there": there, "span_move": move_of, "span_switched": switched}


def _shared(told: dict[str, Any]) -> dict[str, Any]:
    """Which spans share their rates, and which share the powers of a step: the first of each, and whose each is."""
    count = len(told["reset"])
    what = [
        told[f"span_{name}"].reshape(count, -1) if count else np.empty((0, 1)) for name in ("there", "move", "switched")
    ]
    _, rate_span, rate_of = np.unique(
        np.column_stack([*what, told["span_unit"]]), axis=0, return_index=True, return_inverse=True
    )
    _, power_span, power_of = np.unique(
        np.column_stack([rate_of, told["span_within"]]), axis=0, return_index=True, return_inverse=True
    )
    return {"rate_span": rate_span, "rate_of": rate_of, "power_span": power_span, "power_of": power_of}


def _timeline(spec: dict[str, Any], rows: list[Any], units: list[tuple[str, str]]) -> tuple[Any, ...]:
    name, unit, begin = rows[0][:3]
    stage, steps = spec["stages"][name], spec["model"]["step_days"]
    inside = [np.array([float(_among(stage, p, row["state"].split("|"))) for p in _own(stage)]) for *_, row in rows]
    weights = np.array(_begins(stage)) * inside[0]
    weights = weights if weights.any() else inside[0]
    entered = [(0, -1)]
    for k, (_, _, day, _, row) in enumerate(rows[1:], 1):
        first = final = day
        if (inside[k] != inside[k - 1]).any() and row["boundary"] == "month":
            first, final = day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
        if (inside[k] != inside[k - 1]).any() and row["boundary"] == "year":
            first, final = day.replace(month=1, day=1), day.replace(month=12, day=31)
        low = max((first - begin).days // steps, entered[-1][0] + (k > 1))
        entered.append((low, (final - begin).days // steps))
    end = max(-(-(rows[-1][3] - begin).days // steps), 1)
    effects = [(up, effect) for up, own in spec["stages"].items() for effect in own.get("effects", {}).values()]
    parts = []
    for k, (*_, row) in enumerate(rows):
        first, final = entered[k]
        until = entered[k + 1][0] if k + 1 < len(rows) else max(end, first + 1)
        given = dict(part.strip().split(".") for part in row["conditions"].split(";") if part.strip())
        active = [
            float(up == name and all(given.get(s) in allowed for s, allowed in effect["when"].items()))
            for up, effect in effects
        ]
        crossing = max(min(final, until - 1) - first + 1, 1) if k and (inside[k] != inside[k - 1]).any() else 0
        parts.append((inside[max(k - 1, 0)], inside[k], crossing, until - first - crossing, np.array(active)))
    return list(spec["stages"]).index(name), units.index((name, unit)), weights / weights.sum(), parts


def _indicators(spec: dict[str, Any]) -> dict[str, Any]:
    priors, stages = spec["priors"], spec["stages"]
    rows = list(spec["indicators"].values())
    classes = list(priors["classes"])
    widest = max(len(_own(stage)) for stage in stages.values())
    points = np.zeros((len(rows), widest))
    for i, row in enumerate(rows):
        stage = stages[row["stage"]]
        points[i, [k for k, p in enumerate(_own(stage)) if _among(stage, p, row["points_to"])]] = 1
    return {
        "class_rate": _log_normal([priors["classes"][name]["per_year"] for name in classes]),
        "class_spread": _log_normal([priors["classes"][name]["spread"] for name in classes]),
        "class_of": np.array([classes.index(row["class"]) for row in rows]),
        "grade_of": np.array([GRADES.index(row["grade"]) for row in rows]),
        "steps_of_grade": np.diff(np.log([1.0, *(priors["grades"][name] for name in GRADES)])),
        "concentration": float(priors["grades"]["concentration"]),
        "departure": float(priors["departure"]["scale"]),
        "diagnosticity": _log_normal([priors["diagnosticity"]["times"]]),
        "points": points,
    }


def _cells(spec: dict[str, Any], cells: dict[str, np.ndarray]) -> dict[str, Any]:
    """Sort the cells by kind; observables and assessments do not depend on parameters, so they become one mask."""
    names, stages = list(spec["stages"]), spec["stages"]
    widest = max(len(_own(stage)) for stage in stages.values())
    step, kind, stage, indicator, group = cells["what"].T
    durations, which = np.unique(cells["years"], return_inverse=True)
    fixed = np.ones((len(cells["years"]), len(names), widest))
    offset = np.cumsum([0, *(len(_own(stages[name])) for name in names)])
    for k in np.flatnonzero(kind >= ASSESSMENT):
        here, seen, w = stages[names[stage[k]]], int(cells["observed"][k]), cells["value"][k, 0]
        n = len(_own(here))
        if kind[k] == ASSESSMENT:
            named = [_among(here, phase, [here["states"][seen]]) for phase in _own(here)]
            told = np.where(named, w, (1 - w) / (len(here["states"]) - 1))
        else:
            told = cells["in_set"][offset[stage[k]] : offset[stage[k]] + n] == seen
        fixed[step[k], stage[k], :n] *= told
    covered, selective = kind == COVERED, kind == SELECTIVE
    usual = _usual(spec)
    even = [_even(stages[row["stage"]]) for row in spec["indicators"].values()]
    available = cells["available"].astype(float)
    before = np.array([
        np.average(-np.expm1(-usual[i] * exposure), weights=even[i])
        for i, exposure in zip(indicator[covered], cells["value"][covered, 1], strict=True)
    ])  # fmt: skip
    groups = [[usual[i] for i in np.flatnonzero(row)] for row in available]
    sums = [np.sum(rates, axis=0) for rates in groups]
    told = cells["observed"][selective].astype(int)
    return {
        "years": durations,
        "which": which,
        "fixed": fixed,
        "covered": (step[covered], stage[covered], indicator[covered], cells["observed"][covered],
                    cells["value"][covered, 1], before / (1 - before)),
        "selective": (step[selective], stage[selective], told, group[selective], cells["value"][selective, 0],
                      np.array([np.average(usual[i] / sums[g], weights=even[i])
                                for i, g in zip(told, group[selective], strict=True)])),
        "available": available,
    }  # fmt: skip


def _even(stage: dict[str, Any]) -> np.ndarray:
    """Share of each phase if every state has as much, and every phase of a state."""
    return np.concatenate([np.full(len(own := _phases(stage, state)), 1 / len(own)) for state in stage["states"]])


def _usual(spec: dict[str, Any]) -> list[np.ndarray]:
    """Rates per year of each indicator in the states of its stage, at the prior medians."""
    priors, stages = spec["priors"], spec["stages"]
    found = []
    for row in spec["indicators"].values():
        low, high = priors["classes"][row["class"]]["per_year"]
        stage = stages[row["stage"]]
        pointed = np.array([_among(stage, p, row["points_to"]) for p in _own(stage)])
        times = priors["grades"][row["grade"]] ** np.sqrt(np.prod(priors["diagnosticity"]["times"]))
        found.append(np.sqrt(low * high) * np.where(pointed, times, 1.0))
    return found


def model(data: dict[str, Any]) -> None:
    """Priors of docs/method.md, and the likelihood as a factor."""
    sample = numpyro.sample
    eta = sample("transition_log_rate", dist.Normal(*data["transition"]).to_event(1))
    delta = sample("effect_log_times", dist.Normal(*data["effect"]).to_event(1))
    mu = sample("class_log_rate", dist.Normal(*data["class_rate"]).to_event(1))
    log_sigma = sample("class_log_spread", dist.Normal(*data["class_spread"]).to_event(1))
    count = len(data["class_of"])
    z = sample("indicator_offset", dist.Normal(0.0, 1.0).expand([count]).to_event(1))
    zeta = sample("indicator_departure", dist.Normal(0.0, 1.0).expand([count]).to_event(1))
    c = data["concentration"]
    increment = sample("grade_increment", dist.Beta(c, c).expand([len(GRADES)]).to_event(1))
    tau = sample("departure_scale", dist.HalfNormal(data["departure"]))
    mean, sd = data["diagnosticity"]
    kappa = sample("diagnosticity", dist.LogNormal(mean[0], sd[0]))
    starts = []
    for name, (some, weights, n) in zip(data["stages"], data["start"], strict=True):
        inside = sample(f"start_{name}", dist.Dirichlet(weights)) if len(some) > 1 else jnp.ones(1)
        starts.append(jnp.zeros(n).at[some].set(inside))
    grade = jnp.cumsum(2 * data["steps_of_grade"] * increment)
    alpha = mu[data["class_of"]] + jnp.exp(log_sigma[data["class_of"]]) * z
    beta = kappa * grade[data["grade_of"]] * jnp.exp(tau * zeta)
    rate = jnp.exp(alpha[:, None] + beta[:, None] * data["points"])
    shift = jnp.zeros(len(data["stages"]))
    if len(data["reset"]):
        spread = sample("unit_log_spread", dist.Normal(*data["unit_spread"]).to_event(1))
        offset = sample("unit_offset", dist.Normal(0.0, 1.0).expand([len(data["unit_stage"])]).to_event(1))
        shift = own_shift(data, spread, offset)
        numpyro.factor("history", history(data, eta, delta, jnp.exp(spread[data["unit_stage"]]) * offset))
    numpyro.factor("reports", log_likelihood(data, eta, delta, starts, rate, shift))


def own_shift(data: dict[str, Any], spread: jax.Array, offset: jax.Array) -> jax.Array:
    """(L,) what the log rates of each stage of the cascade depart, as one of its units."""
    departure = jnp.exp(spread[data["unit_stage"]]) * offset
    return jnp.where(data["own_unit"] >= 0, departure[jnp.maximum(data["own_unit"], 0)], 0.0)


def history(data: dict[str, Any], eta: jax.Array, delta: jax.Array, departure: jax.Array) -> jax.Array:
    """Log-likelihood of the timelines: one matrix for each span, and a scan over them, all timelines side by side."""
    one = data["rate_span"]
    rate = data["span_there"][one] * jnp.exp(eta[data["span_move"][one]] + data["span_switched"][one] @ delta)
    rate *= jnp.exp(departure[data["span_unit"][one]])[:, None, None]
    out, years, eye = rate.sum(axis=2, keepdims=True), 7 / 365.25, jnp.eye(rate.shape[1])
    safe = jnp.where(out > 0, out, 1.0)
    step = rate / safe * -jnp.expm1(-years * out) + eye * jnp.exp(-years * out)
    whole = _crossed(data, step)
    within = data["span_within"][data["power_span"]]
    power = step[data["rate_of"][data["power_span"]]] * within[:, :, None] * within[:, None, :]
    for bit in range(int(max(data["after"])).bit_length()):
        some = np.flatnonzero((data["after"] >> bit) & 1)
        whole = whole.at[some].set(whole[some] @ power[data["power_of"][some]])
        power = power @ power
    begins = np.flatnonzero(data["reset"])
    lengths = np.diff([*begins, len(data["reset"])])
    nth = np.arange(max(lengths))[:, None]
    place = np.where(nth < lengths, begins + nth, len(whole))  # those that have ended go on with the identity

    def follow(vector, matrix):
        now = (vector[:, :, None] * matrix).sum(axis=1)
        norm = now.sum(axis=1, keepdims=True)
        return now / norm, jnp.log(norm)

    return lax.scan(follow, data["span_start"][begins], jnp.concatenate([whole, eye[None]])[place])[1].sum()


def _crossed(data: dict[str, Any], step: jax.Array) -> jax.Array:
    """(S, n, n) the steps of each span in which its state may have been entered; the identity where there are none."""
    steps, eye, within = data["crossing"], jnp.eye(step.shape[1]), data["span_within"][:, None, :]
    whole = jnp.where((steps == 1)[:, None, None], step[data["rate_of"]] * within, eye)
    some = np.flatnonzero(steps > 1)
    move, within, before = step[data["rate_of"][some]], within[some], data["span_before"][some][:, None, :]
    waiting, done = eye + jnp.zeros_like(move), jnp.zeros_like(move)
    for k in range(max(steps)):
        still = (k < steps[some])[:, None, None]
        entered, stayed = ((waiting + done) @ move) * within, (waiting @ move) * before
        done, waiting = jnp.where(still, entered, done), jnp.where(still, stayed, waiting)
    return whole.at[some].set(done)


def log_likelihood(  # noqa: PLR0913, PLR0917 - the parameters
    data: dict[str, Any], eta: jax.Array, delta: jax.Array, starts: list, rate: jax.Array, shift: jax.Array
) -> jax.Array:
    """Sum over hidden paths by the forward recursion."""
    matrices = jnp.stack([_matrix(data, eta, delta, years, shift) for years in data["years"]])
    emission = _emission(data, rate)
    first = jnp.ones(matrices.shape[1])
    for start, own in zip(starts, data["stage_state"], strict=True):
        first *= start[own]

    def step(before, inputs):
        matrix, likelihood = inputs
        now = (before @ matrix) * likelihood
        norm = now.sum()
        return now / norm, jnp.log(norm)

    return lax.scan(step, first, (matrices[data["which"]], emission))[1].sum()


def _matrix(data: dict[str, Any], eta: jax.Array, delta: jax.Array, years: float, shift: Any = None) -> jax.Array:
    product = 1.0
    for level, (there, move_of, switched, context_of, own_of) in enumerate(data["tables"]):
        q = there * jnp.exp(eta[move_of] + switched @ delta + (0.0 if shift is None else shift[level]))
        total = q.sum(axis=2, keepdims=True)
        safe = jnp.where(total > 0, total, 1.0)
        table = q / safe * -jnp.expm1(-years * total) + jnp.eye(q.shape[1]) * jnp.exp(-years * total)
        product *= table[context_of[None, :], own_of[:, None], own_of[None, :]]
    return product


def _emission(data: dict[str, Any], rate: jax.Array) -> jax.Array:
    """(T, K) product of a step's cells."""
    log_cells = jnp.zeros(data["fixed"].shape)
    step, stage, indicator, w, exposure, odds = data["covered"]
    if len(step):
        absent = jnp.exp(-rate[indicator] * exposure[:, None])
        w, odds = w[:, None], odds[:, None]
        seen = w * (1 - absent) + (1 - w) * odds * absent
        log_cells = log_cells.at[step, stage].add(jnp.log(jnp.where(w > 0, seen, absent)))
    step, stage, told, group, w, false = data["selective"]
    if len(step):
        share = rate[told] / (data["available"] @ rate)[group]
        log_cells = log_cells.at[step, stage].add(jnp.log(w[:, None] * share + ((1 - w) * false)[:, None]))
    cells = jnp.exp(log_cells) * data["fixed"]
    product = 1.0
    for level, own in enumerate(data["stage_state"]):
        product *= cells[:, level, own]
    return product


def main() -> None:
    """Sample 4 × (1,000 + 1,000) and save the draws; from the median, as one of four random starts never came back."""
    model_file, cells_file, draws_file = sys.argv[1:]
    data = read(model_file, cells_file)
    mcmc = MCMC(
        NUTS(model, init_strategy=init_to_median), num_warmup=1000, num_samples=1000, num_chains=4,
        chain_method="sequential", progress_bar=False,
    )  # fmt: skip
    mcmc.run(jax.random.key(1), data)
    draws = mcmc.get_samples(group_by_chain=True)
    np.savez(draws_file, diverging=np.asarray(mcmc.get_extra_fields()["diverging"]), **draws)


if __name__ == "__main__":
    main()
