"""A trained number of each member, such as SAC's temperature: [P], with an optimiser of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class TrainedScalar:
    """One number a member, stepped by Adam."""

    def __init__(
        self,
        members: int,
        value: float,
        lr: float,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.lr = lr
        self.value = torch.full((members,), value, dtype=dtype, device=device, requires_grad=True)
        """[P], a leaf: what losses read."""
        self.moments = torch.zeros_like(self.value), torch.zeros_like(self.value)
        """First and second Adam moments [P] each."""
        self.steps = torch.zeros((), dtype=torch.float32, device=device)
        self.frozen = torch.zeros(members, dtype=torch.bool, device=device)
        """[P], True where a failed member's number must not be written."""

    @torch.no_grad()
    def step(self, loss: Tensor) -> None:
        """One Adam step on a loss [P]; its graph must still be there."""
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss.sum(), [self.value])
        before = self.value.clone()
        first, second = self.moments
        self.steps += 1.0
        torch._fused_adamw_(
            [self.value],
            [gradient],
            [first],
            [second],
            [],
            [self.steps],
            lr=self.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
        self.value.copy_(torch.where(self.frozen, before, self.value))

    def freeze(self, members: Sequence[int]) -> None:
        """Stops writing the numbers of these members."""
        self.frozen[list(members)] = True

    def state(self) -> dict[str, object]:
        """What a resumed run needs; tensors are live, not copies."""
        first, second = self.moments
        return {
            "value": self.value.detach(),
            "exp_avg": first,
            "exp_avg_sq": second,
            "step": self.steps,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`, written in place."""
        first, second = self.moments
        pairs = (
            (self.value, "value"),
            (first, "exp_avg"),
            (second, "exp_avg_sq"),
            (self.steps, "step"),
        )
        for tensor, key in pairs:
            saved = state[key]
            assert isinstance(saved, Tensor)
            tensor.copy_(saved)
