"""Whether single samples pull a module the same way: cosines between the gradients of one sample each.

The gradient of sample i for a Linear layer is the outer product of what went in, x_i, and what came back, d_i, so a layer's
share of <g_i, g_j> is (x_i . x_j)(d_i . d_j); where weights are masked, the sum over the weights that are active. No gradient
of a whole module is ever held (arXiv 2506.17204's code compares per-sample gradients of the actor; Lyle et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.members.layers import Traced
from agents.members.module import Module

AT_A_TIME = 1 << 24
"""Numbers of one masked layer's gradients that are held at a time."""


def sample_cosines(module: Module, loss: Tensor, trace: Sequence[Traced], samples: int) -> Tensor:
    """[P, copies, n, n] between gradients of the first `samples` samples of `loss` [P, B].

    `trace`: what went through the module's Linear layers on the way to that loss.
    """
    returned = torch.autograd.grad(loss.sum(), [layer.output for layer in trace], retain_graph=True)
    keep = None if module.keep is None else module.layout.views(module.keep)
    total = torch.zeros((), dtype=loss.dtype, device=loss.device)
    for layer, back in zip(trace, returned, strict=True):
        x, d = (side[:, :samples].to(loss.dtype) for side in (layer.input.detach(), back))
        bias = d @ d.mT
        weights = (
            (x @ x.mT) * bias
            if keep is None
            else masked_products(x, d, keep[f"{layer.name}.weight"])
        )
        total = total + weights + bias
    norms = total.diagonal(dim1=-2, dim2=-1).clamp(min=0.0).sqrt()
    cosines = total / (norms[..., :, None] * norms[..., None, :] + 1e-12)
    return cosines.view(module.members, module.copies, *cosines.shape[1:])


def masked_products(x: Tensor, d: Tensor, keep: Tensor) -> Tensor:
    """<m * x_i d_i^T, m * x_j d_j^T> for 0/1 masks m: [G, n, in], [G, n, out], [G, in, out] -> [G, n, n]."""
    groups, samples, rows = x.shape
    step = max(1, AT_A_TIME // (samples * d.shape[-1]))
    products = torch.zeros((groups, samples, samples), dtype=x.dtype, device=x.device)
    for group in range(groups):
        for at in range(0, rows, step):
            part = (
                x[group, :, at : at + step, None] * d[group, :, None] * keep[group, at : at + step]
            )
            flat = part.flatten(1)
            products[group] += flat @ flat.mT
    return products
