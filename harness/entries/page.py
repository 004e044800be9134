"""Writes report.html of a plan folder, from its verified entry or from what is there so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.config import build
from harness.entries import ranking
from harness.entries.entry import stated_runs
from harness.entries.manifest import read_manifest
from harness.entries.verified import accepted
from harness.errors import UserError
from harness.files import digest_file, read_json, write_atomic
from harness.folder import Folder
from harness.planning.plan import read_plan
from leaderboard.formats.plan import Plan
from leaderboard.formats.suite import SuiteReference
from leaderboard.verification.checks import Verdict
from leaderboard.verification.verify import verify

if TYPE_CHECKING:
    from leaderboard.pages.report import ReportInput


def write_report(folder: Path, verdict: Verdict | None = None, to: Path | None = None) -> Path:
    """Writes report.html into a plan folder, or to `to`, and returns its path.

    `verdict`: of the folder's entry, if it was verified a moment ago. Raises Refused if the entry
    does not verify. A folder without an entry is drawn from its plan, records and results, and the
    page says so; nothing is simulated or trained for it.
    """
    # matplotlib is slow to import, and only needed where a page is drawn.
    from leaderboard.pages import report

    if not folder.is_dir():
        raise UserError(
            f"{folder}: is not a folder; name OUT/<plan id>, or the folder of an entry."
        )

    # An entry is verified before anything of it is drawn.
    paths = Folder(folder)
    entry = paths.entry
    if entry.exists():
        verdict = accepted(entry, verdict or verify(entry)).verdict
        contents = report.ReportInput.of(verdict)
    else:
        contents = _so_far(folder)
    page = to or paths.report
    write_atomic(page, report.render(contents, folder).encode())
    return page


def _so_far(folder: Path) -> ReportInput:
    """What a folder holds that nobody has signed yet."""
    from leaderboard.pages.report import ReportInput

    paths = Folder(folder)
    path = paths.plan
    plan = read_plan(path)
    manifest = read_manifest(folder) if paths.manifest.exists() else None

    # Before there is a manifest, the plan alone says why it is not ranked.
    reasons = tuple(ranking.unranked_because(plan))
    if manifest is not None:
        reasons = manifest.unranked_because
    return ReportInput(
        plan=build(Plan, read_json(path), str(path)),
        suite=build(SuiteReference, read_json(paths.suite), str(paths.suite)),
        plan_sha256=digest_file(path),
        runs=stated_runs(folder, plan),
        ranked=not reasons,
        unranked_because=reasons,
        origin=manifest,
        command=manifest.command if manifest else None,
        faults=manifest.faults if manifest else 0,
    )
