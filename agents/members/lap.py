"""Loss-adjusted prioritisation (LAP, arXiv 2007.06049): which rows are sampled, and how often.

Priorities are fixed-point integers, so sums do not depend on the order of addition, on any device.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ONE = 1 << 32
"""Fixed-point 1.0 of a priority. Fewer than 2^21 rows of priority 2^10 fit a 64-bit sum."""
BLOCK = 64
"""Rows that share a partial sum. Sampling a batch of B reads capacity / BLOCK sums and B * BLOCK
rows; which rows it draws does not depend on BLOCK."""
LARGEST_PRIORITY = float(1 << 10)


class LAP:
    """Priorities of `capacity` rows of each member, [P, padded] with whole blocks.

    A row is sampled in proportion to its priority, if it may be sampled at all.
    """

    def __init__(
        self, members: int, capacity: int, min_priority: float, device: torch.device
    ) -> None:
        self.block = BLOCK
        self.blocks = -(-capacity // BLOCK)
        padded = self.blocks * BLOCK
        self.priority = torch.zeros((members, padded), dtype=torch.int64, device=device)
        self.samplable = torch.zeros((members, padded), dtype=torch.bool, device=device)
        self.block_sum = torch.zeros((members, self.blocks), dtype=torch.int64, device=device)
        smallest = to_fixed(min_priority)
        self.max_priority = torch.full((members,), smallest, dtype=torch.int64, device=device)
        """The largest priority so far, which a new row gets."""
        self._member = torch.arange(members, device=device)

    def begin(self, row: Tensor, changed: Tensor, flags: Tensor) -> None:
        """Give new rows [P] the largest priority; set `flags` [P, n] of the rows `changed`."""
        self.priority[self._member, row] = self.max_priority
        self.set_samplable(self._member, changed, flags)

    def set_samplable(self, members: Tensor, rows: Tensor, flags: Tensor) -> None:
        """Set the flags [M, n] of rows [M, n] of members [M]."""
        self.samplable[members[:, None], rows] = flags
        self._refresh_blocks(members, rows // self.block)

    def update(self, index: Tensor, priority: Tensor) -> None:
        """Replace the priorities of rows [P, B]; a row named twice gets the larger one."""
        fixed = to_fixed_tensor(priority)
        self.priority.scatter_reduce_(1, index, fixed, "amax", include_self=False)
        torch.maximum(self.max_priority, fixed.amax(1), out=self.max_priority)
        self._refresh_blocks(self._member, index // self.block)

    def sample(self, uniform: Tensor) -> Tensor:
        """Rows [P, B] in proportion to their priority, from float64 uniforms [P, B] on [0, 1)."""
        # Tickets: one for each unit of priority. `ends` [P, blocks] are the blocks' last tickets.
        ends = self.block_sum.cumsum(1)
        total = ends[:, -1:]
        ticket = torch.minimum((uniform * total).long(), total - 1)  # [P, B]

        # The block that holds each ticket, and the ticket's number inside of it.
        block = torch.searchsorted(ends, ticket, right=True)
        ticket = ticket - (ends - self.block_sum).gather(1, block)

        # The row inside the block: as many rows as end at or before the ticket come before it.
        inside = self._block_rows(self._member, block).cumsum(-1)  # [P, B, block]
        return block * self.block + (inside <= ticket[..., None]).sum(-1)

    def sample_evenly(self, uniform: Tensor) -> Tensor:
        """Rows [P, B] that may be sampled, each as likely as any other whatever its priority, from
        float64 uniforms [P, B] on [0, 1)."""
        # One ticket for each row that may be sampled
        ends = self.samplable.cumsum(1)
        total = ends[:, -1:]
        ticket = torch.minimum((uniform * total).long(), total - 1)  # [P, B]
        return torch.searchsorted(ends, ticket, right=True)

    def _refresh_blocks(self, members: Tensor, blocks: Tensor) -> None:
        """Sum blocks [M, n] of members [M] again; a block named twice gets the same sum twice."""
        sums = self._block_rows(members, blocks).sum(-1)
        self.block_sum[members[:, None], blocks] = sums

    def _block_rows(self, members: Tensor, blocks: Tensor) -> Tensor:
        """Priorities in blocks [M, n], 0 of rows that may not be sampled: [M, n, block]."""
        priority = self.priority.view(-1, self.blocks, self.block)[members[:, None], blocks]
        samplable = self.samplable.view(-1, self.blocks, self.block)[members[:, None], blocks]
        return priority * samplable

    def state(self) -> dict[str, Tensor]:
        """Every tensor, live."""
        return {
            "priority": self.priority,
            "samplable": self.samplable,
            "block_sum": self.block_sum,
            "max_priority": self.max_priority,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Inverse of `state`; other keys are left alone."""
        for name, tensor in self.state().items():
            tensor.copy_(stored(state[name]))


def stored(value: object) -> Tensor:
    """A value of a checkpoint that is a tensor."""
    assert isinstance(value, Tensor)
    return value


def to_fixed(priority: float) -> int:
    """A priority as a fixed-point integer."""
    return round(priority * ONE)


def to_fixed_tensor(priority: Tensor) -> Tensor:
    """Priorities as fixed-point integers.

    NaN (of a failed member) becomes 1, so that it does not reach the sums.
    """
    clean = torch.nan_to_num(priority.double(), nan=1.0, posinf=LARGEST_PRIORITY)
    return (clean.clamp(0.0, LARGEST_PRIORITY) * ONE).round().long()
