"""Merges several plan folders into one: more seeds, tasks or regimes, of one suite or of several.

Budget, evaluation, settings and blocks must be the same, and every task and regime must have the
same seeds in the end: means over tasks and contrasts of regimes are then what they are called. A
merged plan that is a shipped suite's bears its name, whatever suites its parts came from. Tensors
that a part keeps elsewhere stay there, and the merged entry names them as the part did.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from harness.entries.entry import write_entry
from harness.entries.merged_plan import merged_plan
from harness.entries.page import write_report
from harness.entries.ranking import OWN_SUITE
from harness.entries.verified import Verified, verified
from harness.errors import NonConforming, UserError
from harness.files import digest_file, write_atomic, write_json
from harness.folder import Folder
from harness.planning.plan import Plan, check_writable, write_plan
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.layout import REGISTERED, RESULT, TENSORS, TIMING
from leaderboard.formats.manifest import Hardware, Manifest, Times
from leaderboard.formats.mirrors import MOST_MIRRORS, TENSORS_SCHEMA, KeptElsewhere, KeptFile
from leaderboard.formats.names import OWN
from leaderboard.formats.run import Run


def merge(folders: list[Path], out: Path, key: SigningKey) -> Path:
    """Writes OUT/<id of the merged plan>/ with every run of the folders, signed anew; returns it.

    Raises Refused if an entry does not verify, NonConforming if plans, code or libraries differ,
    UserError if a run that two folders have is not the same in both.
    """
    # Everything is checked to fit together before anything is written.
    check_writable(out)
    entries = [verified(folder) for folder in folders]
    plan = merged_plan(entries)
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
