# Everything needs `python3` (3.11 or newer) and `make` alone; the image's targets need a container engine with BuildKit.
# Each target can be repeated.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out

# The image: cuda or cpu, its name, and its base. Nothing else needs to be set on a machine with the internet; behind a
# proxy or without it, see docs/container.md for the other variables.
VARIANT ?= cuda
IMAGE ?= mst-bench
BASE_IMAGE ?=
WHEELS ?=
PIP_CONF ?=
CA_BUNDLE ?=
APT_SOURCES ?=
BUILD_NETWORK ?=
BUILD_FLAGS = --provenance=false \
	--build-arg VARIANT=$(VARIANT) --build-arg REVISION=$(shell git rev-parse HEAD) \
	--build-arg SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct) \
	$(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	$(if $(WHEELS),--build-context wheels=$(WHEELS)) \
	$(if $(PIP_CONF),--secret id=pip_conf$(,)src=$(PIP_CONF)) \
	$(if $(CA_BUNDLE),--secret id=ca_bundle$(,)src=$(CA_BUNDLE)) \
	$(if $(APT_SOURCES),--secret id=apt_sources$(,)src=$(APT_SOURCES)) \
	$(if $(BUILD_NETWORK),--network=$(BUILD_NETWORK))
, := ,

.PHONY: install quick tables docs test test-all coverage check image image-repro lock clean

# The stamp is newer than pyproject.toml once the environment holds what it asks for.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

install: $(VENV)/installed

quick: install
	$(BIN)/mst-bench run --suite quick --out $(OUT)

# What verifiers know of suites, tasks and algorithms without loading them, and the pages that are made from the code.
tables: install
	$(BIN)/python -m harness.planning.tables
	PYTHONPATH=docs $(BIN)/python -m handbook.reference

# The documentation as a site, which needs no network: build/site/index.html.
docs: install
	PYTHONPATH=docs $(BIN)/python -m handbook.build

# The everyday tests. The last lines say what was left out.
test: install
	$(BIN)/python -m pytest -m "not slow"

test-all: install
	$(BIN)/python -m pytest --durations=25 --durations-min=5

# All tests, and which lines they reach.
coverage: install
	$(BIN)/python -m pytest --cov --cov-report=term

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy benchmarks/*.py
	MYPYPATH=docs $(BIN)/mypy --package handbook
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

image:
	docker buildx build --load --tag $(IMAGE) $(BUILD_FLAGS) .

# Two clean builds must give the same layers: see the script for the engine that this needs.
image-repro:
	docker/repro.sh $(BUILD_FLAGS)

# Chooses every version anew. CPU_WHEELS: a folder with PyTorch's CPU wheel, where its page cannot be reached.
lock: install
	$(BIN)/python -m pip install --quiet uv==0.13.8
	PATH="$(CURDIR)/$(BIN):$$PATH" docker/lock.sh $(CPU_WHEELS)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
