"""Kernels that are compiled ahead: what the first run on a machine wants of them is there."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import datetime as dt
import pkgutil
from importlib import import_module

from numba.core.registry import CPUDispatcher

from forecast import engine
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.model import Model
from forecast.inference.reweighting import reweigh
from forecast.studies import compile_ahead
from forecast.studies.calibrate import study_spec


def compiled():
    modules = [import_module(f"forecast.engine.{part.name}") for part in pkgutil.iter_modules(engine.__path__)]
    return {
        (name, str(signature))
        for module in modules for name, found in vars(module).items() if isinstance(found, CPUDispatcher)
        for signature in found.signatures
    }


compile_ahead.main()
ahead = compiled()
model = Model(study_spec())
evidence = model.evidence((), model.spec.model.start + dt.timedelta(days=200))
draws = compile_ahead.any_draws(model.space)
assert reweigh(Anchor(model.space, PRIOR, lambda: draws), evidence).quantities
print(sorted(name for name, _ in ahead))
print(sorted(compiled() - ahead))
"""


def test_nothing_is_left_to_compile_for_a_forecast() -> None:
    """Draws, weighted to evidence and asked for every number, find each kernel compiled."""
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    ahead, left = result.stdout.splitlines()
    assert "_evaluate_range" in ahead  # what is called from Python; what that calls is within it
    assert left == "[]"
