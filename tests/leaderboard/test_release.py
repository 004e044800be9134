"""The release statement of an image: what `verify --release` accepts and refuses."""

import json
import shutil

import pytest

from harness.files import dump_json
from helpers.forge import failed, resign
from leaderboard.formats import envelope, keys
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.release import Release, read_release, release_document
from leaderboard.formats.signed import SignedError
from leaderboard.formats.statement import Signer
from leaderboard.verification.verify import verify

CONTENT = "c" * 64
FACTS = {
    "version": "0.1.0",
    "variant": "cpu",
    "commit": "a" * 40,
    "base_image": "debian",
    "content_sha256": CONTENT,
    "lock_sha256": "d" * 64,
}


@pytest.fixture
def maintainer():
    return keys.one_use_key()


@pytest.fixture
def release(tmp_path, maintainer):
    """Writes a release statement, its facts changed; returns its path."""

    def write(key=maintainer, **changes):
        path = tmp_path / "release.dsse.json"
        known = Release(signer=Signer.of(key), **FACTS)
        document = release_document({"mst-bench": "e" * 64}, known)
        document["predicate"] |= changes
        path.write_bytes(dump_json(envelope.sign(dump_json(document), key)))
        return path

    return write


@pytest.fixture
def trust(tmp_path, maintainer):
    path = tmp_path / "trust.json"
    known = [{"name": "maintainer", "public_key": maintainer.public_hex}]
    path.write_text(json.dumps({"schema": "urn:mst-bench:trust:v1", "keys": known}))
    return path


@pytest.fixture
def entry(tiny_entry, tmp_path, maintainer):
    """An entry that says it comes from the image of `FACTS`."""
    shutil.copytree(tiny_entry.parent, tmp_path / "plan")
    path = tmp_path / "plan" / tiny_entry.name
    image = {"variant": "cpu", "content_sha256": CONTENT}
    assert resign(path, lambda s: s["predicate"].update(image=image), maintainer).accepted
    return path


def image_check(verdict):
    (found,) = [check for check in verdict.checks if check.name == "image"]
    return found.status, found.detail


def test_an_entry_of_the_released_image_is_known(entry, release, trust):
    assert image_check(verify(entry))[0] == "unknown"
    assert image_check(verify(entry, trust, release())) == (
        "passed",
        "release 0.1.0 (cpu), commit aaaaaaaaaaaa",
    )


@pytest.mark.parametrize("changes", [{"content_sha256": "b" * 64}, {"variant": "cuda"}])
def test_the_release_of_another_image_does_not_vouch(entry, release, trust, changes):
    verdict = verify(entry, trust, release(**changes))
    assert failed(verdict) == "image"
    assert "is the release of another image" in verdict.checks[-1].detail


def test_a_release_by_a_stranger_does_not_vouch(entry, release, trust):
    assert failed(verify(entry, trust, release(keys.one_use_key()))) == "image"


def test_an_entry_from_elsewhere_is_not_vouched_for(tiny_entry, release):
    assert image_check(verify(tiny_entry)) == ("unknown", "not from a reference image")
    assert failed(verify(tiny_entry, None, release())) == "image"


def test_a_ranked_entry_must_come_from_an_image(entry, maintainer):
    assert failed(
        resign(entry, lambda s: s["predicate"].update(image=None, ranked=True), maintainer)
    ) in ("plan", "image")


def test_a_changed_release_is_refused(release):
    path = release()
    document = json.loads(path.read_bytes())
    payload = envelope.open_envelope(path.read_bytes()).payload
    other = envelope.sign(payload.replace(b"c" * 64, b"b" * 64), keys.one_use_key())
    for change in ({"payload": other["payload"]}, {"signatures": other["signatures"]}, {"note": 1}):
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
