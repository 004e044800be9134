"""Cohorts as containers of one image, through the container engine of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import docker

from harness.entries.manifest import read_manifest
from harness.errors import OK, Incomplete, NonConforming, UserError
from harness.executors import Executor
from harness.executors.containers import ENGINE_GONE, CohortContainer, Containers
from harness.executors.docker_options import DockerOptions
from harness.executors.mounts import MOUNTED, sealing_mounts
from harness.executors.supervise import supervise
from harness.files import write_json
from harness.folder import Folder
from harness.machine import device, engine_image, image
from harness.machine.provenance import command_line
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan

OUTPUT_LINES = 100
"""Lines of a container's output that a sentence repeats at most."""


class Docker(Executor):
    """`--executor docker`."""

    def __init__(self, own: DockerOptions) -> None:
        self.own = own

    @property
    def gpus(self) -> int:
        """As many as were named; else 1, since every container may then use all of them."""
        return max(1, len(self.own.gpus))

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device inside the containers.

        The engine says at their start whether there is such a GPU.
        """
        index = options.device.partition(":")[2]
        chooses = f"with --executor docker, name GPUs by --devices {index}."
        device.check_without_index(options.device, chooses)
        if options.device != "auto":
            return options.device
        return "cuda" if self.own.gpus or need == "cuda" else "cpu"

    def image_content(self) -> str | None:
        """Digest of the content of the image, which is read and not run; None if it has none."""
        with _engine() as engine:
            return engine_image.image_content(engine, self.own.image)

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """A container for each cohort, `options.jobs` at a time, spread over `--devices`."""
        with _engine() as engine:
            containers = Containers(engine, folder, plan, self.own, options)
            containers.remove_leftovers()

            def start(cohort: Cohort, slot: int, options: Options) -> CohortContainer:
                return CohortContainer(containers, cohort, slot, options)

            return supervise(folder, cohorts, options, start)

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """The manifest, written inside a container.

        It states the image's code and libraries, not this installation's.
        """
        command = ["seal", "--plan", str(MOUNTED.plan)]
        command += ["--started", repr(started), "--command", command_line()]

        with _engine() as engine, sealing_mounts(folder) as (mounts, scratch):
            containers = Containers(engine, folder, plan, self.own, options)
            container = containers.start(command, 0, mounts)
            try:
                code = container.wait()["StatusCode"]
                output = container.logs(tail=OUTPUT_LINES).decode(errors="replace").strip()
            finally:
                containers.remove(container)

            if code != OK:
                raise Incomplete(
                    f"the manifest could not be written in a container (exit code {code}): {output}"
                )
            write_json(Folder(folder).manifest, asdict(read_manifest(scratch)))


@contextmanager
def _engine() -> Iterator[Any]:
    """The container engine. Raises NonConforming without one, Incomplete if it goes away."""
    if image.content() is not None:
        raise UserError(
            "--executor docker: this is inside a container already; use --executor local here, or"
            " docker on the host."
        )

    # Whether there is one: asked once, at the beginning.
    try:
        engine = docker.from_env(timeout=60)
        engine.ping()
    except ENGINE_GONE as error:
        socket = os.environ.get("DOCKER_HOST", "the default socket")
        raise NonConforming(
            f"--executor docker: no container engine answers at {socket} ({_innermost(error)})."
        ) from None

    # Whether it stays: containers keep running without it, and without us.
    try:
        yield engine
    except ENGINE_GONE as error:
        raise Incomplete(
            f"the container engine does not answer any more ({_innermost(error)}). What was saved"
            " is whole; the same command resumes, once no container of this plan runs"
            " (`docker ps --filter label=mst-bench.plan`)."
        ) from None
    finally:
        engine.close()


def _innermost(error: Exception) -> str:
    """The innermost reason of a chain of wrapped errors, without memory addresses."""
    while isinstance(inner := error.__cause__ or error.__context__, Exception):
        error = inner
    return str(error) or type(error).__name__
