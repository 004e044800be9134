"""Cohorts in this process, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from harness.errors import Incomplete
from harness.executors.here import choose_device, seal
from harness.executors.supervise import in_short
from harness.options import Options
from harness.partition import Cohort
from harness.plan import Plan
from harness.unit import run_cohort

__all__ = ["choose_device", "execute", "seal"]


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """Carry the cohorts out; what one of them was left incomplete for is returned, and the others go on."""
    begin, wrong = time.monotonic(), list[str]()
    for cohort in cohorts:
        left = None if options.max_wall is None else max(0.0, options.max_wall - (time.monotonic() - begin))
        try:
            run_cohort(folder, plan, cohort, replace(options, max_wall=left))
        except Incomplete as error:
            wrong.append(f"cohort {cohort.index}: {in_short(str(error))}")
    return wrong
