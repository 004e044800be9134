"""Leaves of the log: one decision each, in the fewest words that the board's rules need.

A leaf names the statement that was signed for it by its digest. The statement says the same as the
leaf, except for when it was logged, and may say why (statements.py).
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from leaderboard.formats import keys
from leaderboard.formats.document import DocumentError, build, parse_json, shown, suggestion
from leaderboard.formats.log.bundle import leaf_bytes
from leaderboard.formats.names import check_name

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
Confirmed = Literal["L1", "L2", "L3"]
"""How far somebody else confirmed an entry: policies rolled out again, runs trained again, or
trained by a runner of the board."""
Licence = Literal["CC-BY-4.0", "CC0-1.0", "CDLA-Permissive-2.0"]
"""What others may do with an entry: a short list of SPDX names."""
LICENCES: tuple[Licence, ...] = typing.get_args(Licence)
LATEST = 2**53
"""Moments and positions are smaller: numbers of JSON above are not exact everywhere."""
LOGGED = ("at", "statement")
"""What a leaf says of itself, and its statement cannot: when it was logged, and its own digest."""


def check_sha256(digest: str, called: str) -> None:
    """ValueError unless this is a digest."""
    if not SHA256.fullmatch(digest):
        raise ValueError(f"{called}: expected 64 hexadecimal digits in small letters")


def check_number(number: int, called: str) -> None:
    """ValueError unless this is a moment, a position or a version."""
    if not 0 <= number < LATEST:
        raise ValueError(f"{called}: expected a whole number from 0 on, below 2^53")


@dataclass(frozen=True)
class Leaf:
    """What every leaf says."""

    at: int
    """When it was logged, in seconds since 1970."""
    statement: str
    """sha256 of the payload that was signed for it."""

    kind: ClassVar[str]
    digests: ClassVar[tuple[str, ...]]
    """Fields that hold a digest, or the id of a key."""
    numbers: ClassVar[tuple[str, ...]]

    def __init_subclass__(
        cls, kind: str, digests: tuple[str, ...] = (), numbers: tuple[str, ...] = ()
    ) -> None:
        cls.kind = kind
        cls.digests = digests
        cls.numbers = numbers

    def __post_init__(self) -> None:
        for field in ("statement", *self.digests):
            check_sha256(getattr(self, field), field)
        for field in ("at", *self.numbers):
            check_number(getattr(self, field), field)

    def document(self) -> dict[str, object]:
        """The leaf as plain data."""
        return {"kind": self.kind, **asdict(self)}

    def content(self) -> bytes:
        """The leaf as the log hashes it."""
        return leaf_bytes(self.document())

    def stated(self) -> dict[str, object]:
        """The part of it that its statement repeats."""
        return {key: value for key, value in self.document().items() if key not in LOGGED}


@dataclass(frozen=True)
class RootLeaf(Leaf, kind="root", digests=("root",), numbers=("version",)):
    """A version of the trust root comes into force."""

    version: int
    root: str
    """sha256 of trust/<version>.root.json."""


@dataclass(frozen=True)
class SuiteLeaf(Leaf, kind="suite", digests=("plan",), numbers=("version",)):
    """A version of a suite opens for registrations, or retires."""

    suite: str
    version: int
    state: Literal["open", "retired"]
    plan: str
    """Digest of what its plans share (formats/plan.py: suite_digest)."""
    successor: int | None
    """The version that replaces a retired one, if one does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.suite, "suite")
        if self.successor is not None and (
            self.state == "open" or not self.version < self.successor < LATEST
        ):
            raise ValueError("successor: only a retired suite has one, and it is a later version")


@dataclass(frozen=True)
class AdmitLeaf(Leaf, kind="admit"):
    """A key may register plans and submit entries from here on."""

    public_key: str

    def __post_init__(self) -> None:
        super().__post_init__()
        keys.check_public_key(self.public_key)


@dataclass(frozen=True)
class RevokeLeaf(Leaf, kind="revoke", digests=("key",), numbers=("since",)):
    """A submitter's key speaks no longer, and what it said from `since` on is disputed."""

    key: str
    since: int
    """A position in the log."""


@dataclass(frozen=True)
class KeychangeLeaf(Leaf, kind="keychange", digests=("key",)):
    """A submitter speaks with another key from here on."""

    key: str
    """The former one."""
    public_key: str
    recovered: bool
    """Whether maintainers say so, because the former key was lost or stolen."""

    def __post_init__(self) -> None:
        super().__post_init__()
        keys.check_public_key(self.public_key)


@dataclass(frozen=True)
class RegisterLeaf(Leaf, kind="register", digests=("key", "draft", "image"), numbers=("version",)):
    """A plan is announced before it is run."""

    key: str
    suite: str
    version: int
    draft: str
    """Digest of the plan without its seeds; of a blinded plan, digest of salt and that digest."""
    image: str
    """Digest of the content of the image that will run it."""
    blinded: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.suite, "suite")


@dataclass(frozen=True)
class RevealLeaf(Leaf, kind="reveal", digests=("key", "draft", "salt"), numbers=("registration",)):
    """What a blinded registration had announced."""

    key: str
    registration: int
    """Position of its leaf."""
    draft: str
    salt: str


@dataclass(frozen=True)
class EntryLeaf(
    Leaf, kind="entry", digests=("key", "entry", "policies"), numbers=("registration",)
):
    """The results of a registered plan are accepted."""

    key: str
    registration: int
    entry: str
    """sha256 of the entry's signed payload."""
    policies: str
    """sha256 over the digests of its trained policies: the same runs cannot be entered twice."""
    licence: Licence


@dataclass(frozen=True)
class ReevalLeaf(Leaf, kind="reeval", digests=("key", "measured"), numbers=("entry",)):
    """Somebody else measured an entry again."""

    key: str
    entry: int
    """Position of its leaf."""
    level: Confirmed
    measured: str
    """sha256 of the re-evaluation's signed payload."""


@dataclass(frozen=True)
class AmendLeaf(Leaf, kind="amend", digests=("key",), numbers=("entry",)):
    """A note or a link of an entry changes; its numbers never do."""

    key: str
    entry: int


@dataclass(frozen=True)
class RetractLeaf(Leaf, kind="retract", numbers=("target",)):
    """A registration is given up, or an entry leaves the ranking. Its page stays."""

    key: str | None
    """The submitter's; None where maintainers retract it."""
    target: int
    """Position of the leaf of a registration or an entry."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.key is not None:
            check_sha256(self.key, "key")


AnyLeaf = (
    RootLeaf
    | SuiteLeaf
    | AdmitLeaf
    | RevokeLeaf
    | KeychangeLeaf
    | RegisterLeaf
    | RevealLeaf
    | EntryLeaf
    | ReevalLeaf
    | AmendLeaf
    | RetractLeaf
)
KINDS: Mapping[str, type[AnyLeaf]] = {cls.kind: cls for cls in typing.get_args(AnyLeaf)}


def parse_leaf(content: bytes, location: str) -> AnyLeaf:
    """The leaf in a line of a bundle; DocumentError says what is wrong with it."""
    document = parse_json(content, location)
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise DocumentError(f"{location}: expected a leaf with its kind, found {shown(document)}")
    fields = dict(document)
    kind = fields.pop("kind")
    if kind not in KINDS:
        raise DocumentError(f"{location}: unknown kind {kind[:40]!r}.{suggestion(kind, KINDS)}")
    return build(KINDS[kind], fields, location)
