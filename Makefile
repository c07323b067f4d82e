# Everything a fresh machine needs: `make report` and `make test` set themselves up.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
AS_OF ?= 2026-01-08

# Threads of NumPy's products wait for the next one at full speed, and take the processors from tests beside them.
test test-slow: export OPENBLAS_NUM_THREADS ?= 1

# Hundreds of processes load the package; each would translate it anew where none may keep what it translated.
report test test-slow: export PYTHONDONTWRITEBYTECODE :=

.PHONY: report test test-slow lint bench docs validation pins clean

# The main job on the article's evidence.
report: $(VENV)/.kernels
	$(BIN)/forecast run --as-of $(AS_OF)

# Looked for every time, as somebody may have removed it: a browser and systemd. ARGUMENTS, such as tests/test_page.py.
test: $(VENV)/.kernels $(VENV)/.dev
	$(BIN)/python tests/needs.py
	$(BIN)/python -m pytest -m "not slow" --numprocesses logical --maxprocesses 8 --dist worksteal $(ARGUMENTS)

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.run all

# Documents generated from the model file, the rows and the code.
docs: $(VENV)/.dev
	$(BIN)/python -m docs.build

# The whole engine on simulated worlds, for hours; it goes on where it was stopped. ARGUMENTS, such as --workers 8.
validation: $(VENV)/.dev
	$(BIN)/python -m benchmarks.validation $(ARGUMENTS)

# Exact versions for pyproject.toml's lower bounds, for every Python that is supported; no addresses.
pins: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --all-extras --no-header --no-annotate --no-emit-index-url \
	    --python-version 3.12 pyproject.toml --output-file pins.txt

$(BIN)/uv:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

# Kernels are compiled while the first run compiles its density; both are kept.
$(VENV)/.kernels: $(VENV)/.ready
	touch $@
	$(BIN)/python -m forecast.studies.compile_ahead > $(VENV)/kernels.log 2>&1 &

# What a run loads of these packages is translated as it loads it: all of them would take longer than the install.
$(VENV)/.ready: pyproject.toml pins.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint pins.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint pins.txt \
	    --editable '.[dev,excel,feeds,postgres,serve,telemetry,mcp,cluster]'
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint pins.txt \
	    --editable '.[dev,excel,feeds,postgres,serve,telemetry,mcp,cluster,bench]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .benchmarks dist
