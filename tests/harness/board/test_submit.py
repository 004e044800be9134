"""An entry is handed in as a folder for a pull request, checked, and accepted."""

import json
import shutil

import pytest

from helpers.boards import fork_of, git, served
from helpers.submissions import (
    MIRROR,
    SUITE,
    Scene,
    by_hand,
    registered_entry,
    scene_of,
)
from leaderboard.formats.keys import one_use_key


@pytest.fixture
def scene(tmp_path):
    return scene_of(tmp_path)


@pytest.fixture
def forgery(scene, tiny_entry, tmp_path):
    """An entry whose plan was registered, not signed yet."""
    return registered_entry(scene, tiny_entry, tmp_path / "work")


@pytest.fixture
def submitter(scene, forgery):
    """Somebody with a clone that has the registration."""
    return scene.person("submitter")


def submit(person, forgery, *words, key=None):
    return person.run(
        "submit", forgery.folder, "--mirror", MIRROR, *words, key=key or person.scene.keys.submitter
    )


def test_an_entry_is_handed_in_checked_and_accepted(scene, forgery, submitter):
    forgery.sign(scene.keys.submitter)
    done = submit(submitter, forgery)
    assert done.returncode == 0, done.stderr
    folder = submitter.clone / f"entries/{SUITE}-v1/{forgery.predicate['plan']['id']}"
    assert folder.is_dir() and not list(folder.rglob("*.safetensors"))
    kept = json.loads((folder / "tensors.json").read_text())
    assert kept["mirrors"] == [MIRROR] and len(kept["tensors"]) > 4

    submitter.pull_request()
    checked = submitter.check()
    assert checked.returncode == 0, checked.stdout
    names = [line.partition(":")[0] for line in checked.stdout.splitlines()]
    assert names == [
        "log",
        "files",
        "submission",
        "entry",
        "signer",
        "folder",
        "tensors",
        "statement",
    ]

    accepted = submitter.run("accept", folder)
    assert (accepted.returncode, accepted.stdout) == (0, "leaf 5: entry\n"), accepted.stderr
    log = scene.log()
    assert log.board.entries[5].leaf.licence == "CC-BY-4.0"
    paths = scene.paths()
    name = folder.relative_to(submitter.clone).as_posix()
    assert f"{name}/entry.dsse.json" in paths and f"{name}/submission.dsse.json" not in paths


def test_8_the_same_runs_under_a_second_key_are_refused(scene, forgery, submitter, tmp_path):
    """Somebody registers the same plan and signs another's runs, with the seeds of their own."""
    keys = scene.keys
    assert submit(submitter, forgery.sign(keys.submitter)).returncode == 0
    (folder,) = (submitter.clone / "entries").glob("*/*")
    assert submitter.run("accept", folder).returncode == 0

    # Their own registration, after the entry.
    board = scene.board
    git(board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
    board.leaves = board.log().leaves
    board.at = board.log().board.at
    board.admit(keys.other)
    stolen = registered_entry(scene, forgery.entry, tmp_path / "thief", keys.other)
    thief = scene.person("second")
    folder = by_hand(thief, stolen.sign(keys.other), keys.other)
    done = thief.run("accept", folder)
    assert done.returncode == 4 and "the same runs were entered before" in done.stderr


@pytest.mark.parametrize(
    ("first", "named"),
    [(4, "leaf 4 is not the one"), (3, "one of the leaves 0 to 3 is not the one")],
)
def test_16_an_entry_of_another_history_is_refused_and_both_notes_are_kept(
    scene, forgery, tmp_path, first, named
):
    """The entry brings the checkpoint that its plan was registered under, and of the leaves before
    its own as much as the proof's hashes tell."""
    (tmp_path / "liar").mkdir()
    other = fork_of(scene.board, first, tmp_path / "forked")
    shutil.rmtree(other.folder / ".git")
    fork = Scene(tmp_path / "liar", other, served(other, tmp_path / "liar"), scene.keys)
    person = fork.person("maintainer")
    folder = by_hand(person, forgery.sign(scene.keys.submitter), scene.keys.submitter)
    checked = person.run("board", "check", "--base", "HEAD")
    assert checked.returncode == 4
    done = person.run("accept", folder)
    assert done.returncode == 4 and named in done.stderr
    assert "the log has two histories" in done.stderr
    assert len(list((person.clone / "evidence").glob("*.note"))) == 2


def test_what_cannot_be_accepted_is_not_written(scene, forgery, submitter):
    stranger = one_use_key()
    done = submit(submitter, forgery.sign(stranger), key=stranger)
    assert done.returncode == 4 and "is signed by key" in done.stderr + done.stdout
    done = submit(submitter, forgery.sign(scene.keys.submitter), key=stranger)
    assert done.returncode == 2 and "sign it with --key" in done.stderr
    assert not (submitter.clone / "entries").exists()


def test_wrong_use_is_said(scene, forgery, submitter, entry):
    forgery.sign(scene.keys.submitter)
    refusals = {
        ("--licence", "MIT"): "--licence MIT: is not in the list",
        ("--mirror", "ftp://example.org"): "expected https://",
    }
    for words, sentence in refusals.items():
        done = submit(submitter, forgery, *words)
        assert done.returncode == 2 and sentence in done.stderr
    plain = submitter.run("submit", forgery.folder, key=scene.keys.submitter)
    assert plain.returncode == 2 and "give at least one" in plain.stderr
    unregistered = submitter.run(
        "submit", entry.parent, "--mirror", MIRROR, key=scene.keys.submitter
    )
    assert unregistered.returncode == 2 and "was not registered before" in unregistered.stderr

    assert submit(submitter, forgery, "--licence", "CC0-1.0").returncode == 0
    again = submit(submitter, forgery)
    assert again.returncode == 2 and "is there already" in again.stderr
