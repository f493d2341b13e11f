# HeadCall: `make demo` and `make test` set everything up by themselves.
#
#   PYTHON=/path/to/python3.11 make demo     chooses the interpreter

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := requirements/constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c $(CONSTRAINTS)

# What is installed is remembered inside the virtual environment, so removing it forgets it.
MADE := $(VENV)/.made
BASE := $(VENV)/.base-installed
DEV := $(VENV)/.dev-installed
TRAIN := $(VENV)/.train-installed

PYTHON ?=
EXTRAS := train,test
IS_USABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
NO_PYTHON := HeadCall needs Python 3.11 or 3.12 with its venv module: install one (Debian: apt-get \
	install python3 python3-venv) or name it, as in PYTHON=/path/to/python3.11 make demo

.PHONY: help venv install demo test lint format train-deps clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

venv: $(MADE) ## Make the virtual environment .venv

install: $(BASE) ## Install what a caller needs (no torch) into .venv

demo: $(BASE) ## Run a whole call on a real clip; leaves build/demo.mp4, demo.png, demo.json
	@$(BIN)/python -m benchmarks.demo --out build

test: lint ## Set up the tests and run the linters, the type checker and pytest
	@$(BIN)/python -m pytest

lint: $(DEV) ## Run ruff and mypy
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --quiet --check .
	@$(BIN)/python -m mypy

format: $(DEV) ## Format the code and mend what ruff can mend
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

train-deps: $(TRAIN) ## Install what training needs (torch) beside the base

clean: ## Remove the virtual environment, build/ and every cache
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@for candidate in $(if $(PYTHON),"$(PYTHON)",python3.11 python3.12 python3 python); do \
		if "$$candidate" -c '$(IS_USABLE)' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$("$$candidate" --version)"; \
			"$$candidate" -m venv $(VENV); touch $@; exit 0; \
		fi; \
	done; \
	echo "$(strip $(NO_PYTHON))" >&2; exit 2

# One pip call each, so that pip sees every requirement at once (mediapipe holds protobuf below 5).
$(BASE): pyproject.toml $(CONSTRAINTS) | $(MADE)
	@echo "Installing HeadCall into $(VENV) (the first time, this downloads about 460 MB)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(TRAIN): pyproject.toml $(CONSTRAINTS) | $(MADE)
	@echo "Installing HeadCall with its training parts into $(VENV)"
	@$(PIP_INSTALL) -e '.[train]'
	@touch $@ $(BASE)

$(DEV): pyproject.toml $(CONSTRAINTS) | $(MADE)
	@echo "Installing HeadCall with its test and training parts into $(VENV)"
	@$(PIP_INSTALL) -e '.[$(EXTRAS)]'
	@touch $@ $(BASE) $(TRAIN)
