# Everything runs in .venv, which is made when it is needed. `make` alone lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup demo test bench bench-decisions bench-large test-long test-postgres test-s3 test-faults test-chaos test-data browser
.PHONY: check fix docs docs-data lock env up down clean

# The first interpreter that runs, is 3.11 or newer and can make environments; a shim may exist and not run.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$python"; break; }; done)
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
# Threads that wait must not spin: on two busy cores that makes a fit 50 times slower.
export OMP_WAIT_POLICY := PASSIVE

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed  ## Make .venv with the pinned requirements (other targets do it themselves)

.venv/.installed: requirements.txt requirements-dev.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer that can make virtual environments was found." >&2; \
		echo "Install one (Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@echo "Installing pinned requirements into .venv with $$($(PYTHON) --version); the first time takes some minutes"
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-virtualenv -r requirements.txt -r requirements-dev.txt
	@touch $@

demo: setup  ## Replay days of real flights through Airflow, then serve (DAYS=15, DEMO_EXIT=1 ends after the summary)
	@exec $(PY) -m demo

test: setup  ## Every test that needs PyPI only (ARGS="-k name" for some); `make test-long` and `make browser` have the rest
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not browser and not long" $(ARGS)

test-long: setup  ## The longest whole runs: the other examples, `init`, planted personal values, a demo that is killed
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

test-postgres: setup  ## The same spec on a real PostgreSQL server, which is installed and started here
	@$(PY) -m demo.postgres $(ARGS)

test-s3: setup  ## What the store promises on a real Ceph, which is installed and started here
	@$(PY) -m demo.ceph $(ARGS)

# What happens to a disk is tried in memory, where there is such a disk: millions of files come and go.
test-faults: setup  ## Faults at every store call of a promotion, races, 600 random histories (FAULTS_JSON=file for totals)
	@memory=/dev/shm; [ -w "$$memory" ] || memory=$${TMPDIR:-/tmp}; made=$$(mktemp -d -p "$$memory" retraining-faults-XXXXXX); \
		trap 'rm -rf "$$made"' EXIT; mkdir "$$made/parts"; \
		TMPDIR=$$made FAULTS_PARTS=$$made/parts OMP_NUM_THREADS=1 $(PY) -m pytest \
		-o addopts="--import-mode=importlib --strict-markers -ra" --timeout=3000 -q -n 2 --dist worksteal tests/faults $(ARGS)

test-chaos: setup  ## kill -9 of tasks, scheduler and store in real runs, of the whole demo too (SEED=1 repeats a plan)
	@$(PY) -m pytest -o addopts="--import-mode=importlib --strict-markers -ra -s" --timeout=3600 -m chaos tests/chaos $(ARGS)

test-data: setup  ## Kinds of bad data on real flights, and all of 2013: what validation says of each
	@OMP_NUM_THREADS=1 $(PY) -m pytest -o addopts="--import-mode=importlib --strict-markers -ra" --timeout=3000 \
		-n 2 --dist loadfile tests/data $(ARGS)

browser: setup  ## The pages in headless Chromium, which is installed if it is missing
	@command -v chromium >/dev/null || { \
		[ "$$(id -u)" = 0 ] || { echo "Chromium is missing: install it (Debian: apt-get install chromium)" >&2; exit 1; }; \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core; }
	@$(PY) -m pytest -m browser tests/browser $(ARGS)

bench: setup  ## What the registry and a validation cost, next to peers on the same bytes in the same run
	@$(PY) -m bench

bench-decisions: setup  ## The rule against calendars and triggers, with and without drift (hours at first; QUICK=1: minutes)
	@$(PY) -m bench.deciding

bench-large: setup  ## Validate snapshots of 10^6 to 5 x 10^7 rows by parts, and print time and memory (some minutes, 6 GB of disk)
	@$(PY) -m bench.large

check: setup  ## Lint, format and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

fix: setup  ## Repair what lint and format can
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

docs: setup  ## Write docs/DAGS.md from the DAGs
	@$(PY) docs/render.py

docs-data: setup  ## Write what validation says of bad data into docs/validation.md
	@OMP_NUM_THREADS=1 $(PY) -m tests.data.table

lock: setup  ## Pin requirements.in and requirements-dev.in anew
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements.in -o requirements.txt
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt

env:  ## Write the secrets of docker-compose.yaml to .env, unless they are there
	@$(or $(PYTHON),python3) -m demo.compose

up: env  ## Start the team topology: docker compose
	@command -v docker >/dev/null || { echo "docker is missing: https://docs.docker.com/engine/install/" >&2; exit 1; }
	@docker compose up --build --detach --wait

down:  ## Stop the team topology; its volumes stay
	@docker compose down

clean:  ## Remove the environment, the demo's state and caches
	@rm -rf .venv .demo .pytest_cache .ruff_cache .mypy_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
