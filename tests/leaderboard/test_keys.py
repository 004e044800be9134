"""Keys: made once, kept private, read with care."""

import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leaderboard.formats import keys
from leaderboard.formats.keys import KeyFileError


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


V1 = '"schema": "urn:mst-bench:trust:v1"'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        f'{{{V1}, "keys": 3}}',
        f'{{{V1}, "keys": [{{"name": "x"}}]}}',
        f'{{{V1}, "keys": [{{"public_key": "zz"}}]}}',
    ],
)
def test_a_bad_trust_file_is_one_sentence(tmp_path, document):
    path = tmp_path / "trust.json"
    path.write_text(document)
    with pytest.raises(KeyFileError, match=r"trust\.json"):
        keys.load_trust(path)


def test_a_key_id_is_the_digest_of_the_public_key():
    key = keys.one_use_key()
    assert keys.key_id(key.public_hex) == key.key_id
    assert len(bytes.fromhex(key.key_id)) == 32
