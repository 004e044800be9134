"""Options of `--executor slurm`. Apart from slurm.py, so that `--help` does not load submitit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.options import ExecutorOptions, Flag


@dataclass(frozen=True)
class SlurmOptions(ExecutorOptions):
    """What jobs ask of the cluster."""

    partition: Annotated[
        str, Flag(("--partition",), "Partition of the jobs. Default: the cluster's.")
    ] = ""
    account: Annotated[
        str, Flag(("--account",), "Account that jobs are charged to. Default: yours.")
    ] = ""
    wall: Annotated[
        str,
        Flag(
            ("--wall",),
            "Time limit of a job, as Slurm writes it: 8:00:00. Default: by the estimate.",
        ),
    ] = ""
    sbatch: Annotated[
        str,
        Flag(("--sbatch",), "Further options of sbatch, which win: '--qos=long --mem=32G'."),
    ] = ""
    apptainer: Annotated[
        str,
        Flag(("--apptainer",), "Apptainer image that cohorts run in. Default: what is installed."),
    ] = ""
    dry_run: Annotated[
        bool, Flag(("--dry-run",), "Print the script for sbatch; write and submit nothing.")
    ] = False
