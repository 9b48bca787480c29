# Every target installs what it needs first; `make demo` and `make test` are all that a new machine takes.

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Node is done without where it is missing or too old: no GraphiQL then, and no tests that run other people's clients by it.
NODE := $(shell command -v npm >/dev/null && node --eval 'const [major, minor] = process.versions.node.split("."); \
  process.exit(major * 100 + Number(minor) < 2019 ? 1 : 0)' && echo new enough)
# Tests start the gateway a hundred times: let it be compiled once, whatever this shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint lint-deploy lint-graphiql schema graphiql clients format constraints clean

demo: .venv/runtime  ## the gateway with both upstreams simulated
	@$(MAKE) --no-print-directory graphiql || echo "GraphiQL could not be built; there is a plain console instead."
	@$(BIN)/gateway demo $(ARGS)

# What measures, or loads many processes, runs by itself once all else is done, and without coverage, which would slow it.
ALONE := tests/faults tests/test_attacks.py tests/test_bystanders.py
# All else runs on every core, a file at a time, so that what serves a file's tests is started once.
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: .venv/dev clients graphiql  ## every test, with branch coverage; or some, by ARGS, without
ifeq ($(ARGS),)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(SPREAD) $(addprefix --ignore=,$(ALONE))
	$(BIN)/pytest -q $(ALONE)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
else
	$(BIN)/pytest -q $(ARGS)
endif

lint: .venv/dev  ## formatting, rules, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# What is in deploy/, by the linters of each; promtool comes with Prometheus.
LINT := deploy/lint
KUBERNETES := $(filter-out %/kustomization.yaml %/adapter.yaml,$(wildcard deploy/kubernetes/*.yaml))
lint-deploy: $(LINT)/.venv/bin/yamllint $(LINT)/node_modules/.package-lock.json  ## deploy/ and the Dockerfile
	$(LINT)/.venv/bin/yamllint --strict --config-file deploy/.yamllint.yaml deploy
	for file in $(KUBERNETES); do $(LINT)/.venv/bin/kubernetes-validate --strict --kubernetes-version 1.34 $$file || exit 1; done
	$(LINT)/.venv/bin/hadolint Dockerfile
	$(LINT)/node_modules/.bin/dclint --config $(LINT)/.dclintrc.yaml --max-warnings 0 deploy/compose.yaml
	@command -v promtool >/dev/null || { echo "promtool is missing; it comes with Prometheus."; exit 1; }
	promtool check config deploy/prometheus/prometheus.yaml
	cd deploy/prometheus && promtool test rules alerts.test.yaml

$(LINT)/.venv/bin/yamllint: $(LINT)/requirements.txt
	@echo "installing what checks deploy/ …"
	@$(PYTHON) -m venv $(LINT)/.venv
	@$(LINT)/.venv/bin/pip install -q -r $(LINT)/requirements.txt
	@touch $@

$(LINT)/node_modules/.package-lock.json: $(LINT)/package.json $(LINT)/package-lock.json
	@cd $(LINT) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

schema: .venv/runtime  ## print the schema into schema.graphql
	$(BIN)/gateway schema --output schema.graphql

format: .venv/dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# GraphiQL is built once; without it the gateway serves a plain console.
GRAPHIQL := gateway/http/static/graphiql/index.html
graphiql: $(if $(NODE),$(GRAPHIQL))
	@test -e $(GRAPHIQL) || echo "GraphiQL is not built: that needs Node 20.19 or newer, and npm."

$(GRAPHIQL): $(wildcard graphiql/*.* graphiql/src/*)
	@echo "building GraphiQL (once) …"
	@cd graphiql && npm ci --omit=dev --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

lint-graphiql: $(GRAPHIQL)  ## the types of what is built for browsers
	cd graphiql && npm ci --prefer-offline --no-audit --no-fund --loglevel=error && npm run --silent check

# Other people's clients, which tests run.
CLIENTS := tests/clients/node_modules/.package-lock.json
ARIADNE := tests/clients/.venv/bin/ariadne-codegen
clients: $(ARIADNE) $(if $(NODE),$(CLIENTS))

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@echo "installing the clients that the tests use …"
	@cd tests/clients && npm ci --prefer-offline --no-audit --no-fund --loglevel=error
	@touch $@

# Its generator of clients needs an older graphql-core than the gateway, so it has an environment of its own.
$(ARIADNE): .venv/bin/python tests/clients/requirements.txt
	@echo "installing ariadne-codegen …"
	@$(PYTHON) -m venv --without-pip tests/clients/.venv
	@$(BIN)/pip --python tests/clients/.venv install -q -r tests/clients/requirements.txt
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	@$(PYTHON) -m venv .venv || { rm -f $@; exit 1; }  # Debian's leaves one without pip where python3-venv is missing

.venv/runtime: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing the gateway …"
	@$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing the gateway and what tests it …"
	@$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@ .venv/runtime

constraints: .venv/dev  ## pin what is installed now
	$(BIN)/pip freeze --exclude-editable | sort -f > constraints.txt

clean:
	rm -rf .venv artifacts gateway/http/static graphiql/node_modules deploy/lint/.venv deploy/lint/node_modules tests/clients/node_modules tests/clients/.venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
