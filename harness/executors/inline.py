"""Cohorts in this process, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from harness.errors import Incomplete
from harness.executors.installed import choose_device, seal
from harness.executors.supervise import in_short, out_of_time, wall_left
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.unit import run_cohort

__all__ = ["choose_device", "execute", "seal"]


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """Carry the cohorts out; what one of them was left incomplete for is returned, and the others go on."""
    begin, wrong = time.monotonic(), list[str]()
    for done, cohort in enumerate(cohorts):
        left = wall_left(options, begin)
        if left == 0.0:
            return [*wrong, out_of_time(len(cohorts) - done)]
        try:
            run_cohort(folder, plan, cohort, replace(options, max_wall=left))
        except Incomplete as error:
            wrong.append(f"cohort {cohort.index}: {in_short(str(error))}")
    return wrong
