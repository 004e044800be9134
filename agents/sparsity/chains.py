"""Digests of masks, one after each rewire: the chain that an audit follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import torch
from torch import Tensor

from agents.members.background import background


class Chains:
    """A chain of digests for each member; threads compute them beside learning."""

    def __init__(self, members: int) -> None:
        self._digests: list[list[Future[str]]] = [[] for _ in range(members)]

    def extend(self, member: int, masks: Mapping[str, Tensor]) -> None:
        """Adds the digest of a member's masks, which lie on the CPU and do not change any more."""
        self._digests[member].append(background().submit(mask_digest, masks))

    def digests(self) -> list[list[str]]:
        """Every chain, once its digests are known."""
        return [[digest.result() for digest in chain] for chain in self._digests]

    def restore(self, chains: Sequence[Sequence[str]]) -> None:
        """Inverse of `digests`."""
        self._digests = [[_known(digest) for digest in chain] for chain in chains]


def _known(digest: str) -> Future[str]:
    """A digest that was computed before."""
    future = Future[str]()
    future.set_result(digest)
    return future


def mask_digest(masks: Mapping[str, Tensor]) -> str:
    """sha256 over the masks' names, shapes and bits, in the order of the names.

    leaderboard/verification/tensors.py recomputes it.
    """
    digest = hashlib.sha256()
    for name, mask in sorted(masks.items()):
        digest.update(f"{name} {tuple(mask.shape)}\n".encode())
        digest.update(mask.to(torch.uint8).contiguous().numpy().tobytes())
    return digest.hexdigest()
