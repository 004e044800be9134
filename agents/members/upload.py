"""From the host to the device, without waiting for what the device is doing."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: NDArray[Any] | Tensor, device: torch.device | str) -> Tensor:
    """An array or tensor of the host on a device. On a CPU it shares memory; a GPU gets it from pinned memory, which torch
    keeps until the copy is done."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
