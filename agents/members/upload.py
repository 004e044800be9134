"""Copies host data to the device without waiting for the work that the device has queued."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: NDArray[np.generic] | Tensor, device: torch.device | str) -> Tensor:
    """An array or tensor of the host as a tensor on `device`.

    On a CPU the result shares memory with `values`. A GPU copies from pinned memory, which torch
    keeps alive until the copy is done.
    """
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
