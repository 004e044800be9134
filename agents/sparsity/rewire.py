"""Which weights are dropped and which grow: pure functions over one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def ranks(score: Tensor) -> Tensor:
    """Position of every element in the ascending *stable* order of its row: [G, n] -> [G, n].

    Equal scores rank by index. `topk` breaks ties differently from device to device, and dormant
    units give many exact zeros, so ties are common.
    """
    order = torch.sort(score, dim=-1, stable=True).indices
    position = torch.arange(score.shape[-1], device=score.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, position)


def rewire(
    weight: Tensor, mask: Tensor, score: Tensor, drop: Tensor, grow: Tensor
) -> tuple[Tensor, Tensor]:
    """Drops the smallest |weight| of the active weights, then grows the largest `score`.

    weight and score are [G, n], mask is [G, n] bool; drop and grow are the counts of each row [G],
    0 for a member that is not due. A weight that was just dropped may grow again.

    Returns (new mask, grown), both [G, n] bool; each row has grow - drop more active weights than
    before. Source: RigL, arXiv 1911.11134, algorithm 1, where drop = grow.
    """
    infinity = torch.full((), float("inf"), dtype=weight.dtype, device=weight.device)

    # Inactive weights rank last, so that only active ones are dropped.
    dropped = ranks(torch.where(mask, weight.abs(), infinity)) < drop[:, None]
    kept = mask & ~dropped

    # Active weights rank last, so that only inactive ones grow; the largest score ranks first.
    grown = ranks(torch.where(kept, infinity, -score)) < grow[:, None]
    return kept | grown, grown


@dataclass(frozen=True)
class Rewired:
    """Rows of a layer after a rewire, each [G, n]."""

    mask: Tensor
    values: list[Tensor]
    """Weights and moments: zero where a weight starts anew or is masked."""
    activated: Tensor
    """How many weights became active that were not: [G]."""


def rewired(
    values: Sequence[Tensor],
    mask: Tensor,
    score: Tensor,
    drop: Tensor,
    grow: Tensor,
    keep_regrown: Tensor,
) -> Rewired:
    """Rewires rows whose weights and moments are `values` [G, n]; the others are those of `rewire`.

    A grown weight starts at zero with zero moments. One that was dropped a moment ago was active
    before and is active again: where `keep_regrown` [G] says so, RigL leaves it as it was.
    """
    new_mask, grown = rewire(values[0], mask, score, drop, grow)
    stays = new_mask & torch.where(keep_regrown[:, None], mask, ~grown)
    after = [tensor.masked_fill(~stays, 0.0) for tensor in values]
    return Rewired(new_mask, after, (new_mask & ~mask).sum(1))


# Grow scores. weight and gradient are [copies, n] of one layer of one member; the score is larger
# where a weight should grow. Random numbers come from the member's own generator, on the CPU.

GrowScore = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""(weight, gradient, generator) -> score, each [copies, n]."""


def gradient_magnitude(weight: Tensor, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """RigL's grow score: |dense gradient| of the module's own loss on the current batch."""
    return gradient.abs()


def chance(weight: Tensor, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """SET's grow score: every inactive weight is equally likely to grow (Mocanu et al. 2018)."""
    return torch.rand(weight.shape, generator=generator).to(weight)


GROW_SCORES: dict[str, GrowScore] = {"gradient": gradient_magnitude, "chance": chance}
"""Name in a row of TRIPLES -> which weights grow."""
