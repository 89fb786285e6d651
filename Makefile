SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve test test-faults test-clients test-page test-vscode test-local test-evals test-docs \
	evals bench check format lock clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Watch the agent do its whole job, on real parts
	@$(BIN)/goals demo

serve: $(READY) ## Start the API on 127.0.0.1:8000
	@$(BIN)/goals serve

test: $(READY) ## Run all tests but the slow ones below
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

test-faults: $(READY) ## Kill, stop and starve all that carries events (20 minutes)
	@$(BIN)/pytest -m faults

test-clients: $(READY) ## Let real and generated clients talk with the service (needs node and npm)
	@command -v npm >/dev/null || { echo "npm was not found: install Node.js 22 (20 works too)" >&2; exit 1; }
	@npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/clients
	@$(BIN)/uv pip install --quiet --python .venv/clients/bin/python --require-hashes -r tests/clients/requirements.lock
	@$(BIN)/pytest tests/clients tests/integration/test_chat_openai.py

test-page: $(READY) ## Let people use the page in a browser (needs node, npm and Chromium)
	@command -v npm >/dev/null || { echo "npm was not found: install Node.js 22 (20 works too)" >&2; exit 1; }
	@[ -x "$${CHROMIUM:-/usr/bin/chromium}" ] || { echo "Chromium was not found: apt install chromium, or name one in CHROMIUM" >&2; exit 1; }
	@npm ci --prefix tests/page --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/pytest tests/page

test-vscode: $(READY) ## Build the VS Code extension and use it in a real one (needs Node.js 20, chromium, rg)
	@command -v npm >/dev/null || { echo "npm was not found: install Node.js 20" >&2; exit 1; }
	@npm ci --prefix clients/vscode --no-audit --no-fund --loglevel=error
	@for step in build test package e2e; do npm run --silent --prefix clients/vscode $$step; done

test-local: $(READY) ## Run the tests of the real local model
	@$(BIN)/pytest -m local_model

test-evals: $(READY) ## Plant a regression in each suite of evals, and see the gate shut
	@$(BIN)/pytest -m evals

test-docs: $(READY) ## Type every command of README and docs
	@$(BIN)/pytest -m documents

evals: $(READY) ## Hold the agent's quality against the baseline, offline (EVALS=options)
	@$(BIN)/goals eval run $(EVALS)

bench: $(READY) ## Measure the way of the events beside its limits (BENCH=options)
	@$(BIN)/python -m tests.rabbitmq $(BIN)/goals bench events $(BENCH)

check: $(READY) ## Check style, types, the layout of the house and the locks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit/test_lock.py tests/test_architecture.py

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

lock: $(READY) ## Write the lock files again (UPGRADE=--upgrade for newer versions)
	$(BIN)/$(LOCK) --output-file requirements.lock
	$(BIN)/$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(BIN)/$(LOCK:pyproject.toml=tests/clients/requirements.in) --output-file tests/clients/requirements.lock

clean: ## Remove .venv and all caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip's own output goes to a file: here it becomes one line of progress, or its last lines if it fails.
define SHOW_PROGRESS
total=$$(grep -c '^[a-z0-9].*==' requirements-dev.lock); n=0; end=$$'\r\033[K'; [ -t 1 ] || end=''; \
while IFS= read -r line; do \
	case "$$line" in \
		Ignoring*) total=$$((total - 1)); continue ;; \
		Collecting*|Processing*) n=$$((n + 1)); line="$${line#Collecting }"; step="$$n of $$total: $${line##*/}" ;; \
		Downloading*) step="downloading $${line#Downloading }" ;; \
		"Installing collected"*) step="installing $$n packages" ;; \
		*) continue ;; \
	esac; \
	if [ -t 1 ]; then printf '\r\033[K  %.76s' "$${step%% (*}"; fi; \
done; printf '%s' "$$end"
endef

define SHOW_ERRORS
{ sed -n '/^ *\(ERROR\|error\)/,$$p' .venv/install.log | grep . || tail -n 15 .venv/install.log; } | cut -c1-300 >&2; \
echo "The installation failed; all of pip's words are in .venv/install.log" >&2; exit 1
endef

$(READY): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): Python 3.11 or newer is needed; name one with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing what requirements-dev.lock names into .venv (once; about a minute)"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock 2>&1 \
		| tee .venv/install.log | { $(SHOW_PROGRESS); } \
		|| { $(SHOW_ERRORS); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable . \
		>>.venv/install.log 2>&1 || { $(SHOW_ERRORS); }
	@touch $@
