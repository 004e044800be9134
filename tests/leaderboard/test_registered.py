"""Registered plans: what `verify` believes of them, and with whom.

Tests of a row of the threat table name its number.
"""

import builtins
import hashlib
import random

import pytest

from harness.entries.verified import judge
from helpers import fuzz
from helpers.beacons import CHAIN, round_of, with_signature
from helpers.boards import DELAY, Keys, fork_of, user
from helpers.forge import check_of, failed
from helpers.logs import TIME
from helpers.registered import Registered, ship
from leaderboard.board.views import view_of
from leaderboard.formats import keys
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import BEACON, PROOF, REGISTRATION
from leaderboard.formats.log.leaf import KeychangeLeaf, RetractLeaf, RevokeLeaf
from leaderboard.verification.checks import ORDER
from leaderboard.verification.verify import verify

KEYS = Keys()


@pytest.fixture
def registered(entry, tmp_path, monkeypatch):
    """A registered entry, not announced yet."""
    made = Registered(entry, tmp_path, KEYS)
    ship(monkeypatch, made.plan)
    return made


@pytest.fixture
def honest(registered):
    """The same, announced, witnessed and claimed; tests sign it."""
    return registered.register().witness().claim()


def statuses(verdict):
    """How the checks went that show that the plan came first."""
    return [check_of(verdict, name).status for name in ORDER]


def detail(verdict, name):
    return check_of(verdict, name).detail


def refused(verdict, check, sentence):
    assert failed(verdict) == check
    assert sentence in verdict.checks[-1].detail, verdict.checks[-1].detail


# -- with a clone of the board --


def test_a_registered_entry_may_be_ranked(honest):
    verdict = honest.sign().verdict()
    assert statuses(verdict) == ["passed", "passed", "passed"]
    assert verdict.ranked and verdict.unranked_because == ()
    assert detail(verdict, "registration").startswith("leaf 4 of example.org/board, 2025-06-15")
    assert "2 witnesses cosigned the leaf 1800 s before" in detail(verdict, "witnessed")
    assert detail(verdict, "beacon").startswith(f"round {honest.round} of chain abab")


def test_a_blinded_registration_is_proven_by_its_salt(registered):
    verdict = registered.register(blind=True).witness().claim().sign().verdict()
    assert verdict.ranked


def test_an_entry_signed_with_a_later_key_of_its_submitter_is_theirs(honest):
    later = keys.one_use_key()
    fields = {"key": honest.key.key_id, "public_key": later.public_hex, "recovered": False}
    honest.board.append(KeychangeLeaf, [honest.key, later], **fields)
    assert honest.sign(later).verdict().ranked


def test_an_entry_with_a_missing_run_is_not_ranked(honest):
    honest.lose(honest.run("mst"))
    verdict = honest.sign().verdict()
    assert verdict.accepted and verdict.unranked_because == ("runs are missing",)


def test_an_entry_whose_plan_was_not_registered_is_not_ranked(tiny_entry, registered):
    verdict = verify(tiny_entry, log=registered.board.log())
    assert statuses(verdict) == ["unknown", "unknown", "unknown"]
    assert not verdict.ranked
    assert "seeds come from the suite: the plan was not registered" in verdict.unranked_because


# -- row 1 --


def test_row_1_own_seeds_called_ranked_are_refused(registered):
    """`verify` once took any seed source but `suite`."""
    registered.plan["seed_source"] = "my-lucky-seeds"
    registered.predicate["plan"]["log_index"] = 7
    refused(registered.sign().verdict(), "plan", "'my-lucky-seeds' is neither suite nor log:")


def test_row_1_own_seeds_in_the_form_of_a_logs_are_refused(registered):
    registered.plan["seed_source"] = f"log:{'0' * 64}"
    registered.predicate["plan"]["log_index"] = 4
    refused(registered.sign().verdict(), "registration", "is not among the signed files")


def test_row_1_own_seeds_beside_a_real_registration_are_refused(honest):
    honest.plan["seed_source"] = f"log:{'0' * 64}"
    refused(honest.sign().verdict(), "registration", "the seeds are not those of leaf 4")


def test_row_1_seeds_of_the_suite_called_ranked_are_refused(registered):
    refused(registered.sign().verdict(), "registration", "is called ranked or logged")
    registered.predicate["ranked"] = False
    for document in (registered.predicate, registered.manifest):
        document["unranked_because"] = ["seeds come from the suite"]
    registered.predicate["plan"]["log_index"] = 4
    refused(registered.sign().verdict(), "registration", "is called ranked or logged")


def test_row_1_a_log_of_ones_own_convinces_nobody(honest):
    """Without a board nobody can tell, so it is not ranked; with one it is refused."""
    verdict = honest.sign().verdict(board=False)
    assert statuses(verdict) == ["unknown", "unknown", "unknown"]
    assert verdict.accepted and not verdict.ranked
    assert (
        "registration: leaf 4 of example.org/board: nothing is known"
        in (verdict.unranked_because[0])
    )


def test_row_1_a_suite_of_ones_own_is_not_called_ranked(honest):
    honest.call_suite("own-tiny")
    refused(honest.sign().verdict(), "registration", "own-tiny is no shipped suite")


# -- rows 2, 3 and 4: order --


def test_row_2_a_plan_that_was_registered_when_its_seeds_were_known_is_not_ranked(registered):
    """Train first, register when lucky: the quorum saw the leaf after the round."""
    verdict = registered.register().witness(before=-60).claim().sign().verdict()
    assert statuses(verdict) == ["passed", "unknown", "passed"]
    assert "60 s after the round" in detail(verdict, "witnessed") and not verdict.ranked


def test_row_2_a_plan_that_was_witnessed_in_the_second_of_its_round_is_not_ranked(registered):
    assert not registered.register().witness(before=0).claim().sign().verdict().ranked


def test_row_2_one_witness_is_no_quorum(registered):
    verdict = registered.register().witness(witnesses=(0,)).claim().sign().verdict()
    assert statuses(verdict) == ["passed", "unknown", "passed"]
    assert "no quorum" in detail(verdict, "witnessed")


def test_row_2_what_witnesses_handed_in_later_counts_from_the_board(registered):
    registered.register().witness(witnesses=()).claim().sign()
    assert not registered.verdict().ranked
    registered.witness()
    assert registered.verdict().ranked


def test_row_3_a_backdated_leaf_shows_in_the_times_of_its_witnesses(registered):
    """The board says that it logged the leaf long ago, and so draws a round that it knows."""
    registered.register(at=TIME + 10)
    registered.board.sign(witnesses=(0, 1), time=TIME + 90 * 86_400)
    verdict = registered.claim().sign().verdict()
    assert check_of(verdict, "beacon").status == "passed"
    assert check_of(verdict, "witnessed").status == "unknown" and not verdict.ranked


def test_row_3_a_leaf_from_before_the_one_above_it_makes_the_log_invalid(registered):
    registered.register(at=TIME - 1)
    with pytest.raises(DocumentError, match="logged before the leaf above it"):
        registered.board.log()


def test_row_4_each_nonce_draws_other_seeds_only_a_later_round_can_tell(registered):
    """The round comes after the leaf, so no nonce can be tried: here one leaf and two rounds, one
    of which nobody knew when it was logged."""
    registered.register().witness()
    known = round_of(CHAIN.round_from(registered.leaf.at - 60))
    registered.claim(known)
    refused(registered.sign().verdict(), "beacon", f"is round {known.round}, expected round")


def test_row_5_a_second_registration_of_the_same_plan_makes_the_log_invalid(honest):
    honest.register()
    with pytest.raises(DocumentError, match="leaf 4 is an open registration of the same plan"):
        honest.board.log()


# -- row 6: changed after registration --


def test_row_6_a_plan_that_was_changed_after_registration_is_refused(honest):
    honest.plan["evaluation"]["fresh_episodes"] = 2
    refused(honest.sign().verdict(), "plan", "calls itself tiny version 1")


def test_row_6_a_plan_under_another_name_than_was_registered_is_refused(honest):
    honest.call_suite("own-tiny")
    honest.predicate["ranked"] = False
    for document in (honest.predicate, honest.manifest):
        document["unranked_because"] = ["not a shipped suite"]
    honest.plan["evaluation"]["fresh_episodes"] = 2
    refused(honest.sign().verdict(), "registration", "is not of the leaf that this key, suite,")


def test_row_6_runs_of_another_image_than_was_registered_are_refused(honest):
    honest.predicate["image"]["content_sha256"] = "0" * 64
    refused(honest.sign().verdict(), "registration", "is not of the leaf that this key, suite,")


def test_row_6_runs_outside_any_image_are_refused(honest):
    honest.predicate["image"] = None
    refused(honest.sign().verdict(), "registration", "it ran in none")


def test_row_6_a_suite_that_was_opened_with_another_plan_is_refused(entry, tmp_path, monkeypatch):
    made = Registered(entry, tmp_path, KEYS, precision="tf32")
    ship(monkeypatch, made.plan)
    verdict = made.register().witness().claim().sign().verdict()
    refused(verdict, "registration", "suite tiny version 1 has another plan")


# -- row 7: another's registration --


def test_row_7_anothers_registration_is_refused(honest):
    honest.board.admit(KEYS.other)
    refused(honest.sign(KEYS.other).verdict(), "registration", "is of another submitter, key")


def test_row_7_a_registration_in_anothers_name_is_refused(honest):
    honest.board.admit(KEYS.other)
    honest.claim(key=KEYS.other.key_id)
    refused(honest.sign(KEYS.other).verdict(), "registration", "is not of the leaf that this key")


def test_row_7_a_key_that_the_board_never_admitted_is_refused(honest):
    refused(honest.sign(keys.one_use_key()).verdict(), "registration", "is of another submitter")


def test_row_7_a_second_entry_of_one_registration_is_refused(honest):
    honest.sign()
    honest.board.entry(4, entry=honest.payload_sha256())
    assert honest.verdict().ranked
    honest.predicate["resumes"] += 1
    refused(honest.sign().verdict(), "registration", "leaf 5 is another entry of leaf 4")


def test_row_7_a_retracted_registration_is_refused(honest):
    honest.board.append(RetractLeaf, [honest.key], key=honest.key.key_id, target=4)
    refused(honest.sign().verdict(), "registration", "leaf 5 retracted leaf 4")


def test_row_20_what_a_revoked_key_registered_is_not_ranked(honest):
    two = KEYS.maintainers[:2]
    honest.board.append(RevokeLeaf, two, key=honest.key.key_id, since=5)
    assert honest.sign().verdict().ranked
    honest.board.append(RevokeLeaf, two, key=honest.key.key_id, since=4)
    verdict = honest.sign().verdict()
    assert verdict.accepted and not verdict.ranked
    assert "is revoked from there on" in detail(verdict, "registration")


# -- row 14: another proof --


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


# -- row 28: the beacon --


def test_row_28_another_round_is_refused(registered):
    registered.register().witness()
    registered.claim(round_of(registered.round + 1))
    refused(registered.sign().verdict(), "beacon", "expected round")


def test_row_28_a_round_of_another_chain_is_refused(registered):
    registered.register().witness()
    registered.claim(round_of(registered.round, secret=99))
    refused(registered.sign().verdict(), "beacon", "did not sign this as round")


def test_row_28_a_signature_of_ones_own_is_refused(registered):
    registered.register().witness()
    registered.claim(with_signature(registered.round, "c0" + "00" * 47))
    refused(registered.sign().verdict(), "beacon", "did not sign this as round")


@pytest.mark.slow
def test_row_28_no_mutated_round_is_accepted(honest):
    """M"""
    draws = random.Random(fuzz.EXAMPLES or 28)
    log = honest.board.log()
    original = honest.files[BEACON]
    for _ in range(fuzz.EXAMPLES or 60):
        honest.staple(BEACON, fuzz.flipped(draws, original))
        assert failed(honest.sign().verdict(board=log)) in ("registration", "beacon")


def test_without_the_library_the_beacon_is_unknown_and_nothing_ranked(honest, monkeypatch):
    honest.sign()
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("py_arkworks"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    verdict = honest.verdict()
    assert statuses(verdict) == ["passed", "passed", "unknown"] and not verdict.ranked
    assert "mst-bench[board]" in detail(verdict, "beacon")


# -- without a clone --


def seen(made, size=None):
    """What a reader saw of the board's log when it had `size` leaves."""
    log = made.board.log()
    size = size or log.size
    return view_of(log, size, log.signed[size].note.content())


def test_what_was_seen_of_the_log_suffices_without_a_clone(honest):
    view = seen(honest)
    verdict = honest.sign().verdict(board=False, recall=lambda origin: view)
    assert verdict.ranked
    assert detail(verdict, "registration").endswith("as this machine knows the log")


def test_what_was_seen_before_the_registration_suffices_by_the_keys_of_the_log(registered):
    registered.board.sign()
    view = seen(registered)
    verdict = registered.register().witness().claim().sign()
    assert verdict.verdict(board=False, recall=lambda origin: view).ranked


def test_a_log_that_differs_from_what_was_seen_is_refused(honest, tmp_path):
    honest.board.sign()
    other = fork_of(honest.board, 4, tmp_path / "other")
    log = other.log()
    view = view_of(log, log.size, log.newest.note.content())
    verdict = honest.sign().verdict(board=False, recall=lambda origin: view)
    refused(verdict, "registration", "is not in the log that this machine saw")


def test_a_longer_log_of_unknown_keys_stays_unknown(entry, tmp_path, monkeypatch):
    """A stranger's log under the board's name, and longer than what was seen of the board's."""
    board = Registered(entry, tmp_path / "real", KEYS)
    board.board.sign()
    view = seen(board)
    made = Registered(entry, tmp_path / "forged", Keys())
    ship(monkeypatch, made.plan)
    verdict = made.register().witness().claim().sign()
    verdict = verdict.verdict(board=False, recall=lambda origin: view)
    assert statuses(verdict) == ["unknown", "unknown", "unknown"] and not verdict.ranked


def test_a_clone_that_is_older_than_the_proof_leaves_it_open(registered):
    registered.board.sign()
    old = registered.board.log()
    verdict = registered.register().witness().claim().sign().verdict(board=old)
    assert verdict.accepted and not verdict.ranked
    assert "is older than its proof" in detail(verdict, "registration")


# -- forms --


@pytest.mark.parametrize("name", [REGISTRATION, PROOF, BEACON])
def test_a_file_of_the_registration_that_is_not_signed_is_missed(honest, name):
    honest.listed = [row for row in honest.listed if row["name"] != name]
    refused(honest.sign().verdict(), "registration", f"{name}: is not among the signed files")


def test_files_of_a_registration_have_no_place_in_an_entry_without_one(registered, honest):
    files = dict(honest.files)
    honest.plan["seed_source"] = "suite"
    honest.predicate["plan"]["log_index"] = None
    for name, content in files.items():
        honest.staple(name, content)
    refused(honest.sign().verdict(), "files", "is no file of an entry of this plan")


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b'{"schema": "urn:mst-bench:registration:v2"}', b" " * 5000],
)
def test_a_registration_of_another_form_is_refused(honest, content):
    verdict = honest.staple(REGISTRATION, content).sign().verdict()
    assert failed(verdict) in ("registration", "documents")


def test_a_round_is_drawn_after_the_delay_of_the_root(honest):
    assert CHAIN.time_of(honest.round) >= honest.leaf.at + DELAY
    assert CHAIN.time_of(honest.round - 1) < honest.leaf.at + DELAY


def test_the_seed_source_is_a_digest_of_public_parts_alone(honest):
    """Anybody can compute it, by docs/registration.md."""
    leaf = hashlib.sha256(honest.board.leaves[4]).hexdigest()
    signature = round_of(honest.round).signature
    text = f'["mst-bench/seeds/v1","example.org/board",4,"{leaf}","{signature}"]'
    assert honest.plan["seed_source"] == f"log:{hashlib.sha256(text.encode()).hexdigest()}"
