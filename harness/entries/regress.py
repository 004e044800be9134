"""`regress`: did a change break learning? Comparability, canary, statistics, a confirmation; speed and memory apart."""

from __future__ import annotations

import math
import statistics
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.entries.entry import stated_runs
from harness.entries.manifest import Manifest, read_manifest
from harness.entries.verified import verified
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import digest_file
from harness.folder import Folder
from harness.planning.plan import Plan, read_plan
from harness.training.results import read_timings
from leaderboard.statistics import gate

SAME = (
    "suite",
    "version",
    "precision",
    "agent",
    "settings",
    "blocks",
    "own",
    "regimes",
    "budget",
    "evaluation",
)
"""What two plans must agree in to be comparable."""


@dataclass(frozen=True)
class Side:
    """A verified plan folder."""

    folder: Path
    plan: Plan
    manifest: Manifest
    runs: list[dict[str, Any]]


@dataclass(frozen=True)
class Gate:
    """One gate and what it says."""

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
    """Everything `regress` found."""

    word: gate.Word
    gates: list[Gate]
    cells: tuple[gate.CellVerdict, ...]
    more_seeds: int
    calibration: str = field(default_factory=gate.calibration_line)


NO_CELLS: tuple[gate.CellVerdict, ...] = ()
Confirm = Callable[[Plan], Path]
"""Carries a plan out and returns its folder."""


def regress(
    baseline: Path, candidate: Path, limits: Limits, confirm: Confirm | None, canary: bool = True
) -> Outcome:
    """The verdict on two plan folders, or a baseline and a plan folder.

    `confirm` carries a plan with fresh seeds out, once, before a FAIL counts. `canary`: whether bit-identical behaviour passes
    without statistics. Raises Refused for an entry that does not verify, NonConforming if the two are not comparable,
    Incomplete if runs are missing.
    """
    old, new = sides(baseline, candidate)
    identical = canary and _identical(old, new)
    if identical:
        learning, cells, more = Gate("learning", "PASS", f"bit-identical: {identical}"), NO_CELLS, 0
    else:
        found = gate.judge(
            gate.scores(old.runs),
            gate.scores(new.runs),
            limits.tolerance,
            limits.margin,
            limits.alpha,
        )
        learning, cells, more = (
            Gate("learning", found.word, _in_words(found)),
            found.cells,
            found.more_seeds,
        )
        if found.word == "FAIL" and confirm is not None:
            learning, cells, more = _confirmed(
                old, new, limits, confirm(_fresh_seeds(old.plan, new.plan))
            )
    speed, memory = _speed(old, new, limits.speed), _memory(old, new, limits.memory)
    words = [g.word for g in (learning, speed, memory)]
    word: gate.Word = (
        "FAIL" if "FAIL" in words else "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"
    )
    return Outcome(word, [learning, speed, memory], cells, more)


def sides(baseline: Path, candidate: Path) -> tuple[Side, Side]:
    """Two plan folders, verified and comparable; errors as in `regress`."""
    old, new = _side(baseline), _side(candidate)
    _check_comparable(old, new)
    return old, new


def _side(folder: Path) -> Side:
    verified(folder)
    plan = read_plan(Folder(folder).plan)
    runs = stated_runs(folder, plan)
    missing = sum(run["status"] == "missing" for run in runs)
    if missing:
        raise Incomplete(
            f"{folder}: {missing} of {len(runs)} runs are missing; carry them out first."
        )
    if any(len(scores) < 2 for scores in gate.scores(runs).values()):
        raise UserError(
            f"{folder}: has one seed; a comparison needs two at least, and says little below five."
        )
    return Side(folder, plan, read_manifest(folder), runs)


def _check_comparable(old: Side, new: Side) -> None:
    different = [name for name in SAME if getattr(old.plan, name) != getattr(new.plan, name)]
    simulated = new.manifest.fingerprints
    different += [
        f"simulation of {task}"
        for task, found in old.manifest.fingerprints.items()
        if simulated.get(task) != found
    ]
    if different:
        raise NonConforming(
            f"{new.folder}: is not comparable with {old.folder}: they differ in {', '.join(different)}."
        )


def _identical(old: Side, new: Side) -> str:
    """Why nothing changed, in words; empty if something may have."""
    if old.plan.runs == new.plan.runs:
        results = [digest_file(Folder(side.folder).results) for side in (old, new)]
        return "the same runs gave the same results" if results[0] == results[1] else ""
    if (
        old.manifest.canary == new.manifest.canary
        and old.manifest.versions == new.manifest.versions
    ):
        return f"canary {new.manifest.canary[:16]} is the baseline's, and so are all versions"
    return ""


def _in_words(found: gate.Verdict) -> str:
    worst = min(found.cells, key=lambda cell: cell.change if not math.isnan(cell.change) else 0.0)
    more = (
        f"; about {found.more_seeds} more seeds would decide it"
        if found.word == "INCONCLUSIVE"
        else ""
    )
    return f"largest change {worst.change:+.1%} in {worst.cell} (Holm p {worst.p:.2g}){more}"


def _fresh_seeds(old: Plan, new: Plan) -> Plan:
    """The candidate's plan on seeds that neither side has used."""
    first = 1 + max(run.seed for plan in (old, new) for run in plan.runs)
    least = min(run.seed for run in new.runs)
    runs = tuple(replace(run, seed=run.seed - least + first) for run in new.runs)
    return replace(new, runs=runs, changes=(*new.changes, f"confirmation on seeds from {first}"))


def _confirmed(
    old: Side, new: Side, limits: Limits, folder: Path
) -> tuple[Gate, tuple[gate.CellVerdict, ...], int]:
    """A FAIL counts if fresh seeds fail too; if only the seeds of both attempts together do, it is not decided."""
    again = _side(folder)
    fresh, both = (
        gate.judge(
            gate.scores(old.runs), gate.scores(runs), limits.tolerance, limits.margin, limits.alpha
        )
        for runs in (again.runs, [*new.runs, *again.runs])
    )
    if fresh.word == "FAIL":
        return (
            Gate("learning", "FAIL", f"confirmed on fresh seeds: {_in_words(fresh)}"),
            both.cells,
            0,
        )
    word: gate.Word = "INCONCLUSIVE" if both.word == "FAIL" else both.word
    detail = (
        f"the first attempt failed, fresh seeds did not ({fresh.word}); together: {_in_words(both)}"
    )
    return Gate("learning", word, detail), both.cells, both.more_seeds


def _speed(old: Side, new: Side, limit: float | None) -> Gate:
    """Agent steps a second of training and simulating, median over the runs; only on the same hardware."""
    if old.manifest.hardware != new.manifest.hardware:
        return Gate("speed", "not compared", "other hardware")
    rates = []
    for side in (old, new):
        seconds = [
            t.seconds.get("train", 0.0) + t.seconds.get("env", 0.0)
            for t in read_timings(side.folder, side.plan.runs)
        ]
        rates.append(side.plan.budget.agent_steps / max(1e-9, statistics.median(seconds)))
    members = [sorted({run["members"] for run in side.runs}) for side in (old, new)]
    if members[0] != members[1]:
        return Gate("speed", "not compared", f"cohorts of {members[0]} and {members[1]} members")
    change = rates[1] / rates[0] - 1.0
    word = "FAIL" if limit is not None and change < -limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most -{limit:.0%} allowed"
    return Gate("speed", word, f"{rates[1]:.1f} agent steps/s a cohort, {change:+.1%} ({allowed})")


def _memory(old: Side, new: Side, limit: float | None) -> Gate:
    peaks = [
        max(timing.peak_memory_mib for timing in read_timings(side.folder, side.plan.runs))
        for side in (old, new)
    ]
    change = peaks[1] / peaks[0] - 1.0
    word = "FAIL" if limit is not None and change > limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most +{limit:.0%} allowed"
    return Gate("memory", word, f"{peaks[1]:.0f} MiB, {change:+.1%} ({allowed})")


def junit(outcome: Outcome) -> bytes:
    """The outcome as JUnit XML: a case for each gate, and for each cell of the learning gate."""
    cases = [(g.name, g.word, g.detail) for g in outcome.gates]
    for cell in outcome.cells:
        means = f"{cell.baseline:.1f} to {cell.candidate:.1f} ({cell.change:+.1%})"
        cases.append((f"learning/{cell.cell}", cell.word, f"{means}, Holm p {cell.p:.2g}"))
    failures, skipped = (
        sum(word == which for _, word, _ in cases) for which in ("FAIL", "INCONCLUSIVE")
    )
    suite = ET.Element(
        "testsuite",
        name="mst-bench regress",
        tests=str(len(cases)),
        failures=str(failures),
        skipped=str(skipped),
        errors="0",
    )
    for name, word, detail in cases:
        case = ET.SubElement(suite, "testcase", classname="mst-bench.regress", name=name)
        if word == "FAIL":
            ET.SubElement(case, "failure", message=detail)
        elif word in ("INCONCLUSIVE", "not compared"):
            ET.SubElement(case, "skipped", message=f"{word}: {detail}")
        ET.SubElement(case, "system-out").text = detail
    ET.SubElement(suite, "system-out").text = outcome.calibration
    document: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document
