"""`regress`: did a change break learning?

The learning gate asks in turn whether two folders are comparable, whether nothing changed to the
bit, and what statistics say of the scores; fresh seeds confirm a FAIL. Speed and memory have gates
of their own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.entries.verified import verified
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import digest_file
from harness.folder import Folder
from harness.planning.plan import Plan, read_plan
from harness.training.results import read_timings
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.run import StatedRun
from leaderboard.statistics import gate

SAME = (
    "precision",
    "agent",
    "settings",
    "blocks",
    "own",
    "regimes",
    "budget",
    "evaluation",
)
"""Fields in which two plans must agree to be comparable."""


@dataclass(frozen=True)
class Side:
    """A verified plan folder."""

    folder: Path
    plan: Plan
    manifest: Manifest
    runs: tuple[StatedRun, ...]


@dataclass(frozen=True)
class Gate:
    """One gate and its verdict."""

    name: str
    word: gate.Word | str
    """PASS, FAIL, INCONCLUSIVE, or `not compared`."""
    detail: str


@dataclass(frozen=True)
class Limits:
    """How strict the gates are."""

    tolerance: float = gate.TOLERANCE
    margin: float = gate.MARGIN
    alpha: float = gate.ALPHA
    speed: float | None = None
    """Largest loss of training speed, as a share; None: measured, and no gate."""
    memory: float | None = None
    """Largest growth of memory, as a share; None: measured, and no gate."""


@dataclass(frozen=True)
class Outcome:
    """The verdict of `regress`, and what it rests on."""

    word: gate.Word
    gates: list[Gate]
    cells: tuple[gate.CellVerdict, ...]
    """Of the learning gate, one for each task and regime."""
    more_seeds: int
    """Seeds that would decide an INCONCLUSIVE, about; otherwise 0."""
    calibration: str = field(default_factory=gate.calibration_line)


Confirm = Callable[[Plan], Path]
"""Called with a plan: carries it out and returns its folder."""


@dataclass(frozen=True)
class _Learning:
    """The learning gate, with the cells that it judged."""

    verdict: Gate
    cells: tuple[gate.CellVerdict, ...] = ()
    more_seeds: int = 0


def regress(
    baseline: Path, candidate: Path, limits: Limits, confirm: Confirm | None, canary: bool = True
) -> Outcome:
    """The verdict on two plan folders, or on a baseline and a plan folder.

    `confirm` carries a plan with fresh seeds out, once, before a FAIL counts. `canary`: whether
    bit-identical behaviour passes without statistics.

    Raises Refused for an entry that does not verify, NonConforming if the two are not comparable,
    Incomplete if runs are missing.
    """
    old, new = sides(baseline, candidate)
    identical = _identical(old, new) if canary else ""
    if identical:
        learning = _Learning(Gate("learning", "PASS", f"bit-identical: {identical}"))
    else:
        learning = _judged(old, new, limits, confirm)
    gates = [learning.verdict, _speed(old, new, limits.speed), _memory(old, new, limits.memory)]
    return Outcome(_worst(gates), gates, learning.cells, learning.more_seeds)


def _worst(gates: list[Gate]) -> gate.Word:
    """FAIL before INCONCLUSIVE before PASS."""
    words = [verdict.word for verdict in gates]
    if "FAIL" in words:
        return "FAIL"
    return "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"


def sides(baseline: Path, candidate: Path) -> tuple[Side, Side]:
    """Two plan folders, verified and comparable; errors as in `regress`."""
    old = _side(baseline)
    new = _side(candidate)
    _check_comparable(old, new)
    for side in (old, new):
        _check_seeds(side)
    return old, new


def _side(folder: Path) -> Side:
    documents = verified(folder).documents
    runs = documents.statement.predicate.runs
    missing = sum(run.missing for run in runs)
    if missing:
        raise Incomplete(
            f"{folder}: {missing} of {len(runs)} runs are missing; carry them out first."
        )

    return Side(folder, read_plan(Folder(folder).plan), documents.manifest, runs)


def _check_seeds(side: Side) -> None:
    """One seed has no spread, and no difference is judged without one."""
    if any(len(scores) < 2 for scores in gate.scores(side.runs).values()):
        raise UserError(
            f"{side.folder}: has one seed; a comparison needs two at least, and says little below"
            " five."
        )


def _check_comparable(old: Side, new: Side) -> None:
    """Both sides trained the same agents on the same simulation, for as long."""
    different = [name for name in SAME if getattr(old.plan, name) != getattr(new.plan, name)]
    suites = [(side.plan.suite.name, side.plan.suite.version) for side in (old, new)]
    if suites[0] != suites[1]:
        different.append("suite")

    # Machines with other bits simulate other physics.
    simulated = new.manifest.fingerprints
    for task, fingerprint in old.manifest.fingerprints.items():
        if simulated.get(task) != fingerprint:
            different.append(f"simulation of {task}")
    if different:
        raise NonConforming(
            f"{new.folder}: is not comparable with {old.folder}: they differ in"
            f" {', '.join(different)}."
        )


def _identical(old: Side, new: Side) -> str:
    """Why nothing changed, in words; empty if something may have."""
    # The same runs speak for themselves, whatever the canary says.
    if old.plan.runs == new.plan.runs:
        results = [digest_file(Folder(side.folder).results) for side in (old, new)]
        return "the same runs gave the same results" if results[0] == results[1] else ""

    # With other seeds, the canary must agree: a short training by the code of either side.
    same_canary = old.manifest.canary == new.manifest.canary
    if same_canary and old.manifest.versions == new.manifest.versions:
        return f"canary {new.manifest.canary[:16]} is the baseline's, and so are all versions"
    return ""


def _judged(old: Side, new: Side, limits: Limits, confirm: Confirm | None) -> _Learning:
    """Statistics on the scores; a FAIL is confirmed where it can be."""
    verdict = _verdict(old, new.runs, limits)

    # A FAIL may be chance: it counts once fresh seeds fail too.
    if verdict.word == "FAIL" and confirm is not None:
        return _confirmed(old, new, limits, confirm(_fresh_seeds(old.plan, new.plan)))
    learning = Gate("learning", verdict.word, _in_words(verdict))
    return _Learning(learning, verdict.cells, verdict.more_seeds)


def _verdict(old: Side, runs: Iterable[StatedRun], limits: Limits) -> gate.Verdict:
    """The gate's verdict on runs beside those of the baseline."""
    return gate.judge(
        gate.scores(old.runs),
        gate.scores(tuple(runs)),
        limits.tolerance,
        limits.margin,
        limits.alpha,
    )


def _in_words(verdict: gate.Verdict) -> str:
    """The cell with the largest loss, and what would decide it."""
    worst = min(verdict.cells, key=lambda cell: 0.0 if math.isnan(cell.change) else cell.change)
    sentence = f"largest change {worst.change:+.1%} in {worst.cell} (Holm p {worst.p:.2g})"
    if verdict.word == "INCONCLUSIVE":
        sentence += f"; about {verdict.more_seeds} more seeds would decide it"
    return sentence


def _fresh_seeds(old: Plan, new: Plan) -> Plan:
    """The candidate's plan on seeds that neither side has used."""
    first = 1 + max(run.seed for run in (*old.runs, *new.runs))
    least = min(run.seed for run in new.runs)
    runs = tuple(replace(run, seed=run.seed - least + first) for run in new.runs)
    changes = (*new.suite.changes, f"confirmation on seeds from {first}")
    return replace(new, runs=runs, suite=replace(new.suite, changes=changes))


def _confirmed(old: Side, new: Side, limits: Limits, folder: Path) -> _Learning:
    """A FAIL counts if fresh seeds fail too. If only the seeds of both attempts together fail, the
    outcome is INCONCLUSIVE."""
    again = _side(folder)
    fresh = _verdict(old, again.runs, limits)
    both = _verdict(old, (*new.runs, *again.runs), limits)
    if fresh.word == "FAIL":
        detail = f"confirmed on fresh seeds: {_in_words(fresh)}"
        return _Learning(Gate("learning", "FAIL", detail), both.cells)

    # The first attempt was chance, or the loss is too small for this many seeds.
    word: gate.Word = "INCONCLUSIVE" if both.word == "FAIL" else both.word
    detail = (
        f"the first attempt failed, fresh seeds did not ({fresh.word}); together: {_in_words(both)}"
    )
    return _Learning(Gate("learning", word, detail), both.cells, both.more_seeds)


def _speed(old: Side, new: Side, limit: float | None) -> Gate:
    """Agent steps a second of training and simulating, median over the runs; only on the same
    hardware and with cohorts of the same sizes."""
    if old.manifest.hardware != new.manifest.hardware:
        return Gate("speed", "not compared", "other hardware")

    # A larger cohort steps slower and trains more members a step.
    before_members = _cohort_sizes(old)
    members = _cohort_sizes(new)
    if before_members != members:
        return Gate("speed", "not compared", f"cohorts of {before_members} and {members} members")

    # The gate
    after = _rate(new)
    change = after / _rate(old) - 1.0
    word = "FAIL" if limit is not None and change < -limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most -{limit:.0%} allowed"
    return Gate("speed", word, f"{after:.1f} agent steps/s a cohort, {change:+.1%} ({allowed})")


def _cohort_sizes(side: Side) -> list[int]:
    """Sizes of the cohorts that a side's runs were trained in."""
    return sorted({run.members for run in side.runs})


def _rate(side: Side) -> float:
    """Agent steps a second of a side's cohorts."""
    seconds = [
        timing.seconds.get("train", 0.0) + timing.seconds.get("env", 0.0)
        for timing in read_timings(side.folder, side.plan.runs)
    ]
    return side.plan.budget.agent_steps / max(1e-9, statistics.median(seconds))


def _memory(old: Side, new: Side, limit: float | None) -> Gate:
    """Largest resident memory of any cohort."""
    after = _peak_mib(new)
    change = after / _peak_mib(old) - 1.0
    word = "FAIL" if limit is not None and change > limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most +{limit:.0%} allowed"
    return Gate("memory", word, f"{after:.0f} MiB, {change:+.1%} ({allowed})")


def _peak_mib(side: Side) -> float:
    """Largest resident memory of a side's cohorts."""
    return max(timing.peak_memory_mib for timing in read_timings(side.folder, side.plan.runs))
