"""An entry is handed in as a folder for a pull request, checked, and accepted."""

import json

import pytest

from helpers.submissions import MIRROR, SUITE, registered_entry, scene_of


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
