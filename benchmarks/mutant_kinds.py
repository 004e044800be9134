"""What differs between an accepted mutant and its original, and why it may (mutations.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from mutants import ENVELOPE, SIDE, Files, Mutant

from leaderboard.formats import envelope
from leaderboard.formats.tensors import parse_tensors

CONSEQUENCES = re.compile(
    r"entry\.subject\..*|entry\.predicate\.(signer|plan)\..*|manifest\.json\.plan"
    r"|.*\.(chain_head|before)"
)
"""What follows from another change: digests, ids and the signer."""
ORIGIN = r"(nonce|canary|resumes|source|versions|hardware|image|fingerprints|times)(\..*)?"
TOLD = "origin: self-reported, and told alike by statement and manifest"
SELF_REPORTED = "self-reported until trained again"
HARMLESS: dict[str, str] = {
    rf"entry\.predicate\.{ORIGIN}": TOLD,
    rf"manifest\.json\.{ORIGIN}": TOLD,
    r"(entry\.predicate|manifest\.json)\.unranked_because(\..*)?": "why nothing is ranked: texts",
    r"manifest\.json\.(command|faults)": "how it was run: self-reported",
    r"(entry\.predicate\.runs\.\d+|result\.json)\.members": f"size of a cohort: {SELF_REPORTED}",
    r"records\.jsonl\.\d+\.(diagnostics|updates|rewires)(\..*)?": f"diagnostics: {SELF_REPORTED}",
    r"records\.jsonl\.\d+\.returns\.\d+": f"points of a curve: {SELF_REPORTED}",
    r"timing\.json(\..*)?": "timing: self-reported",
    r"(encoder|critic|actor)\.safetensors\..*": "weights that no mask leaves out: what they are"
    " worth takes a re-evaluation",
}
"""Path of a value -> why it may differ in an accepted entry."""
OWN = ("plan.json.", "suite.json.", "entry.predicate.suite.")
OWN_PLAN = "another plan of the submitter's own, which never bears a shipped suite's name"


def values(files: Files) -> dict[str, Any]:
    """Every value of an entry under the path of its place; tensors are one value each."""
    found: dict[str, Any] = {}
    for name, content in files.items():
        for path, value in _leaves(_document(name, content)):
            found[f"{'entry' if name == ENVELOPE else name}{path}"] = value
    return found


def _document(name: str, content: bytes) -> Any:
    if name in (ENVELOPE, SIDE):
        statement = json.loads(envelope.open_envelope(content).payload)
        listed = {row["name"]: row["digest"] for row in statement["subject"]}
        return statement | {"subject": listed}
    if name.endswith(".safetensors"):
        tensors, metadata = parse_tensors(content, name)
        return {key: _bits(array) for key, array in tensors.items()} | {"metadata": metadata}
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in content.splitlines()]
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _bits(array: np.ndarray[Any, Any]) -> str:
    return f"{array.dtype} {array.shape} {array.tobytes().hex()}"


def _leaves(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of everything that has no parts; an empty mapping or list counts."""
    parts: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        parts = list(document.items())
    elif isinstance(document, list):
        parts = list(enumerate(document))
    if not parts:
        yield path, document
    for key, value in parts:
        yield from _leaves(value, f"{path}.{key}")


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Path -> both values, where they are not equal, but for consequences. Paths begin with the
    last name of their file."""
    found = {}
    for path in before.keys() | after.keys():
        values_there = before.get(path), after.get(path)
        short = re.sub(r"^runs/[^.]*/", "", path)
        equal = values_there[0] == values_there[1] and (path in before) == (path in after)
        if not equal and not CONSEQUENCES.fullmatch(short):
            found[short] = values_there
    return found


def kinds(
    mutant: Mutant, changed: dict[str, tuple[Any, Any]], own: bool
) -> tuple[set[str], list[str]]:
    """Why each difference is harmless, and those that are not."""
    if not changed:
        return {f"{mutant.where}: the same document, spelled otherwise or as it was"}, []
    reasons = set()
    breaches = []
    for path, (before, after) in changed.items():
        reason = next((why for row, why in HARMLESS.items() if re.fullmatch(row, path)), None)
        if (
            reason is None
            and own
            and path.startswith(("plan.json.", "suite.json.", "entry.predicate.suite."))
        ):
            reason = OWN_PLAN
        if reason is None:
            breaches.append(f"{path}: {str(before)[:60]} -> {str(after)[:60]} ({mutant.how})")
        else:
            reasons.add(f"{mutant.where}: {reason}")
    return reasons, breaches
