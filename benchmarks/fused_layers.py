"""Whether a hidden layer pays as two kernels beside its products: bias, LayerNorm, activation and
shortcut in one, and their backward pass in one.

    python benchmarks/fused_layers.py [--device cuda] [--width 512] [--batch 256] [--members 8]
        [--precision tf32] [--rounds 25] [--json FILE]
    TRITON_INTERPRET=1 python benchmarks/fused_layers.py --check

The core leaves them to torch, one kernel each; that stays the reference. Checked first: the same
gradients of all modules, to 1e-10 in float64. Triton's interpreter checks it on a CPU too. Then
paired rounds of learning; `gain` is the ratio of the core's time to this one's, its median with its
5 to 95 percent range. `operations` are those of the recorded steps of an agent step, a fused one
counted once. Triton is no dependency: torch for CUDA brings it, and it needs a C compiler.
"""

# Triton reads the arguments of its kernels, which have no types that Python knows.
# ruff: noqa: ANN001, ANN202, N803
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, import-not-found"

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import triton
import triton.language as tl
from core import DENSE, MIXED, filled_agent, gains, gradients, learning, save
from steps import Counting
from tabulate import tabulate
from torch import Tensor
from torch.autograd import Function

from agents.members import layers
from agents.members.blocks import BlockType
from agents.members.layers import Parameters, Traced
from agents.mrq import networks
from agents.mrq.agent import MRQ
from agents.off_policy import OffPolicy
from harness.training.precision import prepare

EPSILON = 1e-5
"""Of LayerNorm."""


@triton.jit
def _normalised(h, bias, row, rows, width, columns, inside, BIAS: tl.constexpr):
    """LN(h [+ bias]) of one row, and one over its standard deviation."""
    z = tl.load(h + row * width + columns, mask=inside, other=0.0)
    if BIAS:
        z += tl.load(bias + (row // rows) * width + columns, mask=inside, other=0.0)
    apart = tl.where(inside, z - tl.sum(z, 0) / width, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(apart * apart, 0) / width + 1e-5)
    return apart * scale, scale


@triton.jit
def _forward(
    h, bias, x, y, rows, width,
    BLOCK: tl.constexpr, BIAS: tl.constexpr, ELU: tl.constexpr, SHORTCUT: tl.constexpr,
):  # fmt: skip
    """y = [x +] act(LN(h [+ bias])), a program for each row."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    n, _ = _normalised(h, bias, row, rows, width, columns, inside, BIAS)
    below = tl.exp(n) - 1.0 if ELU else 0.0
    a = tl.where(n <= 0.0, below, n)  # NaN stays
    at = row * width + columns
    if SHORTCUT:
        a += tl.load(x + at, mask=inside, other=0.0)
    tl.store(y + at, a, mask=inside)


@triton.jit
def _backward(
    h, bias, dy, dz, rows, width,
    BLOCK: tl.constexpr, BIAS: tl.constexpr, ELU: tl.constexpr,
):  # fmt: skip
    """The gradient of h [+ bias], from that of y."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    n, scale = _normalised(h, bias, row, rows, width, columns, inside, BIAS)
    at = row * width + columns
    slope = tl.load(dy + at, mask=inside, other=0.0)
    below = slope * tl.exp(n) if ELU else 0.0
    slope = tl.where(n <= 0.0, below, slope)
    mean = tl.sum(slope, 0) / width
    along = tl.sum(slope * n, 0) / width
    tl.store(dz + at, scale * (slope - mean - n * along), mask=inside)


def launch(kernel: Any, *tensors: Tensor, **flags: bool) -> None:
    """A kernel with a program for each row of tensors [G, B, n]."""
    groups, rows, width = tensors[0].shape
    block = triton.next_power_of_2(width)
    kernel[(groups * rows,)](*tensors, rows, width, BLOCK=block, **flags)


class Fused(Function):
    """[x +] act(LN(h [+ bias])) of h [G, B, n], bias [G, 1, n] and x [G, B, n]."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, bias: Tensor | None, x: Tensor | None, elu: bool) -> Tensor:
        h = h.contiguous()
        x = None if x is None else x.contiguous()
        ctx.save_for_backward(h, bias)
        ctx.elu, ctx.shortcut = elu, x is not None
        y = torch.empty_like(h)
        tensors = (h, h if bias is None else bias, h if x is None else x, y)
        launch(_forward, *tensors, BIAS=bias is not None, ELU=elu, SHORTCUT=x is not None)
        return y

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        h, bias = ctx.saved_tensors
        dy = slopes[0].contiguous()
        dz = torch.empty_like(h)
        tensors = (h, h if bias is None else bias, dy, dz)
        launch(_backward, *tensors, BIAS=bias is not None, ELU=ctx.elu)
        of_bias = None if bias is None else dz.sum(1, keepdim=True)
        return dz, of_bias, dy if ctx.shortcut else None, None


def fuses(block: BlockType) -> bool:
    """Whether a layer of such a block has these kernels."""
    return block.norm and block.residual != "post"


def activate(z: Tensor, block: BlockType, x: Tensor | None = None) -> Tensor:
    """In the place of `layers.activate`."""
    if not fuses(block):
        return ACTIVATE(z, block, x)
    y: Tensor = Fused.apply(z, None, None, block.activation == "elu")
    return y


def hidden(
    x: Tensor,
    parameters: Parameters,
    name: str,
    block: BlockType,
    trace: list[Traced] | None = None,
) -> Tensor:
    """In the place of `layers.hidden`; diagnostics see the reference."""
    if trace is not None or not fuses(block):
        return HIDDEN(x, parameters, name, block, trace)
    h = torch.bmm(x, parameters[f"{name}.weight"])
    skips = block.residual == "pre" and x.shape[-1] == h.shape[-1]
    bias, elu = parameters[f"{name}.bias"], block.activation == "elu"
    y: Tensor = Fused.apply(h, bias, x if skips else None, elu)
    return y


ACTIVATE, HIDDEN = layers.activate, layers.hidden


@contextmanager
def fused(wanted: bool = True) -> Iterator[None]:
    """Layers are fused inside. Steps that a GPU captured there stay so."""
    if not wanted:
        yield
        return
    with (
        patch.object(layers, "hidden", hidden),
        patch.object(networks, "hidden", hidden),
        patch.object(networks, "activate", activate),
    ):
        yield


def largest_difference(device: str, members: int = 2) -> float:
    """Between gradients with and without, in float64, relative to the largest of a module."""
    agent = filled_agent(members, 16, 4, MIXED, 7, 3, device, dtype=torch.float64)
    for draws in agent.learner.draws.values():
        draws.next()
    expected = gradients(agent)
    with fused():
        found = gradients(agent)
    pairs = zip(found, expected, strict=True)
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


class Computing(Counting):
    """Counts operations but those that only make room."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.found -= "empty" in operation._schema.name
        return super().__torch_dispatch__(operation, types, args, kwargs)


def operations(agent: OffPolicy[MRQ], wanted: bool) -> tuple[int, int]:
    """Of all recorded steps: in all, and how many of them are fused. These are not carried out."""
    counting = Computing()
    with fused(wanted), patch.object(sys.modules[__name__], "launch") as launched, counting:
        for step in agent.learner.recorder.steps:
            step.function()
    return counting.found + launched.call_count, launched.call_count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare gradients, count, and end")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32"])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    difference = largest_difference(arguments.device)
    print(f"gradients differ by {difference:.1e} of the largest, in float64")
    assert difference < 1e-10
    small = filled_agent(1, 16, 4, DENSE, 7, 3, arguments.device)
    small.update()
    before, (after, kernels) = operations(small, False)[0], operations(small, True)
    print(f"operations: {before} as it is, {after} with {kernels} fused ones")
    if arguments.check:
        return

    prepare(arguments.precision, arguments.device, deterministic=False)
    size = arguments.members, arguments.width, arguments.batch, DENSE
    names = {"as it is": False, "fused": True, "as it is again (A/A)": False}
    agents = {name: filled_agent(*size, device=arguments.device) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(arguments.rounds + 2):
        for name, agent in agents.items():
            with fused(names[name]):
                taken = learning(agent, cycles=2)
            if number > 1:  # the first rounds capture
                times[name].append(taken)
    headers = ["", "ms a member and step", "gain", "5 %", "95 %"]
    print(tabulate(gains(times), headers=headers, floatfmt=".3f", tablefmt="github"))
    save(arguments, seconds=times)


if __name__ == "__main__":
    main()
