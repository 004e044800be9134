"""The folder of `reeval --work`: what was trained again, so that the same command goes on with it.

    reeval.json            which re-evaluation it is, and where it began
    <k>/<plan id>/         the k-th cohort that was drawn, a plan folder of its own

What lies there is believed: it is the re-evaluator's own, and no part of an entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.config import build
from harness.errors import NonConforming, UserError
from harness.files import read_json, write_json
from harness.machine import provenance
from harness.options import Options
from harness.training.lease import turn

NAME = "reeval.json"
LEASES = "leases"
SCHEMA = "urn:mst-bench:reeval-work:v1"


@dataclass(frozen=True)
class Begun:
    """reeval.json."""

    schema: str
    entry: str
    """SHA-256 of the entry's payload."""
    nonce: str
    """Names the fresh streams, and draws the runs that are trained again."""
    where: dict[str, str]
    """What decides the bits of a training, by name: machine, code, libraries, device."""


def where(options: Options) -> dict[str, str]:
    """What decides the bits of a training with these options here."""
    machine = provenance.hardware()
    device, _, index = options.device.partition(":")
    found = {
        **provenance.identity(),
        "architecture": machine["architecture"],
        "CPU": machine["cpu"],
        "features of the CPU": " ".join(machine["cpu_flags"]),
        "device": device,
        "deterministic": str(options.deterministic),
    }
    if device == "cuda":
        found["GPU"] = machine["gpus"][int(index or 0)]
    return found


def check_own(work: Path, theirs: Iterable[Path]) -> None:
    """UserError for a folder that somebody else may have made: one that holds or is held by one of
    `theirs`, or that is neither empty nor that of a re-evaluation."""
    ours = work.resolve()
    for folder in theirs:
        other = folder.resolve()
        if ours.is_relative_to(other) or other.is_relative_to(ours):
            raise UserError(
                f"--work {work}: {folder} lies in it, or it in there; give another folder."
            )
    if (work / NAME).exists() or not work.is_dir():
        return
    if {path.name for path in work.iterdir()} - {LEASES}:
        raise UserError(
            f"--work {work}: is not empty, and holds no re-evaluation; give a new folder."
        )


def nonce_of(work: Path, now: Begun, drawn: bool) -> str:
    """The nonce of the re-evaluation in `work`, which is that of `now` if it only begins.

    `drawn`: a beacon gave the nonce, so that no other one counts. UserError for the folder of
    another re-evaluation, NonConforming for one that began where other bits are computed.
    """
    path = work / NAME
    with turn(work / LEASES):
        if not path.exists():
            write_json(path, asdict(now))
    begun = _read(path)
    if begun.entry != now.entry or (drawn and begun.nonce != now.nonce):
        raise UserError(f"{path}: is of another re-evaluation; give another --work.")
    for name in sorted({*begun.where, *now.where}):
        there, here = begun.where.get(name, "none"), now.where.get(name, "none")
        if there != here:
            raise NonConforming(
                f"{path}: began with {name} {there[:40]}, and here it is {here[:40]}, so bits may"
                " differ. Go on as it began, or give another --work."
            )
    return begun.nonce


def _read(path: Path) -> Begun:
    try:
        begun = build(Begun, read_json(path), str(path))
    except UserError:
        begun = None
    if begun is None or begun.schema != SCHEMA:
        raise UserError(f"{path}: was cut or edited, or another version's; give another --work.")
    return begun
