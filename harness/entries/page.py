"""report.html of a plan folder: from its verified entry, or from what is there so far."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from harness.entries.entry import predicate, stated_runs
from harness.entries.manifest import manifest, read_manifest
from harness.entries.verified import Refused
from harness.errors import UserError
from harness.files import write_atomic
from harness.folder import Folder
from harness.machine.provenance import command_line
from harness.planning.plan import read_plan
from leaderboard.verification.verify import verify


def write_report(folder: Path) -> Path:
    """Write report.html into a plan folder, and return its path. Raises Refused if its entry does not verify.

    A folder whose entry is not there yet is drawn from its plan, records and results, and the page says so.
    """
    from leaderboard.pages import (
        report,  # matplotlib is slow to import, and only needed where a page is drawn
    )

    entry = Folder(folder).entry
    if not folder.is_dir():
        raise UserError(
            f"{folder}: is not a folder; name OUT/<plan id>, or the folder of an entry."
        )
    if entry.exists():
        verdict = verify(entry)
        if not verdict.accepted:
            raise Refused(verdict)
        page = report.render(
            report.signed_predicate(entry), asdict(read_manifest(folder)), folder, verdict
        )
    else:
        plan = read_plan(Folder(folder).plan)
        made = manifest(folder, plan, time.time(), command_line())
        page = report.render(
            predicate(folder, plan, stated_runs(folder, plan), made, None),
            asdict(made),
            folder,
            None,
        )
    path = Folder(folder).report
    write_atomic(path, page.encode())
    return path
