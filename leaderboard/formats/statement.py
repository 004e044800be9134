"""The in-toto Statement of an entry: its types, its schema, and the figures that anyone recomputes from it."""

from __future__ import annotations

import csv
import io
import json
import math
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RUN_TYPE = "urn:mst-bench:run:v1"

MODULES = ("encoder", "critic", "actor")
CSV_COLUMNS = (
    "task",
    "regime",
    "seed",
    "status",
    "score",
    "environment_steps",
    *(f"{name}_updates" for name in MODULES),
)


def schema(name: str = "run.v1.json") -> dict[str, Any]:
    """JSON Schema of a run statement, or of another document."""
    text = (
        resources.files("leaderboard.formats")
        .joinpath(f"schemas/{name}")
        .read_text(encoding="utf-8")
    )
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def defects(statement: Any) -> list[str]:
    """What keeps a document from being a run statement, in words; empty if nothing does."""
    return schema_defects("run.v1.json", statement, "statement")


def schema_defects(name: str, document: Any, called: str) -> list[str]:
    """The same for any document with a schema here; the whole of it is `called` so in messages."""
    return _defects(schema(name), document, called)


def run_defects(run: Any) -> list[str]:
    """The same for one run of a statement, which is also what result.json holds."""
    definitions = schema()["$defs"]
    return _defects({**definitions["run"], "$defs": definitions}, run, "result")


def _defects(wanted: dict[str, Any], document: Any, name: str) -> list[str]:
    errors = Draft202012Validator(wanted).iter_errors(document)
    ordered = sorted(errors, key=lambda error: list(map(str, error.absolute_path)))
    return [
        f"{'.'.join(map(str, error.absolute_path)) or name}: {error.message[:200]}"
        for error in ordered
    ]


def score(returns: list[float]) -> float | None:
    """A run's score: the mean return of its final policy's episodes, None without any."""
    return math.fsum(returns) / len(returns) if returns else None


def results_csv(runs: list[dict[str, Any]]) -> bytes:
    """results.csv: one row for each planned run, missing and failed ones included."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in runs:
        updates = [run["updates"].get(module, "") for module in MODULES]
        points = "" if run["score"] is None else repr(run["score"])
        writer.writerow(
            [
                run["task"],
                run["regime"],
                run["seed"],
                run["status"],
                points,
                run["environment_steps"],
                *updates,
            ]
        )
    return text.getvalue().encode()
