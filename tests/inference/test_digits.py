"""A density says the same, to the last digit, wherever its code came from."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from small_models import TINY

if TYPE_CHECKING:
    from pathlib import Path

VALUES = """
import sys
from pathlib import Path
import numpy as np
from forecast.inference.model import Model
from forecast.theory.modelfile import load_spec

model = Model(load_spec(Path(sys.argv[1])))
evidence = model.evidence((), model.spec.model.start)
sampler = model.sampler(evidence)
size = sum(np.size(value) for value in sampler._model.initial_point(0).values())
for point in np.random.default_rng(5).normal(0, 0.5, (100, size)):
    value, gradient = sampler.log_density(evidence, point)
    print(value.hex(), gradient.tobytes().hex())
"""


@pytest.mark.slow
def test_code_that_is_compiled_says_what_code_that_is_read_says(tmp_path: Path) -> None:
    """A process that compiles a density, and one that reads what it kept, agree in every bit; so seeds give one fit."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    env = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'compiled'}"}
    compiled, read = (
        subprocess.run(
            [sys.executable, "-c", VALUES, str(path)], env=env, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    )
    assert compiled.count("\n") == 100
    assert compiled == read
