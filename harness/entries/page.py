"""Draws a plan folder, from its verified entry or from what is there so far.

Its report, and the figures and tables that papers take from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.entries import ranking
from harness.entries.entry import stated_runs
from harness.entries.manifest import read_manifest
from harness.entries.verified import accepted, verified
from harness.errors import UserError
from harness.files import digest_file, write_atomic
from harness.folder import Folder
from harness.planning.plan import plan_of, read_stated
from leaderboard.verification.checks import Verdict

if TYPE_CHECKING:
    from leaderboard.pages.papers import Form
    from leaderboard.pages.report import ReportInput
    from leaderboard.pages.strips import Strip

Read = Callable[[str], bytes | None]
"""Gives a file of a plan folder; None if it is not there, or not signed."""


def write_report(
    folder: Path,
    verdict: Verdict | None = None,
    trust: Path | None = None,
    to: Path | None = None,
    strips: tuple[Strip, ...] = (),
) -> Path:
    """Writes report.html into a plan folder, or to `to`, and returns its path.

    `verdict`: of the folder's entry, if it was verified a moment ago. `trust`: with it, the scores
    of a re-evaluation beside the entry count. `strips`: stills that the page shows. Raises Refused
    if the entry does not verify. A folder without an entry is drawn from its plan, records and
    results, and the page says so; nothing is simulated or trained for it.
    """
    from leaderboard.pages import report

    path = to or Folder(folder).report
    shown, read = _shown(folder, verdict, trust)
    write_atomic(path, report.render(replace(shown, strips=strips), read).encode())
    return path


def write_figures(folder: Path, to: Path, trust: Path | None = None) -> list[Path]:
    """Writes the charts of the report into another folder as SVG, PDF and PNG; their paths."""
    from leaderboard.pages.papers import save_figures

    shown = _shown(folder, None, trust)
    to.mkdir(parents=True, exist_ok=True)
    return save_figures(*shown, to)


def paper_table(folder: Path, form: Form, trust: Path | None = None) -> str:
    """The table of regimes for a paper."""
    from leaderboard.pages.papers import table

    return table(*_shown(folder, None, trust), form)


def write_badge(folder: Path, to: Path, trust: Path | None = None) -> Path:
    """Writes what the report answers as a badge (SVG); its path."""
    from leaderboard.pages.papers import badge

    write_atomic(to, badge(*_shown(folder, None, trust)).encode())
    return to


def _shown(folder: Path, verdict: Verdict | None, trust: Path | None) -> tuple[ReportInput, Read]:
    """What is shown of a plan folder, and what gives its records."""
    # matplotlib is slow to import, and only needed where something is drawn.
    from leaderboard.pages.report import ReportInput

    if not folder.is_dir():
        raise UserError(
            f"{folder}: is not a folder; name OUT/<plan id>, or the folder of an entry."
        )

    # An entry is verified before anything of it is drawn.
    entry = Folder(folder).entry
    if entry.exists():
        signed = verified(folder, trust) if verdict is None else accepted(entry, verdict)
        return ReportInput.of(signed.verdict), signed.read_if_signed
    return _so_far(folder), lambda name: _read_so_far(folder / name)


def _read_so_far(path: Path) -> bytes | None:
    """A file of a plan that is still being carried out; None before it is there."""
    return path.read_bytes() if path.exists() else None


def _so_far(folder: Path) -> ReportInput:
    """What a folder holds that nobody has signed yet."""
    from leaderboard.pages.report import ReportInput

    paths = Folder(folder)
    stated, suite = read_stated(paths.plan)
    plan = plan_of(stated, suite)
    manifest = read_manifest(folder) if paths.manifest.exists() else None

    # Before there is a manifest, the plan alone says why it is not ranked.
    reasons = manifest.unranked_because if manifest else ranking.unranked_because(plan)
    return ReportInput(
        plan=stated,
        suite=suite,
        plan_sha256=digest_file(paths.plan),
        runs=stated_runs(folder, plan),
        unranked_because=(*reasons, ranking.UNSIGNED),
        origin=manifest,
        command=manifest.command if manifest else None,
        faults=manifest.faults if manifest else 0,
    )
