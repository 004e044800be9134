"""Cohorts in this process, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from harness.errors import BY_ENDING, Incomplete, Interrupted, UserError
from harness.executors import Executor
from harness.executors.installed import Installed
from harness.executors.outcome import out_of_time, still
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.unit import run_cohort


class Inline(Installed, Executor):
    """`--executor inline`."""

    @property
    def one_by_one(self) -> bool:
        """This process is one."""
        return True

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """Carry the cohorts out; after one that has no results, the next ones go ahead."""
        begin = time.monotonic()
        errors: list[tuple[Cohort | None, UserError]] = []
        for position, cohort in enumerate(cohorts):
            left = options.wall_left(begin)
            if left == 0.0:
                errors.append((None, Incomplete(out_of_time(len(cohorts) - position))))
                break

            try:
                run_cohort(folder, plan, cohort, replace(options, max_wall=left))
            except Interrupted:
                raise
            except UserError as error:
                errors.append((cohort, BY_ENDING.get(error.ending, Incomplete)(_of(cohort, error))))
        return still(folder, errors)


def _of(cohort: Cohort, error: UserError) -> str:
    return f"cohort {cohort.index}: {error.reason}"
