"""Names of the files in an entry's folder, for whoever reads one.

The harness writes them under the same names (harness/folder.py).
"""

from __future__ import annotations

import re

ENTRY = "entry.dsse.json"
OWN_REEVAL = "reeval.dsse.json"
"""What a re-evaluation signed, unless it was told to write elsewhere."""
PLAN = "plan.json"
SUITE = "suite.json"
MANIFEST = "manifest.json"
TABLE = "results.csv"
"""One row for each planned run."""
REGISTRATION = "registration.json"
PROOF = "registration.tlog-proof"
BEACON = "beacon.json"
REGISTERED = (REGISTRATION, PROOF, BEACON)
"""Files of an entry whose plan was registered in the log of a board."""

TENSORS = "tensors.json"
"""Where the files of tensors are that do not lie beside the entry."""
SUBMISSION = "submission.dsse.json"
"""What a submitter signs for the leaf of an entry, until it is logged."""
REEVAL = re.compile(r"reeval-[0-9a-f]{16}\.dsse\.json", re.ASCII)
"""A re-evaluation beside its entry on a board: the beginning of its payload's digest."""
REEVAL_STATEMENT = re.compile(rf"reeval-[0-9a-f]{{16}}\.{re.escape(SUBMISSION)}", re.ASCII)
"""What the re-evaluator signs for the leaf, until it is logged."""
ENVELOPE = ".dsse.json"
"""What the name of an envelope ends with."""

RESULT = "result.json"
RECORDS = "records.jsonl"
TIMING = "timing.json"
MASKS = "masks.safetensors"
"""First and last mask of every module."""


def reeval_file(payload_sha256: str) -> str:
    """The file of the re-evaluation whose payload has this digest."""
    return f"reeval-{payload_sha256[:16]}{ENVELOPE}"


def reeval_statement(reeval: str) -> str:
    """The file of the statement for a re-evaluation's leaf, which lies beside it."""
    return f"{reeval.removesuffix(ENVELOPE)}.{SUBMISSION}"


def stated_reeval(path: str) -> str:
    """The file of the re-evaluation that a statement is for; any other path as it is."""
    statement = f".{SUBMISSION}"
    return f"{path.removesuffix(statement)}{ENVELOPE}" if path.endswith(statement) else path


def run_folder(run: str) -> str:
    """The folder of the run that is called `run` (`task/regime/seed`)."""
    return f"runs/{run}"


def run_file(run: str, file: str) -> str:
    """A file of a run, seen from the entry's folder."""
    return f"{run_folder(run)}/{file}"


def weights_file(module: str) -> str:
    """The file of a run's folder that holds a module's weights."""
    return f"{module}.safetensors"


def tensor_files(modules: tuple[str, ...]) -> tuple[str, ...]:
    """All files of tensors in the folder of a run that trains these modules."""
    return (*(weights_file(module) for module in modules), MASKS)
