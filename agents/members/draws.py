"""Random numbers of all members for one purpose, each member from its own generator.

Numbers are drawn on the CPU, a block of steps at once. So P members cost P generator calls a block
instead of P a step, a member's numbers are the same on every device and beside any neighbours, and
a checkpoint needs only the generator states before the block and the position in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Literal

import torch
from torch import Tensor

from agents.members.background import background
from agents.members.upload import upload

BLOCK = 64
"""Steps drawn at once. Part of the stream's definition: torch fills a larger block with other
numbers."""


class Draws:
    """`next()` gives [P, *shape]: uniform on [0, 1) or standard normal."""

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        shape: tuple[int, ...],
        law: Literal["uniform", "normal"],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        ahead: bool = False,
    ) -> None:
        """`ahead` draws the next block in a thread while this one is used, to the same numbers."""
        self.generators = list(generators)
        self.law = law
        self.dtype = dtype
        self.device = torch.device(device)
        self.ahead = ahead

        # The block under way: its generators' states, its numbers [P, BLOCK, *shape], how far.
        self.block_starts = [generator.get_state() for generator in self.generators]
        self.block = torch.empty((len(self.generators), 0, *shape))
        self.position = BLOCK
        self._next_block: Future[tuple[list[Tensor], Tensor]] | None = None

        self.now = torch.zeros((len(self.generators), *shape), dtype=dtype, device=device)
        """The latest draw. It keeps its address, as captured CUDA graphs need."""

    def _draw(self) -> tuple[list[Tensor], Tensor]:
        """Generator states before the next block, and the block on the host: [P, BLOCK, *shape]."""
        starts = [generator.get_state() for generator in self.generators]
        shape = (len(self.generators), BLOCK, *self.now.shape[1:])
        block = torch.empty(shape, dtype=self.dtype, pin_memory=self.device.type == "cuda")
        draw = torch.rand if self.law == "uniform" else torch.randn
        for row, generator in zip(block, self.generators, strict=True):
            draw(row.shape, generator=generator, dtype=self.dtype, out=row)
        return starts, block

    def _take_block(self) -> None:
        """Starts the next block, which the thread may have drawn already."""
        if self._next_block is None:
            starts, block = self._draw()
        else:
            starts, block = self._next_block.result()
        self.block_starts = starts
        self._next_block = background().submit(self._draw) if self.ahead else None
        self.block = upload(block, self.device)
        self.position = 0

    def next(self) -> Tensor:
        """The next draw of every member, `now`: [P, *shape]."""
        if self.position == BLOCK:
            self._take_block()
        self.now.copy_(self.block[:, self.position])
        self.position += 1
        return self.now

    def state(self) -> dict[str, object]:
        """Generator states at the start of the block [P, bytes] and the position in it."""
        return {
            "block_starts": torch.stack(self.block_starts),
            "position": self.position,
            "drawn": self.block.numel() > 0,
        }

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`: draws the block again and moves to the position."""
        starts = state["block_starts"]
        position = state["position"]
        assert isinstance(starts, Tensor) and isinstance(position, int)

        # The thread uses the generators: wait for it, and drop the block that it drew.
        if self._next_block is not None:
            self._next_block.result()
            self._next_block = None

        # Clone each state: set_state on a row of a larger tensor crashes torch 2.13.
        for generator, start in zip(self.generators, starts, strict=True):
            generator.set_state(start.clone())
        self.block_starts = [generator.get_state() for generator in self.generators]

        if state["drawn"]:
            self._take_block()
        self.position = position
