"""The trust root: whose keys may do what on a board. trust/<version>.root.json.

A key has one role, except that a maintainer's key may also be one of the root's. Keys are listed by
their material, not by an id, so no id can be claimed for another key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats import keys
from leaderboard.formats.document import parse
from leaderboard.formats.log.beacon import Beacon
from leaderboard.formats.log.checkpoint import LogPolicy, check_origin
from leaderboard.formats.log.leaf import check_number
from leaderboard.formats.log.verifier import COSIGNATURE, NOTE, VerifierKey, check_key_name

ROOT_SCHEMA: Literal["urn:mst-bench:board-root:v1"] = "urn:mst-bench:board-root:v1"
LARGEST = 1 << 18
"""Bytes of a root that are read."""
MOST_KEYS = 64
"""Of one role."""


@dataclass(frozen=True)
class RootKey:
    """A public key and the name that it signs under."""

    name: str
    """A witness's name stands in its cosignatures; other names are for people."""
    public_key: str

    def __post_init__(self) -> None:
        check_key_name(self.name)
        keys.check_public_key(self.public_key)

    @property
    def key_id(self) -> str:
        """Computed from the key, never stated."""
        return keys.key_id(self.public_key)


@dataclass(frozen=True)
class Role:
    """Keys, and how many of them must say a thing."""

    threshold: int
    keys: tuple[RootKey, ...]

    def __post_init__(self) -> None:
        if len(self.keys) > MOST_KEYS:
            raise ValueError(f"a role has at most {MOST_KEYS} keys")
        if not min(1, len(self.keys)) <= self.threshold <= len(self.keys):
            raise ValueError("threshold: expected at least 1 and at most the number of keys")
        for public_key, times in Counter(key.public_key for key in self.keys).items():
            if times > 1:
                raise ValueError(f"key {public_key[:16]}.. is listed {times} times")

    @property
    def public_keys(self) -> frozenset[str]:
        """Its keys, without their names."""
        return frozenset(key.public_key for key in self.keys)


@dataclass(frozen=True)
class Root:
    """One version of the trust root."""

    schema: Literal["urn:mst-bench:board-root:v1"]
    version: int
    """1 for the first one."""
    origin: str
    """Whose log it is: the first line of its checkpoints."""
    expires: int
    """Seconds since 1970. Nothing but another root is logged later; what was, still counts."""
    delay: int
    """Seconds from a registration to the round of the beacon that its seeds are drawn from."""
    deadline: int
    """Seconds from a registration until it counts as abandoned."""
    beacon: Beacon
    """The chain of public randomness that seeds are drawn from."""
    root: Role
    """Change this file."""
    maintainers: Role
    """Admit and revoke submitters, open and retire suites, retract entries."""
    log: Role
    """Sign checkpoints. Any one key suffices: its threshold is 1."""
    witnesses: Role
    """Cosign checkpoints; the threshold is the quorum."""
    reevaluators: Role
    """Measure entries again. Any one key suffices."""
    runners: Role
    """Train entries for the board. Any one key suffices."""

    def __post_init__(self) -> None:
        check_origin(self.origin)
        for field in ("version", "expires", "delay", "deadline"):
            check_number(getattr(self, field), field)
        if self.version == 0 or self.deadline <= self.delay:
            raise ValueError("versions begin with 1, and a deadline comes after the delay")
        if not (self.root.keys and self.maintainers.keys and self.log.keys):
            raise ValueError("root, maintainers and log have at least one key each")
        if any(role.threshold > 1 for role in (self.log, self.reevaluators, self.runners)):
            raise ValueError("log, reevaluators and runners have a threshold of 1")

        # One key, one role. The same people may keep the root and the board.
        speaking = self.root.public_keys | self.maintainers.public_keys
        roles = [role.public_keys for role in self._others]
        listed = Counter(key for role in (speaking, *roles) for key in role)
        for public_key, times in listed.items():
            if times > 1:
                raise ValueError(f"key {public_key[:16]}.. has {times} roles, a key has one")

    @property
    def _others(self) -> tuple[Role, ...]:
        return (self.log, self.witnesses, self.reevaluators, self.runners)

    @property
    def public_keys(self) -> frozenset[str]:
        """The keys of all roles: no submitter has one of them."""
        return frozenset().union(
            self.root.public_keys,
            self.maintainers.public_keys,
            *(role.public_keys for role in self._others),
        )

    def policy(self) -> LogPolicy:
        """Whose signatures count on checkpoints."""
        return LogPolicy(
            self.origin,
            logs=tuple(VerifierKey(self.origin, NOTE, key.public_key) for key in self.log.keys),
            witnesses=tuple(
                VerifierKey(key.name, COSIGNATURE, key.public_key) for key in self.witnesses.keys
            ),
            quorum=self.witnesses.threshold,
        )


def parse_root(content: bytes, location: str) -> Root:
    """The root in the bytes of a file; DocumentError says what is wrong with them."""
    return parse(Root, content, location)
