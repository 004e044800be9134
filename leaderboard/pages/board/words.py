"""How pages say things: moments, lengths of time, large numbers, and what leaves decided."""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime

from leaderboard.formats.keys import key_id
from leaderboard.formats.log.leaf import (
    AdmitLeaf,
    AmendLeaf,
    EntryLeaf,
    KeychangeLeaf,
    Leaf,
    ReevalLeaf,
    RegisterLeaf,
    RetractLeaf,
    RevealLeaf,
    RevokeLeaf,
    RootLeaf,
    SuiteLeaf,
)

LEVELS = {
    "L0": "signed, registered, consistent",
    "L1": "policies rolled out again by somebody else",
    "L2": "runs trained again by somebody else",
    "L3": "trained by a runner of the board",
}
"""What each level means, in short."""
LATEST = 253_402_300_799
"""The last second of the year 9999."""


def moment(seconds: int) -> str:
    """`2026-11-27 10:20 UTC`"""
    return _time(seconds).strftime("%Y-%m-%d %H:%M UTC")


def day(seconds: int) -> str:
    """`2026-11-27`"""
    return _time(seconds).strftime("%Y-%m-%d")


def iso(seconds: int) -> str:
    """`2026-11-27T10:20:00Z`, for programs."""
    return _time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, LATEST), UTC)


def span(seconds: float) -> str:
    """A length of time: 41 seconds, 12 minutes, 5 hours, 12 days."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length):,} {unit}s"
    return f"{round(seconds):,} seconds"


def large(number: float) -> str:
    """`362M`, `1.2T`: three digits and a prefix."""
    if number < 1000:
        return f"{number:,.0f}"
    steps = min(6, int(math.log10(number) + 1e-9) // 3)
    return f"{number / 1000.0**steps:.3g}{'kMGTPE'[steps - 1]}"


def size(count: float) -> str:
    """Bytes in words."""
    return f"{large(count)}B"


def points(value: float) -> str:
    """A score."""
    return f"{value:,.1f}"


def half(width: float) -> str:
    """Half of an interval; a dash where there is none."""
    return "" if math.isnan(width) else f"± {width:,.1f}"


def short(digest: str) -> str:
    """The part of a digest or key id that pages show."""
    return digest[:16]


# -- what a leaf decided --


@functools.singledispatch
def told(leaf: Leaf) -> str:
    """A leaf as a sentence."""
    raise AssertionError(f"no words for {leaf.kind}")


@told.register
def _root(leaf: RootLeaf) -> str:
    return f"Version {leaf.version} of the trust root is in force."


@told.register
def _suite(leaf: SuiteLeaf) -> str:
    name = f"{leaf.suite} version {leaf.version}"
    if leaf.state == "open":
        return f"Suite {name} is open for registrations."
    successor = f" Its successor is version {leaf.successor}." if leaf.successor else ""
    return f"Suite {name} is retired.{successor}"


@told.register
def _admit(leaf: AdmitLeaf) -> str:
    return f"Key {short(key_id(leaf.public_key))} may register and submit."


@told.register
def _revoke(leaf: RevokeLeaf) -> str:
    return f"Key {short(leaf.key)} is revoked; what it said from leaf {leaf.since} on is disputed."


@told.register
def _keychange(leaf: KeychangeLeaf) -> str:
    how = "after a loss, as the maintainers say" if leaf.recovered else "as both keys say"
    return f"Key {short(key_id(leaf.public_key))} follows key {short(leaf.key)}, {how}."


@told.register
def _register(leaf: RegisterLeaf) -> str:
    what = "A blinded plan" if leaf.blinded else f"Plan {short(leaf.draft)}"
    return f"{what} of {leaf.suite} version {leaf.version} is registered."


@told.register
def _reveal(leaf: RevealLeaf) -> str:
    return f"Registration {leaf.registration} announced plan {short(leaf.draft)}."


@told.register
def _entry(leaf: EntryLeaf) -> str:
    return f"The results of registration {leaf.registration} are accepted."


@told.register
def _reeval(leaf: ReevalLeaf) -> str:
    return f"Entry {leaf.entry} is {leaf.level}: {LEVELS[leaf.level]}."


@told.register
def _amend(leaf: AmendLeaf) -> str:
    return f"A note or a link of entry {leaf.entry} changed; its numbers never do."


@told.register
def _retract(leaf: RetractLeaf) -> str:
    who = "its submitter" if leaf.key else "the maintainers"
    return f"What leaf {leaf.target} announced or entered is retracted by {who}."
