"""The rows of `mst-bench list runs`: every planned run under a folder, and how far it is."""

from __future__ import annotations

from pathlib import Path

from harness.cli.locate import plans_under
from harness.errors import UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohorts, read_cohorts
from harness.planning.plan import Plan, read_plan
from harness.summary import read_state
from harness.training.lease import running
from harness.training.progress import read_progress
from leaderboard.formats.run import StatedRun

HEADERS = ["plan", "suite", "run", "state", "agent step", "score"]


def rows_under(out: Path) -> tuple[list[str], list[list[str]]]:
    """Headers and a row for each run of the plans right below a folder.

    Nothing is verified: `mst-bench status` does that. A folder that cannot be read says why in its
    only row. UserError if there is no plan.
    """
    folders = plans_under(out)
    if not folders:
        raise UserError(f"{out}: holds no plan; name the folder that --out of `run` named.")
    return HEADERS, [row for folder in folders for row in _rows(folder)]


def _rows(folder: Path) -> list[list[str]]:
    try:
        plan = read_plan(Folder(folder).plan)
        cohorts = read_cohorts(folder)
        runs = read_state(folder, plan, cohorts).runs
    except UserError as error:
        return [[folder.name, "", "", str(error), "", ""]]
    now = _under_way(folder, cohorts)
    return [[folder.name, plan.suite.name, run.name, *_standing(run, plan, now)] for run in runs]


def _under_way(folder: Path, cohorts: Cohorts | None) -> dict[str, tuple[str, int]]:
    """Name of a run whose cohort was begun -> whether it runs now, and its last agent step."""
    found: dict[str, tuple[str, int]] = {}
    for cohort in cohorts.cohorts if cohorts else ():
        progress = read_progress(folder, cohort.index)
        if progress is not None:
            state = "running" if running(folder, cohort) else "stopped"
            found |= {run.name: (state, progress.step) for run in cohort.runs}
    return found


def _standing(run: StatedRun, plan: Plan, now: dict[str, tuple[str, int]]) -> list[str]:
    """State, agent step and score of a run."""
    if run.status == "finished":
        steps = plan.budget.agent_steps
        return ["finished", f"{steps:,}", "" if run.score is None else f"{run.score:.1f}"]
    if run.failure is not None:
        return [f"{run.failure.kind} failure", f"{run.failure.agent_step:,}", ""]
    state, step = now.get(run.name, ("not begun", 0))
    return [state, f"{step:,}", ""]
