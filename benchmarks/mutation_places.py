"""Which small changes of the code are tried by mutation_testing.py, and which tests belong to what.

A place is a spot of a file that cosmic-ray knows how to change: an operator, a comparison, a
number, a loop, a decorator. Some places have many mutants (`*` has eleven, a number has two), so
places are drawn first and one mutant of each. Annotations are no places: nothing evaluates them.
"""

from __future__ import annotations

import ast
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec

LEAST = 3
"""So many places of every file are drawn, however small it is."""

_AGENTS = "tests/agents/test_"
_BOARD = "tests/leaderboard/test_"
_ATTACKS = "tests/attacks/test_"


def _files(prefix: str, *names: str) -> tuple[str, ...]:
    """Test files of one folder."""
    return tuple(f"{prefix}{name}.py" for name in names)


_SPARSE = _files(_AGENTS, "sparsity", "masks", "regimes")
_LEARNT = _files(_AGENTS, "replay", "plain_mrq", "learner", "members")
_VERIFIED = (
    *_files(_BOARD, "signed_files", "verify", "verify_origin", "verify_records", "verify_reeval"),
    *_files(_BOARD, "trust", "release", "audit", "verify_documents", "verify_bytes"),
    *_files(_ATTACKS, "f01_identity", "f02_plan", "f04_sparsity"),
)

BELONGING = {
    "leaderboard/statistics/chances.py": _files(_BOARD, "power"),
    "leaderboard/statistics/claimed.py": _files(_BOARD, "claimed"),
    "leaderboard/statistics/claims.py": _files(_BOARD, "claims", "wrong_verdicts", "power"),
    "leaderboard/statistics/contrasts.py": _files(_BOARD, "contrasts"),
    "leaderboard/statistics/equivalence.py": _files(_BOARD, "equivalence"),
    "leaderboard/statistics/figures.py": _files(_BOARD, "figures", "claims", "wrong_verdicts"),
    "leaderboard/statistics/gate.py": _files(_BOARD, "gate"),
    "leaderboard/statistics/measures.py": _files(
        _BOARD, "rules", "claims", "wrong_verdicts", "power"
    ),
    "leaderboard/statistics/power.py": _files(_BOARD, "power"),
    "leaderboard/statistics/references.py": _files(
        _BOARD, "references", "claims", "wrong_verdicts"
    ),
    "leaderboard/statistics/resampled.py": _files(_BOARD, "claimed"),
    "leaderboard/statistics/rules.py": _files(_BOARD, "rules", "claims", "wrong_verdicts", "power"),
    "leaderboard/statistics/scores.py": _files(
        _BOARD, "scores", "figures", "contrasts", "differences", "table", "claims", "wrong_verdicts"
    ),
    "leaderboard/statistics/stats.py": _files(
        _BOARD, "stats", "table", "differences", "contrasts", "claims", "wrong_verdicts"
    ),
    "leaderboard/verification/checks.py": _VERIFIED,
    "leaderboard/verification/files.py": _VERIFIED,
    "leaderboard/verification/origin.py": _VERIFIED,
    "leaderboard/verification/plan.py": _VERIFIED,
    "leaderboard/verification/runs.py": _VERIFIED,
    "leaderboard/verification/signature.py": _VERIFIED,
    "leaderboard/verification/tensors.py": _VERIFIED,
    "leaderboard/verification/verify.py": _VERIFIED,
    "agents/sparsity/counting.py": _files(_AGENTS, "counting"),
    "agents/sparsity/distribution.py": _SPARSE,
    "agents/sparsity/masks.py": _SPARSE,
    "agents/sparsity/regime.py": _SPARSE,
    "agents/sparsity/rewire.py": _SPARSE,
    "agents/sparsity/schedule.py": _SPARSE,
    "agents/mrq/losses.py": _files(_AGENTS, "losses", "plain_mrq", "diagnostics"),
    "agents/members/lap.py": _LEARNT,
    "agents/members/module.py": _files(
        _AGENTS, "layers", "learner", "plain_mrq", "masks", "members", "diagnostics"
    ),
    "agents/members/replay.py": _LEARNT,
}
"""A file of the code -> the test files that must notice its mutants, the fastest first."""
EVERY_FILE = _files("tests/test_", "frozen")
"""Test files that belong to all of them."""


class Place(NamedTuple):
    """One mutant, by where it is and what it does."""

    file: str
    line: int
    operator: str
    """cosmic-ray's name of it, without `core/`."""
    occurrence: int
    """Which of the places that this operator finds in the file."""

    def mutant(self, code: str) -> str:
        """The whole file as this mutant has it.

        code: the file as it is.
        """
        changed = mutate_code(code, get_operator(f"core/{self.operator}")(), self.occurrence)
        if changed is None:
            raise ValueError(f"{self.file}: {self.operator} finds no place {self.occurrence}")
        return str(changed)


def tests_of(file: str) -> tuple[str, ...]:
    """The test files that must notice the mutants of a file."""
    return BELONGING[file] + EVERY_FILE


def changed_line(code: str, mutant: str) -> str:
    """The first line of a mutant that differs, without its indent."""
    pairs = zip(code.splitlines(), mutant.splitlines(), strict=False)
    return next((new.strip() for old, new in pairs if old != new), "")


def sample(root: Path, count: int, seed: int) -> list[Place]:
    """About `count` mutants, in each file as many as its share of all places is.

    root: the tree. seed: of the draw.
    """
    places = {file: _places(root, file) for file in BELONGING}
    total = sum(len(spots) for spots in places.values())

    drawn = []
    for file, spots in places.items():
        # One stream for each file: another file's changes leave this one's sample alone.
        stream = random.Random(f"{seed} {file}")
        share = max(LEAST, round(count * len(spots) / total))
        chosen = stream.sample(sorted(spots), min(share, len(spots)))
        drawn += sorted(stream.choice(spots[spot]) for spot in chosen)
    return drawn


def _places(root: Path, file: str) -> dict[tuple[int, ...], list[Place]]:
    """Position in a file -> the mutants that there are at it."""
    unread = list(_annotations((root / file).read_text()))
    spots = defaultdict(list)
    for mutation in _mutations(root / file):
        start, end = mutation.start_pos, mutation.end_pos
        if not any(first <= start and end <= last for first, last in unread):
            name = mutation.operator_name.removeprefix("core/")
            spots[*start, *end].append(Place(file, start[0], name, mutation.occurrence))
    return spots


def _mutations(path: Path) -> Iterator[MutationSpec]:
    """All that cosmic-ray would do to a file, each alone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        use_db(str(Path(folder) / "session.sqlite"), WorkDB.Mode.create) as database,
    ):
        init([path], database, {})
        for item in database.work_items:
            yield from item.mutations


def _annotations(code: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end of each annotation, as (line, column)."""
    for node in ast.walk(ast.parse(code)):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.expr):
                end = (annotation.end_lineno or 0, annotation.end_col_offset or 0)
                yield (annotation.lineno, annotation.col_offset), end
