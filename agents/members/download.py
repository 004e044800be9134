"""Copies numbers of a device to the host without waiting for the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Download:
    """A tensor on its way to the host; a CPU's is there at once."""

    def __init__(self, tensor: Tensor) -> None:
        """Queues the copy behind the work that the current stream of the tensor's device has."""
        self._host = tensor
        self._arrived: torch.cuda.Event | None = None
        if tensor.device.type == "cuda":
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record(torch.cuda.current_stream(tensor.device))

    def ready(self) -> bool:
        """Whether the numbers are there."""
        return self._arrived is None or bool(self._arrived.query())  # type: ignore[no-untyped-call]

    def numpy(self) -> NDArray[np.float64]:
        """The numbers in float64; waits until they are there."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._host.double().numpy()
