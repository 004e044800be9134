"""The board's rules: a story that is allowed, and every attack that is not."""

from dataclasses import asdict, replace

import pytest

from harness.files import dump_json
from helpers.boards import DAY, Keys, digest, new_board, role, root_of
from helpers.logs import ORIGIN, TIME
from leaderboard.board.files import FolderFiles
from leaderboard.board.ledger import fold, follow
from leaderboard.board.repository import STATEMENTS, RepositoryDocuments
from leaderboard.board.rules import blinded
from leaderboard.board.state import Board
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import (
    KINDS,
    AdmitLeaf,
    AmendLeaf,
    KeychangeLeaf,
    ReevalLeaf,
    RegisterLeaf,
    RetractLeaf,
    RevealLeaf,
    RevokeLeaf,
    parse_leaf,
)
from leaderboard.formats.log.root import Role, Root, parse_root

# Keys are made once: a board of a test takes them all.
KEYS = Keys()
MAINTAINERS = KEYS.maintainers
TWO = MAINTAINERS[:2]
SUBMITTER = KEYS.submitter
NEW = one_use_key()


@pytest.fixture
def board(tmp_path):
    """A trust root (leaf 0), an open suite (1) and an admitted submitter (2)."""
    return new_board(tmp_path, KEYS)


def state(board):
    return fold(board.leaves, RepositoryDocuments(FolderFiles(board.folder)))


def refused(board, sentence):
    """The last leaf breaks a rule, in one sentence that names it."""
    with pytest.raises(DocumentError, match=sentence) as error:
        state(board)
    assert str(error.value).startswith(f"leaf {len(board.leaves) - 1}")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


# -- what is allowed --


def test_a_story_is_told_by_its_leaves(board):
    registered = board.register()
    entry = board.entry(registered)
    board.append(ReevalLeaf, [KEYS.judge], key=KEYS.judge.key_id, entry=entry, level="L1")
    board.append(ReevalLeaf, [KEYS.runner], key=KEYS.runner.key_id, entry=entry, level="L3")
    board.append(AmendLeaf, [SUBMITTER], key=SUBMITTER.key_id, entry=entry)
    second = board.register(draft="another")
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=second)
    board.suite("retired", successor=2)
    board.suite(version=2, plan="changed")

    told = state(board)
    assert told.size == len(board.leaves)
    assert told.registrations[registered].entry == entry
    assert told.registrations[second].retracted == second + 1
    assert told.entries[entry].reevals == [entry + 1, entry + 2]
    assert told.entries[entry].amendments == [entry + 3]
    assert told.suites["dmc-hard", 1].state == "retired"
    assert not told.entries[entry].disputed


def test_a_root_is_replaced_by_both_thresholds(board):
    fresh = [one_use_key() for _ in range(3)]
    successor = root_of(KEYS, version=2, root=role(fresh, 2), maintainers=role(fresh, 2))
    board.root(successor, [*TWO, *fresh[:2]])
    board.admit(NEW, fresh[:2])
    told = state(board)
    assert [root.version for _, root in told.roots] == [1, 2]
    assert told.root_at(3).version == 1 and told.root_at(4).version == 2


def test_a_key_is_changed_by_both_keys_and_the_new_one_goes_on(board):
    registered = board.register()
    board.append(
        KeychangeLeaf,
        [SUBMITTER, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=False,
    )
    entry = board.entry(registered, NEW)
    assert state(board).entries[entry].registration.member.public_key == NEW.public_hex
    board.register(draft="another")
    refused(board, f"was replaced by {NEW.key_id[:16]}")


def test_a_lost_key_is_recovered_by_maintainers(board):
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=3)
    board.append(
        KeychangeLeaf,
        [*TWO, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=True,
    )
    board.register(NEW)
    assert state(board).members[NEW.key_id].recovered


def test_a_blinded_plan_is_revealed_before_its_entry(board):
    salt, draft = digest("salt"), digest("draft")
    hidden = board.register(draft="x", blinded=True)
    board.leaves.pop()
    registered = board.append(
        RegisterLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        suite="dmc-hard",
        version=1,
        draft=blinded(salt, draft),
        image=digest("image"),
        blinded=True,
    )
    assert registered == hidden and state(board).registrations[registered].draft is None
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=registered,
        draft=draft,
        salt=salt,
    )
    board.entry(registered)
    assert state(board).registrations[registered].draft == draft


def test_a_plan_may_be_registered_again_once_it_is_abandoned(board):
    registered = board.register()
    board.at += 91 * DAY
    again = board.register()
    told = state(board)
    assert told.abandoned(told.registrations[registered], told.at)
    assert not told.abandoned(told.registrations[again], told.at)


def test_maintainers_retract_with_a_reason(board):
    entry = board.entry(board.register())
    board.append(RetractLeaf, TWO, reason="the mask was stale", key=None, target=entry)
    assert state(board).entries[entry].retracted[0] == entry + 1


# -- 19: the trust root --


def test_a_root_signed_by_one_of_two_is_refused(board):
    board.root(root_of(KEYS, version=2), MAINTAINERS[:1])
    refused(board, "1 of 2 signatures of root")


def test_a_root_needs_its_own_threshold_too(board):
    fresh = [one_use_key() for _ in range(3)]
    board.root(root_of(KEYS, version=2, root=role(fresh, 2)), [*TWO, fresh[0]])
    refused(board, "1 of 2 signatures of root, of the new version")


def test_a_root_needs_the_threshold_of_the_one_before(board):
    """Else whoever has new keys could take the board over."""
    fresh = [one_use_key() for _ in range(3)]
    successor = root_of(KEYS, version=2, root=role(fresh, 2), maintainers=role(fresh, 2))
    board.root(successor, [MAINTAINERS[0], *fresh])
    refused(board, "1 of 2 signatures of root, of the version before")


def test_an_old_root_is_refused(board):
    """gittuf CVE-2026-44544: an old policy was replayed."""
    board.root(root_of(KEYS, version=2), TWO)
    board.root(root_of(KEYS, version=1), TWO)
    refused(board, "expected version 3")


def test_a_skipped_root_is_refused(board):
    board.root(root_of(KEYS, version=3), TWO)
    refused(board, "expected version 2")


def test_a_root_of_another_origin_is_refused(board):
    board.root(root_of(KEYS, version=2, origin="example.org/other"), TWO)
    refused(board, f"keeps its origin, {ORIGIN}")


def test_a_changed_root_file_is_refused(board):
    (board.folder / "trust/1.root.json").write_bytes(dump_json(asdict(root_of(KEYS, delay=1))))
    with pytest.raises(DocumentError, match="another digest than its leaf says"):
        state(board)


def test_one_signature_twice_does_not_meet_a_threshold(board):
    """A second file with the same signature is named after the same key."""
    index = board.root(root_of(KEYS, version=2), MAINTAINERS[:1])
    statement = parse_leaf(board.leaves[index], "leaf").statement
    folder = board.folder / STATEMENTS / statement
    (only,) = folder.iterdir()
    (folder / f"{MAINTAINERS[1].key_id[:16]}.dsse.json").write_bytes(only.read_bytes())
    with pytest.raises(DocumentError, match="not named after the key"):
        state(board)


def test_a_key_under_two_names_is_refused_in_a_role():
    """go-tuf GHSA-3633-5h82-39pq: one key under two ids met a threshold of two."""
    with pytest.raises(ValueError, match="is listed 2 times"):
        role([MAINTAINERS[0], MAINTAINERS[0]], 2)


@pytest.mark.parametrize("doubled", ["log", "witnesses", "reevaluators", "runners"])
def test_a_key_has_one_role(doubled):
    changes = {doubled: role([MAINTAINERS[0]])}
    with pytest.raises(ValueError, match="has 2 roles"):
        root_of(KEYS, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"log": Role(0, ())}, "at least one key each"),
        ({"log": role(KEYS.logs, 2)}, "threshold of 1"),
        ({"version": 0}, "versions begin with 1"),
        ({"deadline": 60}, "a deadline comes after the delay"),
        ({"delay": -1}, "whole number"),
        ({"expires": 2**53}, "whole number"),
        ({"origin": "example org"}, "origin"),
    ],
)
def test_a_root_of_another_form_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        root_of(KEYS, **changes)


@pytest.mark.parametrize("threshold", [0, -1, 4])
def test_a_threshold_is_a_number_of_the_keys(threshold):
    with pytest.raises(ValueError, match="threshold"):
        role(MAINTAINERS, threshold)


def test_a_root_is_read_back_as_it_was_written():
    root = root_of(KEYS)
    assert parse_root(dump_json(asdict(root)), "root") == root
    assert isinstance(root, Root)


def test_nothing_but_a_root_is_logged_once_the_root_expired(board):
    board.at = TIME + 4000 * DAY
    board.register()
    refused(board, "the trust root has expired")
    board.leaves.pop()
    board.root(root_of(KEYS, version=2, expires=TIME + 9000 * DAY), TWO)
    board.register()
    assert state(board).size == 5


def test_a_root_that_expired_before_it_came_is_refused(board):
    board.root(root_of(KEYS, version=2, expires=TIME), TWO)
    refused(board, "has expired already")


def test_a_registration_with_an_entry_is_retracted_by_its_entry(board):
    registered = board.register()
    board.entry(registered)
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=registered)
    refused(board, "is its entry: retract that")


def test_a_board_begins_with_a_root(tmp_path):
    board = new_board(tmp_path, KEYS)
    board.leaves = board.leaves[1:]
    with pytest.raises(DocumentError, match="comes before any trust root"):
        state(board)


# -- 22: dual control --


@pytest.mark.parametrize("signers", [TWO[:1], [TWO[0], SUBMITTER], [SUBMITTER], [NEW]])
@pytest.mark.parametrize("act", ["admit", "suite", "revoke", "retract"])
def test_one_maintainer_alone_decides_nothing(board, act, signers):
    entry = board.entry(board.register())
    match act:
        case "admit":
            board.admit(KEYS.other, signers)
        case "suite":
            board.suite("retired", signers=signers)
        case "revoke":
            board.append(RevokeLeaf, signers, key=SUBMITTER.key_id, since=entry)
        case "retract":
            board.append(RetractLeaf, signers, reason="a reason", key=None, target=entry)
    refused(board, "of 2 signatures of maintainers are there")


def test_maintainers_retract_nothing_without_a_reason(board):
    entry = board.entry(board.register())
    board.append(RetractLeaf, TWO, reason=" ", key=None, target=entry)
    refused(board, "without a reason")


def test_removing_an_envelope_undoes_no_decision(board):
    """The log names the statement, so a host who removes a signature is noticed."""
    index = board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=3)
    statement = parse_leaf(board.leaves[index], "leaf").statement
    removed, _ = sorted((board.folder / STATEMENTS / statement).iterdir())
    removed.unlink()
    refused(board, "1 of 2 signatures of maintainers")
    for left in (board.folder / STATEMENTS / statement).iterdir():
        left.unlink()
    with pytest.raises(DocumentError, match="no signed statement is there"):
        state(board)


# -- 7, 8: what belongs to others, or was there before --


def test_another_submitters_registration_is_not_used(board):
    board.admit(KEYS.other)
    board.entry(board.register(), KEYS.other)
    refused(board, "something of another submitter")


def test_one_entry_a_registration(board):
    registered = board.register()
    board.entry(registered)
    board.entry(registered, name="second")
    refused(board, "is the entry of that registration")


def test_an_entry_is_not_entered_twice(board):
    board.entry(board.register())
    board.entry(board.register(draft="another"), policies=digest("other policies"))
    refused(board, "entered before")


def test_the_same_runs_under_a_second_key_are_refused(board):
    board.admit(KEYS.other)
    board.entry(board.register())
    registered = board.register(KEYS.other)
    board.entry(registered, KEYS.other, name="copied", policies=digest("policies of entry"))
    refused(board, "entered before")


def test_a_statement_speaks_once(board):
    board.register()
    board.append_raw(board.leaves[-1])
    refused(board, "statement was logged before")


def test_a_plan_is_registered_once_at_a_time(board):
    """Whoever registers it again and again could take the luckiest seeds."""
    board.register()
    board.register(image=digest("another image"))
    refused(board, "leaf 3 is an open registration of the same plan")


def test_a_revealed_plan_counts_as_registered(board):
    board.register()
    salt = digest("salt")
    hidden = board.append(
        RegisterLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        suite="dmc-hard",
        version=1,
        draft=blinded(salt, digest("draft")),
        image=digest("image"),
        blinded=True,
    )
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=hidden,
        draft=digest("draft"),
        salt=salt,
    )
    refused(board, "open registration of the same plan")


def test_a_blinded_plan_has_no_entry_before_it_is_revealed(board):
    board.entry(board.register(blinded=True))
    refused(board, "is blinded: reveal it first")


def test_a_reveal_of_another_plan_is_refused(board):
    hidden = board.register(blinded=True)
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=hidden,
        draft=digest("another"),
        salt=digest("salt"),
    )
    refused(board, "announced another plan")


def test_an_entry_after_the_deadline_is_refused(board):
    registered = board.register()
    board.at += 91 * DAY
    board.entry(registered)
    refused(board, "is abandoned: its deadline is over")


def test_an_entry_in_the_last_second_is_in_time(board):
    registered = board.register()
    deadline = board.at + 90 * DAY
    board.entry(registered, at=deadline)
    assert state(board).registrations[registered].entry == registered + 1
    board.leaves.pop()
    board.entry(registered, at=deadline + 1)
    refused(board, "is abandoned")


@pytest.mark.parametrize("target", [0, 1, 2, 99])
def test_an_entry_of_no_registration_is_refused(board, target):
    board.entry(target)
    refused(board, f"leaf {target} is no registration")


def test_a_retracted_registration_has_no_entry(board):
    registered = board.register()
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=registered)
    board.entry(registered)
    refused(board, "retracted the registration")


# -- 13: re-evaluations --


@pytest.mark.parametrize(
    ("key", "level"), [(SUBMITTER, "L1"), (NEW, "L1"), (KEYS.judge, "L3"), (KEYS.runner, "L1")]
)
def test_a_reevaluation_by_a_key_without_the_role_is_refused(board, key, level):
    entry = board.entry(board.register())
    board.append(ReevalLeaf, [key], key=key.key_id, entry=entry, level=level)
    refused(board, "is none of the")


def test_a_reevaluation_in_anothers_name_is_refused(board):
    entry = board.entry(board.register())
    board.append(ReevalLeaf, [SUBMITTER], key=KEYS.judge.key_id, entry=entry, level="L1")
    refused(board, "did not sign it")


@pytest.mark.parametrize("key", [KEYS.judge, KEYS.logs[0], MAINTAINERS[0]])
def test_a_key_of_the_root_is_no_submitters(board, key):
    board.admit(key)
    refused(board, "has or had a role")


def test_a_submitters_key_gets_no_role(board):
    board.root(root_of(KEYS, version=2, reevaluators=role([SUBMITTER])), TWO)
    refused(board, "is a submitter's and gets no role")


# -- 20: stolen keys --


def test_a_revoked_key_speaks_no_longer_and_what_came_before_stays_valid(board):
    early = board.entry(board.register())
    since = len(board.leaves)
    late = board.entry(board.register(draft="stolen"), name="stolen")
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=since)
    told = state(board)
    assert not told.entries[early].disputed
    assert told.entries[late].disputed
    board.register(draft="third")
    refused(board, "is revoked")


@pytest.mark.parametrize(("since", "disputed"), [(3, True), (4, True), (5, False)])
def test_a_revocation_counts_from_its_position_on(board, since, disputed):
    """Leaf 3 is the registration, leaf 4 its entry."""
    entry = board.entry(board.register())
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=since)
    assert state(board).entries[entry].disputed == disputed


def test_an_entry_is_disputed_with_its_registration(board):
    """The key that registered was stolen, and replaced before the entry."""
    registered = board.register()
    board.append(
        KeychangeLeaf,
        [SUBMITTER, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=False,
    )
    entry = board.entry(registered, NEW)
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=registered)
    assert state(board).entries[entry].disputed


def test_a_key_is_not_revoked_from_the_future_or_twice(board):
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=99)
    refused(board, "later than this leaf")
    board.leaves.pop()
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=2)
    board.append(RevokeLeaf, TWO, reason="again", key=SUBMITTER.key_id, since=2)
    refused(board, "revoked from that position on already")


def test_a_thief_cannot_change_the_key_alone(board):
    for signers in ([NEW], [SUBMITTER], [NEW, TWO[0]]):
        board.append(
            KeychangeLeaf,
            signers,
            key=SUBMITTER.key_id,
            public_key=NEW.public_hex,
            recovered=len(signers) == 2,
        )
        refused(board, "did not sign it|of 2 signatures of maintainers")
        board.leaves.pop()


def test_a_key_that_was_somebodys_is_not_taken_again(board):
    board.admit(SUBMITTER)
    refused(board, "is or was a submitter's")


# -- 27: suites --


def test_a_retired_suite_takes_no_registration_and_names_its_successor(board):
    board.suite("retired", successor=2)
    board.register()
    refused(board, r"version 1 is retired \(successor: version 2\)")


@pytest.mark.parametrize(("suite", "version"), [("dmc-hard", 2), ("dmc-easy", 1)])
def test_a_suite_that_was_never_opened_takes_no_registration(board, suite, version):
    board.register(suite=suite, version=version)
    refused(board, "was never opened")


def test_a_suite_is_opened_once_and_keeps_its_plan(board):
    board.suite(signers=MAINTAINERS[1:])
    refused(board, "was opened before")
    board.leaves.pop()
    board.suite("retired", plan="changed")
    refused(board, "has another plan")


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
