"""Cohorts in this process, one after the other."""

from __future__ import annotations

from pathlib import Path

from harness.partition import Cohort
from harness.plan import Plan
from harness.unit import run_cohort


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], device: str, jobs: int) -> list[str]:
    """Carry the cohorts out; returns what went wrong, in words (nothing: errors come as exceptions here)."""
    for cohort in cohorts:
        run_cohort(folder, plan, cohort, device)
    return []
