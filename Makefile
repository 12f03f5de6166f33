# Everything goes through here: people, pixi tasks and CI call the same targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DEMO_WORKSPACE := demo-run
UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_FIND_LINKS

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench schema lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.locked: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cvlarray needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V); run make PYTHON=python3.11 ..."; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 has no venv module; run: apt-get install -y python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@$(PY) -m uv pip sync --quiet --require-hashes --compile-bytecode --python $(PY) requirements.lock
	@$(PY) -m uv pip install --quiet --no-deps --python $(PY) --editable .
	@touch $@

demo: $(VENV)/.locked  ## find and date real forest clearings in real Sentinel-2; ends with the report's path
	@$(VENV)/bin/cvlarray demo --workspace $(DEMO_WORKSPACE)

test: $(VENV)/.locked  ## run the tests
	@$(PY) -m pytest

lint: $(VENV)/.locked  ## formatting, style, types, layers
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/.locked  ## rewrite the code in the house format
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

bench: $(VENV)/.locked  ## measure against benchmarks/targets.toml; ONLY=<group> for one group
	@$(PY) -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json)

schema: $(VENV)/.locked  ## write configs/schema.json from the pydantic models
	@$(VENV)/bin/cvlarray schema > configs/schema.json

lock:  ## resolve requirements.lock anew
	@uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --quiet --output-file requirements.lock

clean:  ## remove the environment and what the demo wrote
	rm -rf $(VENV) $(DEMO_WORKSPACE)
