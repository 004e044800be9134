"""`--profile`: a trace of some agent steps, for chrome://tracing or Perfetto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STEPS = 8
"""Agent steps in a trace: half of them before a cycle of the algorithm begins, and half after."""


def steps_before(step: int, learning_starts: int, cycle: int) -> int:
    """Agent steps that follow agent step `step` before a trace begins.

    `cycle`: updates from one block of further learning to the next, as MR.Q's target cycle. The
    first block is left out: a GPU captures its steps there.
    """
    half = STEPS // 2
    cycles = max(1, -(-(step + half + 1 - learning_starts) // cycle))
    return learning_starts + cycles * cycle - half - step


@contextmanager
def traced(path: Path | None, before: int) -> Iterator[Callable[[], None]]:
    """Gives the function to call after every agent step; without a path it does nothing.

    `before`: agent steps before the trace. A run that ends earlier writes what there is.
    """
    if path is None:
        yield lambda: None
        return
    from torch.profiler import profile, schedule

    window = schedule(wait=max(0, before - 1), warmup=1, active=STEPS, repeat=1)
    with profile(
        schedule=window, on_trace_ready=lambda trace: trace.export_chrome_trace(str(path))
    ) as profiler:
        yield profiler.step
