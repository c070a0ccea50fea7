# All commands of this project. `make` alone lists them. Needs Python 3.11 or newer, and nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

.PHONY: help demo dev test check fix bench lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Run a real graph on a real Temporal server, here and now (options by ARGS="...")
	@$(BIN)/python starter.py demo $(ARGS)

dev: $(RUNTIME) ## Temporal server and worker until stopped; runs are kept in .orchestrator/dev.db
	@$(BIN)/python starter.py dev $(ARGS)

test: $(DEV) ## Every test: first those that need no server (options by ARGS="...")
	$(BIN)/python -m pytest tests/unit $(ARGS)
	$(BIN)/python -m pytest --ignore=tests/unit $(ARGS)

check: $(DEV) ## Format, lint, types, import contracts; never writes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

fix: $(DEV) ## Format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## Measure what docs/performance.md reports (options by ARGS="...")
	$(BIN)/python -m benchmarks $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command 'make lock'

lock: $(DEV) ## Pin the dependencies of pyproject.toml anew (UPGRADE=1: to their newest)
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build pyproject.toml --output-file requirements.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra dev --extra bench --constraint requirements.txt pyproject.toml \
		--output-file requirements-dev.txt

clean: ## Remove what the other commands made, runs of `make dev` excepted
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build *.egg-info

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." \
			"Install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) lacks its venv module. Install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV)

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

$(RUNTIME): $(VENV)/pyvenv.cfg requirements.txt pyproject.toml
	@echo "Installing what requirements.txt pins"
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	@echo "Installing what requirements-dev.txt pins"
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
