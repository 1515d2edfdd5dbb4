# The commands of this checkout. `make demo` and `make test` are each enough on a fresh machine with Python >= 3.11:
# they make the virtual environment .venv themselves, from the lock files, with every hash checked.
#
# .venv belongs to this file. Its stamps carry the content of the lock files in their names, so an unchanged tree installs
# nothing; a .venv made elsewhere (or a moved checkout, whose scripts name the old place) is made again.

PYTHON ?= python3

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet install

sum = $(shell cat $(1) | cksum | tr ' ' -)
VENV    := .venv/made-$(shell pwd | cksum | tr ' ' -)
RUNTIME := .venv/runtime-$(call sum,constraints.txt)
DEV     := .venv/dev-$(call sum,constraints-dev.txt)
PROJECT := .venv/project-$(call sum,pyproject.toml)

.PHONY: help demo test core-coverage lint bench soak pictures lock clean
.DELETE_ON_ERROR:
.NOTPARALLEL:   # two pips in one environment get in each other's way

# What a developer's shell may hold that would change what is installed or imported.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_CONSTRAINT VIRTUAL_ENV

help:
	@echo 'make demo    an emulated cloud and the daemon, under real load, for about a minute (ARGS="--speed 60" for other options)'
	@echo 'make test    lint, then every test this machine can run; REQUIRE_TOOLS=1 makes a skipped test a failure'
	@echo 'make lint    ruff, mypy, import contracts: seconds'
	@echo 'make core-coverage   that tests/core alone covers autoscaler/core to 100 %: seconds, and part of make test'
	@echo 'make bench   how long one decision, and one simulated day, take (ARGS="--format json" for programs)'
	@echo 'make soak    SEEDS=200 simulated spells of three days in which everything goes wrong, and a kill at every step;'
	@echo '             then a day of a real daemon, in MINUTES=8 (0: none), in which its memory, files and threads stay flat'
	@echo 'make pictures   the pictures of the docs anew, from the demo in Chromium: two minutes'
	@echo 'make lock    newest versions into constraints.txt and constraints-dev.txt'
	@echo 'make clean   remove everything that these commands made'
	@echo 'PYTHON=/usr/bin/python3.12 make ... chooses the interpreter (3.11 or newer)'

demo: $(RUNTIME) $(PROJECT)
	@$(BIN)/autoscaler demo $(ARGS)

# Three workers on two cores: much of what real processes do is waiting. A file's tests stay together, in order.
WORKERS ?= --numprocesses 3 --dist loadfile --no-loadscope-reorder

# What decides is fully covered by its own examples, not by chance or by whatever else imports it.
CORE     := .venv/core-coverage
CORE_LOG := .venv/core.log

core-coverage: $(RUNTIME) $(DEV) $(PROJECT)
	@rm -f $(CORE)*
	@$(BIN)/coverage run --data-file=$(CORE) -m pytest --quiet tests/core -m 'not exhaustive' > $(CORE_LOG) || { cat $(CORE_LOG); exit 1; }
	@$(BIN)/coverage combine --quiet --data-file=$(CORE)
	@$(BIN)/coverage report --data-file=$(CORE) --include='autoscaler/core/*' --fail-under=100 > $(CORE_LOG) || { cat $(CORE_LOG); exit 1; }
	@echo 'coverage of autoscaler/core by the examples of tests/core: 100 % of lines and branches'

# The report of a run that is good enough is one line, so that pytest's own last line stays in sight.
test: lint core-coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@total=$$($(BIN)/coverage report --format=total) && echo "coverage: $$total % of lines and branches (.venv/bin/coverage report says where)" \
	  || { $(BIN)/coverage report; exit 1; }

lint: $(RUNTIME) $(DEV) $(PROJECT)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted as ruff would: run .venv/bin/ruff format'; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@echo 'lint: clean'

bench: $(RUNTIME) $(DEV) $(PROJECT)
	@$(BIN)/python benchmarks/decide.py $(ARGS)
	@$(BIN)/python -m benchmarks.simulated_day $(ARGS)

SEEDS ?= 200
MINUTES ?= 8

soak: $(RUNTIME) $(DEV) $(PROJECT)
	@test $(SEEDS) = 0 || $(BIN)/python -m tests.simulation.soak --seeds $(SEEDS) $(ARGS)
	@test $(MINUTES) = 0 || $(BIN)/python -m tests.e2e.soak --minutes $(MINUTES)

# The dashboard changes with its templates: its pictures are made by the tests that walk through it.
pictures: $(RUNTIME) $(DEV) $(PROJECT)
	@UPDATE_IMAGES=1 $(BIN)/python -m pytest --quiet tests/e2e/test_dashboard.py -k 'desk-light or glance'

# One resolution for every platform and Python, without an index address: where packages come from is the machine's business.
LOCK := .lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header

lock:
	@$(PYTHON) -m venv --clear .lock
	@.lock/bin/python -m pip --disable-pip-version-check --quiet install uv
	@$(LOCK) --extra build --extra postgresql --output-file constraints.txt pyproject.toml
	@$(LOCK) --extra build --extra postgresql --extra dev --constraint constraints.txt --output-file constraints-dev.txt pyproject.toml
	@rm -rf .lock

clean:
	@rm -rf .venv .lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'DDM Autoscaler needs Python 3.11 or newer, and "$(PYTHON)" is not: name another, as in PYTHON=/usr/bin/python3.12 make $(MAKECMDGOALS)'; exit 1; } >&2
	@echo 'making .venv with $(PYTHON)'
	@$(PYTHON) -m venv --clear .venv
	@touch $@

$(RUNTIME): | $(VENV)
	@echo 'installing constraints.txt'
	@$(PIP) --require-hashes -r constraints.txt
	@rm -f .venv/runtime-* && touch $@

$(DEV): | $(RUNTIME)
	@echo 'installing constraints-dev.txt'
	@$(PIP) --require-hashes -r constraints-dev.txt
	@rm -f .venv/dev-* && touch $@

$(PROJECT): | $(RUNTIME)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f .venv/project-* && touch $@
