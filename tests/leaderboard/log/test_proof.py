"""Stapled proofs (tlog-proof): every leaf has one, and it shows that leaf and no other."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.fuzz import FUZZ, reads_or_refuses
from helpers.logs import LOG_KEYS, POLICY, TIME, WITNESS_KEYS, checkpoint_of, leaf, signed, tree_of
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.proof import HEADER, LARGEST, LogProof, parse_proof, verify_proof
from leaderboard.formats.spelling import encode_base64

LEAVES = [leaf(number) for number in range(13)]
NOTE = signed(checkpoint_of(LEAVES), witnesses=WITNESS_KEYS).content()
HASH = encode_base64(bytes(32))


def proof_of(index, leaves=LEAVES, note=NOTE):
    """The proof of a leaf, as it is stapled to an entry."""
    hashes = tree_of(leaves).inclusion(index, len(leaves))
    return LogProof(index, tuple(hashes), note)


def verified(content, leaf):
    return verify_proof(content, leaf, POLICY, "proof")


def test_a_proof_shows_where_a_leaf_is_and_who_saw_it_when():
    for index, content in enumerate(LEAVES):
        logged = verified(proof_of(index).content(), content)
        assert logged.index == index
        assert logged.signed.checkpoint.size == len(LEAVES)
        assert logged.signed.witnessed_at(2) == TIME


def test_a_proof_has_the_published_form():
    """c2sp.org/tlog-proof: header, index, hashes, an empty line, the checkpoint verbatim."""
    lines = proof_of(3).content().split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 3"]
    assert lines[6] == b"" and len(lines[5]) == 44
    assert b"\n".join(lines[7:]) == NOTE


def test_a_proof_without_hashes_is_that_of_the_only_leaf():
    only = LEAVES[:1]
    proof = proof_of(0, only, signed(checkpoint_of(only)).content())
    assert proof.content().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.org/board\n1\n")
    assert verified(proof.content(), only[0]).index == 0


def test_a_proof_that_is_read_and_written_again_has_the_same_bytes():
    content = proof_of(7).content()
    assert parse_proof(content, "proof").content() == content


def test_a_proof_of_another_leaf_is_refused():
    """cosign GHSA-whqx-f9j3-ch6m: a bundle held a log proof of another entry."""
    for index in range(len(LEAVES)):
        for other in range(len(LEAVES)):
            if other != index:
                with pytest.raises(DocumentError, match="does not lead"):
                    verified(proof_of(index).content(), LEAVES[other])


def test_a_proof_at_another_place_is_refused():
    proof = proof_of(3)
    for index in range(len(LEAVES)):
        if index != 3:
            with pytest.raises(DocumentError):
                verified(replace(proof, index=index).content(), LEAVES[3])


def test_a_proof_under_an_unsigned_checkpoint_is_refused():
    unsigned = signed(checkpoint_of(LEAVES), keys=(), witnesses=WITNESS_KEYS).content()
    with pytest.raises(DocumentError, match="no key of the log"):
        verified(proof_of(3, note=unsigned).content(), LEAVES[3])


def test_a_proof_of_a_forged_log_is_refused():
    """Whoever has no key of the log cannot sign a tree of their own."""
    forged = [*LEAVES[:-1], leaf(99)]
    note = signed(checkpoint_of(forged)).content()
    honest = NOTE.partition(b"\n\n")
    mixed = note.partition(b"\n\n")[0] + b"\n\n" + honest[2]
    with pytest.raises(DocumentError, match="does not hold"):
        verified(proof_of(12, forged, mixed).content(), forged[12])


def proof_text(*lines, checkpoint=NOTE):
    return "\n".join(lines).encode() + b"\n\n" + checkpoint


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no empty line"),
        (NOTE, "does not begin with"),
        (proof_text(HEADER), "does not begin with"),
        (proof_text("c2sp.org/tlog-proof@v2", "index 3"), "does not begin with"),
        (proof_text(HEADER, "extra AAAA", "index 3"), "does not begin with"),
        (proof_text(HEADER, "Index 3"), "does not begin with"),
        (proof_text(HEADER, "index\u00e9 3"), "does not begin with"),
        (proof_text(HEADER, "index 03"), "decimal number"),
        (proof_text(HEADER, "index -3"), "decimal number"),
        (proof_text(HEADER, "index  3"), "decimal number"),
        (proof_text(HEADER, "index"), "decimal number"),
        (proof_text(HEADER, f"index {2**63}"), "below 2\\^63"),
        (proof_text(HEADER, f"index {'9' * 5000}"), "below 2\\^63"),
        (proof_text(HEADER, "index 3", HASH[:-1]), "not base64"),
        (proof_text(HEADER, "index 3", f"{HASH[:-2]}B="), "not canonical base64"),
        (proof_text(HEADER, "index 3", "AAAA"), "a hash has 32 bytes, found 3"),
        (proof_text(HEADER, "index 3", *[HASH] * 65), "more than 64 hashes"),
        (b"x" * (LARGEST + 1), "at most"),
        (proof_text(HEADER, "index 3", checkpoint=b""), "no signed note"),
        (proof_text(HEADER, "index 3", checkpoint=b"\n" + NOTE), "three lines"),
        (proof_text(HEADER, "index 3"), "too short"),
        (proof_text(HEADER, "index 3", *[HASH] * 5), "too long"),
        (proof_text(HEADER, "index 13", *[HASH] * 4), "lies outside"),
        (proof_text(HEADER, f"index {2**63 - 1}", *[HASH] * 4), "lies outside"),
    ],
)
def test_a_proof_of_another_form_is_refused_in_one_sentence(content, sentence):
    with pytest.raises(DocumentError, match=sentence) as refused:
        verified(content, LEAVES[3])
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_every_cut_of_a_proof_is_refused():
    content = proof_of(3).content()
    cosignatures = [len(content) - len(line) for line in (b"", content.splitlines(True)[-1])]
    for length in range(len(content)):
        if length not in cosignatures:
            try:
                logged = verified(content[:length], LEAVES[3])
            except DocumentError:
                continue
            assert content[:length].endswith(b"\n"), "whole cosignatures may be missing"
            assert logged.signed.witnessed_at(2) is None


@FUZZ
@given(st.integers(0, len(proof_of(3).content()) * 8 - 1))
def test_no_bit_of_a_proof_can_be_changed(bit):
    """It is refused, or a cosignature became that of an unknown witness."""
    changed = bytearray(proof_of(3).content())
    changed[bit // 8] ^= 1 << bit % 8
    try:
        logged = verified(bytes(changed), LEAVES[3])
    except DocumentError:
        return
    assert logged.index == 3 and logged.signed.witnessed_at(2) is None


@FUZZ
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: proof_text(HEADER, text)))
@example(None)
def test_a_proof_is_read_or_refused_in_words(content):
    original = content is None
    text = proof_of(3).content() if original else content
    reads_or_refuses(lambda: verified(text, LEAVES[3]), original, DocumentError)


def test_a_maintainer_may_sign_with_another_key():
    note = signed(checkpoint_of(LEAVES), keys=LOG_KEYS[1:]).content()
    assert verified(proof_of(3, note=note).content(), LEAVES[3]).index == 3
