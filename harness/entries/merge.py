"""Merges several plan folders into one: the same experiment with more seeds, tasks or regimes."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.entries.entry import write_entry
from harness.entries.page import write_report
from harness.entries.verified import verified
from harness.errors import NonConforming, UserError
from harness.files import digest_file, write_atomic, write_json
from harness.folder import Folder, RunFolder
from harness.planning.plan import Plan, Run, check_writable, read_plan, write_plan
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Manifest, Times

SAME = (
    "schema",
    "seed_source",
    "precision",
    "agent",
    "modules",
    "policy_modules",
    "settings",
    "blocks",
    "budget",
    "evaluation",
)
"""Fields in which plans must agree."""
TABLES = ("own", "regimes", "sizes", "observations")
"""Fields that are joined: a row that two plans have must be the same in both."""
SEEDS = ("--set seeds=", "--set first_seed=", "--set regimes=", "--set tasks=")
"""Changes that only say which runs a plan has."""
CHANGED = "the suite was changed"
"""Reason why an entry is unranked; the merged plan states its own."""


def merge(folders: list[Path], out: Path, key: SigningKey) -> Path:
    """Writes OUT/<id of the merged plan>/ with every run of the folders, signed anew; returns it.

    Raises Refused if an entry does not verify, NonConforming if plans, code or libraries differ,
    UserError if a run that two folders have is not the same in both.
    """
    # Everything is checked to fit together before anything is written.
    check_writable(out)
    plans = list[Plan]()
    manifests = list[Manifest]()
    for folder in folders:
        manifests.append(verified(folder).documents.manifest)
        plans.append(read_plan(Folder(folder).plan))
    plan = _merged_plan(folders, plans)
    manifest = _merged_manifest(folders, manifests, plan)

    # Runs are copied as they are; only the manifest and the entry are new.
    target = write_plan(plan, out)
    for folder, single in zip(folders, plans, strict=True):
        for run in single.runs:
            _copy_run(Folder(folder).run(run), Folder(target).run(run))
    write_json(Folder(target).manifest, asdict(manifest))
    write_entry(target, plan, key)
    write_report(target)
    return target


def _merged_plan(folders: list[Path], plans: list[Plan]) -> Plan:
    """The runs of all plans, in the order of a plan's runs. NonConforming if they differ in what
    decides numbers."""
    first = plans[0]
    tables: dict[str, dict[str, object]] = {name: {} for name in TABLES}
    runs = dict[Run, None]()
    changes = list[str]()
    for folder, plan in zip(folders, plans, strict=True):
        different = [*_different_fields(plan, first), *_joined(tables, plan)]
        if different:
            raise NonConforming(
                f"{folder}: differs from {folders[0]} in {', '.join(different)}; only the same"
                " experiment is merged."
            )
        runs |= dict.fromkeys(plan.runs)
        changes += [change for change in plan.suite.changes if not change.startswith(SEEDS)]

    # The order that `make_plan` gives: task by task, seed by seed, as the first folder has them.
    tasks = list(dict.fromkeys(run.task for run in runs))
    regimes = list(dict.fromkeys(run.regime for run in runs))
    ordered = sorted(
        runs, key=lambda run: (tasks.index(run.task), run.seed, regimes.index(run.regime))
    )

    # Changes that several folders share are named once.
    suite = replace(first.suite, changes=tuple(dict.fromkeys(changes)))
    changed: dict[str, Any] = {"suite": suite, "runs": tuple(ordered), **tables}
    return replace(first, **changed)


def _different_fields(plan: Plan, first: Plan) -> list[str]:
    """Fields that keep two plans from being one experiment."""
    different = [name for name in SAME if getattr(plan, name) != getattr(first, name)]
    if (plan.suite.name, plan.suite.version) != (first.suite.name, first.suite.version):
        different.append("suite")
    return different


def _joined(tables: dict[str, dict[str, object]], plan: Plan) -> list[str]:
    """Adds the rows of a plan to the tables; returns the rows that are there and differ."""
    different = list[str]()
    for name, table in tables.items():
        for key, row in getattr(plan, name).items():
            if table.setdefault(key, row) != row:
                different.append(f"{name}.{key}")
    return different


def _merged_manifest(folders: list[Path], manifests: list[Manifest], plan: Plan) -> Manifest:
    """One manifest of all executions. NonConforming if they used other code or libraries."""
    # Runs of other code or libraries are another experiment.
    first = manifests[0]
    for folder, manifest in zip(folders, manifests, strict=True):
        different = _different_origin(manifest, first)
        if different:
            raise NonConforming(
                f"{folder}: was carried out with another {', '.join(different)} than {folders[0]}."
            )

    # Why the merged entry is unranked: its own changes, and every reason that a part of it has.
    reasons = list[str]()
    if plan.suite.changes:
        reasons.append(f"{CHANGED}: {' '.join(plan.suite.changes)}")
    fingerprints = dict[str, str]()
    for manifest in manifests:
        reasons += [why for why in manifest.unranked_because if not why.startswith(CHANGED)]
        fingerprints |= manifest.fingerprints

    # One execution, from the first start to the last end
    return replace(
        first,
        plan=plan.id,
        command=f"mst-bench merge {' '.join(map(str, folders))}",
        times=Times(
            started=min(manifest.times.started for manifest in manifests),
            ended=max(manifest.times.ended for manifest in manifests),
        ),
        resumes=max(manifest.resumes for manifest in manifests),
        faults=sum(manifest.faults for manifest in manifests),
        fingerprints=fingerprints,
        unranked_because=tuple(dict.fromkeys(reasons)),
    )


def _different_origin(manifest: Manifest, first: Manifest) -> list[str]:
    """Differences that keep the runs of two executions from being one experiment."""
    different = list[str]()
    if manifest.versions != first.versions:
        different.append("versions")
    if manifest.image != first.image:
        different.append("image")
    if manifest.source.code_sha256 != first.source.code_sha256:
        different.append("code")
    for task, fingerprint in manifest.fingerprints.items():
        if first.fingerprints.get(task, fingerprint) != fingerprint:
            different.append(task)
    return different


def _copy_run(source: RunFolder, target: RunFolder) -> None:
    """Copies a run's folder, unless the same run is there already. A missing run stays missing."""
    if not source.path.exists():
        return

    # The result comes last and whole: a merge that was killed copies this run again.
    if not target.result.exists():
        all_but_result = shutil.ignore_patterns(source.result.name)
        shutil.copytree(source.path, target.path, ignore=all_but_result, dirs_exist_ok=True)
        if source.result.exists():
            write_atomic(target.result, source.result.read_bytes())
        return

    # Another folder had this run: only its timing may differ.
    for path in source.path.iterdir():
        copy = target.path / path.name
        same = copy.exists() and digest_file(copy) == digest_file(path)
        if path != source.timing and not same:
            raise UserError(
                f"{path}: is not what {copy} is, though both are the same run; one of them was"
                " changed."
            )
