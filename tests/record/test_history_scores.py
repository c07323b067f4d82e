"""Rivals on the history: whoever made it wins, ties are told as ties, and who reads none is named."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import jsonschema
import numpy as np
import pytest
from onsets import YEARS, drawn, grid_of, spec_with
from small_models import tiny_spec
from worlds import anchor_of, values_of

from docs.builder.schemas import COMPARISON
from forecast.evidence.history import compile_history
from forecast.inference.fit_files import Prior, save_prior
from forecast.inference.left_out import LeftOut, left_out_scores
from forecast.inference.model import Model
from forecast.record.history_scores import ALL, compare_on_history, set_side_by_side
from forecast.record.stacking import stacking_weights
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.inference.fitter import Fitter
    from forecast.record.history_scores import HistoryComparison
    from forecast.theory.spec import ModelSpec


def lived(units: int, seed: int) -> dict[str, list[int]]:
    """Let units live through four spells each: one onset a year, and an end after two months."""
    rng = np.random.default_rng(seed)
    leave = [-np.expm1(-rate * YEARS) for rate in (1.0, 6.0)]
    return {f"u{k:02}": [int(rng.geometric(leave[part % 2])) + (part > 0) for part in range(4)] for k in range(units)}


def scored(spec: ModelSpec, weeks: Mapping[str, Sequence[int]], seed: int) -> dict[str, LeftOut]:
    """Score the units of a spec from draws of its posterior."""
    draws = drawn(grid_of(spec, weeks, 17), spec, 2000, seed)
    return left_out_scores(compile_history(StateSpace(spec)), draws, 1.0)


def by_unit(**models: dict[str, LeftOut]) -> dict[str, dict[str, LeftOut]]:
    """Turn scores of models by unit into scores of units by model."""
    first = next(iter(models.values()))
    return {unit: {name: found[unit] for name, found in models.items()} for unit in first}


def made_up(
    scores: Mapping[str, Sequence[float]], stage: str = "near", mcse: float = 0.0
) -> dict[str, dict[str, LeftOut]]:
    """Give units of a stage scores of one's choice."""
    size = len(next(iter(scores.values())))
    return {
        f"{stage}.{k}": {name: LeftOut(values[k], mcse, 0.1, reached=True) for name, values in scores.items()}
        for k in range(size)
    }


def test_the_model_that_made_the_history_wins() -> None:
    """Of units that lived by the one model's rates it foretells each better than a model that expects the reverse."""
    weeks = lived(24, seed=1)
    right = scored(spec_with(weeks, onset="[0.7, 1.4]", end="[4, 9]"), weeks, 1)
    wrong = scored(spec_with(weeks, onset="[4, 9]", end="[0.7, 1.4]"), weeks, 2)
    (part,) = set_side_by_side(by_unit(wrong=wrong, right=right)).stages
    assert part.best == "right"
    assert part.told_apart == ("wrong",)
    assert part.weights["right"] > 0.95
    assert part.intervals["wrong"][1] < 0.35
    assert part.sentences[0].startswith("On the history, 24 units of near, right foretells better than wrong (")


def test_two_fits_of_one_model_are_a_tie() -> None:
    """Whatever chance gave one of them, it is no reason to prefer it: said so, and the weights may be anything."""
    weeks = lived(24, seed=2)
    spec = spec_with(weeks)
    (part,) = set_side_by_side(by_unit(one=scored(spec, weeks, 1), two=scored(spec, weeks, 2))).stages
    assert part.told_apart == ()
    assert "cannot be told apart from" in part.sentences[0]
    low, high = part.intervals["one"]
    assert low < 0.1
    assert high > 0.9


def test_one_model_twice_shares_evenly() -> None:
    """The very same scores give the very same weight, and a difference of nothing."""
    values = np.random.default_rng(3).normal(-9, 2, 12).tolist()
    (part,) = set_side_by_side(made_up({"one": values, "copy": values})).stages
    assert part.weights == pytest.approx({"one": 0.5, "copy": 0.5}, abs=1e-9)
    assert part.behind == {"one": (0.0, 0.0), "copy": (0.0, 0.0)}
    assert "cannot be told apart" in part.sentences[0]


def test_sums_errors_and_weights() -> None:
    """Stages are summed apart and together; an error is √n times the deviation of n differences, plus Monte Carlo's."""
    rng = np.random.default_rng(4)
    near = {name: rng.normal(-9, 1, 9).tolist() for name in "ab"}
    far = {name: rng.normal(-4, 1, 5).tolist() for name in "ab"}
    found = set_side_by_side(made_up(near, "near", 0.05) | made_up(far, "far", 0.05))
    assert [part.stage for part in found.stages] == ["near", "far", ALL]
    for part, rows in zip(found.stages, (near, far, {name: near[name] + far[name] for name in "ab"}), strict=True):
        assert part.totals == pytest.approx({name: sum(values) for name, values in rows.items()})
        other = "b" if part.best == "a" else "a"
        gaps = np.array(rows[part.best]) - np.array(rows[other])
        wanted = np.sqrt(gaps.size * gaps.var(ddof=1) + 2 * gaps.size * 0.05**2)
        assert part.behind[other] == pytest.approx((gaps.sum(), wanted))
        assert sum(part.weights.values()) == pytest.approx(1, abs=1e-12)
        assert all(low <= high for low, high in part.intervals.values())


def test_what_chance_gave_a_score_widens_the_weights() -> None:
    """With errors above the differences the weights are as unsure as can be; without, the bootstrap alone says."""
    scores = np.column_stack([np.full(12, -5.0), np.full(12, -5.002)])
    assert stacking_weights(scores, np.zeros((12, 2)))[1][0] == pytest.approx((1.0, 1.0), abs=1e-6)
    low, high = stacking_weights(scores, np.full((12, 2), 0.01))[1][0]
    assert low < 0.05
    assert high > 0.95


def test_a_score_out_of_reach_is_told() -> None:
    """It is named with its k-hat, so that nobody builds on it."""
    scores = made_up({"one": [-3.0, -2.0], "two": [-3.5, -2.5]})
    scores["near.1"]["two"] = LeftOut(-2.5, 0.3, 0.91, reached=False)
    said = set_side_by_side(scores).sentences
    assert said[-1].startswith("The score of near 1 under two is not to be relied on")
    assert "k-hat 0.91" in said[-1]
    assert sum("not to be relied on" in line for line in said) == 1


def test_one_unit_is_no_sample() -> None:
    """There is no error over a single unit, and the models are not told apart; JSON holds none."""
    found = set_side_by_side(made_up({"one": [-3.0], "two": [-9.0]}))
    assert found.stages[0].behind["two"] == (6.0, None)
    assert "cannot be told apart from two (6.0 nats)" in found.sentences[0]
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["stages"][0]["behind"]["two"] == {"nats": 6.0, "error": None}


# From kept draws.


def fitters(root: Path, **specs: ModelSpec) -> dict[str, Fitter]:
    """Give models whose draws of prior × history are kept."""
    found: dict[str, SimpleNamespace] = {}
    for name, spec in specs.items():
        model, folder = Model(spec), root / name
        if spec.history:
            weeks = {spell.unit: () for spell in spec.history}
            shared = drawn(grid_of(spec, weeks, 9), spec, 400, 1)
            draws = anchor_of(model.space, values_of(spec, 8, 1)).blocks.draws
            save_prior(model.space, Prior(draws, 1.0, draws, {"near.calm>tense": 1.0}, shared), folder)
        found[name] = SimpleNamespace(model=model, folder=folder, sampling=SimpleNamespace(on_stage=str))
    return cast("dict[str, Fitter]", found)


def valid(found: HistoryComparison) -> None:
    """Hold the JSON against the schema."""
    jsonschema.validate(json.loads(json.dumps(found.to_dict())), COMPARISON["properties"]["history"])


def test_who_has_no_history_is_named(tmp_path: Path) -> None:
    """A model without one is set aside in words, and the others are compared; without two there is no comparison."""
    weeks = {"a": (9, 4, 11), "b": (20, 3, 2)}
    one, two = spec_with(weeks), spec_with(weeks, onset="[1, 3]")
    found = compare_on_history(fitters(tmp_path / "x", one=one, plain=tiny_spec(), two=two))
    assert found.silent == ("plain",)
    assert found.sentences[0] == "plain has no history, and cannot be compared on one."
    assert list(found.stages[0].totals) == ["one", "two"]
    assert len(found.to_frame()) == 4
    valid(found)
    alone = compare_on_history(fitters(tmp_path / "y", one=one, plain=tiny_spec()))
    assert alone.stages == ()
    assert len(alone.units) == 2
    valid(alone)
    none = compare_on_history(fitters(tmp_path / "z", plain=tiny_spec(), other=tiny_spec()))
    assert none.sentences == ("plain and other have no history, and cannot be compared on one.",)
    assert list(none.to_frame().columns) == ["stage", "unit", "model", "score", "mcse", "k_hat", "reached"]
    valid(none)


def test_units_read_otherwise_are_left_out(tmp_path: Path) -> None:
    """Only what all models read alike is scored; the rest is named."""
    one = spec_with({"a": (9, 4, 11), "b": (20, 3, 2), "c": (7, 7)})
    two = spec_with({"a": (9, 4, 11), "b": (20, 4, 2)})
    found = compare_on_history(fitters(tmp_path, one=one, two=two))
    assert [row.unit for row in found.units] == ["a"]
    assert found.unlike == ("near.b", "near.c")
    assert "near.b and near.c" in found.sentences[0]
    valid(found)
