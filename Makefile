# 'make' alone lists what there is.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

BIN := .venv/bin
# uv is needed to change the lock only, so it stays out of the environment.
UV := 0.13.9

PEOPLE ?= 20
FINGERPRINTS ?=
SEED ?=
# Test processes. Each has databases and card readers of its own, and waits about as much as it computes.
WORKERS ?= 2

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing (apt, .venv, buf); seconds when nothing is
	@scripts/setup.sh

.PHONY: demo
demo: setup ## Live one day of a regency: PEOPLE=20, FINGERPRINTS=DIR, SEED=N
	@$(BIN)/tunggal demo --people $(PEOPLE) $(if $(FINGERPRINTS),--fingerprints "$(FINGERPRINTS)") $(if $(SEED),--seed $(SEED))

# In a new checkout the kernels take a minute to compile: beside lint, which uses one core.
.PHONY: test
test: setup ## Set-up, lint and every test: WORKERS=2
	@$(BIN)/python -c "import bench.population, services.abis.app, sim.fingerprints" & $(MAKE) --no-print-directory lint && wait
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

##@ While working

.PHONY: test-fast
test-fast: ## Tests without those that start the whole suite
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile -m "not slow" --ignore=tests/integration --ignore=tests/faults

.PHONY: lint
lint: ## ruff, mypy, import-linter, buf
	@echo "ruff check" && $(BIN)/ruff check --quiet .
	@echo "ruff format" && $(BIN)/ruff format --check --quiet .
	@echo "mypy" && $(BIN)/mypy
	@echo "import-linter" && PYTHONPATH=.:protos $(BIN)/lint-imports --no-logo
	@echo "buf" && $(BIN)/python scripts/protos.py --lint

.PHONY: format
format: ## Format the Python sources and the contracts
	@$(BIN)/ruff check --quiet --fix --exit-zero .
	@$(BIN)/ruff format .
	@.setup/bin/buf format --write protos

.PHONY: protos
protos: ## Regenerate the Python stubs of the contracts
	@$(BIN)/python scripts/protos.py

.PHONY: bench
bench: setup ## Accuracy and speed on synthetic fingers; results in var/bench
	@$(BIN)/tunggal bench synthetic --dir var/bench/synthetic --sheet var/bench/synthetic.png --json var/bench/synthetic.json

.PHONY: lock
lock: ## Resolve the Python dependencies again into requirements.lock
	@test -x .setup/uv/bin/uv || (python3 -m venv .setup/uv && .setup/uv/bin/pip install --quiet uv==$(UV))
	@.setup/uv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-package tunggal-protos --custom-compile-command "make lock" \
		--quiet --output-file requirements.lock
	@npm install --package-lock-only

.PHONY: clean
clean: ## Remove what was built and what ran (not the environment)
	rm -rf var build dist *.egg-info protos/build protos/*.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find services cli sim bench scripts tests protos -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: distclean
distclean: clean ## clean, and the environment too: the next set-up starts from nothing
	rm -rf .venv .setup node_modules
