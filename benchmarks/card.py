"""What the parts of a step take on a card, each captured and played alone.

    python benchmarks/card.py [--device cuda] [--members 1 8 40] [--json FILE]

Matrix products of MR.Q's hidden layers (256 x 512 by 512 x 512) in three precisions and every
orientation, from an aligned matrix and from column 1 of one that is 578 wide; a product with a bias
and without; LayerNorm, ELU and the optimiser; the smallest kernel, which gives the cost of a node
of a graph; eigenvalues on the card and on the host; a copy, for the card's bandwidth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from core import save, timed
from tabulate import tabulate
from torch import Tensor

from agents.members.recording import WARM_UP, Recorder
from harness.training.precision import prepare

BATCH, WIDTH, MODEL = 256, 512, 578
"""Rows of a batch; units of a hidden layer; outputs of the model head."""
CALLS, ROUNDS = 20, 15


def several(function: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        for _ in range(CALLS):
            function()

    return call


def products(members: int, device: str, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """Batched products of one size, in the orientations of a forward and a backward pass."""

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(members, rows, columns, device=device, dtype=dtype)

    x, weight, wide, bias = (
        matrix(BATCH, WIDTH),
        matrix(WIDTH, WIDTH),
        matrix(WIDTH, MODEL),
        matrix(1, WIDTH),
    )
    slope, unaligned = matrix(BATCH, WIDTH), wide[:, :, 1 : 1 + WIDTH]
    aligned = wide[:, :, :WIDTH]
    return {
        "x W": lambda: torch.bmm(x, weight),
        "x W + b": lambda: torch.baddbmm(bias, x, weight),
        "dy W^T": lambda: torch.bmm(slope, weight.mT),
        "x^T dy": lambda: torch.bmm(x.mT, slope),
        "x W, from column 0 of 578": lambda: torch.bmm(x, aligned),
        "x W, from column 1 of 578": lambda: torch.bmm(x, unaligned),
    }


def parts(members: int, device: str) -> dict[str, Callable[[], object]]:
    """What is no product."""
    x = torch.randn(members, BATCH, WIDTH, device=device)
    tiny = torch.zeros(1, device=device)
    size = members * 1_800_000
    flats = [torch.rand(size, device=device) for _ in range(5)]
    count = torch.ones((), device=device)

    def adamw() -> None:
        torch._fused_adamw_(
            [flats[0]], [flats[1]], [flats[2]], [flats[3]], [], [count],
            lr=1e-4, beta1=0.9, beta2=0.999, weight_decay=1e-4, eps=1e-8,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    return {
        "smallest kernel": lambda: tiny.add_(1.0),
        "LayerNorm": lambda: F.layer_norm(x, (WIDTH,)),
        "ELU": lambda: F.elu(x),
        "AdamW, 1.8 M parameters a member": adamw,
        "mask product of them": lambda: torch.mul(flats[1], flats[4]),
        "copy of them": lambda: flats[0].copy_(flats[4]),
    }


def eigenvalues(members: int, device: str) -> dict[str, Callable[[], object]]:
    """Of Gram matrices as diagnostics take them, not captured."""
    x = torch.randn(4 * members, WIDTH, WIDTH, device=device, dtype=torch.float64)
    gram = x @ x.mT
    return {
        "eigenvalues on the card": lambda: torch.linalg.eigvalsh(gram),
        "eigenvalues on the host": lambda: torch.linalg.eigvalsh(gram.cpu()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 8, 40])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device, found = arguments.device, dict[str, float]()
    types = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
    if not device.startswith("cuda"):
        del types["tf32"]

    def note(name: str, function: Callable[[], object]) -> None:
        step = Recorder(device).step(several(function))
        timed(step, WARM_UP + 2, device)
        taken = [timed(step, 2, device) / CALLS for _ in range(ROUNDS)]
        found[name] = 1e6 * float(np.median(taken))

    for members in arguments.members:
        for precision, dtype in types.items():
            prepare(precision, device, deterministic=False)
            for name, function in products(members, device, dtype).items():
                note(f"P = {members}, {precision}: {name}", function)
        for name, function in parts(members, device).items():
            note(f"P = {members}: {name}", function)
    for name, function in eigenvalues(arguments.members[0], device).items():
        timed(function, 1, device)
        found[f"P = {arguments.members[0]}: {name}"] = 1e6 * timed(function, 2, device)
    rows = [[name, taken, teraflops(name, taken)] for name, taken in found.items()]
    print(tabulate(rows, headers=["", "us", "TFLOP/s"], floatfmt=".2f", tablefmt="github"))
    save(arguments, microseconds=found)


def teraflops(name: str, microseconds: float) -> float | None:
    """Of a row of products, a second."""
    if " W" not in name and "dy" not in name:
        return None
    members = int(name.removeprefix("P = ").partition(",")[0])
    return members * 2.0 * BATCH * WIDTH * WIDTH / microseconds / 1e6


if __name__ == "__main__":
    main()
