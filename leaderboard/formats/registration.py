"""A registered plan's files: registration.json, registration.tlog-proof and beacon.json.

The leaf that registered a plan is made again from the plan, the suite, the image and the key.
registration.json holds only what none of them says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.layout import BEACON, PROOF, REGISTRATION
from leaderboard.formats.log import beacon, proof
from leaderboard.formats.log.beacon import SEEDS, Round, draw, parse_round
from leaderboard.formats.log.checkpoint import Checkpoint, parse_checkpoint
from leaderboard.formats.log.leaf import RegisterLeaf, check_number, check_sha256
from leaderboard.formats.log.merkle import ProofError, check_inclusion, leaf_hash
from leaderboard.formats.log.note import parse_note
from leaderboard.formats.log.proof import LogProof, parse_proof
from leaderboard.formats.plan import draft_digest

REGISTRATION_SCHEMA: Literal["urn:mst-bench:registration:v1"] = "urn:mst-bench:registration:v1"
LARGEST = 1 << 12
"""Bytes of registration.json that are read."""
LIMITS = {REGISTRATION: LARGEST, PROOF: proof.LARGEST, BEACON: beacon.LARGEST}
"""Files of a registered plan, and the most bytes of each that are read."""
LOG_SOURCE = "log:"
"""What begins a seed source that was drawn after a registration."""
SALT = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Registration:
    """registration.json."""

    schema: Literal["urn:mst-bench:registration:v1"]
    key: str
    """Id of the key that registered: the entry's own, or one that it replaced."""
    at: int
    """When the leaf was logged, in seconds since 1970."""
    statement: str
    """sha256 of what was signed for the leaf."""
    salt: str | None
    """What blinded the plan; None if its digest was public."""

    def __post_init__(self) -> None:
        check_sha256(self.key, "key")
        check_sha256(self.statement, "statement")
        check_number(self.at, "at")
        if self.salt is not None and not SALT.fullmatch(self.salt):
            raise ValueError("salt: expected 64 hexadecimal digits in small letters")

    def leaf(self, plan: bytes, suite: str, version: int, image: str) -> RegisterLeaf:
        """The leaf that registered this plan. `plan`: bytes of plan.json; `image`: digest of the
        content of the image that ran it."""
        draft = draft_digest(plan)
        return RegisterLeaf(
            at=self.at,
            statement=self.statement,
            key=self.key,
            suite=suite,
            version=version,
            draft=draft if self.salt is None else blinded(self.salt, draft),
            image=image,
            blinded=self.salt is not None,
        )


def blinded(salt: str, draft: str) -> str:
    """What a blinded registration says of its plan: sha256 of salt and draft digest, as bytes."""
    return hashlib.sha256(bytes.fromhex(salt) + bytes.fromhex(draft)).hexdigest()


@dataclass(frozen=True)
class RegisteredPlan:
    """A plan whose seeds follow from a leaf and a round, if log and chain are what they seem: no
    signature of either is verified yet."""

    registration: Registration
    leaf: RegisterLeaf
    proof: LogProof
    checkpoint: Checkpoint
    """What the proof leads to."""
    round: Round


def seed_source(origin: str, index: int, leaf: RegisterLeaf, served: Round) -> str:
    """The seed source of a registered plan."""
    return LOG_SOURCE + draw(SEEDS, origin, index, leaf.content(), served)


def registered_plan(
    files: Mapping[str, bytes], plan: bytes, source: str, suite: tuple[str, int], image: str
) -> RegisteredPlan:
    """The registration in the files of a plan; DocumentError says what does not fit.

    `source`: the plan's seed source; `suite`: name and version; `image`: digest of the content of
    the image that ran it. The leaf is made anew, and no other's proof fits it.
    """
    registration = parse(Registration, files[REGISTRATION], REGISTRATION)
    leaf = registration.leaf(plan, *suite, image)

    # The leaf is in the tree of the checkpoint.
    stapled = parse_proof(files[PROOF], PROOF)
    tree = parse_checkpoint(parse_note(stapled.checkpoint, PROOF).text, PROOF)
    hashed = leaf_hash(leaf.content())
    try:
        check_inclusion(hashed, stapled.index, tree.size, stapled.hashes, tree.root)
    except ProofError as error:
        raise DocumentError(
            f"{PROOF}: is not of the leaf that this key, suite, plan and image make: {error}"
        ) from None

    # The seeds follow from the leaf and the round.
    served = parse_round(files[BEACON], BEACON)
    if source != seed_source(tree.origin, stapled.index, leaf, served):
        raise DocumentError(f"the seeds are not those of leaf {stapled.index} and {BEACON}")
    return RegisteredPlan(registration, leaf, stapled, tree, served)
