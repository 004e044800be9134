"""CUDA graphs: a GPU captures a step once and then replays it whole, with one launch.

A captured step reads and writes tensors that keep their addresses. Everything that its function
decides on the host, and every number that it passes, is fixed at the capture; when such a thing
changes, call `forget`, which captures the step anew. A step must not read a value back from the
device, and it draws no random numbers: they are drawn before it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import torch

from agents.members.streams import stream

T = TypeVar("T")

WARM_UP = 3
"""Calls of a step that run uncaptured first, because libraries initialise themselves in them."""


class Graph(Protocol):
    """How a device captures and replays a step."""

    def __init__(self, device: torch.device) -> None: ...

    def record(self, function: Callable[[], T]) -> T:
        """Capture `function` without running it; `replay` writes to the tensors it returns."""

    def replay(self) -> None:
        """Run what was captured."""


class CudaGraph:
    """A CUDA graph with a memory pool of its own.

    In a shared pool the results of one graph would lie where another graph computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.graph = torch.cuda.CUDAGraph()

    def record(self, function: Callable[[], T]) -> T:
        # thread_local: other threads may keep using CUDA meanwhile, such as pinning drawn numbers.
        side = stream(self.device, "capture")
        with (
            torch.cuda.device(self.device),
            torch.cuda.graph(self.graph, stream=side, capture_error_mode="thread_local"),
        ):
            return function()

    def replay(self) -> None:
        self.graph.replay()


GRAPHS: dict[str, type[Graph]] = {"cuda": CudaGraph}
"""Device type -> how it captures; the others run steps operation by operation."""


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Collects garbage before a capture and none during it: a graph that is freed meanwhile gives
    memory back to the device, and that breaks the capture off."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Recorder:
    """Makes the steps of one agent that its device may capture."""

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
        """Capture every step anew at its next calls: something that was fixed has changed."""
        for step in self.steps:
            step.forget()


class Recorded(Generic[T]):
    """One step. Its next call overwrites what it returned."""

    def __init__(self, function: Callable[[], T], recorder: Recorder) -> None:
        self.function = function
        self.recorder = recorder
        self.forget()

    def forget(self) -> None:
        """Capture anew at the next calls."""
        self.calls = 0
        self.graph: Graph | None = None

    def __call__(self) -> T:
        graph_class = self.recorder.graph
        if graph_class is None:
            return self.function()

        # The first calls run uncaptured, the next one is captured, and all later ones replay.
        if self.graph is None and self.calls < WARM_UP:
            self.calls += 1
            return self._on_side_stream()
        if self.graph is None:
            graph = graph_class(self.recorder.device)
            with _nothing_collected():
                self.result = graph.record(self.function)
            self.graph = graph
        self.graph.replay()
        return self.result

    def _on_side_stream(self) -> T:
        """The function on a side stream: torch requires that of warm-up calls before a capture."""
        device = self.recorder.device
        if device.type != "cuda":
            return self.function()

        side = stream(device, "capture")
        current = torch.cuda.current_stream(device)
        side.wait_stream(current)
        with torch.cuda.stream(side):
            result = self.function()
        current.wait_stream(side)
        return result
