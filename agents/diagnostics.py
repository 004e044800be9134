"""What is measured of a network besides its return: density, SRank, dormant ratio, per module and member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from agents.base import TrainedModule

DORMANT_THRESHOLD = 0.1


def srank(features: Tensor, delta: float = 0.01) -> Tensor:
    """Smallest number of singular values that holds 1 - delta of their sum: [..., B, d] -> [...] (Kumar et al. 2021).

    Capped by min(B, d). Features that are not finite give 0.
    """
    finite = features.isfinite().all(-1).all(-1)
    clean = torch.where(finite[..., None, None], features, 0.0)
    values = torch.linalg.svdvals(clean.double())
    reached = values.cumsum(-1) >= (1.0 - delta) * values.sum(-1, keepdim=True)
    return torch.where(finite, reached.double().argmax(-1) + 1, 0)


def dormant_ratio(pre_activations: list[Tensor], threshold: float = DORMANT_THRESHOLD) -> Tensor:
    """Share of units whose mean |h| is at most `threshold` of their layer's mean: list of [..., B, d] -> [...].

    h is the output of each hidden Linear before norm and activation (Sokar et al. 2023; hooks as in arXiv 2506.17204's code).
    """
    dormant = []
    for h in pre_activations:
        score = h.abs().mean(-2)
        score = score / (score.mean(-1, keepdim=True) + 1e-9)
        dormant.append(score <= threshold)
    return torch.cat(dormant, -1).double().mean(-1)


def diagnose(modules: Mapping[str, TrainedModule], probe: Mapping[str, Mapping[str, Any]]) -> list[dict[str, dict[str, float]]]:
    """For each member: {module: {density, srank, dormant_ratio}}, averaged over a module's copies."""
    measured = {
        name: (srank(found["features"]).double().mean(-1), dormant_ratio(found["pre_activations"]).mean(-1))
        for name, found in probe.items()
    }
    members = next(iter(modules.values())).parameters.members
    return [
        {
            name: {
                "density": module.masks.density(member),
                "srank": float(measured[name][0][member]),
                "dormant_ratio": float(measured[name][1][member]),
            }
            for name, module in modules.items()
        }
        for member in range(members)
    ]
