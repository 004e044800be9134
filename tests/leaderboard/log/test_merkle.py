"""The tree: the published vectors of RFC 6962, and every proof of every small tree."""

import random

import pytest

from leaderboard.formats.log.merkle import (
    EMPTY_ROOT,
    ProofError,
    Tree,
    check_consistency,
    check_inclusion,
    leaf_hash,
)

# The vectors of Certificate Transparency, as transparency-dev/merkle publishes them
# (testonly/constants.go): eight leaves, and the root at every size.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

SIZES = range(1, 131)
TREE = Tree(leaf_hash(f"leaf {index}".encode()) for index in range(SIZES.stop))
LONGEST = 2**63 - 1


def flipped(content, bit):
    """A copy of some bytes with one bit changed."""
    number = int.from_bytes(content, "big") ^ (1 << bit)
    return number.to_bytes(len(content), "big")


def inclusion_holds(leaf, index, size, proof, root):
    try:
        check_inclusion(leaf, index, size, proof, root)
    except ProofError:
        return False
    return True


def consistency_holds(old, old_root, size, root, proof):
    try:
        check_consistency(old, old_root, size, root, proof)
    except ProofError:
        return False
    return True


# -- the published vectors --


def test_roots_are_those_of_certificate_transparency():
    tree = Tree(map(leaf_hash, LEAVES))
    assert [tree.root(size).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(index, size):
    tree = Tree(map(leaf_hash, LEAVES))
    proof = tree.inclusion(index, size)
    assert [hash_.hex() for hash_ in proof] == INCLUSION[index, size]
    check_inclusion(leaf_hash(LEAVES[index]), index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(old, size):
    tree = Tree(map(leaf_hash, LEAVES))
    proof = tree.consistency(old, size)
    assert [hash_.hex() for hash_ in proof] == CONSISTENCY[old, size]
    check_consistency(old, bytes.fromhex(ROOTS[old]), size, bytes.fromhex(ROOTS[size]), proof)


# -- every proof of every tree of up to 130 leaves --


def test_every_leaf_of_every_tree_has_a_proof_and_no_changed_bit_passes():
    draw = random.Random(0)
    for size in SIZES:
        root = TREE.root(size)
        for index in range(size):
            leaf = TREE.leaf_hashes[index]
            proof = TREE.inclusion(index, size)
            check_inclusion(leaf, index, size, proof, root)

            # One bit of the leaf, of the root and of each hash of the proof.
            bit = draw.randrange(256)
            assert not inclusion_holds(flipped(leaf, bit), index, size, proof, root)
            assert not inclusion_holds(leaf, index, size, proof, flipped(root, bit))
            for position in range(len(proof)):
                changed = list(proof)
                changed[position] = flipped(proof[position], bit)
                assert not inclusion_holds(leaf, index, size, changed, root)


def test_every_tree_continues_every_earlier_one_and_no_changed_bit_passes():
    draw = random.Random(0)
    for size in SIZES:
        root = TREE.root(size)
        for old in range(1, size + 1):
            old_root = TREE.root(old)
            proof = TREE.consistency(old, size)
            check_consistency(old, old_root, size, root, proof)

            bit = draw.randrange(256)
            assert not consistency_holds(old, flipped(old_root, bit), size, root, proof)
            assert not consistency_holds(old, old_root, size, flipped(root, bit), proof)
            for position in range(len(proof)):
                changed = list(proof)
                changed[position] = flipped(proof[position], bit)
                assert not consistency_holds(old, old_root, size, root, changed)


def test_no_bit_of_a_proof_can_be_changed():
    """All 256 bits of every hash, in trees of up to nine leaves."""
    for size in range(2, 10):
        for index in range(size):
            proof = TREE.inclusion(index, size)
            for position, bit in ((p, b) for p in range(len(proof)) for b in range(256)):
                changed = [*proof]
                changed[position] = flipped(proof[position], bit)
                leaf = TREE.leaf_hashes[index]
                assert not inclusion_holds(leaf, index, size, changed, TREE.root(size))


def test_a_proof_fits_no_other_leaf_and_no_other_place():
    size = 21
    root = TREE.root(size)
    for index in range(size):
        proof = TREE.inclusion(index, size)
        for other in range(size):
            if other != index:
                assert not inclusion_holds(TREE.leaf_hashes[other], index, size, proof, root)
                assert not inclusion_holds(TREE.leaf_hashes[index], other, size, proof, root)


def test_a_proof_that_is_too_long_or_too_short_is_refused():
    for size in range(1, 40):
        for index in range(size):
            leaf, root = TREE.leaf_hashes[index], TREE.root(size)
            proof = TREE.inclusion(index, size)
            for changed in ([*proof, root], [root, *proof], proof[:-1], proof[1:]):
                if changed != proof:
                    assert not inclusion_holds(leaf, index, size, changed, root)
        for old in range(1, size + 1):
            old_root, root = TREE.root(old), TREE.root(size)
            proof = TREE.consistency(old, size)
            for changed in ([*proof, root], [root, *proof], proof[:-1], proof[1:]):
                if changed != proof:
                    assert not consistency_holds(old, old_root, size, root, changed)


def test_a_proof_that_ends_below_the_root_is_refused():
    """Its hashes lead to a node, which somebody calls the root of a larger tree."""
    assert not consistency_holds(1, TREE.root(1), 4, TREE.root(2), TREE.consistency(1, 2))
    leaf = TREE.leaf_hashes[0]
    assert not inclusion_holds(leaf, 0, 4, TREE.inclusion(0, 2), TREE.root(2))


def test_a_node_does_not_pass_for_a_leaf():
    """Leaves and nodes are hashed with different first bytes (RFC 6962, 2.1)."""
    left, right = TREE.leaf_hashes[:2]
    node = TREE.root(2)
    assert leaf_hash(b"\x01" + left + right) != node
    assert not inclusion_holds(leaf_hash(left + right), 0, 1, [], node)


def test_the_empty_tree_is_continued_by_every_tree():
    check_consistency(0, EMPTY_ROOT, 5, TREE.root(5), [])
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert not consistency_holds(0, TREE.root(1), 5, TREE.root(5), [])
    assert not consistency_holds(0, EMPTY_ROOT, 0, TREE.root(1), [])


def test_a_log_cannot_shrink():
    with pytest.raises(ProofError, match="cannot continue"):
        check_consistency(5, TREE.root(5), 4, TREE.root(4), [])


@pytest.mark.parametrize("index", [-1, 3, LONGEST])
def test_a_leaf_outside_the_log_is_refused(index):
    with pytest.raises(ProofError, match="lies outside"):
        check_inclusion(TREE.leaf_hashes[0], index, 3, [], TREE.root(3))


def test_a_proof_of_the_largest_log_is_computed_at_once():
    """Sizes are numbers, not work: 2^63 - 1 leaves make a proof of at most 63 hashes."""
    proof = [bytes(32)] * 63
    assert not inclusion_holds(bytes(32), LONGEST - 1, LONGEST, proof, bytes(32))
    assert not consistency_holds(2**62, bytes(32), LONGEST, bytes(32), proof)
