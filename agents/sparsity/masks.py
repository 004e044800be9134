"""Keeps one module to its members' regimes: initial masks, rewires, and the digest chain that an audit follows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.lazy import load
from agents.module import Module
from agents.sparsity.distribution import DISTRIBUTIONS, exact_counts
from agents.sparsity.regime import RULES, ModuleRegime
from agents.sparsity.rewire import rewire


class Masks:
    """The masks of one module, [G, in, out] a layer, and their changes.

    Rows of G of one member share its regime; each copy (each Q network) is sparse by itself.
    """

    def __init__(
        self,
        module: Module,
        regimes: Sequence[ModuleRegime],
        generators: Sequence[torch.Generator],
        total_updates: int,
        always_mask: bool = False,
    ) -> None:
        """Draws initial masks and applies them. `always_mask` sends an all-dense module through the masked path too.

        `regimes` and `generators` have one for each member; `total_updates` is the module's updates in the whole run.
        """
        self.module = module
        self.regimes = list(regimes)
        self.schedules = [regime.schedule(total_updates) for regime in regimes]
        self.layers = module.layout.linears
        self.counts = [
            exact_counts(self.layers, DISTRIBUTIONS[regime.distribution](self.layers, regime.sparsity)) for regime in regimes
        ]
        self.rewires = [0] * module.members
        self.chains: list[list[str]] = [[] for _ in regimes]
        if always_mask or not all(regime.is_dense for regime in regimes):
            self._draw(generators)
        for member in range(module.members):
            self._extend_chain(member)

    @torch.no_grad()
    def _draw(self, generators: Sequence[torch.Generator]) -> None:
        """Exact counts at random places; no rescaling of the weights that stay."""
        flat = torch.ones_like(self.module.target)
        views = self.module.layout.views(flat)
        for member, generator in enumerate(generators):
            for layer, count in zip(self.layers, self.counts[member], strict=True):
                for copy in range(self.module.copies):
                    order = torch.randperm(layer.size, generator=generator)
                    row = torch.zeros(layer.size, dtype=torch.bool)
                    row[order[:count]] = True
                    group = member * self.module.copies + copy
                    views[f"{layer.name}.weight"][group] = row.view(layer.fan_in, layer.fan_out).to(flat)
        self.module.keep = flat
        self.module.flat.mul_(flat)

    def due(self, update: int) -> bool:
        """Whether any member rewires after module update `update`: ask before the gradient is let go."""
        return any(schedule.drop_fraction(update) > 0.0 for schedule in self.schedules)

    @torch.no_grad()
    def rewire(self, gradient: Tensor, healthy: Sequence[bool]) -> None:
        """Rewire the members that are due after the module's latest update.

        `gradient` is the dense gradient [size] of that update, unmasked and unclipped. Grown weights and their moments
        are zero, and so are those of weights that were dropped.
        """
        update = self.module.updates
        members = [m for m in range(self.module.members) if healthy[m] and self.schedules[m].drop_fraction(update) > 0.0]
        assert self.module.keep is not None or not members
        for member in members:
            self._rewire_member(member, update, gradient)
            self.rewires[member] += 1
            self._extend_chain(member)

    def _rewire_member(self, member: int, update: int, gradient: Tensor) -> None:
        assert self.module.keep is not None
        layout = self.module.layout
        rows = slice(member * self.module.copies, (member + 1) * self.module.copies)
        fraction = self.schedules[member].drop_fraction(update)
        place = RULES[self.regimes[member].rule]
        assert place is not None
        score_of = load(place)
        vectors = [layout.views(flat) for flat in (self.module.flat.detach(), self.module.keep, gradient, *self.module.moments)]
        for layer, active in zip(self.layers, self.counts[member], strict=True):
            k = min(int(fraction * active), layer.size - active)
            if k == 0:
                continue
            tensors = [views[f"{layer.name}.weight"][rows] for views in vectors]
            weight, keep, score, first, second = [tensor.reshape(self.module.copies, -1) for tensor in tensors]
            amounts = torch.full((self.module.copies,), k, device=weight.device)
            new_mask, grown = rewire(weight, keep.bool(), score_of(score), amounts)
            stays = new_mask & ~grown
            for tensor in (weight, first, second):
                tensor.masked_fill_(~stays, 0.0)
            keep.copy_(new_mask)

    def member_masks(self, member: int) -> dict[str, Tensor]:
        """One member's masks on the CPU: NAME.weight [copies, in, out] bool (all True where dense)."""
        rows = slice(member * self.module.copies, (member + 1) * self.module.copies)
        if self.module.keep is None:
            shapes = ((self.module.copies, layer.fan_in, layer.fan_out) for layer in self.layers)
            return {f"{n.name}.weight": torch.ones(s, dtype=torch.bool) for n, s in zip(self.layers, shapes, strict=True)}
        views = self.module.layout.views(self.module.keep)
        return {f"{layer.name}.weight": views[f"{layer.name}.weight"][rows].bool().cpu() for layer in self.layers}

    def _extend_chain(self, member: int) -> None:
        self.chains[member].append(mask_digest(self.member_masks(member)))

    def density(self, member: int) -> float:
        """Active share of a member's Linear weights, counted from its mask."""
        masks = self.member_masks(member).values()
        return sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)

    def state(self) -> dict[str, object]:
        """Rewire counts and digest chains; the masks themselves are in the module's state."""
        return {"rewires": list(self.rewires), "chains": [list(chain) for chain in self.chains]}

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`."""
        rewires, chains = state["rewires"], state["chains"]
        assert isinstance(rewires, list) and isinstance(chains, list)
        self.rewires, self.chains = list(rewires), [list(chain) for chain in chains]


def mask_digest(masks: dict[str, Tensor]) -> str:
    """sha256 over the masks' names, shapes and bits, in the order of the names (leaderboard/audit.py recomputes it)."""
    digest = hashlib.sha256()
    for name, mask in sorted(masks.items()):
        digest.update(f"{name} {tuple(mask.shape)}\n".encode())
        digest.update(mask.to(torch.uint8).contiguous().numpy().tobytes())
    return digest.hexdigest()
