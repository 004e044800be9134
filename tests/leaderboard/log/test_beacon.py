"""Rounds of a beacon: which one a moment means, and that nobody else's passes for it."""

import builtins
import hashlib
import json
import random

import pytest

from helpers.beacons import CHAIN, round_of, with_signature
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.beacon import (
    DOMAIN,
    QUICKNET,
    Beacon,
    NoLibraryError,
    Round,
    check_round,
    draw,
    parse_round,
)

PUBLISHED = {
    1000: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6"
    "b63ed5e39",
    657413: "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b"
    "85b89cd97b",
}
"""Rounds of quicknet."""


def refused(served, expected, sentence, beacon=CHAIN):
    with pytest.raises(DocumentError, match=sentence):
        check_round(served, expected, beacon, "beacon.json")


def test_a_moment_means_the_first_round_that_is_not_before_it():
    assert [CHAIN.round_from(CHAIN.genesis + late) for late in (-9, 0, 1, 3, 4)] == [1, 1, 2, 2, 3]
    for moment in (CHAIN.genesis + 10, 1_750_000_001):
        number = CHAIN.round_from(moment)
        assert CHAIN.time_of(number - 1) < moment <= CHAIN.time_of(number)


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_rounds_of_quicknet_hold(number):
    check_round(with_signature(number, PUBLISHED[number]), number, QUICKNET, "quicknet")


def test_a_published_round_has_the_randomness_that_was_published():
    served = with_signature(657413, PUBLISHED[657413])
    assert served.randomness == "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587"


@pytest.mark.slow
def test_a_second_library_agrees_about_published_rounds():
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.bls.point_compression import decompress_G1, decompress_G2
    from py_ecc.optimized_bls12_381 import G2, pairing

    halves = (int(QUICKNET.public_key[:96], 16), int(QUICKNET.public_key[96:], 16))
    key = decompress_G2(halves)
    signature = decompress_G1(int(PUBLISHED[657413], 16))
    for number in (657413, 657414):
        message = hashlib.sha256(number.to_bytes(8, "big")).digest()
        hashed = hash_to_G1(message, DOMAIN, hashlib.sha256)
        assert (pairing(G2, signature) == pairing(key, hashed)) is (number == 657413)


def test_a_round_of_the_tests_chain_holds():
    check_round(round_of(77), 77, CHAIN, "beacon.json")


def test_row_28_another_round_is_refused():
    refused(round_of(78), 77, "is round 78, expected round 77")


def test_row_28_another_rounds_signature_under_this_number_is_refused():
    refused(with_signature(77, round_of(78).signature), 77, "did not sign this as round 77")
    refused(with_signature(657414, PUBLISHED[657413]), 657414, "did not sign this", QUICKNET)


def test_row_28_another_chains_round_is_refused():
    refused(round_of(77, secret=5), 77, "the chain abababababababab did not sign this")
    refused(round_of(77), 77, "did not sign this", QUICKNET)


def test_row_28_no_mutated_signature_holds():
    """M: every bit once, and so no second signature from which other seeds would follow."""
    signature = int(round_of(77).signature, 16)
    for bit in range(384):
        refused(with_signature(77, f"{signature ^ (1 << bit):096x}"), 77, "did not sign this")


@pytest.mark.parametrize("signature", ["c0" + 47 * "00", 48 * "ff", 48 * "00"])
def test_row_28_a_point_at_infinity_or_none_is_no_signature(signature):
    refused(with_signature(77, signature), 77, "did not sign this")


def test_row_28_a_point_outside_the_subgroup_adds_nothing_to_a_signature():
    """The pairing would not notice it, and there would be many signatures to choose from."""
    from py_arkworks_bls12381 import G1Point

    draws = random.Random(28)
    tried = 0
    while tried < 5:
        try:
            encoded = bytes([0x80 | draws.randrange(0x19), *draws.randbytes(47)])
            point = G1Point.from_compressed_bytes_unchecked(encoded)
        except ValueError:
            continue  # no point of the curve
        assert not point.is_in_subgroup()
        tried += 1
        sum_ = G1Point.from_compressed_bytes(bytes.fromhex(round_of(77).signature)) + point
        refused(with_signature(77, bytes(sum_.to_compressed_bytes()).hex()), 77, "did not sign")


def test_row_28_under_a_key_at_infinity_nothing_holds():
    anybody = Beacon("ab" * 32, "c0" + 95 * "00", CHAIN.genesis, CHAIN.period)
    refused(with_signature(77, "c0" + 47 * "00"), 77, "did not sign this", anybody)


def test_a_rounds_file_is_what_relays_serve():
    served = {"round": 1000, "signature": PUBLISHED[1000]}
    served["randomness"] = hashlib.sha256(bytes.fromhex(PUBLISHED[1000])).hexdigest()
    parsed = parse_round(json.dumps(served).encode(), "beacon.json")
    assert parsed == with_signature(1000, PUBLISHED[1000])
    assert parse_round(parsed.content(), "beacon.json") == parsed


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"round": 0}, "from 1 on"),
        ({"round": 2**53}, "below 2"),
        ({"round": True}, "expected a whole number"),
        ({"signature": PUBLISHED[1000].upper()}, "in small letters"),
        ({"randomness": "0" * 64}, "is not the digest of the signature"),
        ({"previous_signature": ""}, "unknown key"),
    ],
)
def test_a_rounds_file_is_strict(changes, sentence):
    served = with_signature(1000, PUBLISHED[1000])
    document = {"round": 1000, "randomness": served.randomness, "signature": served.signature}
    with pytest.raises(DocumentError, match=sentence):
        parse_round(json.dumps(document | changes).encode(), "beacon.json")


def test_without_the_library_nobody_can_tell(monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("py_arkworks"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    served = round_of(77)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NoLibraryError, match="mst-bench\\[board\\]"):
        check_round(served, 77, CHAIN, "beacon.json")


def test_the_encoding_of_a_draw_never_changes():
    """Whoever changes it changes the seeds of every registered plan."""
    served = Round(1, hashlib.sha256(48 * b"\x01").hexdigest(), 48 * "01")
    encoded = (
        f'["mst-bench/seeds/v1","example.org/board",41,'
        f'"{hashlib.sha256(b"leaf").hexdigest()}","{48 * "01"}"]'
    )
    drawn = draw("mst-bench/seeds/v1", "example.org/board", 41, b"leaf", served)
    assert drawn == hashlib.sha256(encoded.encode()).hexdigest()
