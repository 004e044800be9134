"""Whether this machine is one on which every bit of an entry must come out again, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.config import build
from harness.machine import provenance
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.statement import Predicate


def differences(predicate: Predicate, fingerprints: Mapping[str, str]) -> list[str]:
    """How this machine differs from the one that an entry names, in words; empty: bits repeat.

    `fingerprints`: of the simulation here, by task. What the entry names is the submitter's word,
    so a difference excuses other bits and nothing else.
    """
    return [
        *_hardware(predicate.hardware, build(Hardware, provenance.hardware(), "hardware")),
        *_table("version of", predicate.versions, provenance.versions()),
        *_table("simulation of", predicate.fingerprints, fingerprints),
    ]


def _hardware(theirs: Hardware, ours: Hardware) -> Iterator[str]:
    """Another CPU computes other bits; a GPU sums in another order than any CPU."""
    if theirs.gpus:
        yield f"the entry names a GPU ({theirs.gpus[0]}), and its policies played on a CPU here"
    if theirs.architecture != ours.architecture:
        yield f"the entry names architecture {theirs.architecture}, here {ours.architecture}"
    if theirs.cpu != ours.cpu:
        yield f"the entry names CPU {theirs.cpu}, here {ours.cpu}"
    elif theirs.cpu_flags != ours.cpu_flags:
        yield "the entry names other features of its CPU than this one has"


def _table(called: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*theirs, *ours}):
        if theirs.get(name) != ours.get(name):
            here = str(ours.get(name))[:40]
            yield f"{called} {name}: the entry names {str(theirs.get(name))[:40]}, here {here}"
