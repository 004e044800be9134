"""Replay of sub-trajectories, one buffer a member; agents/members/lap.py says which are sampled.

A row holds observation | action | reward | not done. An episode is a run of rows and one more row
with its last observation, so that the next state of every row is the next row.

The newest `horizon` transitions of an episode are never sampled. So learning beside the simulator
samples the same rows as learning after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.lap import LAP, stored
from agents.members.recording import Recorder
from agents.members.upload import upload

Window = tuple[Tensor, Tensor, Tensor, Tensor]
"""Sub-trajectories of H steps: observations [P, H + 1, B, obs], actions [P, H, B, act], rewards and
not-done [P, H, B]."""


class Replay:
    """[P, capacity] rows.

    Cursors live on the host, because the simulator's flags that move them do too.
    """

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
        """Lies on the recorder's device, on the CPU without a recorder."""
        recorder = Recorder("cpu") if recorder is None else recorder
        self.members = members
        self.observation = observation
        self.action = action
        self.capacity = capacity
        self.horizon = horizon
        self.device = device = recorder.device

        # On the device: rows, what sampling needs, and which tasks can terminate.
        width = observation + action + 2
        self.rows = torch.zeros((members, capacity, width), dtype=dtype, device=device)
        self.lap = LAP(members, capacity, min_priority, device)
        self.terminates = torch.zeros(members, dtype=torch.bool, device=device)
        """Whether a member's task has ever ended an episode other than by its time limit: [P]."""
        self._member = torch.arange(members, device=device)

        # The same rows, one member's after another's [P capacity, row], and where each begins
        self._flat = self.rows.view(-1, width)
        self._first = self._member * capacity

        # On the host: cursors.
        self.written: NDArray[np.int64] = np.zeros(members, dtype=np.int64)
        """Rows ever written; row number n lies at n mod capacity."""
        self.size: NDArray[np.int64] = np.zeros(members, dtype=np.int64)
        self.episode_steps: NDArray[np.int64] = np.zeros(members, dtype=np.int64)

        # The inputs of the captured steps: the row to write, two rows whose flag changes and their
        # two flags; and what to write there.
        self._marks = torch.zeros((members, 5), dtype=torch.int64, device=device)
        self._row = torch.zeros((members, width), dtype=dtype, device=device)
        self._write_begun = recorder.step(self._do_begin)
        self._write_answer = recorder.step(self._write_rows)

    @property
    def cursor(self) -> NDArray[np.int64]:
        """Position of the next row: [P]."""
        return self.written % self.capacity

    # -- writing --

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """Write observation [P, obs] and action [P, act] of this agent step.

        Reward and not done follow; no window reads them before.
        """
        self._row[:, : self.observation] = observation
        self._row[:, self.observation : -2] = action
        self.size = np.maximum(self.size, self.cursor + 1)
        self.episode_steps += 1

        # Close the row that will be overwritten `horizon - 1` rows from now.
        closed = self.cursor + self.horizon - 1

        # Open the row `horizon` steps back: its window is whole now. While the episode is younger
        # than that nothing is opened, and the same row is closed twice.
        ripe = self.episode_steps > self.horizon
        opened = np.where(ripe, self.cursor - self.horizon, closed)

        rows = [self.cursor, closed % self.capacity, opened % self.capacity]
        flags = [np.zeros_like(self.cursor), ripe]
        self._marks.copy_(upload(np.stack([*rows, *flags], 1), self.device))  # [P, 5]
        self._write_begun()

    def _do_begin(self) -> None:
        self._write_rows()
        self.lap.begin(self._marks[:, 0], self._marks[:, 1:3], self._marks[:, 3:].bool())

    def _write_rows(self) -> None:
        """Write the row of each member, whole: a deterministic GPU would copy a view of some of
        their columns, all of the replay with it, to write a few numbers."""
        self._flat[self._first + self._marks[:, 0]] = self._row

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Write the simulator's answer.

        reward [P], the true next observation [P, obs], and whether and how the episode ended [P].
        """
        self._row[:, -2] = reward
        self._row[:, -1] = 1.0
        if terminated.any():
            self._row[:, -1].masked_fill_(upload(terminated, self.device), 0.0)
        self._write_answer()
        self.written = self.written + 1
        ended = terminated | truncated
        if ended.any():
            self._end_episodes(ended, next_observation, terminated)

    def _end_episodes(
        self, ended: NDArray[np.bool_], last: Tensor, terminated: NDArray[np.bool_]
    ) -> None:
        """Write the rows of the last observations [P, obs] of the episodes that `ended`."""
        for member in np.flatnonzero(ended):
            row = int(self.cursor[member])
            steps = int(self.episode_steps[member])
            self.rows[member, row] = 0.0
            self.rows[member, row, : self.observation] = last[member]

            # Windows that a termination cuts short may be sampled, because `not done` masks what
            # follows. Those that the time limit cuts short may not. And a row closes as in `begin`.
            back = np.arange(1, min(self.horizon, steps) + 1)
            changed = np.append(row - back, row + self.horizon - 1) % self.capacity
            flags = np.append(np.repeat(terminated[member], len(back)), False)
            self.lap.set_samplable(
                self._member[member : member + 1],
                upload(changed[None], self.device),
                upload(flags[None], self.device),
            )
        self.terminates |= upload(terminated, self.device)
        self.written = self.written + ended
        self.episode_steps = np.where(ended, 0, self.episode_steps)

    # -- reading --

    def sample(self, uniform: Tensor) -> Tensor:
        """Rows [P, B] in proportion to their priority, from float64 uniforms [P, B] on [0, 1)."""
        return self.lap.sample(uniform)

    def windows(self, index: Tensor, length: int) -> Window:
        """Sub-trajectories that begin at rows [P, B], step after step as a model unrolls them.

        Returns observations [P, length + 1, B, obs], actions [P, length, B, act], and rewards and
        not-done [P, length, B].
        """
        # Rows of all members in one axis, so that one index_select reads them.
        steps = torch.arange(length + 1, device=self.device)[:, None]
        rows = (index[:, None] + steps) % self.capacity  # [P, length + 1, B]
        rows = rows + self._first[:, None, None]
        flat = self._flat.index_select(0, rows.reshape(-1))
        window = flat.view(*rows.shape, -1)  # [P, length + 1, B, row]

        observation = window[..., : self.observation]
        rest = window[:, :length, :, self.observation :]
        return observation, rest[..., :-2], rest[..., -2], rest[..., -1]

    def update_priority(self, index: Tensor, priority: Tensor) -> None:
        """Replace the priorities [P, B] of rows [P, B]; a row named twice gets the larger one."""
        self.lap.update(index, priority)

    def reward_scale(self) -> Tensor:
        """Mean |reward| over the filled rows of each member, at least 1e-8: [P]."""
        rewards = self.rows[:, :, -2]
        means = [rewards[m, : int(size)].abs().mean() for m, size in enumerate(self.size)]
        return torch.stack(means).clamp(min=1e-8)

    # -- state --

    def rows_since(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the rows from number `since` on, in their order: [n, row], on the CPU.

        A checkpoint appends them to the rows that it has. Rows that were overwritten since then are
        zeros: they keep the later rows at their numbers, and `restore` does not read them.
        """
        ends = self.written.tolist()
        return [_rows_between(*span) for span in zip(self.rows, since, ends, strict=True)]

    def state(self) -> dict[str, object]:
        """Everything but the rows. Tensors are live, cursors are copies."""
        cursors = {name: torch.from_numpy(getattr(self, name).copy()) for name in self._HOST_STATE}
        return {**self.lap.state(), "terminates": self.terminates, **cursors}

    def restore(self, state: dict[str, object], rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of `rows_since` row 0."""
        self.lap.restore(state)
        self.terminates.copy_(stored(state["terminates"]))
        for name in self._HOST_STATE:
            setattr(self, name, stored(state[name]).numpy().copy())

        # Row number n goes back to n mod capacity; older rows than the last `capacity` were
        # overwritten before the checkpoint.
        for member, log in enumerate(rows):
            numbers = torch.arange(len(log))[-self.capacity :]
            positions = (numbers % self.capacity).to(self.device)
            self.rows[member, positions] = log[numbers].to(self.rows)


def _rows_between(rows: Tensor, first: int, last: int) -> Tensor:
    """Rows number `first` to `last` - 1 of a member's [capacity, row], on the CPU; zeros where they
    were overwritten."""
    capacity = len(rows)
    kept = np.arange(max(first, last - capacity), last) % capacity
    there = rows[torch.from_numpy(kept).to(rows.device)].cpu()
    overwritten = last - first - len(kept)
    if overwritten > 0:
        there = torch.cat([there.new_zeros(overwritten, there.shape[1]), there])
    return there
