"""Registered plans: what `verify` believes of their registration, and with whom.

Tests of a row of the threat table name its number.
"""

import pytest

from helpers.boards import Keys, fork_of
from helpers.forge import failed
from helpers.registered import KEYS, Registered, detail, refused, ship, statuses
from leaderboard.board.views import view_of
from leaderboard.formats import keys
from leaderboard.formats.layout import BEACON, PROOF, REGISTRATION
from leaderboard.formats.log.leaf import KeychangeLeaf, RetractLeaf, RevokeLeaf
from leaderboard.verification.verify import verify

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
