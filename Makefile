# Set-up happens by itself: every target names what it needs. Nothing is installed outside this folder,
# but what Maven keeps of what it fetched: the jars of the broker and of Gephi, which tests start.
PYTHON ?= python3
LOCK_OPTIONS = --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help demo test lint all proto settings lock bench bench-cluster chaos clean
help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

demo: .venv/mutua ## set up, record a generated programme, print who gives and receives
	@.venv/bin/mutua demo --dir .demo

test: .venv/tests ## run the tests
	@.venv/bin/python -m tests.cluster
	@.venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/tests ## style, types, contract and import arrows
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@cd proto && ../.venv/bin/buf lint && ../.venv/bin/buf format --diff --exit-code
	@.venv/bin/python -m tests.typescript

all: lint test ## what CI runs

proto: .venv/tests ## regenerate the Python beside proto/ and the blocking client's questions
	@cd proto && ../.venv/bin/buf format --write && \
	  ../.venv/bin/python -m grpc_tools.protoc -I. --plugin=../.venv/bin/protoc-gen-mypy \
	  --python_out=. --mypy_out=quiet:. mutua/v1/*.proto && \
	  ../.venv/bin/python -m grpc_tools.protoc -I. --plugin=../.venv/bin/protoc-gen-mypy_grpc \
	  --grpc_python_out=. --mypy_grpc_out=quiet:. mutua/v1/*_service.proto
	@.venv/bin/python -m tests.client.blocking_reader

settings: .venv/tests ## write the table of settings into deploy/README.md
	@.venv/bin/python -m tests.setting_documentation

lock: .venv/tests ## resolve the dependencies anew
	@.venv/bin/uv pip compile $(LOCK_OPTIONS) -q pyproject.toml --extra build -o requirements.lock
	@.venv/bin/uv pip compile $(LOCK_OPTIONS) -q pyproject.toml --extra build --extra dev \
	  -c requirements.lock -o tests/requirements.lock

bench: .venv/tests ## measure, each figure beside its limit
	@.venv/bin/python -m tests.bench embedded

bench-cluster: .venv/tests ## the same with Kafka and PostgreSQL; MUTUA_PEERS names others to run beside
	@.venv/bin/python -m tests.bench cluster

chaos: .venv/tests ## break a whole cluster ROUNDS times, in ways that SEED chooses
	@GRPC_ENABLE_FORK_SUPPORT=false .venv/bin/python -m tests.cluster.chaos \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

clean: ## remove everything that was set up or generated here
	@rm -rf .venv .demo .broker .gephi .clients .peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mutua needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; \
	  exit 1; }

.venv/mutua: .venv/bin/python requirements.lock pyproject.toml
	@echo "Installing mutua into .venv ..."
	@.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/tests: .venv/mutua tests/requirements.lock
	@echo "Installing what the tests need into .venv ..."
	@.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@touch $@
