"""`--profile`: a trace of some agent steps, for chrome://tracing or Perfetto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STEPS = 20
"""Agent steps in a trace."""
SETTLING = 5
"""Agent steps that are left out after learning has begun."""


@contextmanager
def traced(path: Path | None, before_learning: int) -> Iterator[Callable[[], None]]:
    """Gives the function to call after every agent step; without a path it does nothing.

    `before_learning`: agent steps until learning begins. A run that ends earlier than the trace
    writes what there is.
    """
    if path is None:
        yield lambda: None
        return
    from torch.profiler import profile, schedule

    window = schedule(wait=before_learning + SETTLING, warmup=1, active=STEPS, repeat=1)
    with profile(
        schedule=window, on_trace_ready=lambda trace: trace.export_chrome_trace(str(path))
    ) as profiler:
        yield profiler.step
