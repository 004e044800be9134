"""Ed25519 keys, named by the digest of their public half, and the files that hold private ones."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, SSlibKey

PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")
PRIME = 2**255 - 19
"""Of the field that Ed25519's coordinates lie in."""
ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""y of a point whose order is 8."""
SMALL_ORDER = (0, 1, PRIME - 1, ORDER_EIGHT, PRIME - ORDER_EIGHT)
"""y of the eight points whose order divides 8. Under such a key anybody can write signatures that
hold, so it names nobody."""


class KeyFileError(ValueError):
    """A file of keys cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its names."""

    private: Ed25519PrivateKey
    one_use: bool
    """Whether it signs one entry and is thrown away: it proves that nothing changed, not who
    signed."""

    @property
    def public_hex(self) -> str:
        """The raw 32-byte public key in hexadecimal."""
        raw = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return raw.hex()

    @property
    def key_id(self) -> str:
        return key_id(self.public_hex)

    def signer(self) -> CryptoSigner:
        """The key as securesystemslib signs with it, under our key id."""
        return CryptoSigner(self.private, public_key(self.public_hex))


def check_public_key(public_hex: str) -> None:
    """ValueError unless this is a public key, spelled in the one way that it can be.

    64 hexadecimal digits in small letters; a canonical encoding; not a point of small order.
    """
    if not PUBLIC_KEY.fullmatch(public_hex):
        raise ValueError("public_key: expected 64 hexadecimal digits in small letters")

    # RFC 8032, 5.1.2: the encoding is y, whose top bit holds the sign of x.
    encoded = int.from_bytes(bytes.fromhex(public_hex), "little")
    y = encoded & (2**255 - 1)
    if y >= PRIME:
        raise ValueError("public_key: is not the canonical encoding of a point")
    if y in SMALL_ORDER:
        raise ValueError("public_key: is a point of small order, under which anybody can sign")


def key_id(public_hex: str) -> str:
    """sha256 of the raw public key."""
    return hashlib.sha256(bytes.fromhex(public_hex)).hexdigest()


def public_key(public_hex: str) -> SSlibKey:
    """The verifying half, for securesystemslib."""
    return SSlibKey(key_id(public_hex), "ed25519", "ed25519", {"public": public_hex})


def one_use_key() -> SigningKey:
    """A fresh key that nobody keeps."""
    return SigningKey(Ed25519PrivateKey.generate(), one_use=True)


def generate(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """Writes a new private key (PKCS#8 PEM, mode 0600); KeyFileError if there is a file already."""
    private = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )

    # O_EXCL: no other process can put a file there in between, and none is overwritten.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(
            f"{path}: already there; a key is never overwritten. Choose another file."
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}).") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return SigningKey(private, one_use=False)


def load(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """The Ed25519 private key in a PKCS#8 PEM or OpenSSH file; KeyFileError says what is wrong with
    the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}).") from None

    # A private key that others can read is refused, as ssh refuses it.
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path}: others may read this private key; run `chmod 600 {path}`.")

    # Both formats name themselves in their first line.
    openssh = content.startswith(b"-----BEGIN OPENSSH")
    read = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        private = read(content, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: not a readable private key ({error}).") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: expected an Ed25519 key, found {type(private).__name__}.")
    return SigningKey(private, one_use=False)
