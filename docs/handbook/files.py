"""docs/reference/files.md: every file under OUT, from the map of a plan's folder and its types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handbook.documents import Links, field_table, link, links_to, part_sections, parts_of
from handbook.fields import summary
from handbook.markdown import code, page, table
from harness.folder import CohortFolder, Folder, RunFolder
from harness.planning.cohorts import Cohorts
from harness.training.ending import Ending
from harness.training.faults import Faults
from harness.training.progress import Progress
from harness.training.results import Timing
from leaderboard.formats.log.beacon import Round
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.mirrors import KeptElsewhere
from leaderboard.formats.plan import Plan
from leaderboard.formats.records import TYPES
from leaderboard.formats.reeval import Reevaluation
from leaderboard.formats.registration import Registration
from leaderboard.formats.run import CSV_COLUMNS, StatedRun
from leaderboard.formats.statement import Predicate
from leaderboard.formats.suite import SuiteReference

OPENING = """\
A run writes to `OUT/<plan id>/`, where OUT is what `--out` names (`out`). Equal plans have equal
ids, so the same runs always go to the same folder. The entry lists what is signed with it
([entries](../entries.md)); `leaderboard.load` reads nothing else ([data](../data.md)). A JSON
document of one of our formats names its schema and version. A file is written under another name
first, so it is there as a whole or not at all."""
ENVELOPE = """\
A [DSSE](https://github.com/secure-systems-lab/dsse) envelope: `payload` is base64 of an in-toto
Statement, whose `subject` lists the signed files with their sha256, and whose `predicate` has these
keys:"""
TENSORS = """\
Files in the format of [safetensors](https://huggingface.co/docs/safetensors). A module's file has
the weights of one member, `[copies, in, out]` each. `masks.safetensors` has `first/MODULE/LAYER`
and `last/MODULE/LAYER`, eight mask bits to a byte; the shapes are the weights'."""
CANONICAL = "As whoever judges an entry reads it; in canonical form (RFC 8785)."
REGISTERED = "Of a registered plan: what its leaf says and nothing else in the entry does."
ROUND = "Of a registered plan: the round of its seeds, as the beacon's relays serve it."
ELSEWHERE = "On a board: where tensors are that do not lie beside their entry."
OTHERS = {
    "OUT/drafts/": "Plans that wait for their seeds ([registration](../registration.md)).",
    "OUT/tensorboard/, OUT/wandb/, OUT/mlflow/": "Curves of `run --log` ([data](../data.md)).",
    "tensors.json": ELSEWHERE,
    "baseline.json": "In a baseline: its history, with reasons ([the gate](../ci.md)).",
}


DOCUMENTS: dict[str, tuple[type, str]] = {
    "plan.json": (Plan, CANONICAL),
    "suite.json": (SuiteReference, ""),
    "cohorts.json": (Cohorts, ""),
    "manifest.json": (Manifest, ""),
    "entry.dsse.json": (Predicate, ENVELOPE),
    "reeval.dsse.json": (Reevaluation, ENVELOPE),
    "registration.json": (Registration, REGISTERED),
    "beacon.json": (Round, ROUND),
    "result.json": (StatedRun, "The same is stated in the entry. A missing run states zeros."),
    "timing.json": (Timing, ""),
    "progress.json": (Progress, ""),
    "faults.json": (Faults, ""),
    "ending.json": (Ending, ""),
    "tensors.json": (KeptElsewhere, ELSEWHERE),
}
"""File -> its fields, and what is said of it besides the line in the map."""


@dataclass(frozen=True)
class _Run:
    """Stands for any run."""

    name: str = "TASK/REGIME/SEED"


def files_page() -> str:
    """The page."""
    parts = parts_of([*(model for model, _ in DOCUMENTS.values()), *TYPES.values()])
    links = {**links_to(parts), StatedRun: link("result.json")}
    sections = []
    for file, (model, opening) in DOCUMENTS.items():
        sections += [f"## {file}", *filter(None, [opening]), field_table(model, links)]
        if model is StatedRun:
            sections += _records(links)
    return page(
        "Files under OUT",
        OPENING,
        table(["file", "what it is"], map_of_files()),
        "Beside them:",
        table(["file", "what it is"], [[code(name), text] for name, text in OTHERS.items()]),
        *sections,
        *("## results.csv", f"Columns: {', '.join(map(code, CSV_COLUMNS))}."),
        *("## Tensors", TENSORS, "## Parts of documents"),
        *part_sections(parts, links, "###"),
    )


def map_of_files() -> Iterator[list[str]]:
    """Path and meaning of every file of a plan's folder."""
    folder = Folder(Path())
    yield from _files(folder)
    yield from _files(folder.run(_Run()))
    yield from _files(CohortFolder(Path("cohorts/I")))


def _files(folder: Folder | RunFolder | CohortFolder) -> Iterator[list[str]]:
    """The files that a folder's properties name; a method that takes a name stands for several."""
    for name, member in vars(type(folder)).items():
        meaning = summary(member)
        if isinstance(member, property):
            found: Any = getattr(folder, name)
            for path in found if isinstance(found, tuple) else (found,):
                yield [code(str(path)), meaning]
        elif name == "tensors" and isinstance(folder, RunFolder):
            yield [code(str(folder.tensors("MODULE"))), meaning]


def _records(links: Links) -> list[str]:
    """The kinds of lines of a run's records."""
    parts = [
        "## records.jsonl",
        "A JSON document a line, of one of these kinds; `before` is the digest of the line above.",
    ]
    for name, model in TYPES.items():
        parts += [f"**{name}**: {summary(model)}", field_table(model, links)]
    return parts
