"""Runs of small suites: carried out once for all tests, stopped, resumed, and what they leave."""

import fcntl
import shutil
from pathlib import Path

from harness.errors import Incomplete
from harness.options import Options
from harness.planning.cohorts import frozen_cohorts
from harness.planning.plan import read_plan
from harness.run import Request, execute
from harness.training import unit
from harness.training.loop import Training
from helpers.program import command
from leaderboard.formats.keys import one_use_key


class Killed(BaseException):
    """Stands for SIGKILL inside this process: nobody handles it."""


def finished_run(suite, out, *overrides, **request):
    """Carries a suite file out in this process; returns the path of its signed entry."""
    carried_out = execute(
        Request(str(suite), out, overrides, executor="inline", **request), one_use_key()
    )
    return Path(carried_out.summary.entry)


def made_once(shared, name, make):
    """The path that `make()` returned to the first process of the test session that needed it.

    `shared`: the folder of the session. Tests copy what is there before they change anything.
    """
    note = shared / f"{name}.path"
    with open(shared / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            note.write_text(str(make()))
    return Path(note.read_text())


def planned_copy(finished, parent):
    """A folder under `parent` with nothing but the plan and the cohorts of a finished run."""
    folder = parent / finished.name
    folder.mkdir(parents=True)
    for name in ("plan.json", "suite.json", "cohorts.json"):
        shutil.copy(finished / name, folder / name)
    return folder


def carry_out(folder, **options):
    """The one cohort of a plan folder in this process; `options` are fields of Options."""
    plan = read_plan(folder / "plan.json")
    (cohort,) = frozen_cohorts(folder, plan, "cpu", None).cohorts
    unit.run_cohort(folder, plan, cohort, Options(device="cpu", **options))


def stop_after(monkeypatch, steps):
    """Stops the n-th training from now on after `steps[n]` agent steps, later ones not at all."""
    remaining = list(steps)
    run = Training.run

    def stopping(training, checkpoints, checkpoint, every, report, stop, trace=None):
        limit = remaining.pop(0) if remaining else None
        count = 0

        def stop_then():
            nonlocal count
            count += 1
            return Incomplete("stopped by the test") if count == limit else stop()

        run(training, checkpoints, checkpoint, every, report, stop_then, trace)

    monkeypatch.setattr(Training, "run", stopping)


def promised(folder):
    """The files that two equal runs have byte for byte: name in the folder -> bytes.

    These are plan.json, suite.json, results.csv and everything under runs/ but timing.json.
    """
    promises = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        promise = name.startswith("runs/") or name in ("plan.json", "suite.json", "results.csv")
        if promise and path.is_file() and path.name != "timing.json":
            promises[name] = path.read_bytes()
    return promises


def promised_of_cohorts(folder):
    """`promised` without results.csv, which only the entry brings."""
    return {name: content for name, content in promised(folder).items() if name != "results.csv"}


def cohort_command(folder):
    """The words that start cohort 0 of a folder, with a checkpoint after every agent step."""
    plan = ("--plan", folder / "plan.json", "--index", "0")
    return command("run-cohort", *plan, "--device", "cpu", "--checkpoint-seconds", "0")


def newest_checkpoint(folder):
    """The agent step of the newest checkpoint of cohort 0, or 0 before there is one."""
    return max((int(path.stem) for path in folder.glob("cohorts/0/checkpoint/*.json")), default=0)
