"""One trained module of all members: its parameters, masks and optimiser.

A module steps in a fixed order: gradients are masked, then clipped per member, then AdamW writes, then weights are masked.
Masking before the norm matters: an unmasked norm is larger, so clipping would shrink the steps of sparse members.
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
    """Decoupled weight decay Adam; betas and epsilon are PyTorch's defaults, as in MR.Q."""

    lr: float
    """Step size."""
    weight_decay: float = 1e-4
    """Decoupled decay, applied to all parameters."""
    clip: float | None = None
    """Largest gradient norm of one member (over all its copies), or None."""


class Module:
    """Parameters [G, ...] of one module; G = members x copies, member-major."""

    def __init__(
        self,
        linears: Sequence[Linear],
        generators: Sequence[torch.Generator],
        optimiser: AdamWSettings,
        copies: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Draws every member's initial weights from its own generator; `generators` has one for each member."""
        self.members = len(generators)
        self.copies = copies
        self.layout = Layout(linears, self.members * copies)
        self.clip = optimiser.clip
        self.flat = torch.nn.Parameter(torch.zeros(self.layout.size, dtype=dtype, device=device))
        self.target = torch.zeros_like(self.flat, requires_grad=False)
        self.keep: Tensor | None = None
        """Flat mask, 1 where a parameter is active (biases are) and 0 elsewhere, or None while no member is sparse. Of the
        parameters' own dtype: on a CPU multiplying by bool takes six times as long."""
        self.frozen: Tensor | None = None
        """Flat bool, True where a failed member's parameters must not be written; None while all are well."""
        self.updates = 0
        """Steps so far, counted by whoever calls `step`: when a recorded step is played again, nothing runs on the host."""
        self.optimiser = optimiser
        self.moments = torch.zeros_like(self.target), torch.zeros_like(self.target)
        """First and second Adam moments, flat [size] each."""
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        """Adam's step count, shared by all members."""
        views = self.layout.views(self.flat.detach())
        for layer in linears:
            weights = [xavier_uniform(layer, copies, generator) for generator in generators]
            views[f"{layer.name}.weight"].copy_(torch.cat(weights))
        self.parameters = {name: view.requires_grad_() for name, view in views.items()}
        """Leaves that share memory with `flat`: what losses read and gradients are taken for."""
        self.target_parameters = self.layout.views(self.target)

    @property
    def mask(self) -> Tensor | None:
        """`keep` as a flat bool, a copy."""
        return None if self.keep is None else self.keep.bool()

    def gradients(self, loss: Tensor) -> Tensor:
        """Dense gradient of `loss` [members], summed over members, for this module's parameters alone: flat [size]."""
        parts = torch.autograd.grad(loss.sum(), list(self.parameters.values()))
        return torch.cat([part.reshape(-1) for part in parts])

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Mask, clip per member, AdamW, mask. `gradient` is flat [size] and is left unchanged."""
        if self.keep is not None:
            gradient = gradient * self.keep
        if self.clip is not None:
            gradient = self._clipped(gradient)
        before = self.flat.clone() if self.frozen is not None else None
        self._adamw(gradient)
        if self.keep is not None:
            self.flat.mul_(self.keep)
        if before is not None and self.frozen is not None:
            self.flat.copy_(torch.where(self.frozen, before, self.flat))

    def _adamw(self, gradient: Tensor) -> None:
        """One step of `torch.optim.AdamW(fused=True)`: its kernel, without its class, whose import takes seconds."""
        (first, second), settings = self.moments, self.optimiser
        self.steps += 1.0
        torch._fused_adamw_(
            [self.flat],
            [gradient],
            [first],
            [second],
            [],
            [self.steps],
            lr=settings.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=settings.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _clipped(self, gradient: Tensor) -> Tensor:
        """Each member's gradient, its norm over all its copies brought down to `clip`."""
        assert self.clip is not None
        scale = (self.clip / (self._norm(gradient) + 1e-6)).clamp(max=1.0)[:, None]
        views = [view.view(self.members, -1) for view in self.layout.views(gradient).values()]
        return torch.cat([(view * scale).view(-1) for view in views])

    def _norm(self, flat: Tensor) -> Tensor:
        """L2 norm of each member's part of a flat vector, over all its copies: [P]."""
        views = [view.reshape(self.members, -1) for view in self.layout.views(flat).values()]
        return (
            torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views])
            .square()
            .sum(0)
            .sqrt()
        )

    def gradient_norm(self, gradient: Tensor) -> Tensor:
        """L2 norm of each member's masked gradient; `gradient` is flat [size]: [P]."""
        return self._norm(gradient if self.keep is None else gradient * self.keep)

    def parameter_norm(self) -> Tensor:
        """L2 norm of each member's parameters: [P]."""
        return self._norm(self.flat.detach())

    @torch.no_grad()
    def copy_to_target(self) -> None:
        """Hard copy; targets hold no masks, they are copies of masked weights."""
        self.target.copy_(self.flat)

    @torch.no_grad()
    def move_target(self, rate: float) -> None:
        """Polyak averaging: the target moves by `rate` of its distance to the parameters."""
        self.target.lerp_(self.flat, rate)

    def freeze(self, members: Sequence[int]) -> None:
        """Write no parameter of these members any more."""
        flags = torch.zeros(self.members, dtype=torch.bool, device=self.flat.device)
        flags[list(members)] = True
        self.frozen = self.layout.expand(flags.repeat_interleave(self.copies)) if members else None

    def member_parameters(self, member: int) -> dict[str, Tensor]:
        """One member's parameters on the CPU: NAME.weight [copies, in, out], NAME.bias [copies, 1, out]."""
        rows = slice(member * self.copies, (member + 1) * self.copies)
        return {name: view.detach()[rows].cpu().clone() for name, view in self.parameters.items()}

    def state(self) -> dict[str, object]:
        """Everything a resumed run needs: parameters, target, moments, step counts, mask. Tensors are live, not copies."""
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
        for tensor, key in (
            (self.flat, "flat"),
            (self.target, "target"),
            (first, "exp_avg"),
            (second, "exp_avg_sq"),
        ):
            tensor.copy_(_tensor(state[key]))
        self.steps.copy_(_tensor(state["step"]))
        if self.keep is not None:
            self.keep.copy_(_tensor(state["mask"]))
        updates = state["updates"]
        assert isinstance(updates, int)
        self.updates = updates


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value
