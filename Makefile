# Everything goes through here: people and CI call these targets, pixi's tasks the same commands.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
DEMO_WORKSPACE := demo-run

# uv reads neither pip's link folders nor the machine's own certificates unless told to.
UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),true,false)
export UV_FIND_LINKS UV_SYSTEM_CERTS

# Where Python may not keep what it compiles, each of the tests' many processes compiles it all anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo models test test-slow lint format bench schema lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	  "cvlarray needs Python 3.11 or newer as $(PYTHON); name another with: make PYTHON=python3.12"; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo \
	  "$(PYTHON) can't make an environment; on Debian and Ubuntu run: apt-get install -y python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv>=0.9"

# The environment exactly as locked, and the package itself in place.
$(VENV)/.locked: requirements.lock pyproject.toml | $(UV)
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(PY) requirements.lock
	@$(UV) pip install --quiet --no-deps --python $(PY) --editable .
	@touch $@

demo: $(VENV)/.locked  ## find and date real forest clearings in real Sentinel-2; ends with the report's path
	@$(VENV)/bin/cvlarray demo --workspace $(DEMO_WORKSPACE)

models: $(VENV)/.locked  ## add torch, for the learned models and their tests
	@$(UV) pip install --no-config --quiet --python $(PY) "torch>=2.10,<2.14"

test: $(VENV)/.locked  ## run the tests; ARGS="-k name" is handed to pytest
	@$(PY) -m pytest -m "not slow" --numprocesses logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/.locked  ## run the tests that take a minute or more, which make test leaves out
	@$(PY) -m pytest -m slow --numprocesses logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.locked  ## formatting, style, types, layers
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/.locked  ## rewrite the code in the house format
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

bench: $(VENV)/.locked  ## measure against benchmarks/targets.toml; ONLY=<group> for one group, JSON=1 for lines
	@$(PY) -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json)

schema: $(VENV)/.locked  ## write configs/schema.json from the pydantic models
	@$(VENV)/bin/cvlarray schema > configs/.schema.json.new && mv configs/.schema.json.new configs/schema.json

lock: | $(UV)  ## resolve requirements.lock anew
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile pyproject.toml --all-extras --group dev \
	  --universal --python-version 3.11 --generate-hashes --no-emit-package torch --quiet --output-file requirements.lock

clean:  ## remove the environments and what the demo wrote
	rm -rf $(VENV) .bench $(DEMO_WORKSPACE)
