"""Named random streams: every random choice draws from a generator that is derived here.

A stream belongs to (seed source, task, seed index, word), through sha256. The regime is not part of
it: runs of different regimes with the same seed index share initial weights, masks and episode
starts, so their comparison is paired.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def stream_seed(source: str, task: str, seed: int, word: str) -> int:
    """A 63-bit seed: the first bytes of sha256 over the four parts, separated by line feeds."""
    parts = (source, task, str(seed), word)
    assert not any("\n" in part for part in parts)
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def environment_seed(source: str, task: str, seed: int, word: str) -> int:
    """The same stream as a seed of 31 bits, as EnvPool takes it."""
    return stream_seed(source, task, seed, word) >> 32


def generator(source: str, task: str, seed: int, word: str) -> torch.Generator:
    """A CPU generator that is seeded with the stream's seed."""
    import torch

    return torch.Generator().manual_seed(stream_seed(source, task, seed, word))
