"""Which runs are trained together, agreed on by all who begin a plan at once."""

from __future__ import annotations

from pathlib import Path

from harness.folder import Folder
from harness.planning.cohorts import Cohorts, frozen_cohorts, read_cohorts
from harness.planning.plan import Plan
from harness.training.lease import turn


def agreed_cohorts(
    folder: Path,
    plan: Plan,
    device_class: str,
    members: int | None,
    memory_gib: float | None = None,
) -> Cohorts:
    """cohorts.json of a plan folder, which one process alone makes when it is not there yet."""
    if read_cohorts(folder) is not None:
        return frozen_cohorts(folder, plan, device_class, members, memory_gib)
    with turn(Folder(folder).leases):
        return frozen_cohorts(folder, plan, device_class, members, memory_gib)
