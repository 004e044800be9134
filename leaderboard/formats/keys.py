"""Ed25519 keys: made, read, and named by the digest of their public half."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, SSlibKey

from leaderboard.formats import strict_json

TRUST_SCHEMA = "urn:mst-bench:trust:v1"


class KeyFileError(ValueError):
    """A key or trust file cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its names."""

    private: Ed25519PrivateKey
    one_use: bool
    """Made for one entry and thrown away: proves that the entry is unaltered, not who made it."""

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
    """Write a new private key (PKCS#8 PEM, mode 0600); KeyFileError if the file is already there."""
    private = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
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
    """The Ed25519 private key in a PKCS#8 PEM or OpenSSH file; KeyFileError says what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}).") from None
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path}: others may read this private key; run `chmod 600 {path}`.")
    openssh = data.startswith(b"-----BEGIN OPENSSH")
    read = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        private = read(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: not a readable private key ({error}).") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: expected an Ed25519 key, found {type(private).__name__}.")
    return SigningKey(private, one_use=False)


def load_trust(path: Path) -> dict[str, str]:
    """Key id -> name from a trust file {"schema": .., "keys": [{"name": .., "public_key": hex}]}."""
    try:
        document = strict_json.parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path}: not a readable trust file ({error}).") from None
    if (
        not isinstance(document, dict)
        or document.get("schema") != TRUST_SCHEMA
        or not isinstance(document.get("keys"), list)
    ):
        raise KeyFileError(f'{path}: expected {{"schema": "{TRUST_SCHEMA}", "keys": [..]}}.')
    trusted: dict[str, str] = {}
    for index, key in enumerate(document["keys"]):
        try:
            trusted[key_id(key["public_key"])] = str(key["name"])
        except (KeyError, TypeError, ValueError):
            raise KeyFileError(
                f"{path}: keys[{index}]: expected a name and a public_key of 64 hexadecimal digits."
            ) from None
    return trusted
