"""Where the wall time of a plan folder's cohorts went: training, environments, evaluation,
checkpoints, the rest.

    python benchmarks/where_time_goes.py out/<plan id>

Reads timing.json of finished runs and, for cohorts under way, their newest checkpoint. Shares are
of the time since the cohort began, so a cohort that was stopped for a while shows that as rest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tabulate import tabulate

from harness.folder import Folder
from harness.machine.provenance import identity
from harness.planning.cohorts import Cohort, read_cohorts
from harness.training.checkpoint import Checkpoints
from harness.training.results import read_timings

KINDS = ("train", "env", "eval", "checkpoint")


def main() -> int:
    folder = Path(sys.argv[1])
    cohorts = read_cohorts(folder)
    if cohorts is None:
        print(f"{folder}: no cohort was begun there.", file=sys.stderr)
        return 2
    rows = []
    for cohort in cohorts.cohorts:
        seconds, wall = spent(folder, cohort)
        shares = [seconds.get(kind, 0.0) / wall for kind in KINDS] if wall else []
        shares += [1.0 - sum(shares)]
        rows.append(
            [
                cohort.index,
                len(cohort.runs),
                f"{wall:.0f}",
                *(f"{share:.2%}" for share in shares if wall),
            ]
        )
    print(
        tabulate(
            rows, headers=["cohort", "members", "seconds", *KINDS, "rest"], disable_numparse=True
        )
    )
    return 0


def spent(folder: Path, cohort: Cohort) -> tuple[dict[str, float], float]:
    """Seconds by kind, and seconds in all; nothing and 0 for a cohort that has neither results nor
    a checkpoint."""
    timings = read_timings(folder, cohort.runs)
    if timings:
        return timings[0].seconds, timings[0].ended - timings[0].started
    place = Folder(folder).cohort(cohort.index).checkpoint
    found = Checkpoints(place, len(cohort.runs), identity()).read(allow_drift=True)
    if found is None:
        return {}, 0.0
    clock = found[0].state["clock"]
    return clock["seconds"], max(path.stat().st_mtime for path in place.glob("*.json")) - clock[
        "started"
    ]


if __name__ == "__main__":
    sys.exit(main())
