"""Boards that the tests of this folder read: a small one, and one with a history."""

import pytest

from helpers.boards import new_board
from helpers.ledger import KEYS


@pytest.fixture
def board(tmp_path):
    """A trust root (leaf 0), an open suite (1) and an admitted submitter (2)."""
    return new_board(tmp_path, KEYS)


@pytest.fixture
def history(tmp_path):
    """Twelve leaves, signed and cosigned at 5 and at 12."""
    board = new_board(tmp_path / "board", KEYS)
    for number in range(2):
        board.register(draft=number)
    board.sign(witnesses=(0, 1))
    for number in range(2, 9):
        board.register(draft=number)
    board.sign(witnesses=(0, 1))
    return board
