"""MLflow: a database `mlflow/mlflow.db`, with an experiment for each suite."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when the library is imported

import alembic as alembic  # what its database needs, which mlflow-skinny does not ask for
import sqlalchemy as sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric

from harness.exports import Tracked


class MLflowCurve:
    """One run."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run = run_id

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a metric for each name, of which there are less than the 1000 of one call."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        """Ends the run."""
        self._client.set_terminated(self._run)


class MLflow:
    """A folder for `mlflow server --backend-store-uri sqlite:///mlflow/mlflow.db`."""

    def __init__(self, out: Path) -> None:
        folder = (out / "mlflow").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "mlflow.db"
        self._artifacts = (folder / "artifacts").as_uri()
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=f"sqlite:///{self.path}")

    def open(self, run: Tracked) -> MLflowCurve:
        """A run of the suite's experiment; an older one of the same run is removed."""
        experiment = self._experiment(run.suite)
        for old in self._client.search_runs([experiment], f"tags.`mst-bench.id` = '{run.id}'"):
            self._client.delete_run(old.info.run_id)
        tags = {"mst-bench.id": run.id}
        opened = self._client.create_run(experiment, tags=tags, run_name=run.run.name)
        for name, value in run.facts.items():
            self._client.log_param(opened.info.run_id, name, value)
        return MLflowCurve(self._client, opened.info.run_id)

    def close(self) -> None:
        """Nothing is left to do: every call is a transaction."""

    def _experiment(self, suite: str) -> str:
        """The id of a suite's experiment."""
        known = self._client.get_experiment_by_name(suite)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(suite, artifact_location=self._artifacts))
