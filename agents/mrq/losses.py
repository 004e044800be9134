"""MR.Q's losses and targets as functions of tensors.

Losses are means within a member, [P], or values of each sample, [P, B]. N is steps times samples,
H x B; act is the width of an action.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def symexp_bins(bound: float, bins: int, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """Bin centres symexp(linspace(-bound, bound)): [bins].

    Source: arXiv 2501.16142, equation of the reward loss.
    """
    grid = torch.linspace(-bound, bound, bins, dtype=dtype, device=device)
    return grid.sign() * (grid.abs().exp() - 1.0)


def two_hot(x: Tensor, bins: Tensor) -> Tensor:
    """Weights on the two neighbouring bins whose mean is x: [...] -> [..., bins].

    x beyond the outermost bins is clipped to them.
    """
    x = x.clamp(bins[0], bins[-1]).contiguous()
    upper = torch.bucketize(x, bins).clamp(1, len(bins) - 1)
    share = (x - bins[upper - 1]) / (bins[upper] - bins[upper - 1])

    # Compared, not scattered: a deterministic GPU sorts what it scatters. Shape: [..., bins]
    number = torch.arange(len(bins), device=x.device)
    below = torch.where(number == (upper - 1)[..., None], (1.0 - share)[..., None], 0.0)
    return torch.where(number == upper[..., None], share[..., None], below)


def alive_before(not_done: Tensor) -> Tensor:
    """1 while no earlier step of the sub-trajectory ended: not_done [P, H, B] -> [P, H, B]."""
    first = torch.ones_like(not_done[:, :1])
    return torch.cat([first, not_done[:, :-1]], 1).cumprod(1)


def dynamics_loss(predicted: Tensor, target: Tensor, alive: Tensor) -> Tensor:
    """Masked mean squared error of predicted states: [P, N, zs], [P, N, zs], [P, N] -> [P]."""
    return ((predicted - target).square() * alive[..., None]).mean((1, 2))


def reward_loss(logits: Tensor, reward: Tensor, alive: Tensor, bins: Tensor) -> Tensor:
    """Masked two-hot cross-entropy of predicted rewards: [P, N, bins], [P, N], [P, N] -> [P]."""
    cross_entropy = -(two_hot(reward, bins) * F.log_softmax(logits, -1)).sum(-1)  # [P, N]
    return (cross_entropy * alive).mean(1)


def done_loss(predicted: Tensor, not_done: Tensor, alive: Tensor) -> Tensor:
    """Masked squared error of the predicted termination: [P, N], [P, N], [P, N] -> [P]."""
    return ((predicted - (1.0 - not_done)).square() * alive).mean(1)


def multi_step_return(reward: Tensor, not_done: Tensor, discount: float) -> tuple[Tensor, Tensor]:
    """Discounted n-step reward, and the discount of the value after it: [P, n, B] -> 2 x [P, B]."""
    total = torch.zeros_like(reward[:, 0])
    scale = torch.ones_like(total)
    for step in range(reward.shape[1]):
        total = total + scale * reward[:, step]
        scale = scale * discount * not_done[:, step]
    return total, scale


def q_target(
    reward: Tensor, discount: Tensor, next_q: Tensor, scale: Tensor, target_scale: Tensor
) -> Tensor:
    """Scaled TD target from the smaller of the twins: [P, B].

    reward and discount [P, B], next_q [P, 2, B], scale and target_scale [P].
    """
    return (reward + discount * next_q.amin(1) * target_scale[:, None]) / scale[:, None]


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Huber loss of each sample, averaged over both networks: [P, 2, B], [P, B] -> [P, B]."""
    return F.smooth_l1_loss(q, target[:, None].expand_as(q), reduction="none").mean(1)


def actor_loss(q: Tensor, pre_activation: Tensor, weight: float) -> Tensor:
    """Minus mean Q, plus a penalty on the policy's pre-activation, of each sample.

    [P, 2, B], [P, B, act] -> [P, B].
    """
    return -q.mean(1) + weight * pre_activation.square().mean(2)


def lap_priority(q: Tensor, target: Tensor, minimum: float, exponent: float) -> Tensor:
    """Loss-adjusted priority of the larger TD error: [P, 2, B], [P, B] -> [P, B]."""
    return (q - target[:, None]).abs().amax(1).clamp(min=minimum).pow(exponent)
