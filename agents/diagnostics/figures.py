"""What is measured of a network besides its return, per module and member (docs/diagnostics.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from agents.protocol import Probe, TrainedModule

FEW = 256
"""Rows of a probe on which srank is taken first; it cannot exceed them, so it is taken on all of them too."""
DORMANT = {"": 0.1, "_02": 0.2}
"""Thresholds of dormant units: suffix of the figure's name -> threshold."""


def singular_values(features: Tensor) -> Tensor:
    """In descending order: [..., B, d] -> [..., min(B, d)]. Features that are not finite give zeros.

    From the eigenvalues of the smaller Gram matrix in float64, which is many times faster; values below 1e-8 of the largest
    are lost, which no figure here can see.
    """
    finite = features.isfinite().all(-1).all(-1)
    clean = torch.where(finite[..., None, None], features, 0.0).double()
    gram = clean @ clean.mT if clean.shape[-2] < clean.shape[-1] else clean.mT @ clean
    values: Tensor = torch.linalg.eigvalsh(gram).flip(-1).clamp(min=0.0).sqrt()
    return values


def srank(values: Tensor, delta: float = 0.01) -> Tensor:
    """Smallest number of singular values [..., n] that holds 1 - delta of their sum (Kumar et al. 2021); 0 if all are zero."""
    total = values.sum(-1, keepdim=True)
    reached = (values.cumsum(-1) >= (1.0 - delta) * total).double().argmax(-1) + 1
    return torch.where(total[..., 0] > 0.0, reached, 0)


def stable_rank(values: Tensor) -> Tensor:
    """Squared Frobenius norm over squared spectral norm, of singular values [..., n] in descending order."""
    return values.square().sum(-1) / values[..., 0].square().clamp(min=1e-30)


def effective_rank(values: Tensor) -> Tensor:
    """exp of the entropy of the normalised singular values [..., n] (Roy and Vetterli 2007)."""
    share = values / values.sum(-1, keepdim=True).clamp(min=1e-30)
    entropy: Tensor = torch.special.entr(share).sum(-1)
    return entropy.exp()


def dormant_ratio(units: Sequence[Tensor], threshold: float) -> Tensor:
    """Share of units whose mean |h| is at most `threshold` of their layer's mean: list of [..., B, d] -> [...].

    Sokar et al. 2023. h is the output of each hidden Linear before norm and activation (hooks as in arXiv 2506.17204's code),
    or after them: the figures say which.
    """
    dormant = []
    for h in units:
        score = h.abs().mean(-2)
        score = score / (score.mean(-1, keepdim=True) + 1e-9)
        dormant.append(score <= threshold)
    return torch.cat(dormant, -1).double().mean(-1)


def _of_probe(probe: Probe) -> dict[str, Tensor]:
    """Figures [P] of one module."""
    few, all_ = singular_values(probe.features[..., :FEW, :]), singular_values(probe.features)
    figures = {
        "srank": srank(few).double(),
        "srank_2048": srank(all_).double(),
        "stable_rank": stable_rank(all_),
        "effective_rank": effective_rank(all_),
        "feature_norm": probe.features.norm(dim=-1).mean(-1).double(),
    }
    for suffix, threshold in DORMANT.items():
        figures[f"dormant_ratio{suffix}"] = dormant_ratio(probe.pre_activations, threshold)
        figures[f"dormant_ratio_after{suffix}"] = dormant_ratio(probe.activations, threshold)
    if probe.cosines is not None:
        figures |= interference(probe.cosines)
    return {
        **{name: value.mean(-1) for name, value in figures.items()},
        "gradient_norm": probe.gradient_norm.double(),
    }


def interference(cosines: Tensor) -> dict[str, Tensor]:
    """Off-diagonal cosines [..., n, n] in three numbers [...]: their mean, their mean size, and the share below zero."""
    apart = ~torch.eye(cosines.shape[-1], dtype=torch.bool, device=cosines.device)
    pairs = cosines[..., apart].double()
    return {
        "gradient_cosine": pairs.mean(-1),
        "gradient_cosine_size": pairs.abs().mean(-1),
        "gradient_conflicts": (pairs < 0.0).double().mean(-1),
    }


def diagnose(
    modules: Mapping[str, TrainedModule], probes: Mapping[str, Probe]
) -> list[dict[str, dict[str, float | None]]]:
    """For each member {module: {figure: value}}, averaged over a module's copies; None for what is not finite."""
    found = {name: _of_probe(probe) for name, probe in probes.items()}
    for name, module in modules.items():
        found[name]["parameter_norm"] = module.parameters.parameter_norm().double()
    columns = {
        name: {figure: value.tolist() for figure, value in figures.items()}
        for name, figures in found.items()
    }
    members = next(iter(modules.values())).parameters.members
    return [
        {
            name: {
                "density": module.masks.density(member),
                "mask_churn": module.masks.churn(member),
                **{figure: _finite(values[member]) for figure, values in columns[name].items()},
            }
            for name, module in modules.items()
        }
        for member in range(members)
    ]


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
