"""The masks of one module: initial masks, rewires, and the digest chain that an audit follows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.members.blocks import Linear
from agents.members.module import Module
from agents.sparsity.regime import TRIPLES, ModuleRegime
from agents.sparsity.rewire import GROW_SCORES, rewire


class Masks:
    """The masks of one module, [G, in, out] a layer, and their changes.

    All copies of a member follow its regime, and each copy (each Q network) has a mask of its own.
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

        `regimes`, `generators` (for initial masks) and `growth` (for random rewires) hold one entry
        for each member; `total_updates` is the module's updates in the whole run.
        """
        self.module = module
        self.layers = module.layout.linears

        # What each member's regime says of this module.
        self.regimes = list(regimes)
        self.schedules = [regime.times(total_updates) for regime in regimes]
        self.counts = [regime.counts(self.layers) for regime in regimes]
        """For each member the active weights of each layer in the first and in the last mask."""
        self.growth = list(growth)

        # The history of each member's masks.
        self.rewires = [0] * module.members
        self.exchanged = [0] * module.members
        """For each member the weights that grew since the beginning."""
        self.chains: list[list[str]] = [[] for _ in regimes]
        """For each member the digest of its first mask, and one more after each rewire."""

        if not all(regime.is_dense for regime in regimes):
            self._draw(generators)
        for member in range(module.members):
            self._extend_chain(member)

    @torch.no_grad()
    def _draw(self, generators: Sequence[torch.Generator]) -> None:
        """Draws every mask with its exact count, and masks the weights without rescaling them."""
        flat = torch.ones_like(self.module.target)
        views = self.module.layout.views(flat)
        for member, generator in enumerate(generators):
            first, _ = self.counts[member]
            masks = initial_masks(self.layers, first, self.module.copies, generator)
            for name, mask in masks.items():
                views[name][self._groups(member)].copy_(mask)
        self.module.keep = flat
        self.module.flat.mul_(flat)

    def _groups(self, member: int) -> slice:
        """The rows of G that belong to a member."""
        return slice(member * self.module.copies, (member + 1) * self.module.copies)

    def due(self, update: int) -> bool:
        """Whether any member rewires after module update `update`.

        Call it while that update's gradient is still alive: `rewire` needs it.
        """
        return any(schedule.due(update) for schedule in self.schedules)

    @torch.no_grad()
    def rewire(self, gradient: Tensor, healthy: Sequence[bool]) -> None:
        """Rewire the members that are due after the module's latest update.

        `gradient` is the dense gradient [size] of that update, unmasked and unclipped. Weights that
        are dropped or become active are zero then, and so are their moments. Those that are dropped
        and grow again at once are zero only if their regime's `regrown` says so.
        """
        update = self.module.updates
        for member in range(self.module.members):
            if healthy[member] and self.schedules[member].due(update):
                self._rewire_member(member, update, gradient)
                self.rewires[member] += 1
                self._extend_chain(member)

    def _rewire_member(self, member: int, update: int, gradient: Tensor) -> None:
        """Rewires the layers of one member that change after `update`."""
        assert self.module.keep is not None

        # Views into the module, so that what is written below reaches it.
        flats = (self.module.flat.detach(), self.module.keep, gradient, *self.module.moments)
        vectors = [self.module.layout.views(flat) for flat in flats]
        groups = self._groups(member)

        for layer, (drop, grow) in zip(self.layers, self._amounts(member, update), strict=True):
            if drop == grow == 0:
                continue
            name = f"{layer.name}.weight"
            tensors = [views[name][groups].flatten(1) for views in vectors]  # [copies, in * out]
            weight, keep, slope, *moments = tensors
            score = self._score(member, weight, slope)
            keep_regrown = self.regimes[member].regrown == "keep"
            self.exchanged[member] += _rewire_layer(
                weight, keep, score, moments, drop, grow, keep_regrown
            )

    def _score(self, member: int, weight: Tensor, gradient: Tensor) -> Tensor:
        """The grow score of one layer of one member, zeros where its regime grows nothing."""
        name = TRIPLES[self.regimes[member].rule].score
        if name is None:
            return torch.zeros_like(weight)
        return GROW_SCORES[name](weight, gradient, self.growth[member])

    def _amounts(self, member: int, update: int) -> list[tuple[int, int]]:
        """For each layer how many weights a copy drops and how many it grows after a due update."""
        schedule = self.schedules[member]
        fraction = schedule.exchanged(update)
        before = schedule.progress(update - self.regimes[member].interval)
        after = schedule.progress(update)

        amounts = list[tuple[int, int]]()
        for layer, first, last in zip(self.layers, *self.counts[member], strict=True):
            old = round(first + (last - first) * before)
            new = round(first + (last - first) * after)
            swapped = min(int(fraction * old), layer.size - old)  # as many as can grow elsewhere
            amounts.append((swapped + max(0, old - new), swapped + max(0, new - old)))
        return amounts

    def member_masks(self, member: int) -> dict[str, Tensor]:
        """One member's masks on the CPU: NAME.weight [copies, in, out] bool, all True if dense."""
        if self.module.keep is None:
            masks = dict[str, Tensor]()
            for layer in self.layers:
                shape = (self.module.copies, layer.fan_in, layer.fan_out)
                masks[f"{layer.name}.weight"] = torch.ones(shape, dtype=torch.bool)
            return masks
        return {name: mask.bool().cpu() for name, mask in self._kept(member).items()}

    def _kept(self, member: int) -> dict[str, Tensor]:
        """One member's part of the module's mask, layer by layer."""
        assert self.module.keep is not None
        views = self.module.layout.views(self.module.keep)
        names = [f"{layer.name}.weight" for layer in self.layers]
        return {name: views[name][self._groups(member)] for name in names}

    def _extend_chain(self, member: int) -> None:
        self.chains[member].append(mask_digest(self.member_masks(member)))

    def active(self, member: int) -> int:
        """A member's active Linear weights, counted from its mask, over all copies."""
        if self.module.keep is None:
            return self._weights
        return int(sum(mask.count_nonzero() for mask in self._kept(member).values()))

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
        """Counts, digest chains and generators. The module's state holds the masks themselves."""
        return {
            "rewires": list(self.rewires),
            "exchanged": list(self.exchanged),
            "chains": [list(chain) for chain in self.chains],
            "growth": torch.stack([generator.get_state() for generator in self.growth]),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`."""
        rewires = state["rewires"]
        exchanged = state["exchanged"]
        chains = state["chains"]
        growth = state["growth"]
        assert isinstance(rewires, list) and isinstance(exchanged, list)
        assert isinstance(chains, list) and isinstance(growth, Tensor)
        self.rewires = list(rewires)
        self.exchanged = list(exchanged)
        self.chains = [list(chain) for chain in chains]

        # Clone each state: set_state on a row of a larger tensor crashes torch 2.13.
        for generator, generator_state in zip(self.growth, growth, strict=True):
            generator.set_state(generator_state.clone())


def initial_masks(
    layers: Sequence[Linear], counts: Sequence[int], copies: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """The first masks of one member: NAME.weight [copies, in, out] bool, with `counts` active
    weights in each copy of a layer, drawn layer by layer and copy by copy."""
    masks = dict[str, Tensor]()
    for layer, count in zip(layers, counts, strict=True):
        drawn = [_random_mask(layer, count, generator) for _ in range(copies)]
        masks[f"{layer.name}.weight"] = torch.stack(drawn)
    return masks


def _random_mask(layer: Linear, count: int, generator: torch.Generator) -> Tensor:
    """A mask [in, out] with `count` active weights at random positions."""
    order = torch.randperm(layer.size, generator=generator)
    mask = torch.zeros(layer.size, dtype=torch.bool)
    mask[order[:count]] = True
    return mask.view(layer.fan_in, layer.fan_out)


def _rewire_layer(
    weight: Tensor,
    keep: Tensor,
    score: Tensor,
    moments: Sequence[Tensor],
    drop: int,
    grow: int,
    keep_regrown: bool,
) -> int:
    """Rewires one layer of one member in place, every tensor [copies, n].

    Returns how many weights became active that were not.
    """
    copies = len(weight)
    mask = keep.bool()
    new_mask, grown = rewire(
        weight,
        mask,
        score,
        torch.full((copies,), drop, device=weight.device),
        torch.full((copies,), grow, device=weight.device),
    )

    # A grown weight starts at zero with zero moments. One that was dropped a moment ago was active
    # before and is active again: RigL leaves it as it was.
    stays = new_mask & (mask if keep_regrown else ~grown)
    for tensor in (weight, *moments):
        tensor.masked_fill_(~stays, 0.0)

    activated = int((new_mask & ~mask).sum())
    keep.copy_(new_mask)
    return activated


def mask_digest(masks: dict[str, Tensor]) -> str:
    """sha256 over the masks' names, shapes and bits, in the order of the names.

    leaderboard/verification/tensors.py recomputes it.
    """
    digest = hashlib.sha256()
    for name, mask in sorted(masks.items()):
        digest.update(f"{name} {tuple(mask.shape)}\n".encode())
        digest.update(mask.to(torch.uint8).contiguous().numpy().tobytes())
    return digest.hexdigest()
