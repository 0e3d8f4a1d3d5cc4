# The whole interface in one place; `make help` prints it. Needs make, git and Python >= 3.11 with venv.
#   make run AUDIO=/any/folder RUN=name ARGS='--config model=small'

PYTHON ?= python3
# Values of the user reach scripts through the environment, as they are: no shell ever reads a file name,
# and $(value) keeps make from expanding a dollar sign in one.
export AUDIOGRID_AUDIO := $(value AUDIO)
export AUDIOGRID_RUN := $(value RUN)
export AUDIOGRID_ARGS := $(value ARGS)
export AUDIOGRID_BATCH := $(value BATCH)
export AUDIOGRID_MODEL := $(value MODEL)
export AUDIOGRID_CASES := $(value CASES)
unexport AUDIO RUN ARGS BATCH MODEL CASES MAKEFLAGS MAKEOVERRIDES

# Words that would otherwise pass in silence: `make run audio=folder` has no AUDIO, `make run folder` names a target.
TARGETS = $(shell awk -F ':' '/^[a-z-]+:.*\#\# /{print $$1}' Makefile)
MISSPELT := $(foreach name,audio run args batch model Audio Run Args Batch Model recordings RECORDINGS FOLDER,\
  $(if $(findstring command line,$(origin $(name))),$(name)))
ifneq ($(strip $(MISSPELT)),)
  $(error Unknown: $(MISSPELT)=. Write the variables in capitals: make run AUDIO=/any/folder RUN=name ARGS='...')
endif
ifneq ($(filter run batch,$(MAKECMDGOALS)),)
  ifneq ($(filter-out $(TARGETS),$(MAKECMDGOALS)),)
    $(error Unknown: $(filter-out $(TARGETS),$(MAKECMDGOALS)). Values have names: make run AUDIO=/any/folder, make batch BATCH=name)
  endif
endif

ENV := .venv/bin/python
SETUP := $(PYTHON) scripts/environment.py
# Folders with Python code; some appear later than others.
CODE := $(wildcard scripts tests samples benchmarks)

.DEFAULT_GOAL := help
.PHONY: run serve batch test test-fast cases bench check docs setup slurm-up slurm-down models demo-mpi clean help

run: ## transcribe AUDIO=folder|glob|table (default: the samples) into results/RUN; ARGS go to snakemake
	@$(SETUP) run
	@$(ENV) scripts/run.py

batch: ## run every config/batches/*.yaml, or those in BATCH="one other"; ARGS go to snakemake, e.g. ARGS=plan
	@$(SETUP) run
	@$(ENV) scripts/batch.py

serve: ## transcription service on http://127.0.0.1:8010 (docs/service.md); ARGS go to audiogrid serve, e.g. ARGS="--watch in"
	@$(SETUP) serve
	@$(ENV) -m audiogrid.cli serve $$AUDIOGRID_ARGS

test: ## run the tests; ARGS go to pytest, e.g. ARGS=tests/unit
	@$(SETUP) test
	@$(ENV) -m pytest -n 3 --no-loadscope-reorder $$AUDIOGRID_ARGS

test-fast: ## the unit tests only (under two minutes)
	@$(SETUP) test
	@$(ENV) -m pytest -n 2 --no-loadscope-reorder tests/unit

cases: ## run audiogrid on awkward inputs: CASES=folder holds a script for each, which no clone has; ARGS name single ones
	@$(SETUP) test
	@$(ENV) tests/cases.py "$$AUDIOGRID_CASES" $$AUDIOGRID_ARGS

bench: ## measure what README and BENCHMARKS.md claim; ARGS name single benchmarks
	@$(SETUP) bench
	@$(ENV) benchmarks/run.py $$AUDIOGRID_ARGS

check: ## linters and type checks: ruff, mypy, import rules, snakefmt, snakemake --lint, workflows if actionlint is here
	@$(SETUP) dev
	$(ENV) -m ruff check $(CODE)
	$(ENV) -m ruff format --check $(CODE)
	$(ENV) -m mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/snakefmt --check workflow
	.venv/bin/snakemake --lint
	@if command -v actionlint > /dev/null; then actionlint; fi

docs: ## write what documents take from the code: config/config.yaml, lists of keys, formats, columns, modules
	@$(SETUP) run
	@$(ENV) scripts/docs.py $$AUDIOGRID_ARGS

setup: ## only make or renew the environment in .venv
	@$(SETUP) run

slurm-up: ## start a small Slurm on this machine, to try `snakemake --profile slurm` on
	@$(PYTHON) tests/slurm/cluster.py up

slurm-down: ## end it, with everything that runs on it
	@$(PYTHON) tests/slurm/cluster.py down

models: ## fetch and verify MODEL=name (or folder, or org/name@revision) into models/
	@$(SETUP) run
	@$(ENV) scripts/stage_model.py --model="$${AUDIOGRID_MODEL:-base}"

demo-mpi: ## 1 h of speech over 4 MPI ranks: the text of every chunk, one text in order, and the seconds it takes
	@$(SETUP) bench
	@$(ENV) benchmarks/mpi.py demo

clean: ## remove the environment and caches; models and results stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build scripts/*.egg-info
	find scripts tests samples -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile
