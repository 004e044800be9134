"""A CUDA graph for a CPU: the operations of a captured step are replayed on the same tensors.

As with a CUDA graph nothing of the step's own code runs again, numbers that it was given stay as
they were, and its results are written where they were the first time. What a GPU could not capture
is an error: a value read back, or data of another device.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def tensors(found):
    return [leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]


class Recording(TorchDispatchMode):
    """Notes every operation that writes; views of what there is already stay valid by
    themselves."""

    def __init__(self, device):
        super().__init__()
        self.device, self.operations = device, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation._schema.name
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::lift_fresh"), (
            f"{name} needs the host"
        )
        given = tensors((args, kwargs))
        if name.startswith("aten::index"):
            assert all(index.dtype != torch.bool for index in tensors(args[1:2])), (
                f"{name} with flags needs the host"
            )
        assert all(tensor.device == self.device for tensor in given), (
            f"{name} reads from another device"
        )
        result = operation(*args, **kwargs)
        known = {tensor.untyped_storage()._cdata for tensor in given}
        fresh = [
            tensor for tensor in tensors(result) if tensor.untyped_storage()._cdata not in known
        ]
        if fresh or operation._schema.is_mutable:
            self.operations.append((operation, args, kwargs, result if fresh else None))
        return result


class Tape:
    """See above. As with a CUDA graph, capturing does nothing: what it did counts as the first
    replay."""

    played = 0

    def __init__(self, device):
        self.device, self.done = device, False

    def record(self, function):
        with Recording(self.device) as recording:
            result = function()
        self.operations, self.done = recording.operations, True
        return result

    @torch.no_grad()
    def replay(self):
        if self.done:
            self.done = False
            return
        Tape.played += 1
        for operation, args, kwargs, result in self.operations:
            again = operation(*args, **kwargs)
            if result is not None:
                for old, new in zip(tensors(result), tensors(again), strict=True):
                    old.copy_(new)
