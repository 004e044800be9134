"""One trained module of all members: its parameters, masks and optimiser.

A step has a fixed order: mask the gradient, clip it per member, write with AdamW. Masking comes
before the norm because an unmasked norm is larger: clipping would then shrink the steps of sparse
members. Weights are masked when a mask changes, and stay zero by themselves: without a gradient and
with moments of zero AdamW leaves a zero as it is, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.members.blocks import Linear
from agents.members.layers import Layout, xavier_uniform


@dataclass(frozen=True)
class AdamWSettings:
    """Adam with decoupled weight decay; betas and epsilon are PyTorch's defaults, as in MR.Q."""

    lr: float
    """Step size."""
    weight_decay: float = 1e-4
    """Decoupled decay, applied to all parameters."""
    clip: float | None = None
    """Largest gradient norm of one member (over all its copies), or None."""


class Module:
    """Parameters [G, ...] of one module in one flat vector [size]."""

    def __init__(
        self,
        linears: Sequence[Linear],
        generators: Sequence[torch.Generator],
        optimiser: AdamWSettings,
        copies: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Draws every member's initial weights from its own generator, one of `generators` each."""
        self.members = len(generators)
        self.copies = copies
        self.layout = Layout(linears, self.members * copies)
        self.flat = torch.nn.Parameter(torch.zeros(self.layout.size, dtype=dtype, device=device))
        self.target = torch.zeros_like(self.flat, requires_grad=False)

        # Masks.
        self.keep: Tensor | None = None
        """Flat mask, 1 where a parameter is active (biases always are) and 0 elsewhere; None while
        no member is sparse. It has the parameters' dtype: on a CPU a product with bool takes six
        times as long."""
        self.frozen: Tensor | None = None
        """Flat bool, True where a failed member's parameters must not be written; None while no
        member has failed."""

        # Optimiser.
        self.optimiser = optimiser
        self.clip = optimiser.clip
        self.moments = torch.zeros_like(self.target), torch.zeros_like(self.target)
        """First and second Adam moments, flat [size] each."""
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        """Adam's step count, shared by all members."""
        self.updates = 0
        """Optimiser steps so far. The caller increments it, because replaying a CUDA graph runs no
        Python."""

        # Initial weights, each member from its own generator, so that neighbours do not matter.
        views = self.layout.views(self.flat.detach())
        for layer in linears:
            weights = [xavier_uniform(layer, copies, generator) for generator in generators]
            views[f"{layer.name}.weight"].copy_(torch.cat(weights))  # [G, in, out]
        self.parameters = {name: view.requires_grad_() for name, view in views.items()}
        """Leaves that share memory with `flat`: losses read them, gradients are taken for them."""
        self.target_parameters = self.layout.views(self.target)

    @property
    def mask(self) -> Tensor | None:
        """`keep` as a flat bool, a copy."""
        return None if self.keep is None else self.keep.bool()

    def gradients(self, loss: Tensor) -> Tensor:
        """Dense gradient of the summed `loss` [P], for this module's parameters alone: [size]."""
        parts = torch.autograd.grad(loss.sum(), list(self.parameters.values()))
        return torch.cat([part.reshape(-1) for part in parts])

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """One optimiser step on a flat `gradient` [size], which is left unchanged."""
        # Mask, then clip: an unmasked norm is larger.
        if self.keep is not None:
            gradient = gradient * self.keep
        if self.clip is not None:
            gradient = gradient.clone() if self.keep is None else gradient
            self._clip(gradient)

        # Decay and old momentum must not move failed members.
        before = self.flat.clone() if self.frozen is not None else None
        self._adamw(gradient)
        if before is not None and self.frozen is not None:
            self.flat.copy_(torch.where(self.frozen, before, self.flat))

    def _adamw(self, gradient: Tensor) -> None:
        """One step of `torch.optim.AdamW(fused=True)`, by its kernel: importing the class takes
        seconds."""
        first, second = self.moments
        self.steps += 1.0
        torch._fused_adamw_(
            [self.flat],
            [gradient],
            [first],
            [second],
            [],
            [self.steps],
            lr=self.optimiser.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.optimiser.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _clip(self, gradient: Tensor) -> None:
        """Reduces each member's norm in a gradient [size], over all its copies, to `clip`."""
        assert self.clip is not None
        scale = (self.clip / (self._norm(gradient) + 1e-6)).clamp(max=1.0)[:, None]  # [P, 1]
        for view in self.layout.views(gradient).values():
            view.view(self.members, -1).mul_(scale)

    def _norm(self, flat: Tensor) -> Tensor:
        """L2 norm of each member's part of a flat vector, over all its copies: [P]."""
        views = [view.reshape(self.members, -1) for view in self.layout.views(flat).values()]
        norms = torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views])
        return norms.square().sum(0).sqrt()  # [tensors, P] -> [P]

    def gradient_norm(self, gradient: Tensor) -> Tensor:
        """L2 norm of each member's masked gradient, from the flat gradient [size]: [P]."""
        return self._norm(gradient if self.keep is None else gradient * self.keep)

    def parameter_norm(self) -> Tensor:
        """L2 norm of each member's parameters: [P]."""
        return self._norm(self.flat.detach())

    @torch.no_grad()
    def copy_to_target(self) -> None:
        """Hard copy. Targets need no masks, because they are copies of masked weights."""
        self.target.copy_(self.flat)

    @torch.no_grad()
    def move_target(self, rate: float) -> None:
        """Polyak averaging: the target moves by `rate` of its distance to the parameters."""
        self.target.lerp_(self.flat, rate)

    def freeze(self, members: Sequence[int]) -> None:
        """Stops writing the parameters of these members, and of no others."""
        flags = torch.zeros(self.members, dtype=torch.bool, device=self.flat.device)
        flags[list(members)] = True
        self.frozen = self.layout.expand(flags.repeat_interleave(self.copies)) if members else None

    def member_parameters(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's parameters on the CPU.

        NAME.weight [copies, in, out] and NAME.bias [copies, 1, out].
        """
        rows = slice(member * self.copies, (member + 1) * self.copies)
        return {name: view.detach()[rows].cpu().clone() for name, view in self.parameters.items()}

    def state(self) -> dict[str, object]:
        """Everything that a resumed run needs. Tensors are live, not copies."""
        first, second = self.moments
        return {
            "flat": self.flat.detach(),
            "target": self.target,
            "exp_avg": first,
            "exp_avg_sq": second,
            "step": self.steps,
            "mask": self.mask,
            "updates": self.updates,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`, written in place so that views stay valid."""
        first, second = self.moments
        self.flat.copy_(_tensor(state["flat"]))
        self.target.copy_(_tensor(state["target"]))
        first.copy_(_tensor(state["exp_avg"]))
        second.copy_(_tensor(state["exp_avg_sq"]))
        self.steps.copy_(_tensor(state["step"]))
        if self.keep is not None:
            self.keep.copy_(_tensor(state["mask"]))

        updates = state["updates"]
        assert isinstance(updates, int)
        self.updates = updates


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value
