# Everything that a person or CI does with a checkout. `make` alone lists it.
#
# The set-up goes into .venv, by scripts/make_venv.py, and is done again only when
# pyproject.toml is newer or the checkout has moved.

PYTHON  ?= python3
VENV    := .venv
STAMP   := $(VENV)/.installed
RUN     := $(VENV)/bin/python
PEERS   := $(VENV)/.peers
# Node and npm are those of the wheel in .venv.
NPM     := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm --prefix labextension --silent
PAGE    := tfmagic/labextension/package.json
MODULES := labextension/node_modules/.package-lock.json
NEEDED  := install Python 3.11 or newer, or name it: make ... PYTHON=/path/to/python3.11

# Kernels are those of .venv, though the person may have a python3 kernel of their own.
export JUPYTER_PREFER_ENV_PATH := 1
# Else hundreds of processes would each compile what they import.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo lab test fast coverage soak matrix docs links bench pictures lint style types units chromium panel watch dist \
	binder branch clean always

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1 \t/p' Makefile | expand -t 18

setup: $(STAMP) ## set up .venv (every other target does so by itself)

demo: panel ## run the example notebooks top to bottom, showing each cell and its result
	@$(RUN) examples/run.py

lab: panel ## open the example notebooks in JupyterLab
	@$(RUN) scripts/lab.py --notebook-dir=examples --LabApp.default_url=/lab/tree/juggling.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

test: ## check style and types, and run all the tests
	@$(MAKE) --no-print-directory --jobs 2 panel chromium
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint units
	@"$(PYTHON)" scripts/matrix.py oldest colab
	@$(RUN) -m pytest -n 4 --dist loadfile --no-loadscope-reorder

fast: panel ## run the tests that start no kernel and take no time
	@$(RUN) -m pytest -n 3 --dist loadfile -m "not kernel and not slow"

coverage: panel ## run the same tests and show which lines they reach, and which not in build/coverage/index.html
	@mkdir -p build/coverage
	@$(RUN) -m pytest -n 3 --dist loadfile -m "not kernel and not slow" --cov --cov-report=term --cov-report=html

soak: panel ## try to break tfmagic for hours: mutants, the registry, threads, cycles, networks by chance
	@PYTHONPATH=tests TF_CPP_MIN_LOG_LEVEL=3 $(RUN) -m faults.soak --count 5000
	@TFMAGIC_STATEFUL_EXAMPLES=300 TFMAGIC_STORM_STEPS=3000 TFMAGIC_CYCLES=10000 TFMAGIC_ARCHITECTURES=100 \
		$(RUN) -m pytest tests/faults -n 2 --dist loadfile --timeout 0

matrix: panel ## run the contract (tests/contract) with each set of versions; writes the table of docs/works-on.md
	@$(RUN) scripts/matrix.py

docs: panel ## build the pages into build/docs, every code cell run, warnings and broken links being errors
	@$(RUN) -m sphinx --quiet --fail-on-warning --keep-going --jobs 2 docs build/docs
	@echo 'tfmagic: build/docs/index.html'

links: panel ## see that each address that the pages name is there, with the place on it (needs the network)
	@$(RUN) -m sphinx --quiet --fail-on-warning --keep-going -b linkcheck -D nb_execution_mode=off docs build/links

bench: panel $(PEERS) ## measure tfmagic beside its peers, an hour; writes benchmarks/results/figures.md and the chart
	@$(RUN) -m benchmarks --write

panel: $(PAGE) ## build the panel's page if its sources have changed

# What it leaves is a development build, so that the page counts as old from then on.
watch: panel ## build the panel's page at each change; JupyterLab shows it after a reload
	@trap 'touch -t 197001010000 $(PAGE)' EXIT INT TERM; $(NPM) run watch

pictures: panel ## take the README's pictures of the panel
	@PYTHONPATH=tests $(RUN) -m browser.readme_pictures docs/pictures
	@PYTHONPATH=tests $(RUN) -m browser.readme_moving docs/pictures/panel.gif

lint: style types ## check style and types

# A download while .venv is set up, for `make test` alone. It needs Python's own library only.
chromium: ## install Chromium for the browser tests, with apt-get where that needs no password
	@"$(PYTHON)" scripts/get_chromium.py

# Of the page; its tests are no part of what pytest runs.
style: panel
	@echo "tfmagic: checking the panel's page: tsc, eslint, prettier"
	@$(NPM) run lint

units: panel
	@$(NPM) run test

types: panel
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

dist: panel ## make the wheel and the source archive in dist/, the wheel out of the archive
	@rm -rf dist
	@$(RUN) -m build --no-isolation --outdir dist

binder: panel ## do what a Binder would do: a fresh environment, postBuild, the notebooks within 2 GB
	@$(RUN) scripts/check_binder.py

branch: panel ## write the branch that a Binder is made of: this commit and its wheel
	@$(RUN) scripts/binder_branch.py

clean: ## remove .venv and everything else that make has made
	rm -rf $(VENV) build dist tfmagic/panel/static tfmagic/labextension labextension/lib
	find . -name node_modules -prune -o -name __pycache__ -type d -exec rm -rf {} +

# A copied or moved checkout has an environment that points at the old place.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): always
endif
$(STAMP): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo 'tfmagic: there is no $(PYTHON) here: $(NEEDED)' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version.split()[0]; \
	  sys.version_info >= (3, 11) or sys.exit("tfmagic: $(PYTHON) is Python " + v + ": $(NEEDED)")'
	@"$(PYTHON)" scripts/make_venv.py

$(MODULES): labextension/package-lock.json | $(STAMP)
	@echo "tfmagic: fetching what the panel's page is built and checked with"
	@$(NPM) ci
	@touch $@

$(PAGE): $(MODULES) $(shell find labextension/src labextension/style labextension/schema -type f) \
		$(wildcard labextension/*.json labextension/*.mjs labextension/*.cjs) tfmagic/panel/snapshot.schema.json
	@echo "tfmagic: building the panel's page"
	@mkdir -p build
	@$(NPM) run build:prod >build/page.log 2>&1 || { cat build/page.log >&2; exit 1; }

# What only benchmarks need: other runtimes, which the same networks are called with.
$(PEERS): $(STAMP)
	@echo 'tfmagic: installing the peers of the benchmarks (ONNX Runtime, LiteRT)'
	@$(RUN) -m pip --disable-pip-version-check --quiet install --group bench
	@touch $@
