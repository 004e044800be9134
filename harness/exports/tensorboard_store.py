"""TensorBoard: event files in `tensorboard/<plan>/<task>/<regime>/<seed>`, in double precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# torch's own writer asks for it, with a longer sentence.
import tensorboard as tensorboard
from torch.utils.tensorboard import SummaryWriter

from harness.exports import Tracked

SECONDS = 5
"""After which a number is on disk, for whoever watches."""


class TensorBoardCurve:
    """The event file of one run."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a scalar for each name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, new_style=True, double_precision=True)

    def close(self) -> None:
        """Writes the event file."""
        self._writer.close()


class TensorBoard:
    """A folder for `tensorboard --logdir`."""

    def __init__(self, out: Path) -> None:
        self.path = out / "tensorboard"

    def open(self, run: Tracked) -> TensorBoardCurve:
        """The event file of a run; an older one is replaced."""
        folder = self.path / run.plan / run.run.name
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        return TensorBoardCurve(SummaryWriter(str(folder), flush_secs=SECONDS))

    def close(self) -> None:
        """Nothing is left to do: every event file is closed."""
