"""Finds members of a cohort that failed: they are frozen and recorded, the rest learn on."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from agents.protocol import Agent
from envs.spec import Flags, Floats
from harness.training.measuring import Measurements
from harness.training.records import Record
from leaderboard.formats.run import Failure


class Health:
    """Failures of the members of one cohort."""

    def __init__(self, agent: Agent, measurements: Measurements, members: int) -> None:
        self.agent = agent
        self.measurements = measurements
        self.failures: list[Failure | None] = [None] * members

    def healthy(self) -> list[int]:
        """Members that have not failed."""
        return [member for member, failure in enumerate(self.failures) if failure is None]

    def finite_actions(self, action: NDArray[np.float64], step: int) -> NDArray[np.float64]:
        """Actions [P, E, act] for the simulator; a member with one that is not finite has failed,
        and its environments get zeros."""
        finite = _finite_members(action)
        for member in np.flatnonzero(~finite):
            self._fail(int(member), "the policy's action is not finite", step)
        return np.where(finite[:, None, None], action, 0.0)

    def check_observations(self, observation: Floats, step: int) -> None:
        """A member whose simulator returned NaN or infinity has failed."""
        for member in np.flatnonzero(~_finite_members(observation)):
            reason = "the simulator returned an observation that is not finite"
            self._fail(int(member), reason, step)

    def check_networks(self, step: int) -> None:
        """Members whose losses or parameters are not finite have failed. Waits for the device."""
        for member, reason in enumerate(self.agent.check_finite()):
            if reason is not None:
                self._fail(member, reason, step)

    def _fail(self, member: int, reason: str, step: int) -> None:
        """Freezes and records a member, once."""
        if self.failures[member] is not None:
            return

        # The evaluation in progress began before the failure: it is recorded first.
        self.measurements.end()
        self.failures[member] = Failure("agent", reason, step)
        self.agent.freeze(member)
        record = {"kind": "failure", "agent_step": step, "reason": reason}
        self.measurements.records[member].append(record)

    def state(self) -> list[Record | None]:
        """Failures, for a checkpoint."""
        return [None if failure is None else asdict(failure) for failure in self.failures]

    def restore(self, state: list[Record | None]) -> None:
        """Inverse of `state`; the agent's own state says which members are frozen."""
        self.failures = [None if failure is None else Failure(**failure) for failure in state]


def _finite_members(array: Floats | NDArray[np.float64]) -> Flags:
    """Whether all of a member's numbers are finite: [P, E, ...] -> [P]."""
    finite: Flags = np.all(np.isfinite(array), axis=tuple(range(1, array.ndim)))
    return finite
