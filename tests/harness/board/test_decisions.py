"""What several people sign: the first signature waits on the main branch, the last one logs it."""

import json

import pytest

from harness.board.log import Invalid
from harness.board.statements import propose
from helpers.boards import Keys, digest
from helpers.submissions import done, refused, scene_of
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import ReevalLeaf

KEYS = Keys()
M1, M2, M3 = KEYS.maintainers
NEW = one_use_key()


@pytest.fixture
def scene(tmp_path):
    return scene_of(tmp_path, KEYS)


@pytest.fixture
def maintainer(scene):
    """Somebody with a clone. Whose key signs is said with each command."""
    return scene.person("maintainer")


def joining(scene, key=NEW, name="newcomer"):
    """A newcomer's request, in their clone."""
    person = scene.person(name)
    done(person.run("submit", "--join", key=key))
    return person, *person.waiting("admit")


# -- 22: nobody decides alone --


def test_22_one_maintainer_alone_admits_nobody(scene):
    person, path = joining(scene)
    before = scene.log().size
    said = done(person.run("accept", path, key=M1))
    assert "admit: signed; 1 of 2 signatures of maintainers are there" in said
    assert scene.log().size == before
    said = done(person.run("accept", path, key=M1))
    assert "1 of 2" in said and scene.log().size == before


def test_the_last_signature_has_a_statement_logged_from_any_clone(scene, maintainer):
    person, path = joining(scene)
    done(person.run("accept", path, key=M1))
    maintainer.pull()
    assert done(maintainer.run("accept", path, key=M2)) == "leaf 3: admit\n"
    assert NEW.key_id in scene.log().board.members
    assert not [name for name in scene.paths() if name.startswith("inbox/")]
    statement = scene.log().leaves[3].decode().partition('"statement":"')[2][:64]
    signers = {NEW.key_id[:16], M1.key_id[:16], M2.key_id[:16]}
    names = {f"statements/{statement}/{signer}.dsse.json" for signer in signers}
    assert {name for name in scene.paths() if statement in name} == names


def test_several_are_signed_and_logged_at_once(scene, maintainer):
    """Each statement once, however many files of its signers are named."""
    requests = [joining(scene, key, key.key_id[:8]) for key in (NEW, KEYS.other)]
    for person, path in requests:
        done(person.run("accept", path, key=M1))
    maintainer.pull()
    waiting = maintainer.waiting("admit")
    assert len(waiting) == 4
    assert done(maintainer.run("accept", *waiting, key=M2)) == "leaf 3: admit\nleaf 4: admit\n"


def test_of_several_the_first_that_is_wrong_ends_the_command(scene, maintainer):
    person, path = joining(scene)
    (person.clone / "inbox" / "nothing.json").write_text("{}")
    refused(person.run("accept", "inbox/nothing.json", path, key=M1), "is not named as statements")
    assert not [name for name in scene.paths() if name.startswith("inbox/")]


def test_signatures_that_two_clones_gave_are_counted_together(scene, maintainer):
    """The second maintainer has not pulled what the first one signed."""
    person, path = joining(scene)
    (maintainer.clone / "inbox").mkdir()
    (maintainer.clone / path).write_bytes((person.clone / path).read_bytes())
    done(person.run("accept", path, key=M1))
    assert done(maintainer.run("accept", path, key=M2)) == "leaf 3: admit\n"


def test_22_a_maintainer_who_is_none_signs_nothing(scene, maintainer):
    person, path = joining(scene)
    refused(person.run("accept", path, key=NEW), "--key is none of those that count", code=2)
    refused(person.run("accept", path), "0 of 2 signatures of maintainers are there", code=2)
    refused(maintainer.run("board", "suite", "dmc-hard", "--retire", key=NEW), "none of those", 2)
    assert not [name for name in scene.paths() if name.startswith("inbox/")]


def test_22_one_maintainer_alone_removes_no_row(scene, maintainer):
    index = scene.board.register()
    scene.push()
    retract = ("board", "retract", index, "--reason", "made up")
    assert "1 of 2 signatures" in done(maintainer.run(*retract, key=M1))
    assert scene.log().board.registrations[index].retracted is None
    assert done(maintainer.run(*retract, key=M3)) == f"leaf {index + 1}: retract\n"
    assert scene.log().board.registrations[index].retracted == index + 1


def test_22_a_row_is_not_removed_without_a_reason(scene, maintainer):
    index = scene.board.register()
    scene.push()
    done_without = maintainer.run("board", "retract", index, "--reason", " ", key=M1)
    refused(done_without, "maintainers retract nothing without a reason")


def test_another_reason_is_another_statement(scene, maintainer):
    """Whoever signs agrees to the words too."""
    index = scene.board.register()
    scene.push()
    for key, reason in ((M1, "made up"), (M2, "copied")):
        said = done(maintainer.run("board", "retract", index, "--reason", reason, key=key))
        assert "1 of 2 signatures" in said


def test_nobody_is_admitted_with_a_key_that_they_do_not_hold(scene):
    person = scene.person("newcomer")
    leaf = {"kind": "admit", "public_key": NEW.public_hex}
    with pytest.raises(Invalid, match=f"key {NEW.key_id[:16]} did not sign it"):
        propose(person.clone, leaf, [KEYS.other])


# -- 20: stolen keys --


def test_20_a_stolen_key_is_revoked_from_a_position_on(scene, maintainer):
    earlier = scene.board.register(draft="mine")
    later = scene.board.register(draft="a thief's")
    scene.push()
    revoke = ("keys", "revoke", KEYS.submitter.key_id[:16], "--since", later)
    done(maintainer.run(*revoke, key=M1))
    assert done(maintainer.run(*revoke, key=M2)) == f"leaf {later + 1}: revoke\n"
    member = scene.log().board.members[KEYS.submitter.key_id]
    assert member.revoked == {KEYS.submitter.key_id: later} and earlier < later

    thief = scene.person("thief")
    refused(thief.run("submit", "--retract", earlier, key=KEYS.submitter), "is revoked")


def test_a_lost_key_is_replaced_with_the_maintainers_word(scene):
    person = scene.person("unlucky")
    lost = ("--lost", KEYS.submitter.key_id[:16])
    done(person.run("keys", "change", *lost, "--to", person.key(NEW)))
    (path,) = person.waiting("keychange")
    done(person.run("accept", path, key=M1))
    assert done(person.run("accept", path, key=M2)) == "leaf 3: keychange\n"
    member = scene.log().board.members[NEW.key_id]
    assert member.recovered and member.public_key == NEW.public_hex


def test_a_key_is_replaced_by_its_owner_alone(scene):
    person = scene.person("owner")
    done(person.run("keys", "change", "--to", person.key(NEW), key=KEYS.submitter))
    paths = person.waiting("keychange")
    assert len(paths) == 2
    assert done(person.run("accept", paths[0])) == "leaf 3: keychange\n"
    assert not scene.log().board.members[NEW.key_id].recovered


# -- suites, roots --


def test_27_a_retired_suite_takes_no_registration_and_names_its_successor(scene, maintainer):
    for key in (M1, M2):
        retire = ("board", "suite", "dmc-hard", "--suite-version", 1, "--retire", "--successor", 2)
        done(maintainer.run(*retire, key=key))
    assert scene.log().board.suites["dmc-hard", 1].state == "retired"
    person = scene.person("submitter")
    fields = {"suite": "dmc-hard", "version": 1, "draft": digest("draft"), "image": digest("image")}
    leaf = {"kind": "register", "key": KEYS.submitter.key_id, "blinded": False, **fields}
    with pytest.raises(Invalid, match=r"version 1 is retired \(successor: version 2\)"):
        propose(person.clone, leaf, [KEYS.submitter])


def test_a_shipped_suite_is_opened_by_its_name(scene, maintainer):
    for key in (M1, M2):
        said = done(maintainer.run("board", "suite", "quick", "--open", key=key))
    assert said == "leaf 3: suite\n"
    refused(maintainer.run("board", "suite", "quick", "--open", key=M1), "was opened before")
    refused(maintainer.run("board", "suite", "own", "--open", key=M1), "give --plan plan.json", 2)
    refused(maintainer.run("board", "suite", "quick", key=M1), "one of --open and --retire", 2)


# -- what submitters say --


def test_a_registration_is_given_up_and_an_entry_amended_by_its_submitter(scene):
    board = scene.board
    given_up = board.register(draft="one")
    entry = board.entry(board.register(draft="two"))
    scene.push()
    person = scene.person("submitter")
    done(person.run("submit", "--retract", given_up, key=KEYS.submitter))
    note = ("--reason", "The tensors moved.")
    done(person.run("submit", "--amend", entry, *note, key=KEYS.submitter))
    done(person.run("accept", *person.waiting("retract")))
    done(person.run("accept", *person.waiting("amend")))
    log = scene.log()
    assert log.board.registrations[given_up].retracted == entry + 1
    assert log.board.entries[entry].amendments == [entry + 2]


@pytest.mark.parametrize(
    ("words", "key", "sentence", "code"),
    [
        (("--amend", 4), KEYS.submitter, "--reason is the note", 2),
        (("--amend", 9, "--reason", "a"), KEYS.submitter, "leaf 9 is no entry", 4),
        (("--amend", 9, "--reason", "a\u202eb"), KEYS.submitter, "reason: expected one line", 4),
        (("--retract", 2), KEYS.submitter, "leaf 2 is no entry", 4),
        (("--join",), KEYS.submitter, "is or was a submitter's", 4),
        (("--join",), M1, "has or had a role of the trust root", 4),
        (("--join", "--retract", 2), KEYS.submitter, "give one of FOLDER, --join", 2),
        ((), KEYS.submitter, "give one of FOLDER, --join", 2),
    ],
)
def test_what_the_rules_forbid_is_not_written(scene, words, key, sentence, code):
    person = scene.person("submitter")
    refused(person.run("submit", *words, key=key), sentence, code)
    assert not (person.clone / "inbox").exists()


def test_a_folder_that_is_no_board_is_said(tmp_path, scene):
    person = scene.person("lost")
    person.clone = tmp_path
    refused(person.run("submit", "--join", key=NEW), "is no board: it has no folder log", code=2)


@pytest.mark.parametrize("path", ["inbox/none.dsse.json", "log/leaves/000.jsonl", "../../etc"])
def test_accept_takes_nothing_but_the_inbox_and_entries(maintainer, path):
    assert maintainer.run("accept", path, key=M1).returncode == 2


# -- 13: re-evaluations by hand --


@pytest.mark.parametrize("key", [KEYS.submitter, NEW, KEYS.runner, M1])
def test_13_a_re_evaluation_by_anybody_else_than_a_re_evaluator_is_refused(scene, key):
    entry = scene.board.entry(scene.board.register())
    scene.push()
    person = scene.person("friend")
    leaf = ReevalLeaf(
        at=0, statement=digest("x"), key=key.key_id, entry=entry, level="L1", measured=digest("m")
    )
    with pytest.raises(Invalid, match="is none of the reevaluators"):
        propose(person.clone, leaf.stated(), [key])


def test_json_says_the_same(scene):
    person, path = joining(scene)
    first = json.loads(done(person.run("accept", path, "--json", key=M1)))
    assert first["index"] is None and first["missing"].startswith("1 of 2")
    assert json.loads(done(person.run("accept", path, "--json", key=M2)))["index"] == 3
