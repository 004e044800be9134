"""people/<first 16 digits of a key's id>.json: how a submitter wants to be called.

Names lie on a branch of their own, which is replaced as a whole, and never in the log: a name can
be taken back, a leaf cannot. What stays of it is when it was taken back: whatever was signed before
counts no more. A name proves nothing, so pages show the key's id beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.document import parse
from leaderboard.formats.log.leaf import check_number

PERSON_SCHEMA: Literal["urn:mst-bench:person:v2"] = "urn:mst-bench:person:v2"
LARGEST = 1 << 12
"""Bytes of a person's file that are read."""
LONGEST_NAME = 80
LINK = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/%?&=#@+,-]*)?", re.ASCII)
LONGEST_LINK = 200


@dataclass(frozen=True)
class Person:
    """A submitter, as they call themselves."""

    schema: Literal["urn:mst-bench:person:v2"]
    name: str
    """Empty: it was taken back."""
    affiliation: str
    """Empty where none is told."""
    link: str | None
    at: int
    """When it was signed or taken back, in seconds since 1970."""

    def __post_init__(self) -> None:
        # Control and direction characters could make a name look like another.
        for called in ("name", "affiliation"):
            text = getattr(self, called)
            if len(text) > LONGEST_NAME or not text.isprintable() or text != text.strip():
                raise ValueError(
                    f"{called}: expected one line of at most {LONGEST_NAME} characters, none of"
                    " which steers a terminal or the direction of text"
                )
        if self.link is not None and (
            len(self.link) > LONGEST_LINK or not LINK.fullmatch(self.link)
        ):
            raise ValueError(
                f"link: expected an address that begins with https://, at most"
                f" {LONGEST_LINK} characters"
            )
        check_number(self.at, "at")


def taken_back(at: int) -> Person:
    """What stays of a name that was taken back at this time."""
    return Person(PERSON_SCHEMA, "", "", None, at)


def parse_person(content: bytes, location: str) -> Person:
    """The person in the bytes of a file; DocumentError says what is wrong with them."""
    return parse(Person, content, location)
