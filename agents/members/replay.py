"""Replay with loss-adjusted prioritisation (LAP) over sub-trajectories, one buffer a member.

A row holds observation | action | reward | not done; an episode is a run of rows followed by one row that holds its last
observation, so that state i+1 of a window is always the next row. The newest `horizon` transitions of an episode are never
sampled, which is what makes learning and simulation overlap exactly.

Priorities are fixed-point integers, so sums do not depend on the order of addition, on any device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.recording import Recorder
from agents.members.upload import upload

ONE = 1 << 32
"""Fixed-point 1.0 of a priority. Up to 2^21 rows of priority 2^10 fit a 64-bit sum."""
BLOCK = 64
"""Rows that share a partial sum. Drawing a batch of B reads capacity / BLOCK sums and B * BLOCK rows; which rows it draws does
not depend on BLOCK."""
LARGEST_PRIORITY = float(1 << 10)


class Replay:
    """[P, capacity] rows; cursors live on the host, because the simulator's flags that move them do too."""

    _DEVICE_STATE = ("priority", "samplable", "block_sum", "max_priority", "terminates")
    _HOST_STATE = ("written", "size", "episode_steps")

    def __init__(
        self,
        members: int,
        observation: int,
        action: int,
        capacity: int,
        horizon: int,
        min_priority: float,
        dtype: torch.dtype = torch.float32,
        recorder: Recorder | None = None,
    ) -> None:
        """Its device is the recorder's, a CPU if there is none."""
        recorder = Recorder("cpu") if recorder is None else recorder
        self.members, self.observation, self.action = members, observation, action
        self.capacity, self.horizon = capacity, horizon
        self.device = device = recorder.device
        self.block = BLOCK
        self.blocks = -(-capacity // self.block)
        padded = self.blocks * self.block
        self.rows = torch.zeros(
            (members, capacity, observation + action + 2), dtype=dtype, device=device
        )
        self.priority = torch.zeros((members, padded), dtype=torch.int64, device=device)
        self.samplable = torch.zeros((members, padded), dtype=torch.bool, device=device)
        self.block_sum = torch.zeros((members, self.blocks), dtype=torch.int64, device=device)
        self.max_priority = torch.full(
            (members,), to_fixed(min_priority), dtype=torch.int64, device=device
        )
        self.terminates = torch.zeros(members, dtype=torch.bool, device=device)
        """Whether a member's task has ever ended an episode by failure or success (not by its time limit)."""
        self.written: NDArray[np.int64] = np.zeros(members, dtype=np.int64)
        """Rows ever written; row number n lies at n mod capacity."""
        self.size: NDArray[np.int64] = np.zeros(members, dtype=np.int64)
        self.episode_steps: NDArray[np.int64] = np.zeros(members, dtype=np.int64)
        self._member = torch.arange(members, device=device)
        # What an agent step writes, where recorded steps find it: the row, two rows whose flag changes and their flags; what
        # was seen and done; reward and not done.
        self._marks = torch.zeros((members, 5), dtype=torch.int64, device=device)
        self._begun = torch.zeros((members, observation + action), dtype=dtype, device=device)
        self._answer = torch.zeros((members, 2), dtype=dtype, device=device)
        self._write_begun, self._write_answer = (
            recorder.step(self._do_begin),
            recorder.step(self._do_complete),
        )

    @property
    def cursor(self) -> NDArray[np.int64]:
        """Where the next row goes."""
        return self.written % self.capacity

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """Write the rows of this agent step ([P, obs], [P, act]); masks and priorities advance, the reward comes later."""
        torch.cat([observation, action], 1, out=self._begun)
        self.size = np.maximum(self.size, self.cursor + 1)
        self.episode_steps += 1
        closed, ripe = self.cursor + self.horizon - 1, self.episode_steps > self.horizon
        opened = np.where(
            ripe, self.cursor - self.horizon, closed
        )  # nothing is opened: the same row is closed twice
        marks = [
            self.cursor,
            closed % self.capacity,
            opened % self.capacity,
            np.zeros_like(self.cursor),
            ripe,
        ]
        self._marks.copy_(upload(np.stack(marks, 1), self.device))
        self._write_begun()

    def _do_begin(self) -> None:
        row, changed, flags = self._marks[:, 0], self._marks[:, 1:3], self._marks[:, 3:].bool()
        self.rows[self._member, row, :-2] = self._begun
        self.priority[self._member, row] = self.max_priority
        self._set_samplable(self._member, changed, flags)

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Write what the simulator answered: reward [P], the true next observation [P, obs], and the episode's end."""
        torch.stack([reward, 1.0 - upload(terminated, self.device).to(reward)], 1, out=self._answer)
        self._write_answer()
        self.written = self.written + 1
        ended = terminated | truncated
        if ended.any():
            self._end_episodes(ended, next_observation, terminated)

    def _do_complete(self) -> None:
        self.rows[self._member, self._marks[:, 0], -2:] = self._answer

    def _end_episodes(
        self, ended: NDArray[np.bool_], last: Tensor, terminated: NDArray[np.bool_]
    ) -> None:
        """Write the row of the last observation; windows cut off by the time limit stay unsampled, terminated ones do not."""
        for member in np.flatnonzero(ended):
            row, steps = int(self.cursor[member]), int(self.episode_steps[member])
            self.rows[member, row] = 0.0
            self.rows[member, row, : self.observation] = last[member]
            back = np.arange(1, min(self.horizon, steps) + 1)
            changed = np.append(row - back, row + self.horizon - 1) % self.capacity
            flags = np.append(np.repeat(terminated[member], len(back)), False)
            values = upload(changed[None], self.device), upload(flags[None], self.device)
            self._set_samplable(self._member[member : member + 1], *values)
        self.terminates |= upload(terminated, self.device)
        self.written = self.written + ended
        self.episode_steps = np.where(ended, 0, self.episode_steps)

    def _set_samplable(self, members: Tensor, rows: Tensor, flags: Tensor) -> None:
        """Flags [M, n] of rows [M, n] of members [M]."""
        self.samplable[members[:, None], rows] = flags
        self._refresh_blocks(members, rows // self.block)

    def _refresh_blocks(self, members: Tensor, blocks: Tensor) -> None:
        """Sum the given blocks [M, n] of the given members [M] again; a block named twice gets the same sum twice."""
        rows = self._block_rows(members, blocks).sum(-1)
        self.block_sum[members[:, None], blocks] = rows

    def _block_rows(self, members: Tensor, blocks: Tensor) -> Tensor:
        """Priorities of samplable rows, 0 elsewhere: [M, n, block]."""
        priority = self.priority.view(-1, self.blocks, self.block)[members[:, None], blocks]
        return priority * self.samplable.view(-1, self.blocks, self.block)[members[:, None], blocks]

    def sample(self, uniform: Tensor) -> Tensor:
        """Row indices [P, B] with probability proportional to priority, from float64 uniforms [P, B] on [0, 1)."""
        ends = self.block_sum.cumsum(1)
        total = ends[:, -1:]
        ticket = torch.minimum((uniform * total).long(), total - 1)
        block = torch.searchsorted(ends, ticket, right=True)
        ticket = ticket - (ends - self.block_sum).gather(1, block)
        inside = self._block_rows(self._member, block).cumsum(-1)
        return block * self.block + (inside <= ticket[..., None]).sum(-1)

    def windows(self, index: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sub-trajectories that begin at rows [P, B].

        Returns observations [P, length + 1, B, obs], actions [P, length, B, act], rewards and not-done [P, length, B]: step
        after step, as an unrolled model reads them.
        """
        steps = torch.arange(length + 1, device=self.device)[:, None]
        rows = (index[:, None] + steps) % self.capacity + self._member[
            :, None, None
        ] * self.capacity
        flat = self.rows.view(-1, self.rows.shape[-1]).index_select(0, rows.reshape(-1))
        window = flat.view(*rows.shape, -1)
        observation, rest = (
            window[..., : self.observation],
            window[:, :length, :, self.observation :],
        )
        return observation, rest[..., :-2], rest[..., -2], rest[..., -1]

    def update_priority(self, index: Tensor, priority: Tensor) -> None:
        """Replace the priorities of rows [P, B] by `priority` [P, B]; of duplicate rows the largest value stays."""
        fixed = to_fixed_tensor(priority)
        self.priority.scatter_reduce_(1, index, fixed, "amax", include_self=False)
        torch.maximum(self.max_priority, fixed.amax(1), out=self.max_priority)
        self._refresh_blocks(self._member, index // self.block)

    def reward_scale(self) -> Tensor:
        """Mean |reward| over the filled rows of each member, at least 1e-8: [P]."""
        rewards = self.rows[:, :, -2]
        means = [rewards[m, : int(size)].abs().mean() for m, size in enumerate(self.size)]
        return torch.stack(means).clamp(min=1e-8)

    def rows_since(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the rows from number `since` on, in the order they were written: [n, row] each, on the CPU.

        A checkpoint appends them to what it has; rows that were overwritten in between cannot be had any more.
        """
        spans = [
            np.arange(first, last) % self.capacity
            for first, last in zip(since, self.written, strict=True)
        ]
        assert all(len(span) <= self.capacity for span in spans), (
            "rows are taken before they are overwritten"
        )
        return [
            self.rows[member, torch.from_numpy(span).to(self.device)].cpu()
            for member, span in enumerate(spans)
        ]

    def state(self) -> dict[str, object]:
        """Everything but the rows: priorities, masks, sums, cursors. Tensors are live, not copies."""
        return {
            **{name: getattr(self, name) for name in self._DEVICE_STATE},
            **{name: torch.from_numpy(getattr(self, name).copy()) for name in self._HOST_STATE},
        }

    def restore(self, state: dict[str, object], rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of `rows_since` row 0."""
        for name in self._DEVICE_STATE:
            value = state[name]
            assert isinstance(value, Tensor)
            getattr(self, name).copy_(value)
        for name in self._HOST_STATE:
            value = state[name]
            assert isinstance(value, Tensor)
            setattr(self, name, value.numpy().copy())
        for member, log in enumerate(rows):
            numbers = torch.arange(len(log))[-self.capacity :]
            self.rows[member, (numbers % self.capacity).to(self.device)] = log[numbers].to(
                self.rows
            )


def to_fixed(priority: float) -> int:
    """A priority as a fixed-point integer."""
    return round(priority * ONE)


def to_fixed_tensor(priority: Tensor) -> Tensor:
    """Priorities as fixed-point integers; NaN (a failed member) becomes 1, so that it stays away from the sums."""
    clean = torch.nan_to_num(priority.double(), nan=1.0, posinf=LARGEST_PRIORITY)
    return (clean.clamp(0.0, LARGEST_PRIORITY) * ONE).round().long()
