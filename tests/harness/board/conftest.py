"""A board of three leaves, served to people who clone it."""

import pytest

from helpers.boards import clone, key_file, new_board, served
from helpers.people import KEYS, Person, grow
from helpers.registering import submitter_of


@pytest.fixture
def board(tmp_path):
    """A board of three leaves, in a clone that others' leaves come from."""
    folder = tmp_path / "author"
    folder.mkdir()
    return new_board(folder, KEYS)


@pytest.fixture
def remote(board, tmp_path):
    """The bare repository that everybody pushes to."""
    return served(board, tmp_path)


@pytest.fixture
def person(remote, tmp_path):
    """Makes a person, by their name and key."""

    def make(name, key):
        folder = tmp_path / name
        folder.mkdir()
        return Person(folder, clone(remote, folder / "board"), key_file(folder, key))

    return make


@pytest.fixture
def maintainer(person):
    return person("maintainer", KEYS.logs[0])


@pytest.fixture
def witness(person):
    return person("witness", KEYS.witnesses[0])


@pytest.fixture
def grown(board, maintainer):
    """The board with a fourth leaf, signed by the maintainer."""
    grow(board, "honest")
    assert maintainer.log("sign").returncode == 0
    return board


@pytest.fixture
def plan(tiny_entry):
    """The bytes of the tiny suite's plan."""
    return (tiny_entry.parent / "plan.json").read_bytes()


@pytest.fixture
def me(tmp_path, tiny_suite, plan):
    """A submitter who may register that plan."""
    return submitter_of(tmp_path, tiny_suite, plan, KEYS)
