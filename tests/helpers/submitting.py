"""Programs that submit cohorts to Slurm, and how far those are."""

import signal
import subprocess
from contextlib import contextmanager

from harness.training.progress import read_progress
from helpers.cluster import wait
from helpers.program import command

STEPS = 500
"""Agent steps of a run that is interrupted."""
LONGER = ("regimes=[mst]", f"environment_steps={2 * STEPS}", "evaluation.every=250")


def words(suite, out, *more):
    """A run of `suite` through Slurm, with many checkpoints."""
    through = ("--executor", "slurm", "--device", "cpu", "--checkpoint-seconds", "0.5")
    return ("run", "--suite", suite, "--out", out, *through, *more)


def longer(cohorts):
    """Options: so many cohorts of one run, which last a few seconds."""
    settings = (*LONGER, f"seeds={cohorts}")
    return (*[word for setting in settings for word in ("--set", setting)], "--members", "1")


@contextmanager
def submitted(*arguments):
    """`mst-bench` in a process of its own, which is ended with the test."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    ready = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command(*arguments), **quiet, **ready) as process:
        try:
            yield process
        finally:
            process.kill()


def plan_folder(out):
    """OUT/<plan id>, once it is there."""
    return wait(lambda: next(out.glob("*/cohorts.json"), None), "a plan").parent


def step(folder, index):
    """Agent steps that a cohort said to have done."""
    progress = read_progress(folder, index)
    return progress.step if progress else 0
