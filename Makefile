# One command each; the same in CI.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install run up down reset status examples test benchmark check format lock

STATE ?= $(or $(ENFORCEMENT_STATE),.local)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCAL := $(BIN)/python -m enforcement_reporting.local

# Where a machine switches bytecode off, every Airflow process would compile a thousand modules at each start.
unexport PYTHONDONTWRITEBYTECODE

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

install: $(INSTALLED) ## create .venv with exactly the locked packages

run: $(INSTALLED) ## land the examples, let Airflow take them in and build the marts, print the outcome, stop
	@$(LOCAL) run

up: $(INSTALLED) ## start PostgreSQL and Airflow and leave them running
	@$(LOCAL) up

down: $(INSTALLED) ## stop what is running
	@$(LOCAL) down

reset: $(INSTALLED) ## stop, and delete all local state: warehouse, landed files, logs
	@$(LOCAL) reset

status: $(INSTALLED) ## say what is running and where to find it
	@$(LOCAL) status

examples: $(INSTALLED) ## build the example workbooks
	@$(BIN)/python examples/build_workbooks.py $(STATE)/examples

test: $(INSTALLED) ## run all tests, one real run through Airflow included
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

benchmark: $(INSTALLED) ## measure against the hand-written limit and what else there is, and write docs/benchmarks.md
	@$(BIN)/python benchmarks/run.py --publish
	@$(BIN)/python benchmarks/growth.py --publish
	@$(BIN)/python benchmarks/questions.py --publish
	@$(BIN)/python benchmarks/obligations.py --publish
	@$(BIN)/python benchmarks/detection.py --publish

check: $(INSTALLED) ## check style, SQL, module boundaries and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/sqlfluff lint dbt_project
	$(BIN)/lint-imports
	$(BIN)/mypy src

format: $(INSTALLED) ## put Python and SQL into the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix dbt_project

lock: $(INSTALLED) ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header \
		--python-version 3.11 --extra dev pyproject.toml -o requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed as python3; found: $$(python3 --version 2>&1)" >&2; exit 1; }
	@test -x $(BIN)/python || python3 -m venv $(VENV) || \
		{ echo "python3 cannot create virtual environments here; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
