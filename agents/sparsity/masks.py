"""Keeps one module to its members' regimes: initial masks, rewires, and the digest chain that an audit follows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.lazy import load
from agents.members.module import Module
from agents.sparsity.regime import TRIPLES, ModuleRegime
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
        growth: Sequence[torch.Generator],
        total_updates: int,
    ) -> None:
        """Draws initial masks and applies them.

        `regimes`, `generators` (initial masks) and `growth` (what is random in rewires) have one for each member;
        `total_updates` is the module's updates in the whole run.
        """
        self.module = module
        self.regimes = list(regimes)
        self.schedules = [regime.times(total_updates) for regime in regimes]
        self.layers = module.layout.linears
        self.counts = [regime.counts(self.layers) for regime in regimes]
        """For each member the active weights of each layer in the first and in the last mask."""
        self.growth = list(growth)
        self.rewires = [0] * module.members
        self.exchanged = [0] * module.members
        """For each member the weights that grew since the beginning."""
        self.chains: list[list[str]] = [[] for _ in regimes]
        if not all(regime.is_dense for regime in regimes):
            self._draw(generators)
        for member in range(module.members):
            self._extend_chain(member)

    @torch.no_grad()
    def _draw(self, generators: Sequence[torch.Generator]) -> None:
        """Exact counts at random places; no rescaling of the weights that stay."""
        flat = torch.ones_like(self.module.target)
        views = self.module.layout.views(flat)
        for member, generator in enumerate(generators):
            for layer, count in zip(self.layers, self.counts[member][0], strict=True):
                for copy in range(self.module.copies):
                    order = torch.randperm(layer.size, generator=generator)
                    row = torch.zeros(layer.size, dtype=torch.bool)
                    row[order[:count]] = True
                    group = member * self.module.copies + copy
                    views[f"{layer.name}.weight"][group] = row.view(layer.fan_in, layer.fan_out).to(
                        flat
                    )
        self.module.keep = flat
        self.module.flat.mul_(flat)

    def due(self, update: int) -> bool:
        """Whether any member rewires after module update `update`: ask before the gradient is let go."""
        return any(schedule.due(update) for schedule in self.schedules)

    @torch.no_grad()
    def rewire(self, gradient: Tensor, healthy: Sequence[bool]) -> None:
        """Rewire the members that are due after the module's latest update.

        `gradient` is the dense gradient [size] of that update, unmasked and unclipped. Grown weights and their moments
        are zero, and so are those of weights that were dropped.
        """
        update = self.module.updates
        members = [
            m for m in range(self.module.members) if healthy[m] and self.schedules[m].due(update)
        ]
        assert self.module.keep is not None or not members
        for member in members:
            self._rewire_member(member, update, gradient)
            self.rewires[member] += 1
            self._extend_chain(member)

    def _rewire_member(self, member: int, update: int, gradient: Tensor) -> None:
        assert self.module.keep is not None
        layout = self.module.layout
        rows = slice(member * self.module.copies, (member + 1) * self.module.copies)
        place = TRIPLES[self.regimes[member].rule].score
        vectors = [
            layout.views(flat)
            for flat in (
                self.module.flat.detach(),
                self.module.keep,
                gradient,
                *self.module.moments,
            )
        ]
        for layer, (drop, grow) in zip(self.layers, self._amounts(member, update), strict=True):
            if drop == grow == 0:
                continue
            tensors = [views[f"{layer.name}.weight"][rows] for views in vectors]
            weight, keep, slope, first, second = [
                tensor.reshape(self.module.copies, -1) for tensor in tensors
            ]
            score = (
                load(place)(weight, slope, self.growth[member])
                if place
                else torch.zeros_like(weight)
            )
            dropped, grows = (
                torch.full((self.module.copies,), k, device=weight.device) for k in (drop, grow)
            )
            mask = keep.bool()
            new_mask, grown = rewire(weight, mask, score, dropped, grows)
            stays = new_mask & ~grown
            for tensor in (weight, first, second):
                tensor.masked_fill_(~stays, 0.0)
            self.exchanged[member] += int((new_mask & ~mask).sum())
            keep.copy_(new_mask)

    def _amounts(self, member: int, update: int) -> list[tuple[int, int]]:
        """For each layer how many weights a copy drops and how many it grows after a due update."""
        schedule, interval = self.schedules[member], self.regimes[member].interval
        fraction, amounts = schedule.exchanged(update), list[tuple[int, int]]()
        for layer, first, last in zip(self.layers, *self.counts[member], strict=True):
            had, wanted = (
                round(first + (last - first) * schedule.progress(at))
                for at in (update - interval, update)
            )
            swapped = min(int(fraction * had), layer.size - had)
            amounts.append((swapped + max(0, had - wanted), swapped + max(0, wanted - had)))
        return amounts

    def member_masks(self, member: int) -> dict[str, Tensor]:
        """One member's masks on the CPU: NAME.weight [copies, in, out] bool (all True where dense)."""
        rows = slice(member * self.module.copies, (member + 1) * self.module.copies)
        if self.module.keep is None:
            shapes = ((self.module.copies, layer.fan_in, layer.fan_out) for layer in self.layers)
            return {
                f"{n.name}.weight": torch.ones(s, dtype=torch.bool)
                for n, s in zip(self.layers, shapes, strict=True)
            }
        views = self.module.layout.views(self.module.keep)
        return {
            f"{layer.name}.weight": views[f"{layer.name}.weight"][rows].bool().cpu()
            for layer in self.layers
        }

    def _extend_chain(self, member: int) -> None:
        self.chains[member].append(mask_digest(self.member_masks(member)))

    def active(self, member: int) -> int:
        """A member's active Linear weights, counted from its mask, over all copies."""
        if self.module.keep is None:
            return self._weights
        rows = slice(member * self.module.copies, (member + 1) * self.module.copies)
        views = self.module.layout.views(self.module.keep)
        return int(
            sum(views[f"{layer.name}.weight"][rows].count_nonzero() for layer in self.layers)
        )

    @property
    def _weights(self) -> int:
        return self.module.copies * sum(layer.size for layer in self.layers)

    def churn(self, member: int) -> float:
        """Weights that grew since the beginning, in units of the member's active weights."""
        return self.exchanged[member] / self.active(member)

    def density(self, member: int) -> float:
        """Active share of a member's Linear weights."""
        return self.active(member) / self._weights

    def state(self) -> dict[str, object]:
        """Counts, digest chains and generators; the masks themselves are in the module's state."""
        return {
            "rewires": list(self.rewires),
            "exchanged": list(self.exchanged),
            "chains": [list(chain) for chain in self.chains],
            "growth": torch.stack([generator.get_state() for generator in self.growth]),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`."""
        rewires, exchanged, chains, growth = (
            state[key] for key in ("rewires", "exchanged", "chains", "growth")
        )
        assert (
            isinstance(rewires, list) and isinstance(exchanged, list) and isinstance(chains, list)
        )
        assert isinstance(growth, Tensor)
        self.rewires, self.exchanged, self.chains = (
            list(rewires),
            list(exchanged),
            [list(chain) for chain in chains],
        )
        for generator, found in zip(self.growth, growth, strict=True):
            generator.set_state(
                found.clone()
            )  # of its own memory: a row of a larger tensor crashes torch 2.13


def mask_digest(masks: dict[str, Tensor]) -> str:
    """sha256 over the masks' names, shapes and bits, in the order of the names
    (leaderboard/verification/tensors.py recomputes it)."""
    digest = hashlib.sha256()
    for name, mask in sorted(masks.items()):
        digest.update(f"{name} {tuple(mask.shape)}\n".encode())
        digest.update(mask.to(torch.uint8).contiguous().numpy().tobytes())
    return digest.hexdigest()
