"""tensors.json: where files of tensors are that do not lie beside their entry.

A plan's tensors take gigabytes, so they stay where the submitter puts them. Their digests are
signed with the entry: whoever serves them decides nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from leaderboard.formats.document import parse
from leaderboard.formats.log.leaf import check_sha256

TENSORS_SCHEMA: Literal["urn:mst-bench:tensors:v1"] = "urn:mst-bench:tensors:v1"
LARGEST = 16 << 20
"""Bytes of a list that are read."""
ENDING = ".safetensors"
"""Of every file of tensors, and of no other file."""
MOST_MIRRORS = 8
LONGEST_ADDRESS = 500


@dataclass(frozen=True)
class KeptFile:
    """A file of tensors."""

    name: str
    """Its path, seen from the entry's folder, and from a mirror's address."""
    sha256: str
    size: int
    """In bytes."""

    def __post_init__(self) -> None:
        check_sha256(self.sha256, "sha256")
        if not self.name.endswith(ENDING) or self.size < 0:
            raise ValueError(f"expected the name of a {ENDING} file and its size")


@dataclass(frozen=True)
class KeptElsewhere:
    """tensors.json."""

    schema: Literal["urn:mst-bench:tensors:v1"]
    mirrors: tuple[str, ...]
    """Addresses of folders that serve them."""
    tensors: tuple[KeptFile, ...]

    def __post_init__(self) -> None:
        for name, times in Counter(file.name for file in self.tensors).items():
            if times > 1:
                raise ValueError(f"{name} is listed {times} times")
        if len(self.mirrors) > MOST_MIRRORS:
            raise ValueError(f"mirrors: expected at most {MOST_MIRRORS}")
        for mirror in self.mirrors:
            check_address(mirror)

    @cached_property
    def files(self) -> dict[str, KeptFile]:
        """By name."""
        return {file.name: file for file in self.tensors}

    @property
    def digests(self) -> dict[str, str]:
        """Name -> sha256."""
        return {name: file.sha256 for name, file in self.files.items()}


NOTHING = KeptElsewhere(TENSORS_SCHEMA, (), ())


def check_address(address: str) -> None:
    """ValueError unless this is the address of a folder that anybody can fetch from, and that a
    page can show as a link."""
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \"'<>\\`")
    if plain and len(address) <= LONGEST_ADDRESS:
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc:
            return
    raise ValueError(f"address {address[:80]!r}: expected https://, a host and a path")


def parse_kept(content: bytes, location: str) -> KeptElsewhere:
    """The list in the bytes of a file; DocumentError says what is wrong with them."""
    return parse(KeptElsewhere, content, location)
