"""A CUDA graph for a CPU: what a captured step did is done again, operation by operation.

As with a CUDA graph, replaying runs nothing of the step's own code. Numbers that it was passed stay
as they were, and its results are written where they were the first time. What a GPU could not
capture is an error: a value read back, or a tensor of another device.
"""

import torch

# Private, as PyTorch has no public way to see every operation: its documentation names these two.
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS_BACK = ("aten::_local_scalar_dense", "aten::nonzero", "aten::lift_fresh")
"""Operations that move values between a device and the host."""


def tensors(values):
    """Every tensor in nested containers."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


class Recording(TorchDispatchMode):
    """Notes every operation that writes. Views of what there is already stay valid."""

    def __init__(self, device):
        """`device`: the only one whose tensors may take part."""
        super().__init__()
        self.device = device
        self.operations = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Runs an operation, and notes it with its result if that is new."""
        kwargs = kwargs or {}
        inputs = tensors((args, kwargs))
        self.check(operation, args, inputs)
        result = operation(*args, **kwargs)

        # A view has the storage of one of its inputs.
        storages = {tensor.untyped_storage()._cdata for tensor in inputs}
        fresh = [
            tensor for tensor in tensors(result) if tensor.untyped_storage()._cdata not in storages
        ]
        if fresh or operation._schema.is_mutable:
            self.operations.append((operation, args, kwargs, result if fresh else None))
        return result

    def check(self, operation, args, inputs):
        """Fails for what a GPU could not capture."""
        name = operation._schema.name
        assert name not in READS_BACK, f"{name} needs the host"
        if name.startswith("aten::index"):
            flags = [index for index in tensors(args[1:2]) if index.dtype == torch.bool]
            assert not flags, f"{name} with flags needs the host"
        elsewhere = [tensor for tensor in inputs if tensor.device != self.device]
        assert not elsewhere, f"{name} reads from another device"


class Tape:
    """Has the methods of `CudaGraph`. Capturing counts as the first replay, as it does there."""

    played = 0
    """Replays of all tapes."""

    def __init__(self, device):
        """An empty tape."""
        self.device = device
        self.captured_only = False

    def record(self, function):
        """Captures what a function does; returns its result."""
        with Recording(self.device) as recording:
            result = function()
        self.operations = recording.operations
        self.captured_only = True
        return result

    @torch.no_grad()
    def replay(self):
        """Does it again, on the same tensors."""
        if self.captured_only:
            self.captured_only = False
            return
        Tape.played += 1
        for operation, args, kwargs, result in self.operations:
            again = operation(*args, **kwargs)
            if result is not None:
                for old, new in zip(tensors(result), tensors(again), strict=True):
                    old.copy_(new)
