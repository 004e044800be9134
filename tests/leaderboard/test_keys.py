"""Keys: made once, kept private, read with care; and which public ones are taken."""

import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leaderboard.formats import keys
from leaderboard.formats.keys import KeyFileError, check_public_key


def test_a_key_is_private_and_never_overwritten(tmp_path):
    path = tmp_path / "key.pem"
    key = keys.generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load(path).key_id == key.key_id
    with pytest.raises(KeyFileError, match="never overwritten"):
        keys.generate(path)


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "key.pem"
    keys.generate(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        keys.load(path)


def test_a_passphrase_is_needed_where_one_was_set(tmp_path):
    path = tmp_path / "key.pem"
    key = keys.generate(path, b"correct horse")
    assert keys.load(path, b"correct horse").key_id == key.key_id
    for passphrase in (None, b"battery staple"):
        with pytest.raises(KeyFileError, match="not a readable private key"):
            keys.load(path, passphrase)


def write_private(path, content):
    """A file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def pem(key, form):
    """A private key without a passphrase."""
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def test_an_openssh_ed25519_key_is_read(tmp_path):
    private = Ed25519PrivateKey.generate()
    write_private(tmp_path / "ssh", pem(private, serialization.PrivateFormat.OpenSSH))
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    assert keys.load(tmp_path / "ssh").public_hex == public.hex()


def test_a_key_of_another_algorithm_and_a_file_that_is_none_are_refused(tmp_path):
    elliptic = generate_private_key(SECP256R1())
    write_private(tmp_path / "ec", pem(elliptic, serialization.PrivateFormat.PKCS8))
    with pytest.raises(KeyFileError, match="expected an Ed25519 key"):
        keys.load(tmp_path / "ec")

    write_private(tmp_path / "junk", b"-----BEGIN NOTHING")
    with pytest.raises(KeyFileError, match="not a readable private key"):
        keys.load(tmp_path / "junk")


def test_a_key_id_is_the_digest_of_the_public_key():
    key = keys.one_use_key()
    assert keys.key_id(key.public_hex) == key.key_id
    assert len(bytes.fromhex(key.key_id)) == 32


# -- which public keys are taken --

PRIME = 2**255 - 19
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME
"""d of the curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1)."""


def point(y):
    """A point of the curve with this y, (x, y)."""
    x_squared = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
    x = pow(x_squared, (PRIME + 3) // 8, PRIME)
    if (x * x - x_squared) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    assert (x * x - x_squared) % PRIME == 0, "there is such a point"
    return x, y


def added(left, right):
    """The sum of two points."""
    (x1, y1), (x2, y2) = left, right
    product = CURVE * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME)
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME)
    return x3 % PRIME, y3 % PRIME


def encoded(y, sign=0):
    """The public key that spells y and the sign of x."""
    return (y + (sign << 255)).to_bytes(32, "little").hex()


@pytest.mark.parametrize("y", keys.SMALL_ORDER)
@pytest.mark.parametrize("sign", [0, 1])
def test_a_key_under_which_anybody_can_sign_is_refused(y, sign):
    """Eight times such a point is the identity, so a signature says nothing of its key."""
    multiple = point(y)
    for _ in range(3):
        multiple = added(multiple, multiple)
    assert multiple == (0, 1)
    with pytest.raises(ValueError, match="point of small order"):
        check_public_key(encoded(y, sign))


def test_there_are_eight_points_of_small_order():
    points = set[tuple[int, int]]()
    for y in keys.SMALL_ORDER:
        x, _ = point(y)
        points |= {(x, y), (-x % PRIME, y)}
    assert len(points) == 8


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, PRIME + 18])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_second_spelling_of_a_key_is_refused(y, sign):
    """y and y + p are one point, which would have two ids."""
    with pytest.raises(ValueError, match="not the canonical encoding"):
        check_public_key(encoded(y, sign))


@pytest.mark.parametrize("spell", [str.upper, lambda key: key[2:], lambda key: f"{key}00"])
def test_a_key_is_spelled_in_64_small_digits(spell):
    with pytest.raises(ValueError, match="64 hexadecimal digits in small letters"):
        check_public_key(spell(f"ab{keys.one_use_key().public_hex[2:]}"))


def test_every_key_that_is_made_is_taken():
    for _ in range(20):
        check_public_key(keys.one_use_key().public_hex)
