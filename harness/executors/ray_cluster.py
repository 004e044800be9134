"""A Ray cluster: connecting to it, what its nodes have, and what is called on them."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import NonConforming, UserError
from harness.executors import ray_node
from harness.machine import provenance
from harness.words import gib

SECONDS = 10.0
"""How long a connection to the cluster's address may take."""
CHECK_SECONDS = 180.0
"""How long nodes may take to say which code they have."""
POLL = 0.5
"""Seconds between looks at whether something happened while a node is waited for."""
CORES = {"cpu": 1, "cuda": 8}
"""Device class -> CPUs that Ray sets aside for a cohort, where its node has as many for each GPU:
on a GPU, simulators have the others."""
GIB = 2**30


class NodeGone(Exception):
    """A node, or the process there, is no more; says how."""


class NodeFault(Exception):
    """Something could not be done on a node; says why."""


@dataclass(frozen=True)
class Needs:
    """What Ray sets aside for a cohort."""

    cpus: int
    gpus: int
    memory_gib: float

    def fit(self, resources: dict[str, float]) -> bool:
        """Whether a node has that when nothing else runs there."""
        return (
            resources.get("CPU", 0.0) >= self.cpus
            and resources.get("GPU", 0.0) >= self.gpus
            and resources.get("memory", 0.0) >= self.memory_gib * GIB
        )

    def __str__(self) -> str:
        gpu = f", {self.gpus} GPU" if self.gpus else ""
        return f"{self.cpus} CPU{gpu} and {gib(self.memory_gib)} of memory"


class Remote:
    """A `ray_node.Node` on some node of the cluster; Ray chooses it, and never starts it again."""

    def __init__(self, library: Any, needs: Needs) -> None:
        self._library = library
        self._actor = (
            library.remote(ray_node.Node)
            .options(
                num_cpus=needs.cpus,
                num_gpus=needs.gpus,
                memory=int(needs.memory_gib * GIB),
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote()
        )
        self._begun = self._actor.begin.remote()

    def placed(self) -> bool:
        """Whether a node had room for it, or it failed there."""
        ready, _ = self._library.wait([self._begun], timeout=0)
        return bool(ready)

    def begin(self, watch: Callable[[], None]) -> dict[str, Any]:
        """What `Node.begin` says."""
        begun: dict[str, Any] = self._get(self._begun, watch)
        return begun

    def call(self, watch: Callable[[], None], method: str, *arguments: Any) -> Any:
        """What a method of `Node` returns.

        `watch` is called while that lasts, and may raise. Raises NodeGone and NodeFault.
        """
        return self._get(getattr(self._actor, method).remote(*arguments), watch)

    def kill(self) -> None:
        """End it now, if it still runs."""
        self._library.kill(self._actor, no_restart=True)

    def _get(self, reference: Any, watch: Callable[[], None]) -> Any:
        errors = self._library.exceptions
        while True:
            watch()
            try:
                ready, _ = self._library.wait([reference], timeout=POLL)
                if ready:
                    return self._library.get(reference)
            except errors.RayTaskError as error:
                raise NodeFault(f"{type(error.cause).__name__}: {error.cause}") from None
            except errors.OutOfMemoryError:
                raise NodeGone("it ran out of memory.") from None
            except errors.ActorUnavailableError:
                raise NodeGone("it does not answer.") from None
            # An OSError is the connection's: what is written here is not to blame.
            except (errors.RayError, OSError) as error:
                raise NodeGone(_short(str(error))) from None


class Cluster:
    """A cluster that this process is connected to, as long as it lives."""

    def __init__(self, address: str) -> None:
        """`address`: as `--ray-address` gives it. UserError without the library or for what is no
        address, NonConforming if no cluster answers there."""
        self.library = _library()
        self.address = address or os.environ.get("RAY_ADDRESS", "") or "auto"
        if not self.library.is_initialized():
            _connect(self.library, self.address)

    def nodes(self, needs: Needs | None = None) -> list[dict[str, Any]]:
        """Nodes that are alive; `needs`: and have that."""
        alive = [node for node in self.library.nodes() if node["Alive"]]
        return [node for node in alive if needs is None or needs.fit(node["Resources"])]

    def has_gpu(self) -> bool:
        """Whether a node has one."""
        return any(node["Resources"].get("GPU", 0.0) >= 1.0 for node in self.nodes())

    def needs(self, device: str, memory_gib: float) -> Needs:
        """What a cohort needs that holds so much memory."""
        if not device.startswith("cuda"):
            return Needs(CORES["cpu"], 0, memory_gib)
        shares = [1.0]
        for node in self.nodes():
            gpus = node["Resources"].get("GPU", 0.0)
            if gpus >= 1.0:
                shares.append(node["Resources"].get("CPU", 0.0) // gpus)
        return Needs(int(min(CORES["cuda"], max(shares))), 1, memory_gib)

    def check(self, needs: Needs) -> None:
        """NonConforming if no node has what a cohort needs, or one of them another code."""
        nodes = self.nodes(needs)
        if not nodes:
            raise NonConforming(
                f"--executor ray: a cohort needs {needs}, and no node of the cluster at"
                f" {self.address} has that. Give fewer --members, or add a node."
            )

        # A process on each node, wherever else there is room.
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self.library.remote(ray_node.identity_here)
        asked = {
            look.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(): node["NodeManagerAddress"]
            for node in nodes
        }
        self._check_answers(asked)

    def _check_answers(self, asked: dict[Any, str]) -> None:
        """`asked`: what nodes will say -> their addresses."""
        differing = defaultdict[str, list[str]](list)
        deadline = time.monotonic() + CHECK_SECONDS
        waiting = list(asked)
        while waiting and time.monotonic() < deadline:
            ready, waiting = self.library.wait(waiting, timeout=POLL)
            for reference in ready:
                try:
                    said = self.library.get(reference)
                except self.library.exceptions.RayError as error:
                    differing[f"does not answer ({_short(str(error))})"].append(asked[reference])
                    continue
                if difference := differs(said):
                    differing[difference].append(said["host"])
        for reference in waiting:
            differing["does not answer"].append(asked[reference])
        if differing:
            sentences = [f"{', '.join(hosts)}: {what}" for what, hosts in differing.items()]
            raise NonConforming(f"--executor ray: {'; '.join(sentences)}. {SAME}")


SAME = "Every node needs the mst-bench, Python and libraries of the machine that begins the run."


def differs(said: dict[str, Any]) -> str:
    """What is wrong with a node that said this (`ray_node.identity_here`); empty: nothing."""
    if said["reason"]:
        return f"has no mst-bench ({said['reason']})"
    here = provenance.identity()
    changed = [name for name in here if here[name] != said["identity"].get(name)]
    return f"has another {', '.join(changed)}" if changed else ""


def _short(message: str) -> str:
    """The first sentence of what Ray says, without the ids of its processes."""
    lines = [re.sub(r"\b[0-9a-f]{16,} ?", "", line.strip()) for line in message.splitlines()]
    telling = [line for line in lines if line.startswith("The actor")] or lines
    return telling[0].partition(". ")[0].rstrip(".") + "."


def _library() -> Any:
    """Ray. UserError where it is not installed."""
    # Read when Ray is loaded. Nothing is reported to anybody, and what is no cluster is given up
    # after two minutes instead of a quarter of an hour.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")
    try:
        import ray
    except ImportError:
        raise UserError(
            "--executor ray: ray is not installed; `pip install 'mst-bench[ray]'`."
        ) from None
    ray.cloudpickle.register_pickle_by_value(ray_node)
    return ray


def _connect(library: Any, address: str) -> None:
    if address != "auto":
        _check_answers_at(address)
    try:
        library.init(
            address=address,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.CRITICAL,
        )
    except ConnectionError as error:
        if address == "auto":
            raise NonConforming(
                "--executor ray: no Ray cluster runs on this machine. Begin one with `ray start"
                " --head`, or give --ray-address HOST:PORT."
            ) from None
        raise _no_cluster(address, _short(str(error))) from None
    except (RuntimeError, ValueError, library.exceptions.RayError) as error:
        raise _no_cluster(address, _short(str(error))) from None


def _check_answers_at(address: str) -> None:
    """UserError for what is no address, NonConforming if nobody listens there: Ray itself would try
    for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or "/" in host:
        raise UserError(
            f"--ray-address {address}: expected HOST:PORT or auto; this command runs on a node of"
            " the cluster."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, reason: str) -> NonConforming:
    return NonConforming(
        f"--ray-address {address}: no Ray cluster answers there ({reason.rstrip('.')})."
    )
