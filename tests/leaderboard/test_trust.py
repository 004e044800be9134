"""Trust files: whose key may sign what."""

import pytest

from helpers.forge import failed, resign
from helpers.statements import release_bytes
from helpers.trust import ROLES, trust_bytes, trust_file, trusted
from leaderboard.formats import keys
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.release import read_release
from leaderboard.formats.signed import SignedError
from leaderboard.formats.trust import UntrustedError, load_trust
from leaderboard.verification.verify import verify

KEY = keys.one_use_key()
"""The key that the trust files name."""


def refuse(tmp_path, content, sentence):
    """A trust file of these bytes is refused in one sentence that names it."""
    path = tmp_path / "trust.json"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=sentence) as refusal:
        load_trust(path)
    assert str(refusal.value).startswith(str(path))
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": 3}', b"\xff", b"[" * 5000])
def test_a_file_that_is_no_trust_file_is_one_sentence(tmp_path, content):
    refuse(tmp_path, content, "It is no trust file")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({}, "key 'name' is missing"),
        (trusted(KEY, revoke="stolen"), "revoke: unknown key. Did you mean 'revoked'"),
        (trusted(KEY, revoked=True), "revoked: expected text, found true"),
        (trusted(KEY, roles=["curator"]), "'curator' is not a choice"),
        (trusted(KEY, roles=[]), "a key has a name and at least one role"),
        (trusted(KEY, name=" "), "a key has a name and at least one role"),
        (trusted(KEY) | {"public_key": "zz"}, "expected 64 hexadecimal digits"),
        (trusted(KEY) | {"public_key": "01" + "0" * 62}, "is a point of small order"),
    ],
)
def test_a_row_that_is_not_what_it_should_be_is_refused(tmp_path, row, sentence):
    refuse(tmp_path, trust_bytes(row), sentence)


def test_what_a_trust_file_does_not_know_is_refused_and_not_passed_over(tmp_path):
    refuse(tmp_path, trust_bytes(trusted(KEY), until="2030"), "until: unknown key")


def test_a_key_is_listed_once(tmp_path):
    refuse(tmp_path, trust_bytes(trusted(KEY, "a"), trusted(KEY, "b")), "is listed 2 times")


def test_an_older_trust_file_is_refused_by_its_version(tmp_path):
    older = trust_bytes(trusted(KEY)).replace(b"trust:v2", b"trust:v1")
    refuse(tmp_path, older, "'urn:mst-bench:trust:v1' is not a choice")


def test_a_trust_file_that_never_ends_is_not_read(tmp_path):
    (tmp_path / "trust.json").symlink_to("/dev/zero")
    with pytest.raises(KeyFileError, match="is not a regular file"):
        load_trust(tmp_path / "trust.json")


@pytest.mark.parametrize("role", ROLES)
def test_a_key_signs_in_the_roles_that_it_has_and_in_no_other(tmp_path, role):
    trust = load_trust(trust_file(tmp_path, trusted(KEY, roles=[role])))
    assert trust.name_of(KEY.public_hex, role) == "me"
    for other in set(ROLES) - {role}:
        with pytest.raises(UntrustedError, match=rf"\(me\) is trusted as {role}, not as {other}"):
            trust.name_of(KEY.public_hex, other)


def test_a_revoked_key_is_named_with_the_reason(entry, tmp_path):
    trust = trust_file(tmp_path, trusted(KEY, revoked="stolen in May"))
    assert resign(entry, lambda statement: None, KEY).accepted
    verdict = verify(entry, trust)
    assert failed(verdict) == "key"
    assert verdict.checks[-1].detail.endswith("(me) is revoked: stolen in May")


def test_a_key_that_may_not_submit_does_not_sign_entries(entry, tmp_path):
    trust = trust_file(tmp_path, trusted(KEY, roles=["reevaluator", "release"]))
    assert resign(entry, lambda statement: None, KEY).accepted
    verdict = verify(entry, trust)
    assert failed(verdict) == "key"
    assert "trusted as reevaluator, release, not as submitter" in verdict.checks[-1].detail


def test_a_key_that_may_not_release_does_not_sign_releases(tmp_path):
    path = tmp_path / "release.dsse.json"
    path.write_bytes(release_bytes(KEY))
    submitter = trust_file(tmp_path, trusted(KEY, roles=["submitter"]))
    with pytest.raises(SignedError, match="trusted as submitter, not as release"):
        read_release(path, submitter)
    assert read_release(path, trust_file(tmp_path, trusted(KEY))).trusted == "me"
