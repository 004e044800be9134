"""The containers of one plan: hardened, without a network, each on one GPU or on the CPU.

A container runs as the user who starts it, never as root, and sees of the plan's folder what
mounts.py says. Nothing of this process's environment reaches it: no key, no passphrase. Every
container has the labels `mst-bench.plan` and `mst-bench.folder`; it is removed however it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from docker.types import DeviceRequest, LogConfig, Mount
from requests.exceptions import RequestException

from harness.errors import INTERRUPTED, OK, NonConforming
from harness.executors.docker_options import DockerOptions
from harness.executors.log import Log
from harness.executors.mounts import MOUNTED, cohort_mounts, user
from harness.folder import Folder
from harness.machine import device, resources
from harness.machine.engine_image import find_image
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.ending import Ending, ending, ending_of_process

ENGINE_GONE = (RequestException, DockerException)
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
"""All that a container is told by environment variables, beside what its image sets."""
TMP = "rw,noexec,nosuid,nodev,size=1g,mode=1777"
"""/tmp of a container; it counts as its memory."""
LOGS = LogConfig(type=LogConfig.types.JSON, config={"max-size": "16m", "max-file": "2"})
"""What the engine keeps of a container's output, until it is removed."""
PIDS = 4096
GIB = 2**30
KILLED = 137
"""Exit code of what SIGKILL ended: 128 + 9."""
FIRST_SIGNAL = 128
"""Exit codes from here on say that a signal ended the process."""
LOG_SECONDS = 10.0
"""How long the rest of an ended container's output is waited for."""


class Containers:
    """Creates and removes the containers of one plan."""

    def __init__(
        self, engine: Any, folder: Path, plan: Plan, own: DockerOptions, options: Options
    ) -> None:
        """Raises NonConforming if the engine has no such image."""
        self.engine = engine
        self.folder = folder
        self.own = own
        self.device = options.device
        self.jobs = options.jobs or 1
        self.memory_gib = own.memory_gib or resources.memory_gib() / self.jobs
        self.labels = {"mst-bench.plan": plan.id, "mst-bench.folder": str(folder.resolve())}
        self.image: str = find_image(engine, own.image).id

    def start(self, command: list[str], slot: int, mounts: Sequence[Mount]) -> Any:
        """A running container; nothing of it is left if it cannot start."""
        # Also an interruption between creation and start must leave nothing.
        container = None
        try:
            container = self._create(command, self._gpus_of(slot), mounts)
            container.start()
        except BaseException as error:
            if container is not None:
                self.remove(container)
            if isinstance(error, APIError):
                raise self._cannot_start(error) from None
            raise
        return container

    def remove(self, container: Any) -> None:
        """Also while it runs; an engine that does not answer is not asked twice."""
        with suppress(*ENGINE_GONE):
            container.remove(force=True, v=True)

    def remove_leftovers(self) -> None:
        """Remove what ended while nobody watched, as after a crash of this program."""
        labels = [f"{name}={value}" for name, value in self.labels.items()]
        for status in ("exited", "created", "dead"):
            filters = {"label": labels, "status": status}
            for container in self.engine.containers.list(all=True, filters=filters):
                self.remove(container)

    def _gpus_of(self, slot: int) -> list[DeviceRequest]:
        """One of --devices, in turn; all GPUs without that option; none on the CPU."""
        if self.device == "cpu":
            return []
        if not self.own.gpus:
            return [DeviceRequest(count=-1, capabilities=[["gpu"]])]
        gpu = self.own.gpus[slot % len(self.own.gpus)]
        return [DeviceRequest(device_ids=[gpu], capabilities=[["gpu"]])]

    def _create(
        self, command: list[str], gpus: list[DeviceRequest], mounts: Sequence[Mount]
    ) -> Any:
        memory = int(self.memory_gib * GIB)
        cores = max(1.0, resources.cores() / self.jobs)
        uid, gid = user()
        return self.engine.containers.create(
            self.image,
            command,
            labels=self.labels,
            # No rights, no network, nothing to write to but its mounts and /tmp.
            init=True,
            user=f"{uid}:{gid}",
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": TMP},
            mounts=list(mounts),
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            # A share of the machine.
            pids_limit=PIDS,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(cores * 1e9),
            log_config=LOGS,
            environment=ENVIRONMENT,
            device_requests=gpus,
        )

    def _cannot_start(self, error: APIError) -> NonConforming:
        # Engines tell these causes by their wording alone.
        explanation = str(error.explanation or error)
        if "could not select device driver" in explanation or (
            "unknown or invalid runtime" in explanation
        ):
            return NonConforming(
                "the container engine has no GPU runtime: install the NVIDIA container toolkit, or"
                " add `--device cpu` (slow: `mst-bench plan` tells how slow)."
            )
        if "unsatisfied condition" in explanation and "cuda" in explanation:
            return NonConforming(
                "the NVIDIA driver is too old for CUDA 13, which needs"
                f" {device.DRIVER_NEEDED} or newer: {explanation}"
            )
        return NonConforming(
            f"--image {self.own.image}: the container does not start: {explanation}"
        )


class CohortContainer:
    """A cohort's container, its output streamed to the cohort's log."""

    def __init__(self, containers: Containers, cohort: Cohort, slot: int, options: Options) -> None:
        self.containers = containers
        self.cohort = Folder(containers.folder).cohort(cohort.index)
        command = ["run-cohort", "--plan", str(MOUNTED.plan), "--index", str(cohort.index)]
        mounts = cohort_mounts(containers.folder, cohort)
        log = Log(self.cohort.log)
        try:
            self.container = containers.start([*command, *options.arguments()], slot, mounts)
        except BaseException:
            log.close()
            raise
        self._ended: Ending | None = None
        self._reader = threading.Thread(target=self._stream, args=(log,), daemon=True)
        self._reader.start()

    def ending(self) -> Ending | None:
        if self._ended is None:
            self._ended = self._look()
        return self._ended

    def ask(self) -> None:
        with suppress(APIError):  # it just ended
            self.container.kill(signal="SIGINT")

    def kill(self) -> None:
        self.containers.remove(self.container)

    def join(self) -> None:
        """It was removed."""

    def _stream(self, log: Log) -> None:
        with closing(log), suppress(*ENGINE_GONE):
            for chunk in self.container.logs(stream=True, follow=True):
                log.write(chunk)

    def _look(self) -> Ending | None:
        """What the container's state says, and else what the cohort itself left."""
        try:
            self.container.reload()
        except NotFound:
            return ending(KILLED, "killed", "its container was removed.")
        state = self.container.attrs["State"]
        if state["Status"] not in ("exited", "dead"):
            return None

        self._reader.join(timeout=LOG_SECONDS)
        self.containers.remove(self.container)
        # Out of memory is not retried: it would happen again. Any other kill is from outside.
        code: int = state["ExitCode"]
        if state["OOMKilled"] and code != OK:
            reason = (
                "its container ran out of memory, the limit is"
                f" {self.containers.memory_gib:.1f} GiB: give more --memory-gib or fewer --jobs."
            )
            return ending(code, "incomplete", reason)
        if code >= FIRST_SIGNAL and code != INTERRUPTED:
            return ending(code, "killed", f"its container was killed (exit code {code}).")
        return ending_of_process(self.cohort, code)
