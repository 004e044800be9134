"""Boards whose rules are asked: keys that all tests share, and what a refusal looks like."""

import pytest

from helpers.boards import Keys
from leaderboard.board.files import FolderFiles
from leaderboard.board.ledger import fold
from leaderboard.board.repository import RepositoryDocuments
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key

# Keys are made once: a board of a test takes them all.
KEYS = Keys()
MAINTAINERS = KEYS.maintainers
TWO = MAINTAINERS[:2]
SUBMITTER = KEYS.submitter
NEW = one_use_key()


def state(board):
    return fold(board.leaves, RepositoryDocuments(FolderFiles(board.folder)))


def refused(board, sentence):
    """The last leaf breaks a rule, in one sentence that names it."""
    with pytest.raises(DocumentError, match=sentence) as error:
        state(board)
    assert str(error.value).startswith(f"leaf {len(board.leaves) - 1}")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
