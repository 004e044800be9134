"""Values that have several spellings, each read in the one way that it is written."""

from __future__ import annotations

import base64
import binascii
import re

LARGEST = 2**63
"""Whole numbers are smaller: sizes, positions and times of the log."""
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def decode_base64(text: str) -> bytes:
    """The bytes that `text` spells; ValueError unless it is their canonical base64.

    Base64 has several spellings of the same bytes, for instance by unused bits of the last letter.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if encode_base64(decoded) != text:
        raise ValueError("not canonical base64")
    return decoded


def encode_base64(content: bytes) -> str:
    """The canonical base64 of some bytes."""
    return base64.b64encode(content).decode()


def decode_decimal(text: str) -> int:
    """The whole number that `text` spells: digits of ASCII, no leading zero, below 2^63."""
    if not DECIMAL.fullmatch(text):
        raise ValueError("not a decimal number below 2^63 without leading zeros")
    number = int(text)
    if number >= LARGEST:
        raise ValueError("not a decimal number below 2^63 without leading zeros")
    return number
