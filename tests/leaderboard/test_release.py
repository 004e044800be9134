"""The release statement of an image: what `verify --release` accepts and refuses."""

import json

import pytest

from helpers.forge import failed, resign, restate
from helpers.statements import CONTENT, release_bytes
from helpers.trust import trust_file, trusted
from leaderboard.formats import envelope, keys
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.release import read_release
from leaderboard.formats.signed import SignedError
from leaderboard.verification.verify import verify


@pytest.fixture
def maintainer():
    """The key of whoever releases images."""
    return keys.one_use_key()


@pytest.fixture
def release(tmp_path, maintainer):
    """Writes a release statement, its fields changed; returns its path."""

    def write(key=maintainer, **changes):
        path = tmp_path / "release.dsse.json"
        path.write_bytes(release_bytes(key, **changes))
        return path

    return write


@pytest.fixture
def trust(tmp_path, maintainer):
    """The path of a trust file that knows the maintainer alone."""
    return trust_file(tmp_path, trusted(maintainer, "maintainer"))


@pytest.fixture
def from_image(entry, maintainer):
    """An entry that says it comes from the image that `release` releases."""
    image = {"variant": "cpu", "content_sha256": CONTENT}
    manifest = json.loads((entry.parent / "manifest.json").read_bytes()) | {"image": image}
    change = restate(entry, "manifest.json", json.dumps(manifest).encode())

    def both(statement):
        change(statement)
        statement["predicate"].update(image=image)

    assert resign(entry, both, maintainer).accepted
    return entry


def image_check(verdict):
    """Status and detail of the check of the image."""
    (check,) = [check for check in verdict.checks if check.name == "image"]
    return check.status, check.detail


def test_an_entry_of_the_released_image_is_known(from_image, release, trust):
    assert image_check(verify(from_image))[0] == "unknown"
    assert image_check(verify(from_image, trust, release())) == (
        "passed",
        "release 0.1.0 (cpu), commit aaaaaaaaaaaa, by maintainer",
    )


def test_without_a_trust_file_a_release_says_nothing(from_image, release):
    status, detail = image_check(verify(from_image, None, release(keys.one_use_key())))
    assert status == "unknown"
    assert "no --trust file was given" in detail


@pytest.mark.parametrize("changes", [{"content_sha256": "b" * 64}, {"variant": "cuda"}])
def test_the_release_of_another_image_does_not_vouch(from_image, release, trust, changes):
    verdict = verify(from_image, trust, release(**changes))
    assert failed(verdict) == "image"
    assert "is the release of another image" in verdict.checks[-1].detail


def test_a_release_by_a_stranger_does_not_vouch(from_image, release, trust):
    assert failed(verify(from_image, trust, release(keys.one_use_key()))) == "image"


def test_an_entry_from_elsewhere_is_not_vouched_for(tiny_entry, release):
    assert image_check(verify(tiny_entry)) == ("unknown", "not from a reference image")
    assert failed(verify(tiny_entry, None, release())) == "image"


def test_a_changed_release_is_refused(release):
    path = release()
    document = json.loads(path.read_bytes())
    payload = envelope.open_envelope(path.read_bytes()).payload
    forged = envelope.sign(payload.replace(b"c" * 64, b"b" * 64), keys.one_use_key())

    changes = (
        {"payload": forged["payload"]},
        {"signatures": forged["signatures"]},
        {"note": 1},
    )
    for change in changes:
        path.write_text(json.dumps(document | change))
        with pytest.raises(SignedError):
            read_release(path, None)


@pytest.mark.parametrize("changes", [{"variant": "rocm"}, {"lock_sha256": "d"}, {"note": "x"}])
def test_a_release_out_of_form_is_refused(release, changes):
    with pytest.raises(SignedError, match=r"release\.dsse\.json: "):
        read_release(release(**changes), None)


def test_a_bad_trust_file_is_named(release, tmp_path):
    (tmp_path / "trust.json").write_text("{")
    with pytest.raises(KeyFileError):
        read_release(release(), tmp_path / "trust.json")
