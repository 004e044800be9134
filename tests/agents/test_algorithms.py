"""Every algorithm is laid out like every other: rows of AGENTS are tested on arrival."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from agents.catalog import AGENTS

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def folder_of(name):
    """The folder of an algorithm."""
    return ROOT / AGENTS[name].folder.replace(".", "/")


def contract(name):
    """An import contract of pyproject.toml."""
    (agreed,) = (each for each in CONTRACTS["contracts"] if each["name"] == name)
    return agreed


@pytest.mark.parametrize("name", AGENTS)
def test_its_folder_has_the_files_of_every_other(name):
    files = {path.stem for path in folder_of(name).glob("*.py")}
    assert {"__init__", "settings", "spec", "updates", "agent"} <= files


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize(("file", "constant"), [("spec.py", "SPEC"), ("agent.py", "BUILD")])
def test_its_files_end_with_what_the_catalogue_loads(name, file, constant):
    """Typed, so that mypy says what the algorithm still lacks."""
    last = ast.parse((folder_of(name) / file).read_text()).body[-1]
    assert isinstance(last, ast.AnnAssign)
    assert last.target.id == constant


@pytest.mark.parametrize("name", AGENTS)
def test_import_contracts_hold_it_above_what_is_shared_and_apart_from_the_others(name):
    top, *below = contract("inside agents, arrows run down")["layers"]
    assert AGENTS[name].folder in re.split(r"\s*[:|]\s*", top)
    assert not any(AGENTS[name].folder in layer for layer in below)
    assert AGENTS[name].folder in contract("algorithms do not know each other")["modules"]


def test_every_folder_with_a_spec_is_a_row():
    folders = {path.parent for path in (ROOT / "agents").glob("*/spec.py")}
    assert folders == {folder_of(name) for name in AGENTS}
