"""One cohort of the tiny run: carried out, stopped, and what it must leave."""

import sys

from harness.errors import Incomplete
from harness.options import Options
from harness.planning.cohorts import frozen_cohorts
from harness.planning.plan import read_plan
from harness.training import unit


def promised(folder):
    """What the design says is equal: plan.json, results.csv and everything under runs/ but
    timing.json."""
    files = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "timing.json"
    ]
    names = [path.relative_to(folder).as_posix() for path in files]
    return {
        name: (folder / name).read_bytes()
        for name in names
        if name.startswith("runs/") or name in ("plan.json", "suite.json", "results.csv")
    }


def carry_out(folder, **options):
    plan = read_plan(folder / "plan.json")
    cohort = frozen_cohorts(folder, plan, "cpu", None).cohorts[0]
    unit.run_cohort(folder, plan, cohort, Options(device="cpu", **options))


def stop_at(monkeypatch, steps):
    """Let the unit stop after these agent steps, one for each call."""
    remaining = list(steps)

    def make(asked, max_wall):
        at, count = (remaining.pop(0) if remaining else None), [0]

        def stop():
            count[0] += 1
            return Incomplete("stopped by the test") if count[0] == at else None

        return stop

    monkeypatch.setattr(unit, "_stop", make)


def results(tiny_entry):
    return {
        name: data for name, data in promised(tiny_entry.parent).items() if name != "results.csv"
    }


def command(folder):
    arguments = [
        "run-cohort",
        "--plan",
        str(folder / "plan.json"),
        "--index",
        "0",
        "--device",
        "cpu",
    ]
    return [sys.executable, "-P", "-m", "harness.cli", *arguments, "--checkpoint-seconds", "0"]


def newest(folder):
    return max((int(path.stem) for path in folder.glob("cohorts/0/checkpoint/*.json")), default=0)
