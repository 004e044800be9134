"""Ed25519 keys, named by the digest of their public half, and the files that hold them."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, SSlibKey

from leaderboard.formats.document import DocumentError, parse

TRUST_SCHEMA = "urn:mst-bench:trust:v1"
PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{64}")


class KeyFileError(ValueError):
    """A key or trust file cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class TrustedKey:
    """A public key, and whose it is."""

    name: str
    public_key: str

    def __post_init__(self) -> None:
        if not PUBLIC_KEY.fullmatch(self.public_key):
            raise ValueError("public_key: expected 64 hexadecimal digits")


@dataclass(frozen=True)
class Trust:
    """A trust file."""

    schema: Literal["urn:mst-bench:trust:v1"]
    keys: tuple[TrustedKey, ...]


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


def load_trust(path: Path) -> dict[str, str]:
    """Key id -> name from a trust file; KeyFileError says what is wrong with the file."""
    try:
        trust = parse(Trust, path.read_bytes(), str(path))
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise KeyFileError(f"{error} It is no trust file.") from None
    return {key_id(key.public_key): key.name for key in trust.keys}
