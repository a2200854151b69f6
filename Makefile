# Needs Python 3.11 or newer (with venv and pip) and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint format clean bench bench-fresh bench-dp bench-gate fuzz

demo: $(VENV)/.gate  ## The main job on the Wisconsin breast cancer table: one refusal, one release, both verified.
	$(BIN)/gateway demo --out sluice-demo

test: $(VENV)/.dev $(VENV)/rocrate/.done  ## The whole suite, on both cores. WORKERS=0 runs it in one process.
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS)
WORKERS ?= 2

# RO-Crate's own validator, which wants other versions of click and rich than the gate has
$(VENV)/rocrate/.done: tests/gateway/metadata/rocrate-validator.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --no-deps --requirement $<
	@touch $@

lint: $(VENV)/.dev  ## Format, lint, types, import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Hours, most of them the peers' on the larger tables. SOURCE is a folder of the public tables (see
# benchmarks/hybrid/tables.py), BENCH more options of benchmarks/hybrid/run.py, such as BENCH='--tables wdbc --seeds 0'.
BENCH_PEERS := arfpy mostlyai synthpop
bench: $(VENV)/.dev $(BENCH_PEERS:%=build/bench/peers/%/.done)  ## Every missing run of the hybrid benchmark, then its pages.
	@test -n '$(SOURCE)' || { echo 'make bench SOURCE=folder-of-the-public-tables' >&2; exit 2; }
	$(BIN)/python -m benchmarks.hybrid.tables --source '$(SOURCE)' --out build/bench/data
	$(BIN)/python -m benchmarks.hybrid.run --data build/bench/data --work build/bench/work $(BENCH)
	$(BIN)/python -m benchmarks.hybrid.report

# Ours, a peer and fresh real rows on thirds of the same tables: ten seeds of the small ones, three of the large. Then
# seven further cuts of the small tables in halves.
BENCH_FRESH := --data build/bench/thirds --work build/bench/thirds-work --out benchmarks/hybrid/thirds
SMALL_TABLES := wdbc,heart-disease,heart-failure,adult-500,diabetes-130-500
TEN_SEEDS := 0,1,2,3,4,5,6,7,8,9
BENCH_TEN := --tables wdbc,heart-disease,heart-failure --seeds 3,4,5,6,7,8,9
bench-fresh: $(VENV)/.dev build/bench/peers/synthpop/.done  ## Every missing run of ours and of fresh real rows, then the hybrid benchmark's pages.
	@test -n '$(SOURCE)' || { echo 'make bench-fresh SOURCE=folder-of-the-public-tables' >&2; exit 2; }
	$(BIN)/python -m benchmarks.hybrid.tables --source '$(SOURCE)' --thirds --out build/bench/thirds \
		--tables $(SMALL_TABLES) --seeds $(TEN_SEEDS)
	$(BIN)/python -m benchmarks.hybrid.tables --source '$(SOURCE)' --thirds --out build/bench/thirds \
		--tables adult,diabetes-130
	$(BIN)/python -m benchmarks.hybrid.run $(BENCH_FRESH) --methods ours,real-fresh,gmm --tables $(SMALL_TABLES) \
		--seeds $(TEN_SEEDS)
	$(BIN)/python -m benchmarks.hybrid.run $(BENCH_FRESH) --methods ours,real-fresh,gmm --tables adult,diabetes-130
	$(BIN)/python -m benchmarks.hybrid.tables --source '$(SOURCE)' --out build/bench/data $(BENCH_TEN)
	$(BIN)/python -m benchmarks.hybrid.run --data build/bench/data --work build/bench/work $(BENCH_TEN) \
		--out benchmarks/hybrid/ten --methods ours,gmm,smote,synthpop
	$(BIN)/python -m benchmarks.hybrid.report

# each peer wants other versions; the torchvision that mostlyai-engine brings does not go with a CPU build of torch
build/bench/peers/%/.done: benchmarks/hybrid/peers/requirements-%.txt
	$(PEER_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --requirement $<
	$(@D)/bin/pip uninstall --quiet --yes torchvision
	@touch $@

# Hours, most of them AIM's. SOURCE is a folder of the public tables (see benchmarks/dp/tables.py), BENCH more options of
# benchmarks/dp/run.py, such as BENCH='--tables heart-disease --epsilons 1'.
bench-dp: $(VENV)/.dev build/bench-dp/dpmm/.done  ## Every missing run of the DP benchmark, then its page.
	@test -n '$(SOURCE)' || { echo 'make bench-dp SOURCE=folder-of-the-public-tables' >&2; exit 2; }
	$(BIN)/python -m benchmarks.dp.tables --source '$(SOURCE)' --out build/bench-dp/data
	$(BIN)/python -m benchmarks.dp.run --data build/bench-dp/data $(BENCH)
	$(BIN)/python -m benchmarks.dp.report

# AIM and MST need numpy 1.26 and pandas 2.1, and so Python 3.11
PEER_PYTHON ?= python3.11
build/bench-dp/dpmm/.done: benchmarks/dp/peers/requirements-dpmm.txt
	$(PEER_PYTHON) -m venv build/bench-dp/dpmm
	build/bench-dp/dpmm/bin/pip install --quiet --requirement $<
	@touch $@

# Hours, most of them audits of large tables. SOURCE as above, BENCH more options of benchmarks/gate/power.py, such as
# BENCH='--cells adult-500 --repetitions 5'.
bench-gate: $(VENV)/.dev  ## Every missing audit of planted leaks and honest releases, what an audit costs, then the page.
	@test -n '$(SOURCE)' || { echo 'make bench-gate SOURCE=folder-of-the-public-tables' >&2; exit 2; }
	$(BIN)/python -m benchmarks.gate.power --source '$(SOURCE)' $(BENCH)
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks.gate.speed --out benchmarks/gate/results/speed.json
	$(BIN)/python -m benchmarks.gate.page

# For SECONDS, from the corpus in the repository; what it finds is kept in build/fuzz. Linux, and a Python atheris is made for.
SECONDS ?= 600
fuzz: $(VENV)/.dev  ## Coverage-guided fuzzing of the intake by atheris.
	$(BIN)/pip install --quiet 'atheris==3.0.0'
	mkdir -p build/fuzz
	$(BIN)/python -m tests.fuzz.intake build/fuzz tests/fuzz/corpus -max_len=65536 -max_total_time=$(SECONDS) -timeout=60

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
