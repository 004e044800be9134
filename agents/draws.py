"""Random numbers of all members for one purpose, each member from its own generator.

Numbers are drawn a block of steps at a time, on the CPU: P members cost P generator calls a block instead of a step, the
stream of a member is the same on every device and beside any neighbours, and a block's first generator state with a
position in it is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

BLOCK = 64
"""Steps drawn at once. Part of the stream's definition: torch fills a larger block with other numbers."""


class Draws:
    """`next()` gives [P, *shape]: uniform on [0, 1) or standard normal."""

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        shape: tuple[int, ...],
        kind: Literal["uniform", "normal"],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generators = list(generators)
        self.shape = shape
        self.kind = kind
        self.dtype = dtype
        self.device = device
        self.position = BLOCK
        self.block_starts = [generator.get_state() for generator in self.generators]
        self.block = torch.empty(0)

    def _draw_block(self) -> None:
        self.block_starts = [generator.get_state() for generator in self.generators]
        draw = torch.rand if self.kind == "uniform" else torch.randn
        members = [draw((BLOCK, *self.shape), generator=g, dtype=self.dtype) for g in self.generators]
        self.block = torch.stack(members, dim=1).to(self.device)
        self.position = 0

    def next(self) -> Tensor:
        """The next draw of every member: [P, *shape]."""
        if self.position == BLOCK:
            self._draw_block()
        draw = self.block[self.position]
        self.position += 1
        return draw

    def state(self) -> dict[str, object]:
        """Generator states at the start of the block [P, bytes] and the position in it."""
        return {"block_starts": torch.stack(self.block_starts), "position": self.position, "drawn": self.block.numel() > 0}

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`: draws the block again and goes to the position."""
        starts, position = state["block_starts"], state["position"]
        assert isinstance(starts, Tensor) and isinstance(position, int)
        for generator, start in zip(self.generators, starts, strict=True):
            generator.set_state(start.clone())  # of its own memory: a row of a larger tensor crashes torch 2.13
        self.block_starts = [generator.get_state() for generator in self.generators]
        if state["drawn"]:
            self._draw_block()
        self.position = position
