"""Steps that a device records once and then plays again: a GPU launches a recorded step whole, not operation by operation.

A recorded step reads and writes tensors that stay where they are in memory. What its function decides on the host, and every
number it is given, is decided once, when it is recorded: `forget` what was recorded when such a thing changes. A step must not
read a value back from the device, and draws nothing: random numbers are drawn before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import torch

T = TypeVar("T")

WARM_UP = 3
"""Calls of a step that run as they are written before it is recorded: libraries set themselves up in them."""


class Graph(Protocol):
    """A device's way to record."""

    def __init__(self, device: torch.device) -> None: ...

    def record(self, function: Callable[[], T]) -> T:
        """Note what `function` does, without doing it; the tensors that it returns are what `replay` writes to."""

    def replay(self) -> None:
        """Do it."""


class CudaGraph:
    """A CUDA graph, with memory of its own: in a shared pool one graph's results would lie where another computes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.graph = torch.cuda.CUDAGraph()

    def record(self, function: Callable[[], T]) -> T:
        # thread_local: other threads may go on with what does not touch this stream, such as pinning drawn numbers.
        with (
            torch.cuda.device(self.device),
            torch.cuda.graph(self.graph, capture_error_mode="thread_local"),
        ):
            return function()

    def replay(self) -> None:
        self.graph.replay()


GRAPHS: dict[str, type[Graph]] = {"cuda": CudaGraph}
"""Device type -> how it records; on other devices steps run as they are written."""


class Recorder:
    """Makes the recorded steps of one agent."""

    def __init__(self, device: torch.device | str, enabled: bool = True) -> None:
        self.device = torch.device(device)
        self.graph = GRAPHS.get(self.device.type) if enabled else None
        self.steps: list[Recorded[object]] = []

    def step(self, function: Callable[[], T]) -> Recorded[T]:
        """A step that does what `function` does."""
        step = Recorded(function, self)
        self.steps.append(step)  # type: ignore[arg-type]
        return step

    def forget(self) -> None:
        """Record every step anew at its next calls: something has changed that they were recorded with."""
        for step in self.steps:
            step.forget()


class Recorded(Generic[T]):
    """One step. What it returns is overwritten by its next call."""

    def __init__(self, function: Callable[[], T], recorder: Recorder) -> None:
        self.function, self.recorder = function, recorder
        self.forget()

    def forget(self) -> None:
        """Record anew at the next calls."""
        self.calls = 0
        self.graph: Graph | None = None

    def __call__(self) -> T:
        kind = self.recorder.graph
        if kind is None:
            return self.function()
        if self.graph is None and self.calls < WARM_UP:
            self.calls += 1
            return self._beside()
        if self.graph is None:
            graph = kind(self.recorder.device)
            self.result, self.graph = graph.record(self.function), graph
        self.graph.replay()
        return self.result

    def _beside(self) -> T:
        """The function on a stream of its own, as torch asks of what is to be recorded."""
        device = self.recorder.device
        if device.type != "cuda":
            return self.function()
        stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        now = torch.cuda.current_stream(device)
        stream.wait_stream(now)
        with torch.cuda.stream(stream):
            result = self.function()
        now.wait_stream(stream)
        return result
