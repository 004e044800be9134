"""Cohorts as containers of one image: hardened, without a network, each on one GPU or on the CPU.

A container gets the plan's folder as /out, the user's own uid, and nothing else to write to but /tmp. Every container has the
labels `mst-bench.plan` and `mst-bench.folder`; it is removed however it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest
from requests.exceptions import RequestException

from harness.errors import OK, Incomplete, NonConforming, UserError
from harness.executors.supervise import Ending, last_words, log_of, supervise
from harness.folder import Folder
from harness.machine import device, image, resources
from harness.machine.provenance import command_line
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan

KILLED = 137
"""Exit code of what SIGKILL ended: 128 + 9."""
ENGINE_GONE = (RequestException, DockerException)
IN_CONTAINER = Folder(Path("/out"))
"""The plan's folder, as the containers see it."""
PIDS = 4096
GIB = 2**30


def choose_device(options: Options, need: str, suite: str) -> str:
    """The torch device inside the containers; the engine says at their start whether there is such a GPU."""
    device.check_name(options.device)
    if ":" in options.device:
        raise UserError(
            f"--device {options.device}: with --executor docker, name GPUs by --devices {options.device[5:]}."
        )
    if options.device != "auto":
        return options.device
    return "cuda" if options.devices or need == "cuda" else "cpu"


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """A container for each cohort, `options.jobs` at a time, spread over `options.devices`."""
    with _engine() as engine:
        hull = _Hull(engine, folder, plan, options)
        hull.remove_leftovers()
        return supervise(
            folder,
            cohorts,
            options,
            lambda cohort, place, left: _Container(hull, cohort, place, left),
        )


def seal(folder: Path, plan: Plan, started: float, options: Options) -> None:
    """The manifest, written inside a container: it states the image's code and libraries, not this installation's."""
    with _engine() as engine:
        hull = _Hull(engine, folder, plan, options)
        container = hull.start(
            [
                "seal",
                "--plan",
                str(IN_CONTAINER.plan),
                "--started",
                repr(started),
                "--command",
                command_line(),
            ],
            0,
        )
        try:
            code = container.wait()["StatusCode"]
            said = container.logs().decode(errors="replace").splitlines()[-1:]
        finally:
            hull.remove(container)
    if code != OK:
        raise Incomplete(
            f"the manifest could not be written in a container (exit code {code}): {' '.join(said)}"
        )


class _Hull:
    """How the containers of a plan are made."""

    def __init__(self, engine: Any, folder: Path, plan: Plan, options: Options) -> None:
        self.engine, self.folder, self.options, self.jobs = (
            engine,
            folder,
            options,
            options.jobs or 1,
        )
        self.labels = {"mst-bench.plan": plan.id, "mst-bench.folder": str(folder.resolve())}
        try:
            self.image: str = engine.images.get(options.image).id
        except ImageNotFound:
            raise NonConforming(
                f"--image {options.image}: the engine has no such image. Make it with `make image`, or load or pull it."
            ) from None
        self.memory_gib = options.memory_gib or resources.memory_gib() / self.jobs

    def start(self, command: list[str], place: int) -> Any:
        """A running container; nothing of it is left if it cannot start."""
        gpus = []
        if self.options.device != "cpu":
            wanted = self.options.devices
            which = {"device_ids": [wanted[place % len(wanted)]]} if wanted else {"count": -1}
            gpus = [DeviceRequest(**which, capabilities=[["gpu"]])]
        container = None
        try:
            container = self._create(command, gpus)
            container.start()
        except BaseException as error:
            if container is not None:
                self.remove(container)
            if isinstance(error, APIError):
                raise _cannot_start(error, self.options) from None
            raise
        return container

    def _create(self, command: list[str], gpus: list[DeviceRequest]) -> Any:
        memory = int(self.memory_gib * GIB)
        return self.engine.containers.create(
            self.image,
            command,
            init=True,
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": "rw,exec,mode=1777"},
            volumes={str(self.folder.resolve()): {"bind": "/out", "mode": "rw"}},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PIDS,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(max(1.0, resources.cores() / self.jobs) * 1e9),
            environment={"OMP_NUM_THREADS": "1"},
            device_requests=gpus,
            labels=self.labels,
        )

    def remove(self, container: Any) -> None:
        """Also while it runs; an engine that does not answer is not asked twice."""
        with suppress(*ENGINE_GONE):
            container.remove(force=True, v=True)

    def remove_leftovers(self) -> None:
        """Containers of this folder that ended while nobody watched, as after a crash of this program."""
        labels = [f"{name}={value}" for name, value in self.labels.items()]
        for status in ("exited", "created", "dead"):
            for container in self.engine.containers.list(
                all=True, filters={"label": labels, "status": status}
            ):
                self.remove(container)


class _Container:
    """A cohort's container, its output streamed to the cohort's log."""

    def __init__(self, hull: _Hull, cohort: Cohort, place: int, max_wall: float | None) -> None:
        self.hull, self.log = hull, log_of(hull.folder, cohort)
        arguments = hull.options.arguments(max_wall)
        command = [
            "run-cohort",
            "--plan",
            str(IN_CONTAINER.plan),
            "--index",
            str(cohort.index),
            *arguments,
        ]
        self.container = hull.start(command, place)
        self._ended: Ending | None = None
        self._reader = threading.Thread(target=self._stream, daemon=True)
        self._reader.start()

    def _stream(self) -> None:
        with open(self.log, "ab") as log, suppress(*ENGINE_GONE):
            for piece in self.container.logs(stream=True, follow=True):
                log.write(piece)
                log.flush()

    def ending(self) -> Ending | None:
        if self._ended is None:
            self._ended = self._look()
        return self._ended

    def _look(self) -> Ending | None:
        try:
            self.container.reload()
        except NotFound:
            return Ending(KILLED, "its container was removed", killed=True)
        state = self.container.attrs["State"]
        if state["Status"] not in ("exited", "dead"):
            return None
        self._reader.join(timeout=10.0)
        self.hull.remove(self.container)
        code = state["ExitCode"]
        if state["OOMKilled"] and code != OK:
            limit = f"{self.hull.memory_gib:.1f} GiB"
            return Ending(
                code,
                f"its container ran out of memory, the limit is {limit}: give more --memory-gib or fewer --jobs",
            )
        if code >= 128 and code != 130:
            return Ending(code, f"its container was killed (exit code {code})", killed=True)
        return Ending(code, last_words(self.log, code))

    def ask(self) -> None:
        with suppress(APIError):  # it just ended
            self.container.kill(signal="SIGINT")

    def kill(self) -> None:
        self.hull.remove(self.container)


@contextmanager
def _engine() -> Iterator[Any]:
    """The container engine. NonConforming without one, Incomplete if it goes away."""
    if image.content() is not None:
        raise UserError(
            "--executor docker: this is inside a container already; use --executor local here, or docker on the host."
        )
    try:
        engine = docker.from_env(timeout=60)
        engine.ping()
    except ENGINE_GONE as error:
        where = os.environ.get("DOCKER_HOST", "the default socket")
        raise NonConforming(
            f"--executor docker: no container engine answers at {where} ({_short(error)})."
        ) from None
    try:
        yield engine
    except ENGINE_GONE as error:
        raise Incomplete(
            f"the container engine does not answer any more ({_short(error)}). What was saved is whole; the same command goes"
            " on, once no container of this plan runs (`docker ps --filter label=mst-bench.plan`)."
        ) from None
    finally:
        engine.close()


def _cannot_start(error: APIError, options: Options) -> UserError:
    said = str(error.explanation or error)
    if "could not select device driver" in said or "unknown or invalid runtime" in said:
        return NonConforming(
            "the container engine has no GPU runtime: install the NVIDIA container toolkit, or add `--device cpu` (slow:"
            " `mst-bench plan` tells how slow)."
        )
    if "unsatisfied condition" in said and "cuda" in said:
        return NonConforming(
            f"the NVIDIA driver is too old for CUDA 13, which needs {device.DRIVER_NEEDED} or newer: {said}"
        )
    return NonConforming(f"--image {options.image}: the container does not start: {said}")


def _short(error: Exception) -> str:
    """The innermost reason of a chain of wrapped errors, without memory addresses."""
    while isinstance(inner := error.__cause__ or error.__context__, Exception):
        error = inner
    return str(error) or type(error).__name__
