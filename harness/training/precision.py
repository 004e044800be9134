"""How numbers are computed: precision of matrix products, and determinism on a GPU."""

from __future__ import annotations

import os

import torch

from harness.errors import NonConforming


def prepare(precision: str, device: str, deterministic: bool) -> None:
    """Set up torch in a process that trains.

    Raises NonConforming where the device has no such precision.
    """
    check(precision, device)
    on_cuda = device.startswith("cuda")
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"

    if deterministic and on_cuda:
        # cuBLAS reads the variable when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def check(precision: str, device: str) -> None:
    """NonConforming where the device has no such precision."""
    if precision == "tf32" and not device.startswith("cuda"):
        raise NonConforming(
            "precision tf32 needs a CUDA device: a CPU has no such products. Use float32 or"
            " bfloat16."
        )


def product_type(precision: str) -> torch.dtype | None:
    """The type that matrix products are cast to, or None for the parameters' own."""
    return torch.bfloat16 if precision == "bfloat16" else None
