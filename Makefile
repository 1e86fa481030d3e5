# `make run` answers the question that started it and checks every spec in specs/; `make test` does the same and
# runs the linters and the suite. Both set up .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := tensorgrad_cli tests benchmarks

.PHONY: run test test-all lint golden bench bench-checkers bench-speed clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
# An editable install leaves this to the first run, and where PYTHONDONTWRITEBYTECODE is set to every run.
	$(BIN)/python -m compileall -q tensorgrad_cli
	touch $@

run: $(VENV)/installed
	$(BIN)/tensorgrad check specs/rank4_question.yaml
	$(BIN)/tensorgrad check specs

lint: $(VENV)/installed
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

test: run lint
	$(BIN)/pytest -q -n 2

test-all: run lint
	$(BIN)/pytest -q -n 2 -m "slow or not slow"

golden: $(VENV)/installed
	TENSORGRAD_GOLDEN=1 $(BIN)/pytest -q

bench: $(VENV)/installed
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/claims.py

# The other checkers are left out where they are not installed: `.venv/bin/pip install -e '.[peers]'` brings them.
bench-checkers: $(VENV)/installed
	$(BIN)/python benchmarks/checkers.py

bench-speed: $(VENV)/installed
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
