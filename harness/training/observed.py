"""What simulators return, as an agent gets it: on its device, and finite.

NaN and infinity of a failed simulator become numbers: its member is frozen, and no other member may
read them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.members.upload import upload
from envs.spec import Floats, Step


def upload_finite(observation: Floats, device: str) -> Tensor:
    """Observations [P, E, obs] on the device."""
    return upload(np.nan_to_num(observation), device)


def upload_step(step: Step, device: str) -> tuple[Tensor, Tensor]:
    """Rewards [P, E] and observations [P, E, obs] of a step on the device, in one copy."""
    parts = [np.nan_to_num(step.observation).ravel(), np.nan_to_num(step.reward).ravel()]
    both = upload(np.concatenate(parts), device)
    observation, reward = torch.split(both, [part.size for part in parts])
    return reward.view(step.reward.shape), observation.view(step.observation.shape)
