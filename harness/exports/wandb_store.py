"""Weights & Biases: offline runs in `wandb/`, which `wandb sync` uploads if somebody wants that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Read when the library is imported: nothing is sent, and our `agents` are no language models.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")

import wandb

from harness.exports import Tracked

PROJECT = "mst-bench"


class WandbCurve:
    """One offline run."""

    def __init__(self, run: wandb.Run) -> None:
        self._run = run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one row of history. Names that share a step share the row."""
        self._run.log({"environment_step": step, **values})

    def close(self) -> None:
        """Ends the run; its last rows may still be on their way to the file."""
        self._run.finish()


class Wandb:
    """A folder for `wandb sync`."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        self.path = out / "wandb"

    def open(self, run: Tracked) -> WandbCurve:
        """An offline run. Its id follows from plan and run, so a later upload replaces it."""
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_stats=True,
            x_disable_meta=True,
        )
        opened = wandb.init(
            mode="offline",
            dir=self._out,
            project=PROJECT,
            id=run.id,
            name=run.run.name,
            group=f"{run.suite}/{run.plan}",
            config=run.facts,
            reinit="create_new",
            settings=settings,
        )
        opened.define_metric("*", step_metric="environment_step")
        return WandbCurve(opened)

    def close(self) -> None:
        """Ends W&B's own process, which writes the files, and waits until it has."""
        wandb.teardown()
