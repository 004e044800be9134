"""The masks of one module: initial masks and rewires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from agents.members.blocks import Linear
from agents.members.module import Module
from agents.sparsity.chains import Chains
from agents.sparsity.regime import TRIPLES, ModuleRegime
from agents.sparsity.rewire import GROW_SCORES, rewired
from agents.sparsity.schedule import Schedule

AT_A_TIME = 1 << 24
"""Weights of one layer that are ranked together, of as many members as have so many."""

Amounts = tuple[int, int]
"""How many weights a copy of a layer drops, and how many it grows."""


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
        self._chains = Chains(module.members)

        if not all(regime.is_dense for regime in regimes):
            self._draw(generators)
        for member in range(module.members):
            self._chains.extend(member, self.member_masks(member))

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
        members = range(self.module.members)
        due = [m for m in members if healthy[m] and self.schedules[m].due(update)]
        self._rewire(due, update, gradient)
        for member in due:
            self.rewires[member] += 1
            self._chains.extend(member, self.member_masks(member))

    def _rewire(self, members: Sequence[int], update: int, gradient: Tensor) -> None:
        """Rewires what these members change after `update`, layer after layer."""
        amounts = {member: self._amounts(member, update) for member in members}
        for index, layer in enumerate(self.layers):
            of_layer = {member: amounts[member][index] for member in members}
            changing = [member for member in members if any(of_layer[member])]

            # No row of a layer depends on another: members are ranked together.
            together = max(1, AT_A_TIME // (layer.size * self.module.copies))
            for begin in range(0, len(changing), together):
                part = {m: of_layer[m] for m in changing[begin : begin + together]}
                self._rewire_layer(layer, part, gradient)

    def _rewire_layer(
        self, layer: Linear, amounts: Mapping[int, Amounts], gradient: Tensor
    ) -> None:
        """Rewires one layer of the members that `amounts` names."""
        assert self.module.keep is not None
        copies = self.module.copies

        # Copies of the rows that belong to them, each [members * copies, in * out]
        rows = _groups_of(amounts, copies).to(gradient.device)
        flats = (self.module.flat.detach(), *self.module.moments, self.module.keep, gradient)
        views = [self.module.layout.views(flat)[f"{layer.name}.weight"] for flat in flats]
        *values, keep, slope = (view[rows].flatten(1) for view in views)

        # Which of them change
        of_members = (torch.split(tensor, copies) for tensor in (values[0], slope))
        score = torch.cat([*map(self._score, amounts, *of_members)])
        drop, grow = _of_copies(list(amounts.values()), copies, score.device).unbind(1)
        keeps = [self.regimes[member].regrown == "keep" for member in amounts]
        keeps_regrown = _of_copies(keeps, copies, score.device)
        after = rewired(values, keep.bool(), score, drop, grow, keeps_regrown)

        # Written back
        for view, tensor in zip(views[:4], (*after.values, after.mask.to(keep)), strict=True):
            view[rows] = tensor.view(-1, *view.shape[1:])
        activated = after.activated.view(-1, copies).sum(1)
        for member, count in zip(amounts, activated.tolist(), strict=True):
            self.exchanged[member] += count

    def _score(self, member: int, weight: Tensor, gradient: Tensor) -> Tensor:
        """The grow score of one layer of one member, zeros where its regime grows nothing."""
        name = TRIPLES[self.regimes[member].rule].score
        if name is None:
            return torch.zeros_like(weight)
        return GROW_SCORES[name](weight, gradient, self.growth[member])

    def _amounts(self, member: int, update: int) -> list[Amounts]:
        """What each layer of a member drops and grows after a due update."""
        counts, interval = self.counts[member], self.regimes[member].interval
        return _amounts(self.layers, counts, self.schedules[member], interval, update)

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

    @property
    def chains(self) -> list[list[str]]:
        """For each member the digest of its first mask, and one more after each rewire."""
        return self._chains.digests()

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
            "chains": self.chains,
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
        self._chains.restore(chains)

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


def _groups_of(members: Iterable[int], copies: int) -> Tensor:
    """The rows of G that belong to these members: [M * copies]."""
    return torch.cat([torch.arange(m * copies, (m + 1) * copies) for m in members])


def _of_copies(
    of_members: Sequence[Amounts] | Sequence[bool], copies: int, device: torch.device
) -> Tensor:
    """Values of members, once for each copy: [M, ...] -> [M * copies, ...]."""
    return torch.tensor(of_members, device=device).repeat_interleave(copies, 0)


def _amounts(
    layers: Sequence[Linear],
    counts: tuple[list[int], list[int]],
    schedule: Schedule,
    interval: int,
    update: int,
) -> list[Amounts]:
    """What each layer drops and grows after a due update; `counts` of the first and last mask."""
    fraction = schedule.exchanged(update)
    before = schedule.progress(update - interval)
    after = schedule.progress(update)

    amounts = list[Amounts]()
    for layer, first, last in zip(layers, *counts, strict=True):
        old = round(first + (last - first) * before)
        new = round(first + (last - first) * after)
        swapped = min(int(fraction * old), layer.size - old)  # as many as can grow elsewhere
        amounts.append((swapped + max(0, old - new), swapped + max(0, new - old)))
    return amounts
