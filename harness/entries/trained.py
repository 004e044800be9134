"""The cohorts in which the runs of an entry were trained, as far as the entry tells.

A run comes out to the bit where it is computed again in a cohort of the same size and at the same
place in it: a tensor's shape decides how sums round, and on some CPUs where a row begins in memory
does too (docs/members.md). An entry states the size of each run's cohort. The place follows from
how runs are divided into cohorts (harness/planning/cohorts.py).

Known limit: where parts of one cohort are missing, or parts of plans were merged, a place may be
another one than it was; the size never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from harness.planning.cohorts import alike
from harness.planning.plan import Plan
from leaderboard.formats.run import Run, StatedRun


@dataclass(frozen=True)
class Trained:
    """One cohort."""

    runs: tuple[Run, ...]
    """Those that it trained, which have the first places."""
    places: tuple[Run, ...]
    """As many as it had members: further places hold other runs of the same program."""


def cohorts(plan: Plan, stated: Iterable[StatedRun]) -> Iterator[Trained]:
    """The cohorts of all runs that have a result, each run in one of them."""
    members = {Run(*run.identity): run.members for run in stated}
    for program in alike(plan).values():
        # Consecutive runs of one program made a cohort. A missing run states no members.
        by_size: dict[int, list[Run]] = {}
        for run in program:
            if members[run]:
                by_size.setdefault(members[run], []).append(run)

        for size, runs in by_size.items():
            for first in range(0, len(runs), size):
                own = tuple(runs[first : first + size])
                others = (run for run in program if run not in own)
                yield Trained(own, (*own, *islice(others, size - len(own))))


def cohort_of(plan: Plan, stated: Iterable[StatedRun], run: Run) -> tuple[Run, ...]:
    """The run at each place of the cohort that trained this one."""
    (places,) = (cohort.places for cohort in cohorts(plan, stated) if run in cohort.runs)
    return places
