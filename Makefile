# Needs Python 3.11 or newer (with venv and pip) and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint format clean

demo: $(VENV)/.gate  ## The main job on the Wisconsin breast cancer table: one refusal, one release, both verified.
	$(BIN)/gateway demo --out sluice-demo

test: $(VENV)/.dev  ## The whole suite, on both cores. WORKERS=0 runs it in one process.
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS)
WORKERS ?= 2

lint: $(VENV)/.dev  ## Format, lint, types, import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) sluice-demo

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Sluice needs Python 3.11 or newer: make PYTHON=python3.12 ...' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and by its exact version, so that the CPU build is taken wherever the package index offers one
$(VENV)/.gate: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[gate]'
	@touch $@

$(VENV)/.dev: $(VENV)/.gate
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[gate,dev]'
	@touch $@
