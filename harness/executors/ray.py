"""Cohorts as tasks of a Ray cluster, whose nodes share no folder: files travel through Ray.

A task is an actor, because it answers while it works: asked for what is new, or to save and stop.
Ray's own retries are off: what a dead node means is decided where the results are.

Known limits: the command runs on a node of the cluster (one with no CPUs for tasks will do), and
ends with an error of Ray's if that node, or the cluster's head, goes away; the same command
resumes. Cohorts on one node share its CPUs as the operating system divides them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from pathlib import Path

from harness.errors import OK, Incomplete, NonConforming, UserError
from harness.executors import Executor
from harness.executors.installed import Installed
from harness.executors.ray_cluster import Cluster, NodeFault, NodeGone, Remote
from harness.executors.ray_cohort import RayCohort
from harness.executors.ray_files import chunks, send
from harness.executors.ray_options import RayOptions
from harness.executors.sealing import Deadline
from harness.executors.supervise import supervise
from harness.files import write_atomic
from harness.folder import Folder
from harness.machine import device
from harness.machine.provenance import command_line
from harness.options import Options
from harness.planning.cohorts import Cohort, read_cohorts
from harness.planning.estimate import estimate
from harness.planning.plan import Plan, read_plan
from harness.planning.sizing import LIBRARIES
from harness.words import say

POLL = 0.5
SEAL_GIB = LIBRARIES / 2**30
"""Memory of the process that writes the manifest: no cohort has less."""
WAIT_SECONDS = 10.0
"""After which it is said that the manifest waits for room on a node."""


class Ray(Installed, Executor):
    """`--executor ray`."""

    def __init__(self, own: RayOptions) -> None:
        self.own = own

    @property
    def elsewhere(self) -> bool:
        """Tasks run where Ray puts them."""
        return True

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.own.ray_address)

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device on the nodes: this machine may have none."""
        chooses = "with --executor ray, Ray chooses the GPU of a cohort; give --device cuda."
        device.check_without_index(options.device, chooses)
        if options.device == "cpu" or (
            options.device == "auto" and need == "any" and not self._cluster.has_gpu()
        ):
            return "cpu"
        if not self._cluster.has_gpu():
            raise NonConforming(
                f"suite {suite}: a CUDA device is asked for, and no node of the cluster at"
                f" {self._cluster.address} has one. To run on CPUs all the same, add"
                " `--device cpu` (slow: `mst-bench plan` tells how slow)."
            )
        return "cuda"

    def check(self, folder: Path, cohorts: list[Cohort], options: Options) -> None:
        """NonConforming for checkpoints of other code, for nodes of other code, and if no node has
        room for a cohort."""
        super().check(folder, cohorts, options)
        plan = read_plan(Folder(folder).plan)
        largest = estimate(plan, cohorts).memory_gib if cohorts else SEAL_GIB
        with _discarded_output():
            self._cluster.check(self._cluster.needs(options.device, largest))

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """A task for each cohort; Ray decides how many of `options.jobs` have room at a time."""
        cluster = self._cluster

        def start(cohort: Cohort, slot: int, options: Options) -> RayCohort:
            needs = cluster.needs(options.device, estimate(plan, [cohort]).memory_gib)
            return RayCohort(folder, cohort, Remote(cluster.library, needs), options)

        with _discarded_output():
            return supervise(folder, cohorts, options, start)

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """The manifest, written on a node: it states the machine and the code of the nodes."""
        with _discarded_output():
            needs = self._cluster.needs(options.device, SEAL_GIB)
            remote = Remote(self._cluster.library, needs)
            try:
                manifest = _sealed(remote, folder, plan, started, Deadline(options, started))
            except (NodeGone, NodeFault) as error:
                raise Incomplete(f"the manifest could not be written on a node: {error}") from None
            finally:
                remote.kill()
        write_atomic(Folder(folder).manifest, manifest)


def _sealed(remote: Remote, folder: Path, plan: Plan, started: float, deadline: Deadline) -> bytes:
    """The bytes of the manifest. Raises NodeGone or NodeFault; Incomplete if no node has room
    before the deadline."""

    def call(method: str, *arguments: object) -> object:
        return remote.call(_nothing, method, *arguments)

    # What it is made from: the plan, and what every cohort wrote down when it ended.
    here = Folder(Path())
    names = [here.plan, here.suite, here.cohorts, *(here.run(run).timing for run in plan.runs)]
    known = read_cohorts(folder)
    names += [here.cohort(cohort.index).faults for cohort in (known.cohorts if known else ())]
    begun = time.monotonic()
    said = False
    while not remote.placed():
        if not said and time.monotonic() - begun > WAIT_SECONDS:
            said = True
            say("waiting for room on a node, where the manifest is written.")
        deadline.check()
        time.sleep(POLL)
    there = remote.begin(_nothing)["folder"]
    send(call, folder, [str(name) for name in names if (folder / name).is_file()])

    words = ["seal", "--plan", f"{there}/{here.plan}", "--started", repr(started)]
    call("start", [*words, "--command", command_line()])
    while True:
        seen = remote.call(_nothing, "look", [], 0)
        if seen["code"] is not None:
            break
        time.sleep(POLL)
    if seen["code"] != OK:
        raise NodeFault(f"exit code {seen['code']}, {seen['output'].decode(errors='replace')}")
    manifest = b"".join(chunks(call, str(here.manifest)))
    call("close")
    return manifest


def _nothing() -> None:
    """Nothing else is to be looked at while a node works."""


@contextmanager
def _discarded_output() -> Iterator[None]:
    """Ray prints to stdout what its processes died of; that is for results, and we say it."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield
