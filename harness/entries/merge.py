"""Several plan folders as one: the same experiment with more seeds, tasks or regimes, at other times or places."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.entries.entry import write_entry
from harness.entries.manifest import Manifest, read_manifest
from harness.entries.page import write_report
from harness.entries.verified import verified
from harness.errors import NonConforming, UserError
from harness.files import digest_file, write_json
from harness.folder import Folder, RunFolder
from harness.planning.plan import Plan, Run, check_writable, read_plan, write_plan
from leaderboard.formats.keys import SigningKey

SAME = (
    "schema",
    "suite",
    "version",
    "seed_source",
    "precision",
    "agent",
    "settings",
    "blocks",
    "budget",
    "evaluation",
)
"""What plans must agree in. Regimes, sizes and observations that two plans name must be equal too."""
SEEDS = ("--set seeds=", "--set first_seed=", "--set regimes=", "--set tasks=")
"""Changes that only say which runs a plan has."""


def merge(folders: list[Path], out: Path, key: SigningKey) -> Path:
    """Write OUT/<id of the merged plan>/ with every run of the folders, signed anew; returns it.

    Raises Refused if an entry does not verify, NonConforming if plans, code or libraries differ, UserError if a run that two
    folders have is not the same in both.
    """
    check_writable(out)
    plans, manifests = [], []
    for folder in folders:
        verified(folder)
        plans.append(read_plan(Folder(folder).plan))
        manifests.append(read_manifest(folder))
    plan = _merged_plan(folders, plans)
    made = _merged_manifest(folders, manifests, plan)
    target = write_plan(plan, out)
    for folder, single in zip(folders, plans, strict=True):
        for run in single.runs:
            _copy_run(Folder(folder).run(run), Folder(target).run(run))
    write_json(Folder(target).manifest, asdict(made))
    write_entry(target, plan, key)
    write_report(target)
    return target


def _merged_plan(folders: list[Path], plans: list[Plan]) -> Plan:
    first = plans[0]
    tables: dict[str, dict[str, Any]] = {
        name: {} for name in ("own", "regimes", "sizes", "observations")
    }
    runs, changes = dict[Run, None](), list[str]()
    for folder, plan in zip(folders, plans, strict=True):
        different = [name for name in SAME if getattr(plan, name) != getattr(first, name)]
        for name, table in tables.items():
            for item, value in getattr(plan, name).items():
                if table.setdefault(item, value) != value:
                    different.append(f"{name}.{item}")
        if different:
            raise NonConforming(
                f"{folder}: differs from {folders[0]} in {', '.join(different)}; only the same experiment is merged."
            )
        runs |= dict.fromkeys(plan.runs)
        changes += [
            change
            for change in plan.changes
            if not change.startswith(SEEDS) and change not in changes
        ]
    tasks, regimes = list(tables["observations"]), list(tables["regimes"])
    ordered = sorted(
        runs, key=lambda run: (tasks.index(run.task), run.seed, regimes.index(run.regime))
    )
    changed: dict[str, Any] = {"runs": tuple(ordered), "changes": tuple(changes), **tables}
    return replace(first, **changed)


def _merged_manifest(folders: list[Path], manifests: list[Manifest], plan: Plan) -> Manifest:
    first = manifests[0]
    for folder, made in zip(folders, manifests, strict=True):
        different = [
            name for name in ("versions", "image") if getattr(made, name) != getattr(first, name)
        ]
        different += ["code"] if made.source["code_sha256"] != first.source["code_sha256"] else []
        different += [
            task
            for task, found in made.fingerprints.items()
            if first.fingerprints.get(task, found) != found
        ]
        if different:
            raise NonConforming(
                f"{folder}: was carried out with another {', '.join(different)} than {folders[0]}."
            )
    reasons = [
        reason
        for made in manifests
        for reason in made.unranked_because
        if not reason.startswith("the suite was changed")
    ]
    changed = [f"the suite was changed: {' '.join(plan.changes)}"] if plan.changes else []
    return replace(
        first,
        plan=plan.id,
        command=f"mst-bench merge {' '.join(map(str, folders))}",
        times={
            "started": min(made.times["started"] for made in manifests),
            "ended": max(made.times["ended"] for made in manifests),
        },
        resumes=max(made.resumes for made in manifests),
        faults=sum(made.faults for made in manifests),
        fingerprints={
            task: found for made in manifests for task, found in made.fingerprints.items()
        },
        unranked_because=tuple(dict.fromkeys(changed + reasons)),
    )


def _copy_run(source: RunFolder, target: RunFolder) -> None:
    if not source.path.exists():
        return  # a missing run stays missing
    if target.result.exists():
        for path in source.path.iterdir():
            other = target.path / path.name
            if path != source.timing and (
                not other.exists() or digest_file(other) != digest_file(path)
            ):
                raise UserError(
                    f"{path}: is not what {other} is, though both are the same run; one of them was changed."
                )
        return
    shutil.copytree(source.path, target.path, dirs_exist_ok=True)
