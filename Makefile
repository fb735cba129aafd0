# `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo test quick lint format elastic bench evaluate fuzz lock clean

VENV := .venv
BIN := $(VENV)/bin
# The first usable one of PYTHONS makes the environment; `make env PYTHON=…` names another.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
FIT := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
SEEDS ?= 203 204 205 207 208
QUIET_SEEDS ?= 206
MAJOR ?= 8
BARE := not engine and not spark and not elasticsearch and not browser and not airflow and not slow
QUICK := $(BARE) and not thorough
# Each process has an engine and servers of its own, which take memory.
BY_FILE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Coverage of the tests that run stages; it would double the time of the others. The floor is in
# pyproject.toml.
COVERAGE := --cov=schemas --cov=models --cov=jobs --cov-report=term:skip-covered
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.ready ## make .venv from the lock file; the command is .venv/bin/exfilwatch

demo: env ## make a sample lab's logs in demo/, run every day, show the review queue
	@$(BIN)/exfilwatch demo

test: lint ## lint, then all tests with coverage (PYTEST="-k ingest" for some, without it)
ifdef PYTEST
	$(BIN)/python -m pytest $(PYTEST)
else
	$(BIN)/python -m pytest -n auto -m "$(BARE)"
	$(BIN)/python -m pytest $(BY_FILE) -m "not ($(BARE))" $(COVERAGE) --durations=25
endif

quick: env ## tests without engine, server, browser, worlds and random inputs: about a minute
	$(BIN)/python -m pytest -n auto -m "$(QUICK)" $(PYTEST)

lint: env ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: env ## correct the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

elastic: env ## start the Elasticsearch of the tests to look at, stop it at Ctrl-C (MAJOR=9)
	@$(BIN)/python -m tests.worlds.elastic_server --major $(MAJOR)

bench: env ## speed beside DuckDB and Spark, of every format, of 1,000 to 50,000 identities, of 60 days
	$(BIN)/python -m jobs.trial.bench

evaluate: env ## detection figures on labs not used for tuning: docs/evaluation.md (SEEDS="201 202")
	for seed in $(SEEDS); do $(BIN)/exfilwatch demo --seed $$seed --out evaluation/$$seed; done
	for seed in $(QUIET_SEEDS); do \
		$(BIN)/python -m jobs.trial.lab --seed $$seed --quiet --out evaluation/quiet-$$seed; \
		$(BIN)/exfilwatch run --config evaluation/quiet-$$seed/config.yml \
			--start 2026-09-26 --end 2026-10-30; \
	done
	$(BIN)/python -m jobs.trial.evaluate $(SEEDS:%=evaluation/%) \
		--quiet $(QUIET_SEEDS:%=evaluation/quiet-%) --out docs/evaluation.md

fuzz: env ## fuzz the parsers of hostile bytes, one minute a format (FORMAT=sshd SECONDS=600)
	@$(BIN)/python -c 'import atheris' 2>/dev/null \
		|| $(PIP) install --no-build-isolation --editable '.[fuzz]'
	$(BIN)/python -m tests.hostile.fuzz $(FORMAT:%=--format %) $(SECONDS:%=--seconds %)

lock: env ## rebuild requirements.lock from pyproject.toml (LOCK=--upgrade: newest versions)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" $(LOCK) --output-file requirements.lock pyproject.toml

clean: ## remove the environment, the demo and all caches
	rm -rf $(VENV) demo evaluation build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find dags jobs models schemas tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The installers are pinned by hash, too: first setuptools (builds pyspark and this package) and uv
# are installed from the lock file. uv is several times faster than pip. Of pip's settings it gets
# only the index; if uv fails, pip installs the same packages.
$(VENV)/.locked: requirements.lock
	@if [ -L $(VENV) ]; then \
		echo "make env: $(VENV) is a link, and its environment would be made anew; remove the link first" >&2; \
		exit 1; \
	fi
	@for name in $(PYTHONS); do \
		if "$$name" -c '$(FIT)' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
		echo "make env: Python 3.11, 3.12 or 3.13 with venv and pip is needed; none of" \
			"$(PYTHONS) fits." >&2; \
		echo "  Debian, Ubuntu: apt-get install python3 python3-venv" >&2; \
		echo "  another place:  make env PYTHON=/where/python3.12/is" >&2; \
		exit 1; \
	fi; \
	echo "make env: $$("$$python" --version), $$(grep -c '==' requirements.lock) packages; some minutes"; \
	"$$python" -m venv --clear $(VENV)
	@sed -n -e '/^setuptools==/,/[^\\]$$/p' -e '/^uv==/,/[^\\]$$/p' requirements.lock \
		> $(VENV)/installers.txt
	@$(PIP) install --require-hashes -r $(VENV)/installers.txt
	@index=$$($(PIP) config list | sed -n "s/^[^=]*[.]index-url='\(.*\)'$$/\1/p" | head -n 1); \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX=$$index; fi; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-build-isolation \
		--compile-bytecode -r requirements.lock \
	|| { echo "make env: uv could not; pip takes a few minutes" >&2; \
		$(PIP) install --require-hashes --no-build-isolation -r requirements.lock; }
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
