"""manifest.json: when, where and by which code a plan was carried out. It decides no number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MANIFEST_SCHEMA: Literal["urn:mst-bench:manifest:v1"] = "urn:mst-bench:manifest:v1"


@dataclass(frozen=True)
class SourceCode:
    """This project's own code."""

    code_sha256: str
    commit: str | None
    """None outside a git checkout and outside the image."""
    dirty: bool | None
    """Whether files differ from the commit."""


@dataclass(frozen=True)
class Hardware:
    """What the runs ran on."""

    architecture: str
    cpu: str
    cpu_flags: tuple[str, ...]
    """The flags by which the C library chooses its code."""
    cores: int
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """The reference image that the runs ran in."""

    variant: Literal["cuda", "cpu"]
    content_sha256: str
    """Digest of its content manifest."""


@dataclass(frozen=True)
class Times:
    """First and last moment of a plan's execution, in UTC."""

    started: str
    ended: str


@dataclass(frozen=True)
class Origin:
    """Where results come from, as both a manifest and a signed statement say."""

    nonce: str
    """Random: tells two executions of one plan apart."""
    times: Times
    resumes: int
    source: SourceCode
    versions: dict[str, str]
    hardware: Hardware
    image: Image | None
    """None outside the reference image."""
    fingerprints: dict[str, str]
    """Task -> fingerprint of its simulation on this machine."""
    canary: str
    """Digest of a short run of the plan's algorithm by this code on this CPU."""
    unranked_because: tuple[str, ...]


@dataclass(frozen=True)
class Manifest(Origin):
    """manifest.json."""

    schema: Literal["urn:mst-bench:manifest:v1"]
    plan: str
    """The plan's id."""
    command: str
    """As typed."""
    faults: int
    """Infrastructure faults of all cohorts."""
