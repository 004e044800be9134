"""A policy that acts beside what its device does otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.download import Download
from agents.members.streams import stream
from agents.members.upload import upload

Policy = Callable[[Tensor], Tensor]
"""Observations [P, E, obs] -> actions [P, E, act]; draws nothing random."""


class Acting:
    """On a GPU a policy acts on a stream of its own: its actions wait for no learning."""

    def __init__(self, policy: Policy, device: str) -> None:
        """`policy`: what it reads is computed already, or queued on the current stream."""
        self.policy = policy
        self.device = device
        self.stream: torch.cuda.Stream | None = None
        if device.startswith("cuda"):
            self.stream = stream(torch.device(device), "evaluation")
            self.stream.wait_stream(torch.cuda.current_stream(device))

    def __call__(self, observation: NDArray[np.generic]) -> Download:
        """Observations [P, E, obs] -> actions [P, E, act], on their way to the host."""
        with nullcontext() if self.stream is None else torch.cuda.stream(self.stream):
            return Download(self.policy(upload(observation, self.device)))
