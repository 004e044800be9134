"""Merges several plan folders into one: more seeds, tasks or regimes, of one suite or of several.

Budget, evaluation, settings and blocks must be the same, and every task and regime must have the
same seeds in the end: means over tasks and contrasts of regimes are then what they are called. A
merged plan that is a shipped suite's bears its name, whatever suites its parts came from. Tensors
that a part keeps elsewhere stay there, and the merged entry names them as the part did.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.entries.entry import write_entry
from harness.entries.page import write_report
from harness.entries.ranking import OWN_SUITE
from harness.entries.verified import Verified, verified
from harness.errors import NonConforming, UserError
from harness.files import digest_file, write_atomic, write_json
from harness.folder import Folder
from harness.planning.plan import Plan, check_writable, write_plan
from harness.planning.reader import load
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.layout import REGISTERED, RESULT, TENSORS, TIMING
from leaderboard.formats.manifest import Hardware, Manifest, Times
from leaderboard.formats.mirrors import MOST_MIRRORS, TENSORS_SCHEMA, KeptElsewhere, KeptFile
from leaderboard.formats.names import OWN
from leaderboard.formats.plan import suite_digest
from leaderboard.formats.run import Run
from leaderboard.formats.shipped import shipped_plans
from leaderboard.formats.suite import SuiteReference

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
TABLES = ("own", "regimes", "sizes", "networks", "observations")
"""Fields that are joined: a row that two plans have must be the same in both."""


def merge(folders: list[Path], out: Path, key: SigningKey) -> Path:
    """Writes OUT/<id of the merged plan>/ with every run of the folders, signed anew; returns it.

    Raises Refused if an entry does not verify, NonConforming if plans, code or libraries differ,
    UserError if a run that two folders have is not the same in both.
    """
    # Everything is checked to fit together before anything is written.
    check_writable(out)
    entries = [verified(folder) for folder in folders]
    plan = _merged_plan(entries)
    manifest = _merged_manifest(entries, plan)
    addresses = _mirrors(entries)

    # Runs are copied as they were signed; only the manifest and the entry are new.
    target = write_plan(plan, out)
    for name in REGISTERED if plan.registered else ():
        write_atomic(target / name, entries[0].read(name))
    elsewhere: dict[str, KeptFile] = {}
    for entry in entries:
        for run in entry.plan.runs:
            _copy_run(entry, run, target, elsewhere)
    _write_elsewhere(target, addresses, elsewhere)
    write_json(Folder(target).manifest, asdict(manifest))
    write_entry(target, plan, key, elsewhere=elsewhere.values())
    write_report(target)
    return target


def _merged_plan(entries: list[Verified]) -> Plan:
    """The runs of all plans, in the order of a plan's runs. NonConforming if they differ in what
    decides numbers, or make no whole table of tasks, regimes and seeds."""
    first = entries[0]
    tables: dict[str, dict[str, object]] = {name: {} for name in TABLES}
    runs = dict[Run, None]()
    for entry in entries:
        plan = entry.plan
        different = [name for name in SAME if getattr(plan, name) != getattr(first.plan, name)]
        different += _joined(tables, plan)
        if different:
            raise NonConforming(
                f"{entry.path.parent}: differs from {first.path.parent} in"
                f" {', '.join(different)}; only runs of the same experiment are merged."
            )
        runs |= dict.fromkeys(plan.runs)

    joined: dict[str, Any] = {"runs": _ordered(runs), **tables}
    merged = replace(first.plan, **joined)
    if merged.registered and merged.canonical() != first.plan.canonical():
        raise NonConforming(
            f"{first.path.parent}: its plan was registered as it is, and this would be another one;"
            " only parts of the same registered plan are merged."
        )
    return _called(merged, [entry.plan.suite for entry in entries])


def _ordered(runs: Collection[Run]) -> tuple[Run, ...]:
    """Runs in the order that `make_plan` gives: task by task, seed by seed, regimes as the folders
    have them. NonConforming if a task and regime lacks a seed that another one has."""
    tasks = list(dict.fromkeys(run.task for run in runs))
    regimes = list(dict.fromkeys(run.regime for run in runs))
    seeds = sorted({run.seed for run in runs})
    whole = [
        Run(task, regime, seed) for task, seed, regime in itertools.product(tasks, seeds, regimes)
    ]

    lacking = [run.name for run in whole if run not in runs]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise NonConforming(
            f"together they lack {lacking[0]}{more}; every task and regime must have the same"
            " seeds, so that means over tasks compare."
        )
    return tuple(whole)


def _called(plan: Plan, parts: Sequence[SuiteReference]) -> Plan:
    """The merged plan under its name: a shipped suite's, if it is that suite's plan; else that of
    its first part."""
    # Parts may make a shipped suite whole: then it bears its name, and its claims are judged.
    first = parts[0]
    digest = suite_digest(plan.canonical())
    names = [part.name.removeprefix(OWN) for part in parts]
    for name in dict.fromkeys([*names, *shipped_plans()]):
        versions = shipped_plans().get(name, {})
        if any(row.plan == digest for row in versions.values()):
            resolved = load(name)
            version = resolved.suite.version
            suite = SuiteReference(first.schema, name, version, (), resolved.claims)
            return replace(plan, suite=suite).called(name, ())

    # What is claimed of a part is claimed of the whole, and judged on all its runs.
    changes = [change for part in parts for change in part.changes]
    changes += [
        f"merged with {part.name} version {part.version}"
        for part in parts
        if _origin(part) != _origin(first)
    ]
    claims = dict.fromkeys(claim for part in parts for claim in part.claims)
    ((name, times),) = Counter(claim.id for claim in claims).most_common(1) or [("", 0)]
    if times > 1:
        raise NonConforming(f"two of them call different tests {name}; it could not be told whose.")
    merged = replace(plan, suite=replace(first, claims=tuple(claims)))
    return merged.called(first.name, tuple(dict.fromkeys(changes)))


def _origin(suite: SuiteReference) -> tuple[str, int]:
    """The suite that a plan was made from, whether it bears its name or not."""
    return suite.name.removeprefix(OWN), suite.version


def _joined(tables: dict[str, dict[str, object]], plan: Plan) -> list[str]:
    """Adds the rows of a plan to the tables; returns the rows that are there and differ."""
    different = list[str]()
    for name, table in tables.items():
        for key, row in getattr(plan, name).items():
            if table.setdefault(key, row) != row:
                different.append(f"{name}.{key}")
    return different


def _merged_manifest(entries: list[Verified], plan: Plan) -> Manifest:
    """One manifest of all executions. NonConforming if they used other code or libraries."""
    # Runs of other code or libraries are another experiment.
    manifests = [entry.documents.manifest for entry in entries]
    first = manifests[0]
    for entry, manifest in zip(entries, manifests, strict=True):
        different = _different_origin(manifest, first)
        if different:
            raise NonConforming(
                f"{entry.path.parent}: was carried out with another {', '.join(different)} than"
                f" {entries[0].path.parent}."
            )

    # Why the merged entry is unranked: its own plan, and every reason that a part of it has.
    reasons = list[str]()
    fingerprints = dict[str, str]()
    for manifest in manifests:
        reasons += [why for why in manifest.unranked_because if not why.startswith(OWN_SUITE)]
        fingerprints |= manifest.fingerprints
    if plan.suite.name.startswith(OWN):
        reasons.append(f"{OWN_SUITE}: {' '.join(plan.suite.changes)}")
    folders = [str(entry.path.parent) for entry in entries]

    # One execution, from the first start to the last end
    return replace(
        first,
        plan=plan.id,
        hardware=_joined_hardware([manifest.hardware for manifest in manifests]),
        command=f"mst-bench merge {' '.join(folders)}",
        times=Times(
            started=min(manifest.times.started for manifest in manifests),
            ended=max(manifest.times.ended for manifest in manifests),
        ),
        resumes=max(manifest.resumes for manifest in manifests),
        faults=sum(manifest.faults for manifest in manifests),
        fingerprints=fingerprints,
        unranked_because=tuple(dict.fromkeys(reasons)),
    )


def _joined_hardware(kinds: Sequence[Hardware]) -> Hardware:
    """What the parts ran on. No machine is called several CPUs, so nobody takes the bits of a
    merged entry for those of one kind (entries/platform.py)."""
    gpus = [gpu for kind in kinds for gpu in kind.gpus]
    return Hardware(
        architecture=" and ".join(dict.fromkeys(kind.architecture for kind in kinds)),
        cpu=" and ".join(dict.fromkeys(kind.cpu for kind in kinds)),
        cpu_flags=tuple(
            flag for flag in kinds[0].cpu_flags if all(flag in kind.cpu_flags for kind in kinds)
        ),
        cores=max(kind.cores for kind in kinds),
        gpus=tuple(dict.fromkeys(gpus)),
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


def _copy_run(
    entry: Verified, run: Run, folder: Path, elsewhere: MutableMapping[str, KeptFile]
) -> None:
    """Copies the signed files of a run, unless the same run is there already. A missing run has
    none, and stays missing. `elsewhere`: files of tensors that no folder had so far."""
    # The result comes last: a merge that was killed copies this run again.
    result = Folder(folder).run(run).result
    names = sorted(entry.names(run), key=lambda name: name.endswith(RESULT))
    whole = result.exists()

    files = entry.documents.files
    for name in names:
        copy = folder / name
        known = elsewhere[name].sha256 if name in elsewhere else None
        if whole and copy.exists():
            known = digest_file(copy)

        # Another folder had this run: only its timing may differ.
        if known is not None and known != files.digests[name] and not name.endswith(TIMING):
            raise UserError(
                f"{entry.path.parent / name}: is not what {copy} is, though both are the same run;"
                " one of them was changed."
            )
        if name in files.absent:
            if known is None:
                elsewhere[name] = files.kept.files[name]
        elif known is None or name in elsewhere:
            write_atomic(copy, entry.read(name))
            elsewhere.pop(name, None)


def _mirrors(entries: list[Verified]) -> tuple[str, ...]:
    """Where the parts keep their tensors. UserError for more places than a list may name."""
    lists = [entry.documents.files.kept.mirrors for entry in entries]
    addresses = tuple(dict.fromkeys(itertools.chain.from_iterable(lists)))
    if len(addresses) > MOST_MIRRORS:
        raise UserError(
            f"the parts keep their tensors at {len(addresses)} addresses, expected at most"
            f" {MOST_MIRRORS}; merge fewer folders at once."
        )
    return addresses


def _write_elsewhere(
    folder: Path, addresses: tuple[str, ...], elsewhere: Mapping[str, KeptFile]
) -> None:
    """Lists the tensors that stay where the parts keep them."""
    path = folder / TENSORS
    if not elsewhere:
        path.unlink(missing_ok=True)
        return
    kept = KeptElsewhere(TENSORS_SCHEMA, addresses, tuple(elsewhere.values()))
    write_json(path, asdict(kept))
