"""The cohorts in which the runs of an entry were trained, as far as the entry tells.

A run comes out to the bit where it is computed again in a cohort of the same size and at the same
place in it: a tensor's shape decides how sums round, and on some CPUs where a row begins in memory
does too (docs/members.md). An entry states the size. The place follows from how runs are divided
into cohorts (harness/planning/cohorts.py). For plans that were merged it is a guess, which costs
bits and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.planning.cohorts import alike
from harness.planning.plan import Plan
from leaderboard.formats.run import Run, StatedRun

Places = tuple[Run, ...]
"""The run at each place of a cohort."""


def cohorts(plan: Plan, stated: Iterable[StatedRun]) -> Iterator[Places]:
    """The runs of a plan in the cohorts that trained them, each run once."""
    members = {Run(*run.identity): run.members for run in stated}
    for runs in alike(plan).values():
        # Consecutive runs of one program, the last cohort being smaller. A missing run states none.
        size = max(members[run] for run in runs) or 1
        for first in range(0, len(runs), size):
            yield tuple(runs[first : first + size])


def cohort_of(plan: Plan, stated: Iterable[StatedRun], run: StatedRun) -> Places:
    """The cohort of one run, with as many members as it was trained with.

    Where the division into cohorts says another number, the run comes first and runs of the same
    program fill it up.
    """
    own = Run(*run.identity)
    (places,) = (places for places in cohorts(plan, stated) if own in places)
    if len(places) == run.members:
        return places
    (same,) = (runs for runs in alike(plan).values() if own in runs)
    return (own, *[other for other in same if other != own][: run.members - 1])
