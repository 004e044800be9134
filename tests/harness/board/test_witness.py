"""`log witness`: a cosignature is handed in, and the next signer takes it in if it is right."""

import pytest

from harness.errors import INCOMPLETE, UNVERIFIED, USAGE
from helpers.boards import commit_all, git, json_of
from helpers.logs import TIME
from helpers.people import KEYS, grow, handed_in, merge, published


def test_a_witness_hands_in_a_cosignature_and_the_next_signer_takes_it_in(
    grown, maintainer, witness, person, remote, tmp_path
):
    other = person("other", KEYS.witnesses[1])
    for somebody in (witness, other):
        witnessed = json_of(somebody.log("witness", "--json"))
        assert witnessed["size"] == 4
        merge(grown, witnessed["branch"])
    signed = json_of(maintainer.log("sign", "--json"))
    assert (signed["new"], signed["cosignatures"]) == (False, 2)

    log = published(remote, tmp_path)
    assert len(log.signed[4].cosigned) == 2
    assert log.witnessed()[0].checkpoint.size == 4
    assert not (tmp_path / "stranger/inbox").exists()
    assert "nothing new" in witness.log("witness").stdout
    assert "nothing new" in maintainer.log("sign").stdout

    maintainer.pull()
    audited = maintainer.log("audit")
    assert "witnesses: 4 leaves, " in audited.stdout


def test_a_witness_adds_a_file_of_its_own_and_nothing_else(grown, witness, remote):
    branch = json_of(witness.log("witness", "--json"))["branch"]
    changed = git(remote, "diff", "--name-status", "main", branch).split("\n")
    assert len(changed) == 1
    assert changed[0].startswith("A\tinbox/cosignature-4-")


def test_a_log_without_a_checkpoint_is_not_cosigned(witness):
    refused = witness.log("witness")
    assert refused.returncode == INCOMPLETE
    assert "no checkpoint is signed yet" in refused.stderr


def test_a_key_that_is_no_witness_cosigns_nothing(grown, person):
    refused = person("stranger", KEYS.logs[1]).log("witness")
    assert refused.returncode == USAGE
    assert "is no witness of the log" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cosignature-4-00000000.note", b"junk"),
        ("cosignature-99-00000000.note", b"junk"),
        ("cosignature-4-11111111.note", b"x" * (1 << 19)),
    ],
)
def test_what_is_no_cosignature_is_left_in_the_inbox(grown, maintainer, name, content):
    grown.write(f"inbox/{name}", content)
    git(grown.folder, "pull", "--quiet", "origin", "main")
    commit_all(grown.folder)
    signed = maintainer.log("sign")
    assert signed.returncode == 0
    assert "it was left there" in signed.stderr
    assert "nothing new" in signed.stdout


def test_a_witness_that_went_back_in_time_is_not_taken_in(grown, maintainer, remote, tmp_path):
    """Taking it in would make the log invalid for everybody."""
    handed_in(grown, 4, 0, TIME + 5000)
    assert json_of(maintainer.log("sign", "--json"))["cosignatures"] == 1
    grow(grown, "later")
    assert maintainer.log("sign").returncode == 0
    path = handed_in(grown, 5, 0, TIME + 4000)
    signed = maintainer.log("sign")
    assert "cosigned it before a smaller checkpoint; it was left there" in signed.stderr
    assert "nothing new" in signed.stdout
    assert list(published(remote, tmp_path).signed) == [4, 5]
    assert (tmp_path / "stranger" / path).exists()


def test_a_cosignature_of_the_future_is_not_taken_in(grown, maintainer):
    handed_in(grown, 4, 0, 2_000_000_000)
    assert "in the future; it was left there" in maintainer.log("sign").stderr


def test_a_cosignature_of_another_tree_is_evidence(grown, maintainer):
    """A key of the log signed two trees of one size: the witness saw the other one."""
    forged = [*grown.leaves[:3], b'{"forged":true}']
    handed_in(grown, 4, 0, TIME + 5000, KEYS.logs[1], forged)
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "signed another tree of 4 leaves" in refused.stderr
    assert len(list((maintainer.clone / "evidence").iterdir())) == 2
