"""`mst-bench export-k8s`: a plan as a Job of Kubernetes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.locate import plan_folder
from harness.cli.plan import DeviceOption, MembersOption
from harness.cli.printing import echo_table
from harness.errors import UserError, suggestion
from harness.options import Options
from harness.words import count, say

if TYPE_CHECKING:
    from harness.planning.cohorts import Cohorts


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command("export-k8s")(export_k8s)


def export_k8s(
    plan: Annotated[Path, typer.Argument(help="OUT/<plan id>, as `plan --out` writes it.")],
    image: Annotated[
        str, typer.Option("--image", help="Image of the pods, as NAME@sha256:DIGEST.")
    ],
    claim: Annotated[
        str,
        typer.Option(
            "--claim", help="PersistentVolumeClaim that all pods write to; it holds <plan id>/."
        ),
    ],
    device: DeviceOption = "cuda",
    members: MembersOption = None,
    retries: Annotated[
        int,
        typer.Option("--retries", min=0, help="Restarts of a cohort after its pod was lost."),
    ] = Options.retries,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Pods at a time. Default: all.")
    ] = None,
) -> None:
    """Print an Indexed Job of Kubernetes that carries out one cohort an index, as YAML.

    Which runs are trained together is fixed by this, in the plan's folder.
    """
    from harness.entries.registered import registered_files
    from harness.exports import kubernetes
    from harness.folder import Folder
    from harness.planning.cohorts import frozen_cohorts
    from harness.planning.plan import read_plan
    from harness.planning.sizing import GAINS
    from harness.training.agreed import agreed

    if device not in GAINS:
        raise UserError(f"--device {device}: unknown device class.{suggestion(device, GAINS)}")
    folder = plan_folder(plan)
    stated = read_plan(Folder(folder).plan)
    registered_files(folder, stated)  # without them nobody would take the results
    cohorts = agreed(folder, partial(frozen_cohorts, folder, stated, device, members))
    if cohorts.device_class != device or members not in (None, cohorts.members):
        raise UserError(f"{Folder(folder).cohorts}: {_others(cohorts)}")
    document = kubernetes.job(stated, cohorts, image, claim, retries, jobs)
    echo_table(kubernetes.text(document))
    say(
        f"{count(len(cohorts.cohorts), 'cohort')}; put {folder} into the root of claim {claim}"
        " before the Job begins."
    )


def _others(cohorts: Cohorts) -> str:
    """What is said of cohorts that are fixed already, and are not those that were asked for."""
    sized = f" of {count(cohorts.members, 'member')} at most" if cohorts.members else ""
    return (
        f"holds cohorts for {cohorts.device_class}{sized}. Give --device and --members as they are"
        " there, or plan into another --out."
    )
