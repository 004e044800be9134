"""Whether the weight gradients of the unrolled model pay as one product over its horizon, instead
of one a step and their sum.

    python benchmarks/weight_gradients.py [--device cuda] [--width 64] [--batch 64] [--members 8]
        [--rounds 25]

The core leaves them to autograd, one product a step. Here the layers that are used once a step keep
what went in and what comes back, and multiply at the end. Checked in float64 first: the same
gradient to 1e-10. Then paired rounds of encoder updates; `gain` is the ratio of the core's time to
this one's, its median with its 5 to 95 percent range.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from core import DENSE, filled_agent, gains, timed
from tabulate import tabulate
from torch import Tensor
from torch.autograd import Function

from agents.members.layers import Parameters, activate, final_norm, linear, shortcut
from agents.mrq.agent import MRQ
from agents.mrq.networks import Networks
from agents.off_policy import OffPolicy

Uses = list[tuple[Tensor, Tensor]]
"""(what went in, the gradient that came back) of every use of a layer."""


class Leave(Function):
    """Where the weights of a layer leave for their uses, and where the gradients of all of them
    come back at once."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, uses: Uses) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)  # nothing comes back by itself
        ctx.uses = uses
        return weight.view_as(weight), bias.view_as(bias)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> tuple[Tensor, Tensor, None]:
        seen, slope = (torch.cat(parts, 1) for parts in zip(*ctx.uses, strict=True))
        return torch.bmm(seen.mT, slope), slope.sum(1, keepdim=True), None


class Use(Function):
    """y = x W + b, whose backward pass notes what the weights' gradient needs."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None, uses: Uses
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.uses, ctx.adds = uses, added is not None
        return torch.baddbmm(bias if added is None else added, x, weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor, None, None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        ctx.uses.append((x, slopes[0]))
        return torch.bmm(slopes[0], weight.mT), None, None, slopes[0] if ctx.adds else None, None


class Shared:
    """A Linear layer that is used once a step."""

    def __init__(self, parameters: Parameters, name: str) -> None:
        self.uses: Uses = []
        weight = parameters[f"{name}.weight"]
        bias = parameters.get(f"{name}.bias", torch.zeros_like(weight[:, :1]))
        self.weight, self.bias = Leave.apply(weight, bias, self.uses)  # type: ignore[no-untyped-call]

    def __call__(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        z: Tensor = Use.apply(x, self.weight, self.bias, added, self.uses)  # type: ignore[no-untyped-call]
        return z


class Together(Networks):
    """The networks with such layers in the unrolled model."""

    def unrolled(self, zs: Tensor, action: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor]:
        parameters, horizon = (
            {**self._divided(parameters), **self._divided_model(parameters)},
            action.shape[1],
        )
        names = [
            "zsa.state",
            *(f"zsa.{index}" for index in range(1, self.settings.depth)),
            "zsa.out",
            "state",
        ]
        first, *middle, last, model = (Shared(parameters, name) for name in names)
        block, states, joints = self.blocks["encoder"], list[Tensor](), list[Tensor]()
        edge = block.edge
        za = self._action_embedding(action.flatten(1, 2), parameters)
        begun = linear(za, parameters, "zsa.action")
        for za_now, begun_now in zip(za.chunk(horizon, 1), begun.chunk(horizon, 1), strict=True):
            z = first(zs, begun_now)
            both = (
                torch.cat([zs, za_now], -1)
                if zs.shape[-1] + za_now.shape[-1] == z.shape[-1]
                else None
            )
            x = (
                activate(z, edge, both)
                if both is None
                else shortcut(both, activate(z, edge, both), edge)
            )
            for layer in middle:
                x = shortcut(x, activate(layer(x), block, x), block)
            x = final_norm(x, block)
            y = last(x)
            joints.append(x + y if edge.residual != "none" and x.shape[-1] == y.shape[-1] else y)
            zs = model(joints[-1])
            states.append(zs)
        return torch.cat(states, 1), linear(torch.cat(joints, 1), parameters, "rest")


def with_one_product(agent: OffPolicy[MRQ]) -> OffPolicy[MRQ]:
    """The agent with such networks."""
    agent.algorithm.networks = Together(
        agent.algorithm.settings, agent.algorithm.networks.blocks, agent.setup.dtype
    )
    return agent


def largest_difference(device: str) -> float:
    """Between the gradients of both, in float64."""
    agent = filled_agent(2, 32, 16, DENSE, device=device, dtype=torch.float64)
    index = agent.replay.sample(agent.learner.draws["replay/encoder"].next())
    expected = agent.learner.trained["encoder"].gradients(agent.algorithm.encoder_loss(index))
    found = agent.learner.trained["encoder"].gradients(
        with_one_product(agent).algorithm.encoder_loss(index)
    )
    return float((found - expected).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--updates", type=int, default=10, help="encoder updates in a measurement")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    difference = largest_difference(arguments.device)
    assert difference < 1e-10, difference
    size = arguments.members, arguments.width, arguments.batch, DENSE
    core, again, other = (filled_agent(*size, device=arguments.device) for _ in range(3))
    agents = {
        "one product a step": core,
        "one product": with_one_product(other),
        "one product a step again (A/A)": again,
    }
    times: dict[str, list[float]] = {name: [] for name in agents}
    for number in range(arguments.rounds + 1):
        for name, agent in agents.items():
            agent.learner.draws["replay/encoder"].next()
            taken = timed(agent.algorithm._learn_encoder, arguments.updates, arguments.device)
            if number:  # the first round warms up
                times[name].append(taken)
    print(
        tabulate(
            gains(times),
            headers=["", "ms an update", "gain", "5 %", "95 %"],
            floatfmt=".3f",
            tablefmt="github",
        )
    )


if __name__ == "__main__":
    main()
