"""Cohorts in this process, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from harness.executors.here import choose_device, seal
from harness.partition import Cohort
from harness.plan import Plan
from harness.unit import Options, run_cohort

__all__ = ["choose_device", "execute", "seal"]


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """Carry the cohorts out; nothing is returned as wrong: errors come as exceptions here."""
    begin = time.monotonic()
    for cohort in cohorts:
        left = None if options.max_wall is None else options.max_wall - (time.monotonic() - begin)
        run_cohort(folder, plan, cohort, replace(options, max_wall=left))
    return []
