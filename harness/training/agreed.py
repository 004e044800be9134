"""Which runs are trained together, agreed on by all who begin a plan at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.folder import Folder
from harness.planning.cohorts import Cohorts, read_cohorts
from harness.training.lease import turn


def agreed(folder: Path, freeze: Callable[[], Cohorts]) -> Cohorts:
    """What `freeze` gives (`frozen_cohorts`): one process alone makes cohorts.json of a folder."""
    if read_cohorts(folder) is not None:
        return freeze()
    with turn(Folder(folder).leases):
        return freeze()
