"""in-toto Statements: the shape that all signed documents share, and the statement of an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from leaderboard.formats.document import DocumentError, build, convert
from leaderboard.formats.keys import SigningKey, key_id
from leaderboard.formats.manifest import Origin
from leaderboard.formats.plan import Budget
from leaderboard.formats.run import StatedRun
from leaderboard.formats.schema import RUN_SCHEMA, schema_defects

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RUN_TYPE = "urn:mst-bench:run:v3"

P = TypeVar("P")


@dataclass(frozen=True)
class Digest:
    """Digests of one file."""

    sha256: str


@dataclass(frozen=True)
class Subject:
    """A file that a statement is about."""

    name: str
    """Its path, seen from the entry's folder."""
    digest: Digest


@dataclass(frozen=True)
class Signer:
    """The signer, as the statement itself names it. Its id is the digest of its key."""

    public_key: str
    """64 hexadecimal digits."""
    one_use: bool
    """Whether the key was made for this one statement: it proves that nothing changed, not who
    signed."""

    @classmethod
    def of(cls, key: SigningKey) -> Signer:
        """The signer that holds a key."""
        return cls(key.public_hex, key.one_use)

    @property
    def key_id(self) -> str:
        """Computed from the key, never stated: nobody can name another's."""
        return key_id(self.public_key)


@dataclass(frozen=True)
class Statement(Generic[P]):
    """Files, and what is stated of them."""

    subject: tuple[Subject, ...]
    predicate: P


@dataclass(frozen=True)
class SuiteVersion:
    """The suite that an entry's plan was made from."""

    name: str
    """A shipped suite's, or one that begins with `own-`."""
    version: int
    changes: tuple[str, ...]


@dataclass(frozen=True)
class PlanReference:
    """The plan that an entry's runs follow."""

    id: str
    """First 16 hexadecimal digits of its digest."""
    sha256: str
    log_index: int | None
    """Position of the leaf that registered it in the log of a board; None if it was not."""


@dataclass(frozen=True)
class Predicate(Origin):
    """What an entry states: every planned run, and where the results come from."""

    suite: SuiteVersion
    plan: PlanReference
    ranked: bool
    """Whether nothing speaks against ranking it, as far as its maker knows. Whether it is ranked
    follows from its registration (verification/registration.py)."""
    budget: Budget
    runs: tuple[StatedRun, ...]
    signer: Signer


def read_entry_statement(document: object) -> Statement[Predicate]:
    """The statement of an entry; DocumentError says what is wrong with it."""
    _check_version(document)
    return read_statement(document, RUN_SCHEMA, Predicate)


def _check_version(document: object) -> None:
    """DocumentError for an entry in another version of this format, with the program that wrote
    it."""
    if not isinstance(document, Mapping):
        return
    written = document.get("predicateType")
    if written == RUN_TYPE or not str(written).startswith("urn:mst-bench:run:"):
        return

    # Of a foreign version nothing is certain, so it is read without a type.
    predicate = document.get("predicate")
    versions = predicate.get("versions") if isinstance(predicate, Mapping) else None
    writer = versions.get("mst-bench") if isinstance(versions, Mapping) else None
    raise DocumentError(
        f"predicateType is {written}, written by mst-bench {writer}; this version reads"
        f" {RUN_TYPE}. Verify it with the version that wrote it"
    )


def read_statement(document: object, schema: str, predicate: type[P]) -> Statement[P]:
    """A statement whose predicate has a type; DocumentError says what is wrong with it."""
    # The schema first: it is the published contract.
    defects = schema_defects(schema, document, "statement")
    if defects:
        more = f" (and {len(defects) - 1} more)" if len(defects) > 1 else ""
        raise DocumentError(defects[0] + more)

    # Then the types, which code relies on.
    assert isinstance(document, Mapping), "the schema asks for a mapping"
    return Statement(
        subject=convert(tuple[Subject, ...], document["subject"], "statement: subject"),
        predicate=build(predicate, document["predicate"], "statement: predicate"),
    )


def statement_document(
    predicate_type: str, subjects: Mapping[str, str], predicate: DataclassInstance
) -> dict[str, object]:
    """A statement as plain data, to be signed. `subjects`: name -> sha256."""
    subject = [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects.items()]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject,
        "predicateType": predicate_type,
        "predicate": asdict(predicate),
    }
