"""Which weights are dropped and which grow, as one pure function over a layer of all members."""

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


def rewire(weight: Tensor, mask: Tensor, score: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Drop the `k` smallest |weight| among the active, then grow the `k` largest `score` among the inactive.

    weight, score: [G, n]; mask: [G, n] bool; k: [G], 0 for a member that is not due. A weight dropped a moment ago may
    grow again. Returns (new mask, grown), both [G, n] bool; each row keeps its number of active weights.
    Source: RigL, arXiv 1911.11134, algorithm 1.
    """
    infinity = torch.full((), float("inf"), dtype=weight.dtype, device=weight.device)
    dropped = ranks(torch.where(mask, weight.abs(), infinity)) < k[:, None]
    kept = mask & ~dropped
    grown = ranks(torch.where(kept, infinity, -score)) < k[:, None]
    return kept | grown, grown


def gradient_magnitude(gradient: Tensor) -> Tensor:
    """RigL's grow score: |dense gradient| of the module's own loss on the current batch."""
    return gradient.abs()
