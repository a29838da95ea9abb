# make demo | test | check | docs | ...: each target installs what it needs. Needed: git, make and Python 3.10 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment is named after the checksum of its requirements: if they change, it is created again.
STAMP := $(VENV)/made-from-$(shell cat constraints.txt pyproject.toml | cksum | cut -d ' ' -f 1)

# The benchmarks have an environment of their own, which includes nnU-Net.
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/made-from-$(shell cat constraints.txt pyproject.toml benchmarks/requirements.txt | cksum | cut -d ' ' -f 1)

.PHONY: help demo test check docs coverage dist pretrain bench bench-growth format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      train and evaluate on synthetic images (15 minutes on two cores)"
	@echo "make test      run the tests"
	@echo "make check     ruff, mypy, import-linter, spelling, and build the documentation"
	@echo "make docs      build the documentation into site/"
	@echo "make coverage  run the tests and report line coverage (htmlcov/index.html)"
	@echo "make dist      build wheel and sdist into dist/ and try the wheel in a new environment"
	@echo "make pretrain  train the shipped models from nothing (hours)"
	@echo "make bench     compare speed with nnU-Net, MONAI and segment-anything"
	@echo "make format    format the code"
	@echo "make clean     remove environments and caches"

$(STAMP):
	@sh .ci/environment $(VENV) $(PYTHON) -e '.[dev]'
	@touch $@

$(BENCH_STAMP):
	@sh .ci/environment $(BENCH) $(PYTHON) -r benchmarks/requirements.txt -e .
	@touch $@

demo: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/demo.sh

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/mypy cervseg
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html; the search works if you serve it: $(BIN)/python -m http.server -d site"

coverage: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term --cov-report=html

dist: $(STAMP)
	rm -rf dist build
	$(BIN)/python -m build --no-isolation
	sh .ci/try_wheel $(BIN)/python

pretrain: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/pretrain.sh

bench: $(BENCH_STAMP)
	$(BENCH)/bin/python -m benchmarks.run $(ROWS)

bench-growth: $(BENCH_STAMP)
	$(BENCH)/bin/python -m benchmarks.growth $(PARTS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage htmlcov build dist site *.egg-info
