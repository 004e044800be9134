"""A plan is registered: what is signed, what is kept, and what is refused before anything is."""

import json

import pytest

from helpers.boards import key_file
from helpers.people import KEYS
from helpers.registering import inside_image
from helpers.statements import CONTENT
from leaderboard.board.files import FolderFiles
from leaderboard.board.inbox import waiting
from leaderboard.formats import keys
from leaderboard.formats.plan import draft_digest
from leaderboard.formats.registration import blinded


def refused(finished, code, sentence):
    assert finished.returncode == code, finished.stderr
    assert sentence in finished.stderr, finished.stderr
    assert finished.stderr.count("\n") == 1


def spoken(me):
    """What the statement in the inbox says."""
    (proposal,) = waiting(FolderFiles(me.board.folder), "register-")
    return proposal.spoken


def test_a_registration_names_plan_suite_image_and_key(me, plan):
    finished = me.register()
    assert finished.returncode == 0, finished.stderr
    assert spoken(me).leaf == {
        "kind": "register",
        "key": KEYS.submitter.key_id,
        "suite": "own-tiny",
        "version": 1,
        "draft": draft_digest(plan),
        "image": CONTENT,
        "blinded": False,
    }
    assert spoken(me).origin == "example.org/board" and spoken(me).reason == ""


def test_what_was_handed_in_becomes_a_leaf(me):
    me.register()
    index = me.accept()
    assert me.board.log().board.registrations[index].draft is not None
    assert me.inbox == []


def test_the_draft_is_kept_without_seeds(me, plan):
    (line,) = [line for line in me.register().stdout.splitlines() if line.startswith("keep")]
    (path,) = (me.out / "drafts").iterdir()
    assert line == f"keep the draft: {path}"
    document = json.loads(path.read_bytes())
    assert document["plan"] == {**json.loads(plan), "seed_source": "log"}
    assert document["salt"] is None


def test_a_draft_is_no_plan_that_one_could_run(me):
    me.register()
    assert [path.name for path in me.out.iterdir()] == ["drafts"]


def test_inside_an_image_its_own_content_is_named(me, monkeypatch):
    inside_image(monkeypatch, "1" * 64)
    words = ["--suite", me.suite, "--register", "--key", me.key]
    assert me.plan(*words).returncode == 0
    assert spoken(me).leaf["image"] == "1" * 64


def test_as_json_both_files_are_named(me):
    document = json.loads(me.register("--json").stdout)
    assert document == {
        "statement": str(me.inbox[0]),
        "draft": str(next((me.out / "drafts").iterdir())),
    }


# -- refused --


def nothing_written(me):
    return me.inbox == [] and not (me.out / "drafts").exists()


def test_outside_an_image_a_release_must_be_named(me):
    words = ["--suite", me.suite, "--register", "--key", me.key]
    refused(me.plan(*words), 2, "this is none; give --release")
    assert nothing_written(me)


def test_a_file_that_is_no_release_is_refused(me):
    me.release.write_bytes(b"{}")
    refused(me.register(), 2, "release.dsse.json")
    assert nothing_written(me)


def test_a_suite_that_the_board_has_not_opened_is_refused(me):
    refused(
        me.register("--set", "seeds=2"),
        2,
        "own-tiny version 1 has another plan on example.org/board",
    )
    words = ["--suite", "smoke", "--register", "--key", me.key, "--release", me.release]
    refused(me.plan(*words), 2, "suite smoke version 2 is not open on example.org/board")
    assert nothing_written(me)


def test_row_27_a_retired_suite_is_refused(me, plan):
    fields = {"suite": "own-tiny", "version": 1, "state": "retired", "successor": 2}
    suite = me.board.log().board.suites["own-tiny", 1]
    me.board.append(type(suite), KEYS.maintainers[:2], plan=suite.plan, **fields)
    refused(me.register(), 4, "suite own-tiny version 1 is retired (successor: version 2)")
    assert nothing_written(me)


def test_a_key_that_was_not_admitted_is_refused(me, tmp_path):
    stranger = key_file(tmp_path, keys.one_use_key(), "stranger.pem")
    refused(me.register(key=stranger), 4, "was not admitted")
    assert nothing_written(me)


def test_a_folder_that_is_no_board_is_refused(me, tmp_path):
    words = ["--suite", me.suite, "--register", "--key", me.key, "--release", me.release]
    refused(me.plan(*words, board=tmp_path), 2, "is no board")


def test_row_5_the_same_plan_is_not_registered_twice(me):
    assert me.register().returncode == 0
    refused(me.register(), 2, "registers the same plan already")
    index = me.accept()
    refused(me.register(), 4, f"leaf {index} is an open registration of the same plan")
    assert me.inbox == []


def test_row_5_nor_once_openly_and_once_blinded(me):
    assert me.register("--blind").returncode == 0
    refused(me.register(), 2, "registers the same plan already")
    index = me.accept()
    refused(me.register(), 2, f"leaf {index} is an open registration of the same plan, blinded")
    refused(me.register("--blind"), 2, f"leaf {index} is an open registration")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--register"], "--register: is signed; give --key"),
        (["--reveal", "3"], "--reveal: is signed; give --key"),
        (["--register", "--claim", "3"], "--register and --claim: one at a time"),
        (["--blind"], "--blind: goes with --register"),
        (["--beacon", "x"], "--beacon: goes with --claim"),
        (["--release", "x"], "--release: goes with --register"),
        (["--claim", "-1"], "--claim"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(me, arguments, sentence):
    refused(me.plan(*arguments), 2, sentence)


# -- blinded --


def test_a_blinded_registration_says_nothing_that_could_be_guessed(me, plan):
    finished = me.register("--blind")
    assert "draft and salt" in finished.stdout
    leaf = spoken(me).leaf
    document = json.loads(next((me.out / "drafts").iterdir()).read_bytes())
    assert leaf["blinded"] is True
    assert leaf["draft"] == blinded(document["salt"], draft_digest(plan)) != draft_digest(plan)


def test_a_blinded_plan_is_revealed(me, plan):
    me.register("--blind")
    index = me.accept()
    finished = me.plan("--reveal", index, "--key", me.key)
    assert finished.returncode == 0, finished.stderr
    assert me.inbox[0].name.startswith("reveal-")
    me.accept()
    assert me.board.log().board.registrations[index].draft == draft_digest(plan)


def test_what_is_not_blinded_cannot_be_revealed(me):
    index = me.registered()
    refused(me.plan("--reveal", index, "--key", me.key), 2, "the plan is not blinded")
    refused(me.plan("--reveal", 1, "--key", me.key), 2, "leaf 1 is no registration")
