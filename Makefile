# `make help` lists the targets; README.md and CONTRIBUTING.md say when to use them.

PYTHON ?= python3
SUBMISSION ?= $(sort $(wildcard vectors/submissions/*))
REPORTS ?= reports
# Container: ENGINE, ENGINE_BUILD_FLAGS, ENGINE_RUN_FLAGS, BASE, PIP_CONF, CA_BUNDLE and WHEELS are
# read by the scripts in container/ and explained in docs/container.md.
IMAGE ?= localhost/nnr-conformance
export ENGINE ENGINE_BUILD_FLAGS ENGINE_RUN_FLAGS BASE PIP_CONF CA_BUNDLE WHEELS

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Apart from .venv: it needs twenty packages that nothing else does.
COSMIC_RAY_VERSION := 8.7.0
COSMIC_RAY := build/mutants-$(COSMIC_RAY_VERSION)/bin/python

.DEFAULT_GOAL := help
.PHONY: help conformance test test-fast verdicts mutants lint lock bench image image-test clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
	@echo
	@echo "SUBMISSION=DIR (several allowed; if left out, all bundled ones) and REPORTS=DIR choose"
	@echo "folders, PYTHON=python3.12 another interpreter for $(VENV)."

conformance: $(READY) ## judge SUBMISSION and write reports
	@status=0; \
	$(BIN)/nnr-conformance run $(SUBMISSION) --report $(REPORTS) \
		|| status=$$?; \
	echo "Reports: $(abspath $(REPORTS))"; \
	exit $$status

test: $(READY) ## run the project's own tests
	$(BIN)/pytest tests -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(READY) ## run the tests that need no framework: a minute
	$(BIN)/pytest tests -m fast -n 2 --dist loadfile

verdicts: $(READY) ## judge all that is bundled (or ONLY), compare with tests/reference
	@$(BIN)/python -m tests.reference $(ONLY)

mutants: $(READY) $(COSMIC_RAY) ## try whether tests notice changes to what gives verdicts (or ONLY): hours
	@nice $(BIN)/python -m tests.mutants --cosmic-ray $(COSMIC_RAY) $(ONLY)

lint: $(READY) ## check style, types and the lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/lock.py --check

lock: $(READY) ## write requirements.lock from pyproject.toml and what is installed in .venv
	$(BIN)/python .ci/lock.py

bench: $(READY) ## measure speed and memory against plain scripts
	@set -e; for script in benchmarks/bench_*.py benchmarks/nnc_decode.py benchmarks/runtimes.py \
		benchmarks/chain.py; do $(BIN)/python $$script; done

image: ## build the container image IMAGE
	container/build $(IMAGE)

image-test: ## run the image on a submission of every model format, and on a spoilt copy of it
	container/test $(IMAGE) vectors/submissions/digits-formats

clean: ## remove everything that is made here, except .venv
	rm -rf $(REPORTS) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

define NO_TORCH

The packages of requirements.lock could not be installed: the lines above say why.
If it is torch that was not found, or that cannot be imported: the lock asks for a build for CPUs,
and an index may have only the one for GPUs, whose libraries the lock leaves out. Point
PIP_FIND_LINKS at a folder with a CPU wheel of torch, or PIP_EXTRA_INDEX_URL at an index of such
wheels (PyTorch's install page names one), and start again without $(VENV).
endef
export NO_TORCH

$(COSMIC_RAY):
	@$(PYTHON) -m venv $(dir $(COSMIC_RAY))..
	@$@ -m pip --disable-pip-version-check install --quiet cosmic-ray==$(COSMIC_RAY_VERSION)

# Once, and again when the lock or pyproject.toml changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than Python 3.11, or is missing: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	}
	@echo "Installing the locked packages into $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --no-deps --requirement requirements.lock && \
		$(BIN)/python -c 'import torch' || { echo "$$NO_TORCH" >&2; exit 1; }
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@$(PIP) check
	@$(BIN)/nnr-conformance nnc warm-up
	@touch $@
