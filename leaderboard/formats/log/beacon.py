"""Public randomness: rounds of a drand chain, which nobody knows before their time.

The scheme is drand's `bls-unchained-g1-rfc9380`, that of its chain quicknet: a round is a BLS
signature on BLS12-381 over the digest of its number. There is one signature for a number and a key,
so nobody chooses it, whoever asks for it, and however often.

The check needs py_arkworks_bls12381, which the extra `mst-bench[board]` installs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass

import rfc8785

from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.log.leaf import LATEST, check_number, check_sha256

LARGEST = 1 << 12
"""Bytes of a round's file that are read."""
DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
"""Domain separation tag of the scheme (RFC 9380)."""
PUBLIC_KEY = re.compile(r"[0-9a-f]{192}", re.ASCII)
"""A compressed point of G2."""
SIGNATURE = re.compile(r"[0-9a-f]{96}", re.ASCII)
"""A compressed point of G1."""
SEEDS = "mst-bench/seeds/v1"
"""What the seeds of a registered plan are drawn for."""
REEVALUATION = "mst-bench/reeval/v1"
"""What the fresh episodes of a re-evaluation are drawn for."""


class NoLibraryError(Exception):
    """The library that checks rounds is not installed."""

    def __init__(self) -> None:
        super().__init__("py_arkworks_bls12381 is not installed (pip install 'mst-bench[board]')")


@dataclass(frozen=True)
class Beacon:
    """A chain of public randomness."""

    chain: str
    """Digest of its parameters; relays serve it under this name."""
    public_key: str
    """192 hexadecimal digits."""
    genesis: int
    """Seconds since 1970 of its first round."""
    period: int
    """Seconds between rounds."""

    def __post_init__(self) -> None:
        check_sha256(self.chain, "chain")
        check_number(self.genesis, "genesis")
        if not 1 <= self.period <= 86_400:
            raise ValueError("period: expected 1 to 86400 seconds")
        if not PUBLIC_KEY.fullmatch(self.public_key):
            raise ValueError("public_key: expected 192 hexadecimal digits in small letters")

    def round_from(self, moment: int) -> int:
        """The first round at or after a moment."""
        passed = max(0, moment - self.genesis)
        return 1 + -(-passed // self.period)

    def time_of(self, number: int) -> int:
        """When a round comes, in seconds since 1970."""
        return self.genesis + (number - 1) * self.period


QUICKNET = Beacon(
    chain="52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    public_key="83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
    genesis=1_692_803_367,
    period=3,
)
"""drand's public chain, which the League of Entropy runs."""


@dataclass(frozen=True)
class Round:
    """beacon.json: one round, with the very fields that drand's relays serve."""

    round: int
    randomness: str
    """sha256 of the signature."""
    signature: str

    def __post_init__(self) -> None:
        if not 1 <= self.round < LATEST:
            raise ValueError("round: expected a whole number from 1 on, below 2^53")
        if not SIGNATURE.fullmatch(self.signature):
            raise ValueError("signature: expected 96 hexadecimal digits in small letters")
        if self.randomness != hashlib.sha256(bytes.fromhex(self.signature)).hexdigest():
            raise ValueError("randomness: is not the digest of the signature")

    def content(self) -> bytes:
        """The bytes of its file."""
        return rfc8785.dumps(asdict(self)) + b"\n"


def parse_round(content: bytes, location: str) -> Round:
    """The round in the bytes of a file; DocumentError says what is wrong with them. Nothing of it
    is verified yet."""
    return parse(Round, content, location)


def check_round(served: Round, expected: int, beacon: Beacon, location: str) -> None:
    """DocumentError unless this is the expected round of a chain; NoLibraryError where nobody can
    tell."""
    if served.round != expected:
        raise DocumentError(f"{location}: is round {served.round}, expected round {expected}")
    if not _holds(served, beacon):
        raise DocumentError(
            f"{location}: the chain {beacon.chain[:16]} did not sign this as round {expected}"
        )


def _holds(served: Round, beacon: Beacon) -> bool:
    """Whether a round is the signature that the chain's key makes of its number."""
    try:
        from py_arkworks_bls12381 import GT, G1Point, G2Point
    except ImportError:
        raise NoLibraryError from None
    signature_bytes = bytes.fromhex(served.signature)
    key_bytes = bytes.fromhex(beacon.public_key)
    try:
        signature = G1Point.from_compressed_bytes(signature_bytes)
        key = G2Point.from_compressed_bytes(key_bytes)
    except ValueError:
        return False

    # One spelling of each point, in the right subgroup, and not zero: else several signatures would
    # hold, and a submitter could choose among seeds.
    if signature.to_compressed_bytes() != signature_bytes or key.to_compressed_bytes() != key_bytes:
        return False
    if not (signature.is_in_subgroup() and key.is_in_subgroup()):
        return False
    if signature == G1Point.identity() or key == G2Point.identity():
        return False

    # e(signature, -G2) e(H(number), key) = 1. G2Point() is the generator.
    message = hashlib.sha256(served.round.to_bytes(8, "big")).digest()
    hashed = G1Point.hash_to_curve(message, DOMAIN)
    return bool(GT.pairing_check([signature, hashed], [-G2Point(), key]))


def draw(purpose: str, origin: str, index: int, leaf: bytes, served: Round) -> str:
    """What a leaf and a later round make together: 64 hexadecimal digits.

    sha256 of the canonical JSON (RFC 8785) of the list [purpose, origin of the log, position of the
    leaf, sha256 of the leaf, signature of the round]; digests and signature in hexadecimal digits.
    """
    leaf_digest = hashlib.sha256(leaf).hexdigest()
    parts = [purpose, origin, index, leaf_digest, served.signature]
    return hashlib.sha256(rfc8785.dumps(parts)).hexdigest()  # type: ignore[arg-type]
