"""`log audit`: everything that a copy of a log shows, offline."""

import shutil
import subprocess

import pytest

from harness.board.sign import sign_log
from harness.errors import UNVERIFIED, USAGE
from helpers.boards import commit_all, git, user
from helpers.people import KEYS, grow, racing
from helpers.program import call


def test_an_audit_says_what_it_checked(grown, maintainer):
    maintainer.pull()
    audited = maintainer.log("audit")
    assert audited.returncode == 0, audited.stderr
    assert audited.stdout.splitlines() == [
        "example.org/board: 4 leaves, all allowed; 4 signed",
        "witnesses: no quorum has cosigned a checkpoint",
        "remembered: continues the 4 leaves seen before",
    ]


def test_an_old_quorum_is_said(grown, maintainer):
    git(grown.folder, "pull", "--quiet", "origin", "main")
    grown.sign(witnesses=(0, 1), time=1_700_000_000)
    commit_all(grown.folder)
    maintainer.pull()
    audited = maintainer.log("audit")
    assert audited.returncode == 0, audited.stderr
    assert "old, fetch the board anew" in audited.stdout


def test_a_cosignature_of_the_future_is_refused(grown, maintainer):
    git(grown.folder, "pull", "--quiet", "origin", "main")
    grown.sign(witnesses=(0, 1), time=2**40)
    commit_all(grown.folder)
    maintainer.pull()
    refused = maintainer.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "cosigned it" in refused.stderr and "seconds from now" in refused.stderr


def test_a_folder_that_is_no_board_is_a_wrong_use(tmp_path):
    refused = call("log", "audit", "--board", tmp_path)
    assert refused.returncode == USAGE
    assert "is no board" in refused.stderr


def test_an_audit_needs_neither_git_nor_torch(grown, maintainer):
    """A copy of the files is enough."""
    maintainer.pull()
    shutil.rmtree(maintainer.clone / ".git")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from harness.board.audit import audit_log\n"
        "print(audit_log(Path(sys.argv[1])).leaves)\n"
    )
    import sys

    finished = subprocess.run(
        [sys.executable, "-c", code, str(maintainer.clone)],
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "XDG_CONFIG_HOME": str(grown.folder)},
    )
    assert finished.stdout == "4\n", finished.stderr


def test_what_is_remembered_never_goes_back(grown, maintainer):
    """A signer died before its push: its checkpoint is remembered, and the log does not show it."""

    class Killed(Exception):
        pass

    def die():
        raise Killed

    grow(grown, "later")
    with user(maintainer.folder / "config"), pytest.raises(Killed):
        sign_log(racing(maintainer, die), KEYS.logs[0])
    maintainer.pull()
    audited = maintainer.log("audit")
    assert "5 leaves, all allowed; 4 signed" in audited.stdout
    assert maintainer.remembers() == 5
