"""PyMC's density, prior prediction and pointwise likelihood are those of the written method."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import oracle
import pymc as pm
import pytest
import xarray as xr
from kernels import filter_draws
from scipy.special import expit, logsumexp
from worlds import credibility_of, draws_of

from forecast.engine.arrays import ASSESSMENT, COVERED, OBSERVABLE, SELECTIVE
from forecast.engine.blocks import Draws
from forecast.engine.simulate import REPORT_MIX
from forecast.evidence.history import compile_history
from forecast.inference import sampler as sampler_module
from forecast.inference.pymc_model import build_model, data_of, plainly
from forecast.inference.sampler import Sampler
from forecast.inference.settings import Settings
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from worlds import World

    from forecast.evidence.compilation import Evidence
    from forecast.theory.spec import ModelSpec

# The reports are drawn by a Python function; PyTensor says so for every op of this kind.
pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode to run CustomDist_reports:UserWarning")


@pytest.fixture(scope="module")
def model(compiled_world: World) -> pm.Model:
    """State the small world as a PyMC model."""
    return build_model(compiled_world.space, compiled_world.evidence)


@pytest.fixture(scope="module")
def logp(model: pm.Model) -> Callable[[dict], float]:
    """Let PyMC state the small world's log-density, operation by operation."""
    with plainly():
        return model.compile_logp(mode="FAST_COMPILE")


def read_point(spec: ModelSpec, names: list[str], point: np.ndarray) -> tuple[dict, float]:
    """Turn an unconstrained point into parameters on their own scale, and the log of the Jacobian's determinant.

    Written from the transforms alone: log-odds for Beta, log for half-normal, and for Dirichlet the first n − 1 of n
    log-probabilities that sum to zero before they are normalised.
    """
    own = {
        "transition_log_rate": "eta", "effect_log_times": "delta", "class_log_rate": "mu",
        "class_log_spread": "log_sigma", "indicator_offset": "z", "indicator_departure": "zeta",
    }  # fmt: skip
    stages = spec.stages.values()
    sizes = {
        "eta": sum(len(stage.transitions) for stage in stages), "delta": sum(len(stage.effects) for stage in stages),
        "mu": len(spec.priors.classes), "log_sigma": len(spec.priors.classes), "z": len(spec.indicators),
        "zeta": len(spec.indicators),
    }  # fmt: skip
    values: dict = {f"start_{name}": np.ones(1) for name, stage in spec.stages.items() if len(stage.start) == 1}
    log_jacobian, first = 0.0, 0
    for name in names:
        if name in own:
            part = values[own[name]] = point[first : first + sizes[own[name]]]
        elif name == "grade_increment_logodds__":
            part = point[first : first + 4]
            values["increment"] = expit(part)
            log_jacobian += np.log(expit(part) * expit(-part)).sum()
        elif name == "departure_scale_log__":
            part = point[first : first + 1]
            values["tau"] = float(np.exp(part[0]))
            log_jacobian += part[0]
        elif name == "diagnosticity_log__":
            part = point[first : first + 1]
            values["kappa"] = float(np.exp(part[0]))
            log_jacobian += part[0]
        else:
            stage = name.removeprefix("start_").removesuffix("_simplex__")
            n = len(spec.stages[stage].start)
            part = point[first : first + n - 1]
            free = np.append(part, -part.sum())
            p = values[f"start_{stage}"] = np.exp(free - logsumexp(free))
            jacobian = np.diag(p[:-1]) - np.outer(p[:-1], p[:-1] - p[-1])
            log_jacobian += np.linalg.slogdet(jacobian)[1]
        first += part.size
    assert first == point.size
    return values, float(log_jacobian)


def expected_density(world: World, names: list[str], point: np.ndarray) -> float:
    """Log-density of the method: prior, Jacobian, and the likelihood summed over all hidden paths."""
    values, log_jacobian = read_point(world.spec, names, point)
    p = oracle.derived(world.spec, values)
    likelihood = oracle.log_likelihood(world.spec, p, world.rows, world.coverage, world.as_of, credibility_of)
    return oracle.log_prior(world.spec, values) + log_jacobian + likelihood


def value_names(sampler: Sampler) -> list[str]:
    """Names of the unconstrained parameters in the order of the sampler's point."""
    return [str(value.name) for value in sampler._model.value_vars]


def random_points(sampler: Sampler, rng: np.random.Generator, count: int) -> np.ndarray:
    """Unconstrained points around the prior's middle."""
    start = sampler._model.initial_point(0)
    middle = np.concatenate([np.ravel(start[name]) for name in value_names(sampler)])
    return middle + 0.6 * rng.standard_normal((count, middle.size))


def as_point(sampler: Sampler, point: np.ndarray) -> dict[str, np.ndarray]:
    """Cut a point into PyMC's value variables."""
    start = sampler._model.initial_point(0)
    found, first = {}, 0
    for name in value_names(sampler):
        shape = np.shape(start[name])
        size = int(np.prod(shape, dtype=int))
        found[name] = point[first : first + size].reshape(shape)
        first += size
    return found


def test_small_world_has_what_matters(compiled_world: World) -> None:
    """The compiled world has effects, a free start with a gap, and cells of every kind, covered ones with w < 1 too."""
    cells = compiled_world.evidence.cells
    assert set(cells.what[:, 1]) == {COVERED, SELECTIVE, ASSESSMENT, OBSERVABLE}
    assert ((cells.what[:, 1] == COVERED) & (cells.observed > 0) & (cells.observed < 1)).any()
    assert len(compiled_world.space.effects) >= 1
    weights = [compiled_world.space.start_weights(k) for k in range(2)]
    assert any((part > 0).sum() > 1 and (part == 0).any() for part in weights)


def test_density_equals_the_written_formula(compiled_world: World, sampler: Sampler, rng: np.random.Generator) -> None:
    """At random points the compiled log-density differs from point to point as the NumPy formula does."""
    names = value_names(sampler)
    points = random_points(sampler, rng, 8)
    found = [sampler.log_density(compiled_world.evidence, point)[0] for point in points]
    expected = [expected_density(compiled_world, names, point) for point in points]
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(np.subtract(found, found[0]), np.subtract(expected, expected[0]), rtol=0, atol=1e-9)


def test_pymc_and_sampler_have_one_density(
    compiled_world: World, logp: Callable[[dict], float], sampler: Sampler, rng: np.random.Generator
) -> None:
    """PyMC's own compiled log-density and the sampler's agree at random points."""
    for point in random_points(sampler, rng, 5):
        found = sampler.log_density(compiled_world.evidence, point)[0]
        assert found == pytest.approx(float(logp(as_point(sampler, point))), rel=1e-12)


def test_sampler_gradient_equals_finite_differences(
    compiled_world: World, sampler: Sampler, rng: np.random.Generator
) -> None:
    """The gradient of the compiled density equals central differences in every coordinate."""
    evidence = compiled_world.evidence
    for point in random_points(sampler, rng, 3):
        gradient = sampler.log_density(evidence, point)[1]
        h = 1e-5
        for i in range(point.size):
            step = h * np.eye(point.size)[i]
            up, down = (sampler.log_density(evidence, point + sign * step)[0] for sign in (1, -1))
            assert gradient[i] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-5)


def test_sampler_takes_other_evidence(compiled_world: World, sampler: Sampler) -> None:
    """One compiled sampler gives other evidence of the model its own density, and the first its old one afterwards."""
    first = compiled_world.evidence
    fewer = first.cells._replace(
        what=first.cells.what[:4], value=first.cells.value[:4], observed=first.cells.observed[:4]
    )
    other = _with_cells(first, fewer)
    point = random_points(sampler, np.random.default_rng(1), 1)[0]
    before = sampler.log_density(first, point)[0]
    density = sampler.log_density(other, point)[0]
    likelihoods = [_likelihood(compiled_world.space, e, _draw(compiled_world, sampler, point)) for e in (first, other)]
    assert density - before == pytest.approx(likelihoods[1] - likelihoods[0], abs=1e-10)
    assert density != before
    assert sampler.log_density(first, point)[0] == before


class Asked(Exception):  # noqa: N818 - no error
    """Stands for what would be compiled: only its key is wanted."""


def test_other_numbers_in_the_file_compile_nothing_anew(
    compiled_world: World, sampler: Sampler, logp: Callable[[dict], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model with other priors is looked up under the same key, and has its own density."""
    keys: list[str] = []
    compile_source = sampler_module.compile_numba_function_src

    def noted(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        keys.append(kwargs["cache_key"])
        if len(keys) == 1:
            raise Asked  # of the small world there is a sampler already
        return compile_source(*args, **kwargs)

    monkeypatch.setattr(sampler_module, "compile_numba_function_src", noted)
    spec, evidence = compiled_world.spec, compiled_world.evidence
    priors = spec.priors
    grades = priors.grades.model_copy(update={"weak": 1.7, "concentration": 5.5})
    departure = priors.departure.model_copy(update={"scale": 0.31})
    other = spec.model_copy(update={"priors": priors.model_copy(update={"grades": grades, "departure": departure})})
    with pytest.raises(Asked):
        Sampler(StateSpace(spec), evidence)
    changed = Sampler(StateSpace(other), evidence)
    assert keys[0] == keys[1]
    with plainly():
        of_other = build_model(StateSpace(other), evidence).compile_logp(mode="FAST_COMPILE")
    for made, density in ((sampler, logp), (changed, of_other)):
        point = random_points(made, np.random.default_rng(5), 1)[0]
        expected = float(density(as_point(made, point)))
        assert made.log_density(evidence, point)[0] == pytest.approx(expected, rel=1e-12)


def test_what_no_evidence_speaks_of_is_drawn_from_its_prior(compiled_world: World, sampler: Sampler) -> None:
    """NUTS leaves out what belongs to unspoken indicators: the density there is their prior's, and so are the draws."""
    cells = compiled_world.evidence.cells
    kept = cells.what[:, 1] == OBSERVABLE
    silent = _with_cells(
        compiled_world.evidence,
        cells._replace(
            what=cells.what[kept], value=cells.value[kept], observed=cells.observed[kept],
            available=np.zeros((0, cells.available.shape[1]), dtype=np.int64),
        ),
    )  # fmt: skip
    count = len(compiled_world.space.indicators)
    moving, everything = sampler.moving(silent), sampler.moving(compiled_world.evidence)
    assert moving.size == everything.size - 2 * count
    point = random_points(sampler, np.random.default_rng(3), 1)[0]
    still = np.setdiff1d(everything, moving)
    np.testing.assert_allclose(sampler.log_density(silent, point)[1][still], -point[still], rtol=0, atol=1e-12)
    posterior, _ = sampler.sample(silent, Settings(draws=400, tune=200, chains=2, seed=5))
    for name in ("indicator_offset", "indicator_departure"):
        values = posterior[name].to_numpy().reshape(-1, count)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=5 / np.sqrt(800))
        np.testing.assert_allclose(values.std(axis=0), 1, atol=5 / np.sqrt(1600))
        np.testing.assert_allclose(np.corrcoef(values.T), np.eye(count), atol=5 / np.sqrt(800))


def _with_cells(evidence: Evidence, cells: object) -> Evidence:
    return dataclasses.replace(evidence, cells=cells)


def _draw(world: World, sampler: Sampler, point: np.ndarray) -> Draws:
    values, _ = read_point(world.spec, value_names(sampler), point)
    return draws_of(world.space, [oracle.derived(world.spec, values)])


def _likelihood(space: StateSpace, evidence: Evidence, draws: Draws) -> float:
    return float(filter_draws(chain_of(space), evidence.cells, draws).log_likelihood[0])


# Prediction.


def _in_support(space: StateSpace, evidence: Evidence, report: np.ndarray) -> None:
    cells = evidence.cells
    for (_, kind, stage, _, group), value in zip(cells.what, report, strict=True):
        if kind == COVERED:
            assert value in (0.0, *REPORT_MIX)
        elif kind == SELECTIVE:
            assert value == int(value)
            assert cells.available[group, int(value)] == 1
        elif kind == ASSESSMENT:
            assert value in range(space.sizes[stage])
        else:
            assert value in (0.0, 1.0)


@pytest.fixture(scope="module")
def prior(model: pm.Model) -> xr.DataTree:
    """Draw from the prior and its predictions."""
    with model, plainly():
        return pm.sample_prior_predictive(draws=40, random_seed=3, compile_kwargs={"mode": "FAST_COMPILE"})


def test_prior_predictions_have_the_right_support(compiled_world: World, prior: xr.DataTree) -> None:
    """Prior predictions of the reports can be what each kind of cell can hold, and vary."""
    reports = prior["prior_predictive"]["reports"].to_numpy().reshape(-1, compiled_world.evidence.cells.observed.size)
    assert reports.shape[0] == 40
    for report in reports:
        _in_support(compiled_world.space, compiled_world.evidence, report)
    assert len(np.unique(reports, axis=0)) > 10


def test_derived_draws_are_those_of_the_method(compiled_world: World, prior: xr.DataTree) -> None:
    """PyMC's log rates, emissions and starts follow from its parameters as the oracle derives them, name by name."""
    group = prior["prior"]
    names = {
        "transition_log_rate": "eta", "effect_log_times": "delta", "class_log_rate": "mu",
        "class_log_spread": "log_sigma", "indicator_offset": "z", "indicator_departure": "zeta",
        "grade_increment": "increment", "departure_scale": "tau",
    }  # fmt: skip
    space = compiled_world.space
    assert tuple(group["log_rate"].coords["rate"].to_numpy()) == space.rate_names
    assert tuple(group["log_lambda"].coords["emission"].to_numpy()) == space.emission_names
    assert tuple(group["start"].coords["stage_phase"].to_numpy()) == space.stage_phases
    for k in range(10):
        values = {own: group[name].to_numpy()[0, k] for name, own in names.items()}
        if "diagnosticity" in group:
            values["kappa"] = float(group["diagnosticity"].to_numpy()[0, k])
        for stage, row in compiled_world.spec.stages.items():
            given = f"start_{stage}" in group
            values[f"start_{stage}"] = group[f"start_{stage}"].to_numpy()[0, k] if given else np.ones(len(row.start))
        expected = draws_of(space, [oracle.derived(compiled_world.spec, values)])
        for name, array in zip(Draws._fields, expected, strict=True):
            np.testing.assert_allclose(group[name].to_numpy()[0, k], array[0], rtol=0, atol=1e-10)


def test_pointwise_likelihood_is_the_filter_s(compiled_world: World, model: pm.Model, prior: xr.DataTree) -> None:
    """`pm.compute_log_likelihood` on a small posterior gives the log-likelihood of each draw."""
    with model:
        free = [variable.name for variable in model.free_RVs]
        posterior = prior["prior"].to_dataset()[free].isel(draw=slice(0, 6))
        found = pm.compute_log_likelihood(
            xr.DataTree.from_dict({"posterior": posterior}), extend_inferencedata=False, progressbar=False
        )
    values = found["reports"].to_numpy().reshape(-1)
    draws = Draws(*(prior["prior"][name].to_numpy()[0, :6] for name in Draws._fields))
    expected = filter_draws(chain_of(compiled_world.space), compiled_world.evidence.cells, draws).log_likelihood
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_model_reads_by_name(compiled_world: World, model: pm.Model) -> None:
    """Dims and coords carry the names of the model file."""
    assert tuple(model.coords["indicator"]) == tuple(compiled_world.spec.indicators)
    assert tuple(model.coords["class"]) == tuple(compiled_world.spec.priors.classes)
    assert tuple(model.coords["grade"]) == ("weak", "moderate", "strong", "decisive")
    assert tuple(model.coords["transition"]) == compiled_world.space.transitions
    assert set(data_of(compiled_world.evidence.cells, compile_history(compiled_world.space))) <= set(model.named_vars)
