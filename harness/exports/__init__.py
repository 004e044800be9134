"""Ways to write what plans measured for other programs: a table, or the store of a tracker.

The tables store `module:attribute` strings, so importing them loads no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UserError
from leaderboard.formats.run import Run


@dataclass(frozen=True)
class Format:
    """A way to write, and what it takes."""

    location: str
    """`module:attribute`: a function that writes a table, or a class that opens a store."""
    extra: str
    """The extra of this project that installs its library; empty: none is needed."""

    def load(self, name: str) -> Any:
        """What `location` names; UserError with the command that installs what it lacks."""
        module, attribute = self.location.split(":")
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            raise UserError(
                f"{name}: needs {package}, which is not installed:"
                f" `pip install 'mst-bench[{self.extra}]'`."
            ) from None


FILES: dict[str, Format] = {
    ".csv": Format("harness.exports.csv_file:write", ""),
    ".parquet": Format("harness.exports.parquet_file:write", "data"),
}
"""Ending of a file -> the writer of the table."""
TRACKERS: dict[str, Format] = {
    "tensorboard": Format("harness.exports.tensorboard_store:TensorBoard", "tensorboard"),
    "wandb": Format("harness.exports.wandb_store:Wandb", "wandb"),
    "mlflow": Format("harness.exports.mlflow_store:MLflow", "mlflow"),
}
"""Name of a tracker -> its store: a class that is called with the folder to write in."""


@dataclass(frozen=True)
class Tracked:
    """A run, as a tracker files it."""

    plan: str
    suite: str
    run: Run

    @property
    def facts(self) -> dict[str, str | int]:
        """What a tracker filters by."""
        run = self.run
        facts: dict[str, str | int] = {"plan": self.plan, "suite": self.suite}
        return {**facts, "task": run.task, "regime": run.regime, "seed": run.seed}

    @property
    def id(self) -> str:
        """A name without slashes that no other run has."""
        return f"{self.plan}.{self.run.name.replace('/', '.')}"


class Curve(Protocol):
    """The open curves of one run in a tracker's store."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of some names at an environment step."""
        ...

    def close(self) -> None:
        """End the run."""
        ...


class Store(Protocol):
    """A tracker's store: a folder that its own program opens, without any network."""

    path: Path
    """What was written."""

    def open(self, run: Tracked) -> Curve:
        """The curves of a run, written anew."""
        ...

    def close(self) -> None:
        """Everything that was logged is on disk when this returns."""
        ...
