"""The proof that the leaf of a registered plan is in a log: another's proves nothing.

Tests of a row of the threat table name its number.
"""

import random

import pytest

from harness.entries.verified import judge
from helpers import fuzz
from helpers.boards import fork_of, user
from helpers.forge import failed
from helpers.registered import refused
from leaderboard.formats.layout import PROOF, REGISTRATION


def test_row_14_the_proof_of_another_leaf_is_refused(honest):
    """cosign once took an entry of its log whose proof was another entry's."""
    honest.staple(PROOF, honest.board.log().prove(2).content())
    refused(honest.sign().verdict(), "registration", "is not of the leaf that this key, suite,")


def test_row_14_the_proof_of_another_registration_of_the_same_submitter_is_refused(honest):
    other = honest.board.register(draft="another")
    honest.witness()
    honest.staple(PROOF, honest.board.log().prove(other).content())
    refused(honest.sign().verdict(), "registration", "is not of the leaf that this key, suite,")


def test_row_14_another_position_than_the_proofs_is_refused(honest):
    honest.predicate["plan"]["log_index"] = 3
    refused(honest.sign().verdict(), "registration", "states leaf 3, and its proof is of leaf 4")


def test_row_14_a_proof_of_another_history_is_refused(honest, tmp_path):
    honest.board.sign()
    other = fork_of(honest.board, 3, tmp_path / "other")
    refused(honest.sign().verdict(board=other.log()), "registration", "the log has two histories")

    # Both notes prove it to anybody.
    with user(tmp_path / "config"):
        judge(honest.entry, board=other.folder)
    assert len(list((other.folder / "evidence").iterdir())) == 2


def test_row_14_the_proof_of_another_board_is_refused(honest):
    content = honest.board.log().prove(4).content()
    forged = content.replace(b"example.org/board", b"example.org/other")
    assert forged != content
    honest.staple(PROOF, forged)
    assert failed(honest.sign().verdict()) == "registration"


@pytest.mark.slow
def test_row_14_no_mutated_proof_or_leaf_is_accepted(honest):
    """M"""
    draws = random.Random(fuzz.EXAMPLES or 14)
    log = honest.board.log()
    originals = {name: honest.files[name] for name in (PROOF, REGISTRATION)}
    for _ in range(fuzz.EXAMPLES or 60):
        name = draws.choice(list(originals))
        content = fuzz.flipped(draws, originals[name])
        verdict = honest.staple(name, content).sign().verdict(board=log)

        # Lines of unknown keys are ignored: a cosignature with a mutated key id is one of those.
        if verdict.accepted:
            signed, _, _ = content.rpartition(b"\n\n")
            assert name == PROOF and originals[name].startswith(signed)
        honest.staple(name, originals[name])
