"""Measurements of a network besides its return, per module and member (docs/diagnostics.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from agents.members.background import background
from agents.protocol import Probe, TrainedModule

FEW = 256
"""Rows for the srank of arXiv 2506.17204's code, which cannot be above their number."""
ROWS = 4096
"""Rows of a probe, for every other figure of its features. They are drawn with replacement. Even
among the 10,000 of an untrained run's replay 3,360 of them differ, more than the widest features of
a shipped suite have columns (2560)."""
DORMANT = {"": 0.1, "_02": 0.2}
"""Thresholds of dormant units: suffix of the figure's name -> threshold."""

Figures = dict[str, Tensor]
"""Name -> one value for each member, [P]."""


def singular_values(features: Tensor) -> Tensor:
    """Singular values in descending order, on the CPU: [..., B, d] -> [..., min(B, d)].

    Features that are not finite give zeros. The values are roots of the eigenvalues of the smaller
    Gram matrix in float64, which is many times faster; those below 1e-8 of the largest are lost,
    and no figure here depends on them.
    """
    finite = features.isfinite().all(-1).all(-1)
    clean = torch.where(finite[..., None, None], features, 0.0).double()
    gram = clean @ clean.mT if clean.shape[-2] < clean.shape[-1] else clean.mT @ clean
    return eigenvalues(gram).flip(-1).clamp(min=0.0).sqrt()


def eigenvalues(gram: Tensor) -> Tensor:
    """Eigenvalues of symmetric matrices, ascending, on the CPU: [..., n, n] -> [..., n].

    A GPU takes such matrices one by one (pytorch#175585), each more slowly than a CPU's core does.
    """
    if gram.device.type != "cpu":
        return eigenvalues_in_threads(gram.cpu())
    values: Tensor = torch.linalg.eigvalsh(gram)
    return values


def eigenvalues_in_threads(gram: Tensor) -> Tensor:
    """`eigenvalues` of matrices on the CPU, one in each thread, to the same bits."""
    matrices = gram.reshape(-1, *gram.shape[-2:])
    values = background().map(torch.linalg.eigvalsh, matrices)
    return torch.stack(list(values)).view(gram.shape[:-1])


def srank(values: Tensor, delta: float = 0.01) -> Tensor:
    """Smallest number of singular values [..., n] that hold 1 - delta of their sum: [...].

    0 if all are zero. Source: Kumar et al. 2021.
    """
    total = values.sum(-1, keepdim=True)
    reached = (values.cumsum(-1) >= (1.0 - delta) * total).double().argmax(-1) + 1
    return torch.where(total[..., 0] > 0.0, reached, 0)


def stable_rank(values: Tensor) -> Tensor:
    """Squared Frobenius norm over squared spectral norm: [..., n] descending -> [...]."""
    return values.square().sum(-1) / values[..., 0].square().clamp(min=1e-30)


def effective_rank(values: Tensor) -> Tensor:
    """exp of the entropy of the normalised singular values: [..., n] -> [...].

    Source: Roy and Vetterli 2007.
    """
    share = values / values.sum(-1, keepdim=True).clamp(min=1e-30)
    entropy: Tensor = torch.special.entr(share).sum(-1)
    return entropy.exp()


def dormant_ratio(units: Sequence[Tensor], threshold: float) -> Tensor:
    """Share of units whose mean |h| is at most `threshold` of their layer's mean.

    `units` holds h of each hidden layer, [..., B, d]; returns [...]. Source: Sokar et al. 2023. The
    caller chooses whether h is the layer's output before norm and activation (like the hooks in
    arXiv 2506.17204's code) or after them.
    """
    dormant = []
    for h in units:
        score = h.abs().mean(-2)  # [..., d]
        score = score / (score.mean(-1, keepdim=True) + 1e-9)
        dormant.append(_where_finite(score, score <= threshold))
    return torch.cat(dormant, -1).mean(-1)


def zero_share(activations: Sequence[Tensor]) -> Tensor:
    """Share of activations that are exactly zero, every unit on every row: [...].

    `activations` are those of each hidden layer, [..., B, d], before any shortcut.
    """
    zeros = [_where_finite(h, h == 0.0).mean(-2) for h in activations]  # [..., d]
    return torch.cat(zeros, -1).mean(-1)


def _where_finite(values: Tensor, holds: Tensor) -> Tensor:
    """1 where something holds of values and 0 elsewhere; NaN where the value is not finite, so that
    a network that diverged is not called awake."""
    return holds.double().masked_fill(~values.isfinite(), math.nan)


def interference(cosines: Tensor) -> Figures:
    """Three summaries [...] of the off-diagonal cosines in [..., n, n].

    Their mean, their mean size, and the share of them below zero.
    """
    apart = ~torch.eye(cosines.shape[-1], dtype=torch.bool, device=cosines.device)
    pairs = cosines[..., apart].double()
    return {
        "gradient_cosine": pairs.mean(-1),
        "gradient_cosine_size": pairs.abs().mean(-1),
        "gradient_conflicts": (pairs < 0.0).double().mean(-1),
    }


def _of_probe(probe: Probe) -> Figures:
    """Figures [P] of one module, averaged over its copies."""
    # Ranks and norms of the features.
    few = singular_values(probe.features[..., :FEW, :])
    whole = singular_values(probe.features)
    figures = {
        "srank": srank(few).double(),
        f"srank_{ROWS}": srank(whole).double(),
        "stable_rank": stable_rank(whole),
        "effective_rank": effective_rank(whole),
        "feature_norm": probe.features.norm(dim=-1).mean(-1).double(),
    }

    # Silent units: exactly zero after activation; dormant before and after norm and activation.
    figures["zero_activations"] = zero_share(probe.activations)
    for suffix, threshold in DORMANT.items():
        figures[f"dormant_ratio{suffix}"] = dormant_ratio(probe.pre_activations, threshold)
        figures[f"dormant_ratio_after{suffix}"] = dormant_ratio(probe.activations, threshold)

    if probe.cosines is not None:
        figures |= interference(probe.cosines)

    averaged = {name: value.mean(-1) for name, value in figures.items()}  # [P, copies] -> [P]
    averaged["gradient_norm"] = probe.gradient_norm.double()
    averaged["gradient_norm_log"] = averaged["gradient_norm"].log()
    return averaged


def diagnose(
    modules: Mapping[str, TrainedModule], probes: Mapping[str, Probe]
) -> list[dict[str, dict[str, float | None]]]:
    """For each member {module: {figure: value}}; None for a value that is not finite."""
    # Read each figure from the device once, for all members.
    columns = dict[str, dict[str, list[float]]]()
    for name, probe in probes.items():
        figures = _of_probe(probe)
        figures["parameter_norm"] = modules[name].parameters.parameter_norm().double()
        columns[name] = {figure: value.tolist() for figure, value in figures.items()}

    members = next(iter(modules.values())).parameters.members
    return [_of_member(modules, columns, member) for member in range(members)]


def _of_member(
    modules: Mapping[str, TrainedModule],
    columns: Mapping[str, Mapping[str, list[float]]],
    member: int,
) -> dict[str, dict[str, float | None]]:
    """One member's row of `diagnose`."""
    rows = dict[str, dict[str, float | None]]()
    for name, module in modules.items():
        rows[name] = {
            "density": module.masks.density(member),
            "mask_churn": module.masks.churn(member),
        }
        for figure, values in columns[name].items():
            rows[name][figure] = _finite(values[member])
    return rows


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
