"""A chain of public randomness whose private key the tests hold."""

import hashlib

from leaderboard.formats.log.beacon import DOMAIN, Beacon, Round

SECRET = 20_260_101
"""The private key: rounds of the future can be signed at once."""
CHAIN = Beacon(
    chain="ab" * 32,
    public_key="99d6ef12c73a2d81533ccc71ab1617c486b65efce4b4783501a280e29374a9e11b804ece442c4cbbb4a4"
    "ea99047b417b159568df1b145f7e2654d13147da96f65a2e6f2c03c23ec1405b5e31d7c163806998f2ff"
    "6f281419f9be0e01dc63a5cc",
    genesis=1_692_803_367,
    period=3,
)


def round_of(number, secret=SECRET, **changes):
    """A round of the tests' chain, or of another key's. `changes`: other fields than it has."""
    from py_arkworks_bls12381 import G1Point, Scalar

    message = hashlib.sha256(number.to_bytes(8, "big")).digest()
    point = G1Point.hash_to_curve(message, DOMAIN) * Scalar(secret)
    signature = bytes(point.to_compressed_bytes())
    fields = {
        "round": number,
        "randomness": hashlib.sha256(signature).hexdigest(),
        "signature": signature.hex(),
    }
    return Round(**(fields | changes))


def with_signature(number, signature):
    """A round with any signature; its randomness fits."""
    return Round(number, hashlib.sha256(bytes.fromhex(signature)).hexdigest(), signature)
