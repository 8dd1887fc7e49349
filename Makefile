# `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := $(VENV)/.services
DEVELOPMENT := $(VENV)/.development
# The tests wait more than they work; tests/conftest.py says which share a process.
PROCESSES ?= 4
# The benchmarks run on the Python of the system, which is optimised; one that was built by hand often is not.
BENCH := .venv-bench
BENCH_PYTHON ?= $(or $(wildcard /usr/bin/python3),$(PYTHON))
PARALLEL := $(BIN)/pytest --numprocesses=$(PROCESSES)
# Paths for promtool, which runs in observability/prometheus.
RULES := expected.yml $(patsubst observability/prometheus/%,%,$(wildcard observability/prometheus/rules/*.yml))
RULE_TESTS := $(patsubst observability/prometheus/%,%,$(wildcard observability/prometheus/tests/*.yml))
export REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.PHONY: help install up down swarm-up swarm-down logs demo test test-slow test-unit test-integration test-stack test-image bench bench-quick bench-python lint docs lock images clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(SERVICES) ## Create .venv with stentor-server and stentor-client
	@echo "stentor-server and stentor-client are in $(BIN); to have them on the path: . $(BIN)/activate"

up: ## Start server, client and Prometheus in containers, and wait until they are healthy
	@scripts/docker-engine start
	@scripts/base-images
	docker compose up --build --detach --wait
	@scripts/what-to-open

down: ## Stop and remove what `make up` started, with its data
	docker compose --profile grafana down --volumes --remove-orphans

swarm-up: ## Deploy the pair and Prometheus on the swarm that the engine is in, also with FILES="FILE…", and wait
	@scripts/swarm up $(FILES)

swarm-down: ## Remove what `make swarm-up` deployed, with its data
	@scripts/swarm down

logs: ## Follow the logs of server and client, until Ctrl-C
	@docker compose logs --follow server client || true

demo: $(SERVICES) ## Run the pair on loopback, without Docker: a few verified exchanges, and the counts of both sides
	@$(BIN)/python scripts/demo.py

test: $(DEVELOPMENT) ## Run all tests except the slow ones; if no Docker engine answers, install and start one
	@scripts/test-peers
	@scripts/docker-engine run sh -c 'scripts/base-images && exec $(PARALLEL)'

test-slow: $(DEVELOPMENT) ## Run the slow tests: each fault, up to its alert in a real Prometheus, and a swarm of three nodes
	@scripts/docker-engine run sh -c 'scripts/base-images && exec $(BIN)/pytest -m slow'

test-unit: $(DEVELOPMENT) ## Run the unit tests of the packages
	@$(PARALLEL) tests/unit

test-integration: $(DEVELOPMENT) ## Run the tests of real processes over real sockets; install missing peers
	@scripts/test-peers
	@$(PARALLEL) tests/integration

test-stack: $(DEVELOPMENT) ## Run the tests of the containers, except the slow ones
	@scripts/docker-engine run sh -c 'scripts/base-images && exec $(BIN)/pytest tests/stack'

test-image: ## Run the unit and integration tests on the interpreter of the images
	@scripts/docker-engine run scripts/test-image

bench: bench-python ## Measure the server and its peers, in half an hour, and rewrite docs/performance.md
	@$(BENCH)/bin/python -m bench full

bench-quick: bench-python ## Measure the main table roughly, in three minutes, or against another checkout (AGAINST=../other)
	@$(BENCH)/bin/python -m bench quick $(if $(AGAINST),--against $(AGAINST))

bench-python:
	@$(MAKE) --no-print-directory VENV=$(BENCH) PYTHON=$(BENCH_PYTHON) $(BENCH)/.services

lint: $(DEVELOPMENT) ## Check code, types, Dockerfiles, YAML, shell scripts, manifests, and what configures Prometheus
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict .
	@$(BIN)/hadolint Dockerfile.server Dockerfile.client tests/Dockerfile
	@$(BIN)/shellcheck scripts/docker-engine scripts/apt-install scripts/base-images scripts/lock scripts/promtool scripts/swarm scripts/test-image scripts/test-peers scripts/what-to-open .ci/run
	@$(BIN)/pytest -q tests/unit/test_layout.py tests/unit/deploy
	@scripts/promtool check config prometheus.yml kubernetes/prometheus.yml swarm/prometheus.yml
	@scripts/promtool check rules --lint=all --lint-fatal $(RULES)
	@scripts/promtool test rules $(RULE_TESTS)

docs: $(DEVELOPMENT) ## Write docs/metrics.md and the option tables of README.md from the code, and the rules for Kubernetes
	@$(BIN)/python scripts/reference.py

lock: $(DEVELOPMENT) ## Rewrite the hash-locked requirements
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock

images: ## Build the images of server and client
	@scripts/docker-engine start
	@scripts/base-images
	docker compose build

clean: ## Remove .venv and the files that tools left behind
	rm -rf $(VENV) $(BENCH) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=/path/to/python3")'
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: install it, on Debian and Ubuntu with: apt-get install python3-venv" >&2; exit 1; }

$(SERVICES): $(BIN)/pip requirements-build.txt $(wildcard */requirements.txt */pyproject.toml)
	@echo "Installing into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-build.txt -r server/requirements.txt -r client/requirements-report.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
		-e chassis -e server -e client
	@touch $@

$(DEVELOPMENT): $(SERVICES) requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
