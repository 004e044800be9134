"""How cohorts are carried out, and the defaults of the command line, which must not load numpy or a simulator for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How cohorts are carried out; none of it changes a number."""

    device: str = "cpu"
    """Torch device."""
    jobs: int | None = None
    """Cohorts at a time, or None: as many as cores and memory allow."""
    checkpoint_seconds: float = 300.0
    """Seconds between checkpoints."""
    max_wall: float | None = None
    """Seconds after which everything is saved and left incomplete, or None."""
    allow_drift: bool = False
    """Go on from a checkpoint that other code or libraries wrote; such entries are unranked."""
    retries: int = 3
    """Infrastructure faults after which a cohort goes on from its last checkpoint, before it is left incomplete."""
    watchdog_seconds: float = 120.0
    """Seconds without an answer from the environments after which they count as hung."""
    deterministic: bool = False
    """On a GPU, only algorithms that give the same bits each time; on a CPU nothing else is ever used."""
    eager: bool = False
    """On a GPU, launch operation by operation instead of playing recorded steps."""
    profile: bool = False
    """Write a trace of some agent steps, cohorts/<i>/trace.json."""
    image: str = "mst-bench"
    """Image of the containers, where cohorts run in containers."""
    devices: tuple[str, ...] = ()
    """GPUs, by index or UUID, that containers are spread over; none: each may use all."""
    memory_gib: float | None = None
    """Limit of a container's memory, or None: an equal share of what is free."""

    def arguments(self, max_wall: float | None) -> list[str]:
        """Options of `run-cohort` that say the same, with so much wall time left."""
        told = [
            "--device",
            self.device,
            "--checkpoint-seconds",
            str(self.checkpoint_seconds),
            "--retries",
            str(self.retries),
        ]
        told += ["--watchdog-seconds", str(self.watchdog_seconds)]
        told += ["--max-wall", str(max_wall)] if max_wall is not None else []
        told += ["--profile"] if self.profile else []
        told += ["--deterministic"] if self.deterministic else []
        told += ["--eager"] if self.eager else []
        return [*told, "--allow-drift"] if self.allow_drift else told
