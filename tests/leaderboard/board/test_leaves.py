"""Leaves and statements that are forged, or have another form."""

from dataclasses import replace

import pytest

from harness.files import dump_json
from helpers.boards import digest
from helpers.ledger import KEYS, NEW, SUBMITTER, refused, state
from leaderboard.board.files import FolderFiles
from leaderboard.board.ledger import fold, follow
from leaderboard.board.repository import STATEMENTS, RepositoryDocuments
from leaderboard.board.state import Board
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.leaf import KINDS, AdmitLeaf, parse_leaf

# -- strangers --


def test_a_key_that_was_not_admitted_registers_nothing(board):
    board.register(KEYS.other)
    refused(board, "was not admitted")


def test_a_registration_in_anothers_name_is_refused(board):
    board.register(signers=[KEYS.other])
    refused(board, "did not sign it")


def test_a_leaf_that_says_more_than_its_statement_is_refused(board):
    """6: plan or image changed after registration."""
    signed = {"kind": "register", "key": SUBMITTER.key_id, "draft": digest("signed")}
    board.register(stated=signed)
    refused(board, "something else than the statement")


def test_a_statement_for_another_log_is_refused(board):
    """14: what was signed for one board is not logged by another."""
    board.register(origin="example.org/other")
    refused(board, "is for the log example.org/other")


def test_a_forged_signature_in_a_keys_name_is_refused(board):
    index = board.register(signers=[KEYS.other])
    statement = parse_leaf(board.leaves[index], "leaf").statement
    (path,) = (board.folder / STATEMENTS / statement).iterdir()
    forged = path.read_text().replace(KEYS.other.key_id, SUBMITTER.key_id)
    path.unlink()
    path.with_name(f"{SUBMITTER.key_id[:16]}.dsse.json").write_text(forged)
    refused(board, "signature does not fit")


def test_an_envelope_of_another_payload_is_refused(board):
    index = board.register()
    statement = parse_leaf(board.leaves[index], "leaf").statement
    other = dump_json(envelope.sign(b"{}", NEW))
    board.write(f"{STATEMENTS}/{statement}/{NEW.key_id[:16]}.dsse.json", other)
    with pytest.raises(DocumentError, match="another digest"):
        state(board)


# -- 3, 18: leaves themselves --


def test_times_never_decrease(board):
    board.register(at=board.at - 5)
    refused(board, "before the leaf above it")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "grant"}, "unknown kind 'grant'"),
        ({"kind": 5}, "expected a leaf with its kind"),
        ({"kind": "admit"}, "unknown key|is missing"),
        ({"at": -1}, "at: expected a whole number"),
        ({"at": 1.5}, "expected a whole number"),
        ({"at": True}, "expected a whole number"),
        ({"statement": "A" * 64}, "statement: expected 64 hexadecimal digits"),
        ({"draft": "ab"}, "draft: expected 64 hexadecimal digits"),
        ({"version": 2**53}, "version: expected a whole number"),
        ({"suite": "../x"}, "expected a name"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_a_leaf_of_another_form_is_refused(board, changes, sentence):
    index = board.register()
    document = parse_leaf(board.leaves[index], "leaf").document() | changes
    with pytest.raises(DocumentError, match=sentence):
        parse_leaf(dump_json(document), "leaf")


@pytest.mark.parametrize("successor", [1, 0, 2**53])
def test_a_successor_is_a_later_version(board, successor):
    with pytest.raises(ValueError, match="successor"):
        board.suite("retired", successor=successor)


def test_a_small_order_key_is_not_admitted(board):
    with pytest.raises(ValueError, match="small order"):
        AdmitLeaf(at=1, statement="0" * 64, public_key="01" + "0" * 62)


def test_every_kind_of_leaf_has_a_rule(board):
    assert set(KINDS) == {
        "root",
        "suite",
        "admit",
        "revoke",
        "keychange",
        "register",
        "reveal",
        "entry",
        "reeval",
        "amend",
        "retract",
    }


def test_a_leaf_that_breaks_a_rule_leaves_no_trace(board):
    documents = RepositoryDocuments(FolderFiles(board.folder))
    told = fold(board.leaves, documents)
    before = repr(told)
    board.register(KEYS.other)
    with pytest.raises(DocumentError):
        follow(told, board.leaves[-1], documents)
    assert repr(told) == before
    assert isinstance(told, Board) and replace(told, size=0).size == 0
