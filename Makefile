# make demo | make test | make check | make bench: each sets itself up; nothing but git, make and Python >= 3.10 is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment carries the sum of what it was made from: a stale one is made anew.
STAMP := $(VENV)/made-from-$(shell cat constraints.txt pyproject.toml | cksum | cut -d ' ' -f 1)

# Benchmarks have an environment of their own, with the peers in it.
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/made-from-$(shell cat constraints.txt pyproject.toml benchmarks/requirements.txt | cksum | cut -d ' ' -f 1)

.PHONY: demo test check bench bench-growth format clean
.DELETE_ON_ERROR:

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "cervseg needs Python 3.10 or newer; say make PYTHON=/path/to/python3"; exit 2; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(BENCH_STAMP):
	rm -rf $(BENCH)
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt -e .
	touch $@

demo: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/demo.sh

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cervseg
	$(BIN)/lint-imports

bench: $(BENCH_STAMP)
	$(BENCH)/bin/python -m benchmarks.run $(ROWS)

bench-growth: $(BENCH_STAMP)
	$(BENCH)/bin/python -m benchmarks.growth $(PARTS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
