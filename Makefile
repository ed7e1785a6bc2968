# make test    everything that must hold, from a clean clone (sets up its own environments)
# make demo    the whole path on real data: track, run, push, lose, pull, change, compare
# make bench   the speed table against the peers, into benchmarks/RESULTS.md
# make faults  the full fault sweep, into reliability/RESULTS.md
# make planted the planted regressions, in all three pipelines
# make slow    the tests marked slow;  make fuzz  longer property tests;  make lint  the static checks alone
#
# PYTHON=python3.12 chooses the interpreter; PYTEST_ARGS="-k add" narrows the tests.

PYTHON ?= python3
DVC_VERSION := 3.67.1
JOBS ?= 2
PYTEST_ARGS ?=

BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
DEV_STAMP := .venv/.fourfold-dev
DVC_STAMP := .venv-dvc/.dvc-$(DVC_VERSION)
TORCH_VERSION := 2.13.0
TORCH_STAMP := .venv-torch/.torch-$(TORCH_VERSION)
DEMO_STAMP := .venv-demo/.fourfold-demo
# The development group, read from pyproject.toml, so that a pip without --group will do.
DEV_GROUP = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")

.DEFAULT_GOAL := help
.PHONY: help envs programs lint test slow planted fuzz faults bench demo clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -8

# --- environments -----------------------------------------------------------------------------------------

$(DEV_STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c '$(DEV_GROUP)' > .venv/dev-requirements.txt
	$(BIN)/python $(PIP) -r .venv/dev-requirements.txt -e .
	@touch $@

# The peer lives alone: its pins and ours never meet.
$(DVC_STAMP):
	@test -x .venv-dvc/bin/python || $(PYTHON) -m venv .venv-dvc
	.venv-dvc/bin/python $(PIP) "dvc[s3]==$(DVC_VERSION)"
	@touch $@

# What stages are seeded with, in the tests of randomness. Where pip has a choice, PYTORCH names the build for CPUs.
PYTORCH ?= torch==$(TORCH_VERSION)
$(TORCH_STAMP):
	@test -x .venv-torch/bin/python || $(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python $(PIP) "$(PYTORCH)" "numpy>=2.4" "scikit-learn>=1.5"
	@touch $@

$(DEMO_STAMP): pyproject.toml
	@test -x .venv-demo/bin/python || $(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python $(PIP) -e . "scikit-learn>=1.5"
	@touch $@

envs:
	@$(MAKE) --no-print-directory -j2 $(DEV_STAMP) $(DVC_STAMP) $(TORCH_STAMP)

# The fault tests trace and kill; without strace they fail and say so. The shells run their completions; the
# browser opens the pages that we write; the registry holds images that skopeo pushes; the compiler makes a
# program without libraries. The slow tests start a container too, which not every machine lets one do.
programs:
	@.ci/need strace zsh fish chromium docker-registry skopeo gcc

# --- checks -----------------------------------------------------------------------------------------------

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: envs programs
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n $(JOBS) -m "not slow" $(PYTEST_ARGS)

slow: envs programs
	@.ci/need podman runc
	$(BIN)/pytest -n $(JOBS) -m slow --timeout 3600 $(PYTEST_ARGS)

planted: envs
	$(BIN)/pytest -n $(JOBS) tests/evidence/planted --timeout 3600 $(PYTEST_ARGS)

fuzz: envs
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -n $(JOBS) --timeout 3600 tests/fuzz tests/stateful $(PYTEST_ARGS)

faults: envs programs
	$(BIN)/python -m tests.faults.sweep --all --report reliability/RESULTS.md

bench: envs
	$(BIN)/python -m benchmarks.run --report benchmarks/RESULTS.md

# --- the first whole path ---------------------------------------------------------------------------------

demo: $(DEMO_STAMP)
	@PATH="$(CURDIR)/.venv-demo/bin:$$PATH" bash examples/breast-cancer/demo.sh

clean:
	rm -rf .venv .venv-dvc .venv-torch .venv-demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo build dist
