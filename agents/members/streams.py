"""Streams of a GPU: work on one goes on beside the work of another."""

from __future__ import annotations

from functools import cache

import torch


@cache
def stream(device: torch.device, purpose: str) -> torch.cuda.Stream:
    """The stream of a GPU for one purpose.

    There is one each, since a stream that multiplies matrices takes 32 MiB for as long as the
    process lives.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
