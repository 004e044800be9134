"""Whose key it is: F1, F8 and the keys of F10.

An id was read from the document that it vouched for, anybody's key counted where no trust file was
named, and a key under which everybody can sign was a key like others.
"""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from harness.files import dump_json
from helpers.forge import failed
from helpers.forgery import FORGER, Forgery
from helpers.side import reeval_of, release_of
from helpers.trust import CURATOR, trust_of
from leaderboard.formats import keys

STRANGER = keys.one_use_key()
IMAGE = {"variant": "cuda", "content_sha256": "c" * 64}


@pytest.fixture
def trust(tmp_path):
    """Trusts the forger as a submitter, and a curator to re-evaluate."""
    return trust_of(tmp_path, FORGER, reevaluator=CURATOR)


@pytest.fixture
def image_trust(tmp_path):
    """Trusts the forger as a submitter, and a curator to release images."""
    folder = tmp_path / "image"
    folder.mkdir()
    return trust_of(folder, FORGER, release=CURATOR)


@pytest.fixture
def signed_forgery(forgery):
    """An entry that says it comes from an image."""
    forgery.predicate["image"] = IMAGE
    return forgery.sign()


def test_an_honest_curator_is_believed(signed_forgery, trust):
    """The control: what every case below imitates."""
    verdict = signed_forgery.verdict(trust=trust, reeval=reeval_of(signed_forgery, CURATOR))
    assert verdict.accepted, verdict.checks
    assert verdict.level == "L1"


# -- F1: the id of a trusted key, written into what another key signed --


def test_f1_a_re_evaluation_cannot_name_the_curators_key(signed_forgery, trust):
    lie = {"key_id": CURATOR.key_id}
    reeval = reeval_of(signed_forgery, STRANGER, signer=lie)
    assert failed(signed_forgery.verdict(trust=trust, reeval=reeval)) == "reeval"


def test_f1_nor_bear_the_curators_public_key(signed_forgery, trust):
    lie = {"public_key": CURATOR.public_hex}
    reeval = reeval_of(signed_forgery, STRANGER, signer=lie)
    assert failed(signed_forgery.verdict(trust=trust, reeval=reeval)) == "reeval"


def test_f1_a_release_cannot_name_the_curators_key(signed_forgery, image_trust):
    release = release_of(signed_forgery, STRANGER, signer={"key_id": CURATOR.key_id})
    assert failed(signed_forgery.verdict(trust=image_trust, release=release)) == "image"


# -- F8: statements that anyone can make --


def test_f8_without_a_trust_file_a_re_evaluation_gives_no_level(signed_forgery):
    verdict = signed_forgery.verdict(reeval=reeval_of(signed_forgery, STRANGER))
    assert verdict.level == "L0"
    assert [check.status for check in verdict.checks if check.name == "reeval"] == ["unknown"]


def test_f8_without_a_trust_file_a_release_vouches_for_nothing(signed_forgery):
    verdict = signed_forgery.verdict(release=release_of(signed_forgery, STRANGER))
    assert [check.status for check in verdict.checks if check.name == "image"] == ["unknown"]


def test_f8_a_submitter_cannot_re_evaluate(signed_forgery, trust):
    verdict = signed_forgery.verdict(trust=trust, reeval=reeval_of(signed_forgery, FORGER))
    assert failed(verdict) == "reeval"


def test_f8_nor_anybody_himself_whatever_his_roles(signed_forgery, tmp_path):
    both = {"name": "me", "public_key": FORGER.public_hex, "roles": ["submitter", "reevaluator"]}
    trust = tmp_path / "both.json"
    trust.write_text(json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": [both]}))
    verdict = signed_forgery.verdict(trust=trust, reeval=reeval_of(signed_forgery, FORGER))
    assert failed(verdict) == "reeval"


def test_f8_a_submitter_cannot_release_an_image(signed_forgery, trust):
    verdict = signed_forgery.verdict(trust=trust, release=release_of(signed_forgery, FORGER))
    assert failed(verdict) == "image"


@pytest.mark.parametrize("left", [0, 1, 3], ids=["no run", "one run", "one left out"])
def test_f8_a_re_evaluation_of_some_runs_is_none(signed_forgery, trust, left):
    reeval = reeval_of(signed_forgery, CURATOR, runs=signed_forgery.runs[:left])
    assert failed(signed_forgery.verdict(trust=trust, reeval=reeval)) == "reeval"


def test_f8_nor_is_one_of_other_scores(signed_forgery, trust):
    """What was re-evaluated was another claim than this one."""
    lower = [run | {"score": run["score"] / 2.0} for run in signed_forgery.runs]
    reeval = reeval_of(signed_forgery, CURATOR, runs=lower)
    assert failed(signed_forgery.verdict(trust=trust, reeval=reeval)) == "reeval"


def test_f8_nothing_is_l2_that_was_not_trained_again(signed_forgery, trust):
    reeval = reeval_of(signed_forgery, CURATOR, retrained=[], level="L2")
    assert signed_forgery.verdict(trust=trust, reeval=reeval).level != "L2"


def test_f8_a_revoked_key_signs_nothing(signed_forgery, tmp_path):
    reason = "lost on a train"
    known = [
        {"name": "me", "public_key": FORGER.public_hex, "roles": ["submitter"], "revoked": reason}
    ]
    trust = tmp_path / "revoked.json"
    trust.write_text(json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": known}))
    verdict = signed_forgery.verdict(trust=trust)
    assert failed(verdict) == "key"
    assert reason in verdict.checks[-1].detail


# -- F10: keys of small order, under which anybody can sign --

ENCODINGS = {
    "00" * 31: ("00", "80"),
    "01" + "00" * 30: ("00", "80"),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc": ("05", "85"),
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03": ("7a", "fa"),
    "ec" + "ff" * 30: ("7f", "ff"),
    "ed" + "ff" * 30: ("7f", "ff"),
    "ee" + "ff" * 30: ("7f", "ff"),
}
"""y of the points of small order, the last two written as y + p; last byte with the sign of x."""
SMALL_ORDER = [head + last for head, lasts in ENCODINGS.items() for last in lasts]
CONSTANT = bytes([1]) + bytes(63)
"""A signature: R is the neutral point, S is 0."""


def sign_without_a_key(forgery: Forgery, public_hex):
    """Tries nonces until the one constant signature fits the payload."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
    forgery.predicate["signer"] = {"public_key": public_hex, "one_use": False}
    kind = "application/vnd.in-toto+json"
    for attempt in range(400):
        forgery.predicate["nonce"] = f"{attempt:032x}"
        payload = dump_json(forgery.statement)
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        try:
            public.verify(CONSTANT, signed)
        except InvalidSignature:
            continue
        signature = {"keyid": keys.key_id(public_hex), "sig": base64.b64encode(CONSTANT).decode()}
        document = {"payload": base64.b64encode(payload).decode(), "payloadType": kind}
        forgery.entry.write_bytes(dump_json(document | {"signatures": [signature]}))
        return
    raise AssertionError("the library does not take this signature any more")


@pytest.mark.parametrize("public_hex", SMALL_ORDER)
def test_f10_a_key_under_which_everybody_can_sign_is_refused(forgery, public_hex):
    forgery.sign()
    sign_without_a_key(forgery, public_hex)
    assert failed(forgery.verdict()) == "signature"


@pytest.mark.parametrize("public_hex", SMALL_ORDER)
def test_f10_and_cannot_be_trusted_either(tmp_path, public_hex):
    known = [{"name": "all", "public_key": public_hex, "roles": ["submitter"], "revoked": None}]
    path = tmp_path / "trust.json"
    path.write_text(json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": known}))
    from leaderboard.formats.trust import load_trust

    with pytest.raises(keys.KeyFileError):
        load_trust(path)


def test_f10_a_key_in_capitals_is_no_second_key(forgery):
    forgery.sign()
    forgery.predicate["signer"]["public_key"] = FORGER.public_hex.upper()
    forgery.resign(dump_json(forgery.statement))
    assert failed(forgery.verdict()) in ("statement", "signature")
