"""Two histories of one log: whoever saw the one notices the other, and names its first leaf.

Threat 16. `accept` notices it by the entry of the other history: test_submit.py.
"""

import json
import shutil
from unittest import mock

import pytest

from harness.board.remembered import view_path
from harness.errors import UNVERIFIED, USAGE
from harness.files import write_json
from helpers.boards import git, user
from helpers.logs import ORIGIN
from helpers.people import KEYS, grow, rewrite
from leaderboard.board.files import FolderFiles
from leaderboard.board.known import view_name
from leaderboard.board.log import read_log
from leaderboard.board.views import view_of


def test_16_a_rewritten_log_is_not_signed_by_who_saw_the_other(grown, maintainer):
    rewrite(grown, "forged")
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this machine saw before" in refused.stderr
    assert len(list((maintainer.clone / "evidence").iterdir())) == 1


def test_16_a_rewritten_and_signed_log_is_noticed_by_the_remembered_view(grown, maintainer, person):
    """A stolen key of the log signs the second history: both notes are kept."""
    rewrite(grown, "forged")
    thief = person("thief", KEYS.logs[1])
    assert thief.log("sign").returncode == 0
    git(maintainer.clone, "fetch", "--quiet", "origin")
    git(maintainer.clone, "reset", "--quiet", "--hard", "origin/main")
    refused = maintainer.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this machine saw before" in refused.stderr
    assert "two histories" in refused.stderr
    notes = [path.read_text() for path in (maintainer.clone / "evidence").iterdir()]
    assert len(notes) == 2
    assert {note.splitlines()[1] for note in notes} == {"4"}
    assert len({note.splitlines()[2] for note in notes}) == 2


def test_16_a_rewritten_log_is_not_cosigned(grown, witness, person, remote):
    assert witness.log("witness").returncode == 0
    rewrite(grown, "forged")
    assert person("thief", KEYS.logs[1]).log("sign").returncode == 0
    refused = witness.log("witness")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this machine saw before" in refused.stderr
    assert len(list((witness.clone / "evidence").iterdir())) == 2


def test_16_two_copies_are_compared(grown, maintainer, person, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(maintainer.clone, kept)
    rewrite(grown, "forged")
    reader = person("reader", KEYS.logs[1])
    assert reader.log("sign").returncode == 0
    refused = reader.log("audit", "--with", kept)
    assert refused.returncode == UNVERIFIED
    assert f"leaf 3 is not the one that {kept} has" in refused.stderr


def test_a_log_that_was_cut_is_noticed(grown, maintainer):
    git(grown.folder, "reset", "--quiet", "--hard", "HEAD~1")
    git(grown.folder, "push", "--quiet", "--force", "origin", "HEAD:main")
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "has 3 leaves, fewer than the 4 that this machine saw" in refused.stderr


def test_a_log_other_than_the_release_knows_is_refused(grown, maintainer, person, tmp_path):
    """Every installation is a remembered view, also one that never saw the log."""
    maintainer.pull()
    log = read_log(FolderFiles(maintainer.clone))
    known = tmp_path / "package" / "known" / view_name(ORIGIN)
    write_json(known, view_of(log, 4, log.newest.note.content()).content())
    rewrite(grown, "forged")
    reader = person("reader", KEYS.logs[1])
    with mock.patch("leaderboard.board.known.resources.files", return_value=tmp_path / "package"):
        assert maintainer.log("audit").returncode == 0
        refused = reader.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this release knows" in refused.stderr


def test_a_longer_copy_agrees_with_a_shorter_one(grown, maintainer, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(maintainer.clone, kept)
    grow(grown, "later")
    assert maintainer.log("sign").returncode == 0
    audited = maintainer.log("audit", "--with", kept)
    assert audited.returncode == 0, audited.stderr
    assert f"compared: agrees with {kept}" in audited.stdout


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("leaves", "", "A"),
        ("note", "board", "other"),
        ("note", "\n3\n", "\n2\n"),
        ("schema", "v2", "v0"),
    ],
)
def test_a_damaged_memory_is_said_and_not_taken_for_an_empty_one(maintainer, field, old, new):
    maintainer.log("sign")
    with user(maintainer.folder / "config"):
        path = view_path(ORIGIN)
    document = json.loads(path.read_text())
    document[field] = document[field].replace(old, new)
    path.write_text(json.dumps(document))
    refused = maintainer.log("audit")
    assert refused.returncode == USAGE
    assert str(path) in refused.stderr and "damaged" in refused.stderr
