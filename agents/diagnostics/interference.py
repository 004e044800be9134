"""Whether single samples pull a module the same way: cosines between gradients of one sample each.

In a Linear layer the gradient of sample i is the outer product of its input x_i and the gradient
d_i of its output. So the layer adds (x_i . x_j)(d_i . d_j) to <g_i, g_j>; where weights are masked,
only the sum over the active weights. No gradient of a whole module is ever held.

Sources: per-sample gradients of the actor in arXiv 2506.17204's code; Lyle et al. 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.members.layers import Traced
from agents.members.module import Module

AT_A_TIME = 1 << 24
"""Gradient entries of one masked layer that are held in memory together."""


def sample_cosines(module: Module, loss: Tensor, trace: Sequence[Traced], samples: int) -> Tensor:
    """Cosines [P, copies, n, n] between gradients of the first n = `samples` of `loss` [P, B].

    `trace` holds the tensors of the module's Linear layers on the way to that loss.
    """
    outputs = [layer.output for layer in trace]
    returned = torch.autograd.grad(loss.sum(), outputs, retain_graph=True)
    keep = None if module.keep is None else module.layout.views(module.keep)

    # Inner products of whole gradients, layer by layer: [G, n, n].
    total = torch.zeros((), dtype=loss.dtype, device=loss.device)
    for layer, gradient in zip(trace, returned, strict=True):
        x = layer.input.detach()[:, :samples].to(loss.dtype)  # [G, n, in]
        d = gradient[:, :samples].to(loss.dtype)  # [G, n, out]
        bias = d @ d.mT
        weights = (x @ x.mT) * bias
        if keep is not None:
            weights = masked_products(x, d, keep[f"{layer.name}.weight"], weights)
        total = total + weights + bias

    norms = total.diagonal(dim1=-2, dim2=-1).clamp(min=0.0).sqrt()  # [G, n]
    cosines = total / (norms[..., :, None] * norms[..., None, :] + 1e-12)
    return cosines.view(module.members, module.copies, *cosines.shape[1:])


def masked_products(x: Tensor, d: Tensor, keep: Tensor, dense: Tensor) -> Tensor:
    """<m * x_i d_i^T, m * x_j d_j^T> for 0/1 masks m.

    x [G, n, in], d [G, n, out], keep [G, in, out], and the same without masks, dense [G, n, n] ->
    [G, n, n]. A group whose weights are all active has `dense`, whatever its neighbours are.
    """
    _, samples, rows = x.shape
    step = max(1, AT_A_TIME // (samples * d.shape[-1]))
    products = dense.clone()
    for group, whole in enumerate(keep.flatten(1).all(1).tolist()):
        if whole:
            continue
        products[group] = 0.0
        for begin in range(0, rows, step):
            part = slice(begin, begin + step)
            outer = x[group, :, part, None] * d[group, :, None] * keep[group, part]  # [n, in, out]
            flat = outer.flatten(1)
            products[group] += flat @ flat.mT
    return products
