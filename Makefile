# Everything needs `python3` (3.11 or newer) and `make` alone. Each target can be repeated.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out

.PHONY: install quick test check clean

# The stamp is newer than pyproject.toml once the environment holds what it asks for.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

install: $(VENV)/installed

quick: install
	$(BIN)/mst-bench run --suite quick --out $(OUT)

test: install
	$(BIN)/python -m pytest --cov --cov-report=term

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
