"""Which weights are dropped and which grow, as pure functions over a layer of all members."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(score: Tensor) -> Tensor:
    """Position of every element in the ascending *stable* order of its row: [G, n] -> [G, n].

    Equal scores rank by index. `topk` breaks ties differently from device to device, and dormant units give many exact
    zeros, so ties are common.
    """
    order = torch.sort(score, dim=-1, stable=True).indices
    position = torch.arange(score.shape[-1], device=score.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, position)


def rewire(
    weight: Tensor, mask: Tensor, score: Tensor, drop: Tensor, grow: Tensor
) -> tuple[Tensor, Tensor]:
    """Drop the `drop` smallest |weight| among the active, then grow the `grow` largest `score` among the inactive.

    weight, score: [G, n]; mask: [G, n] bool; drop, grow: [G], 0 for a member that is not due. A weight dropped a moment ago
    may grow again. Returns (new mask, grown), both [G, n] bool; each row has grow - drop more active weights than before.
    Source: RigL, arXiv 1911.11134, algorithm 1, where drop = grow.
    """
    infinity = torch.full((), float("inf"), dtype=weight.dtype, device=weight.device)
    dropped = ranks(torch.where(mask, weight.abs(), infinity)) < drop[:, None]
    kept = mask & ~dropped
    grown = ranks(torch.where(kept, infinity, -score)) < grow[:, None]
    return kept | grown, grown


# Grow scores. weight, gradient: [copies, n] of one layer and member; a score is larger where a weight should grow. What is
# random comes from the member's own generator, which lives on the CPU.


def gradient_magnitude(weight: Tensor, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """RigL's grow score: |dense gradient| of the module's own loss on the current batch."""
    return gradient.abs()


def chance(weight: Tensor, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """SET's grow score: every inactive weight is as likely (Mocanu et al. 2018)."""
    return torch.rand(weight.shape, generator=generator).to(weight)
