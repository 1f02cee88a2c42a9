# Needs python3 (3.11 or newer) and make; everything else is installed into .venv.

BOOTSTRAP ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
COMPILED := $(VENV)/.compiled
# All tests at once: a file stays with one worker, and the long files, which come first, stay first.
# Four, though there are two cores: tests wait for processes and disks, and two workers left 40 % idle.
WORKERS := --numprocesses 4 --dist loadfile --no-loadscope-reorder
EXTRAS := broker,zstd,dev
CODE := $(wildcard client broker tests benchmarks examples)
TYPED := $(wildcard client broker tests benchmarks)
PIP := $(PYTHON) -m pip --quiet --quiet --disable-pip-version-check --no-input

# The tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup check test format demo bench crash faults simulate models fuzz mutate prove clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(STAMP) ## Make the virtual environment .venv with everything in it
	@:

$(PYTHON):
	@$(BOOTSTRAP) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "setup: needs Python 3.11 or newer; name it with: make setup BOOTSTRAP=python3.12" >&2; exit 1; }
	@$(BOOTSTRAP) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "setup: this Python cannot make virtual environments; on Debian or Ubuntu run: apt install python3-venv" >&2; exit 1; }
	@echo "setup: making $(VENV)"
	@$(BOOTSTRAP) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(PYTHON)
	@echo "setup: installing tapemq[$(EXTRAS)] and its tested dependencies"
	@$(PIP) install --editable '.[$(EXTRAS)]' --constraint constraints.txt
	@touch $@
	@echo "setup: done"

$(COMPILED): | $(STAMP)
	@echo "test: compiling the tests"
	@$(PYTHON) -m tests.support.compile_tests
	@touch $@

check: $(STAMP) ## Check format, lint and types
	@$(PYTHON) -m ruff format --check --quiet $(CODE) || { \
	  echo "check: the format differs; run: make format" >&2; exit 1; }
	@$(PYTHON) -m ruff check --quiet $(CODE)
	@$(PYTHON) -m mypy --no-error-summary $(TYPED)
	@echo "check: format, lint and types are fine"

format: $(STAMP) ## Format the code and fix what can be fixed by itself
	@$(PYTHON) -m ruff format --quiet $(CODE)
	@$(PYTHON) -m ruff check --quiet --fix $(CODE)

test: $(STAMP) | $(COMPILED) ## Run the tests; choose some with ARGS="tests/client -k frames"
	@$(PYTHON) -m pytest $(or $(ARGS),$(WORKERS))

demo: $(STAMP) ## Run the flights example against a broker of its own
	@$(PYTHON) examples/flights $(ARGS)

bench: $(BENCH_STAMP) ## Run the benchmarks; choose some with ARGS="--quick"
	@$(PYTHON) -m benchmarks $(ARGS)

$(BENCH_STAMP): $(STAMP)
	@echo "bench: installing the clients of the systems it compares"
	@$(PIP) install --editable '.[$(EXTRAS),bench]' --constraint constraints.txt
	@touch $@

crash: $(STAMP) ## Run the long form of the crash tests
	@TEST_LONG=1 $(PYTHON) -m pytest -s -m crash $(ARGS)

faults: $(STAMP) ## Run the long form of the fault tests
	@TEST_LONG=1 $(PYTHON) -m pytest -s -m faults $(ARGS)

simulate: $(STAMP) ## Run the simulation from seeds over all cores: SEEDS=7 or SEEDS=0-19999
	@$(PYTHON) -m tests.support.simulation $(SEEDS)

models: $(STAMP) | $(COMPILED) ## Compare with models by steps that are drawn; further with TIMES=30
	@TEST_TIMES=$(or $(TIMES),3) $(PYTHON) -m pytest $(WORKERS) -m models tests/broker

fuzz: $(STAMP) ## Fuzz every decoder for a minute; one kind with ARGS="--family records --seconds 1800 --together"
	@$(PYTHON) -m tests.support.fuzz $(ARGS)

mutate: $(STAMP) ## See whether tests notice small wrongs; choose modules with ARGS="torn chain"
	@$(PYTHON) -m tests.support.mutation $(ARGS)

prove: $(STAMP) ## Run the tests of the promises and write docs/reliability.md; ARGS=--long
	@$(PYTHON) -m tests.support.proof $(ARGS)

clean: ## Remove the virtual environment, caches and build results
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find client broker tests $(wildcard benchmarks examples) -name __pycache__ -type d -prune -exec rm -rf {} +
