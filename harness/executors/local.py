"""Cohorts as processes of this machine: a fault of the simulator's native code ends one cohort, not all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import faults
from harness.errors import INTERNAL, OK, Interrupted
from harness.partition import Cohort
from harness.plan import Plan
from harness.progress import Display
from harness.unit import Options

POLL = 0.2
"""Seconds between looks at the processes."""
PARENT = "MST_BENCH_PARENT"
"""Environment variable in which a cohort's process finds the process that started it."""


def stop_with_parent() -> None:
    """In a cohort's process: be asked to stop (and so to save) when the process that started it dies, however it dies."""
    parent = os.environ.pop(PARENT, None)
    if parent is None or not sys.platform.startswith("linux"):
        return
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGTERM)


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """Keep `options.jobs` processes busy until every cohort ended; returns what went wrong, in words.

    A process that a signal ends is an infrastructure fault: it is started again, `options.retries` times.
    SIGINT (or SIGTERM) is passed on once, so that cohorts keep their records; a second one kills them. Raises Interrupted
    then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    waiting, running, wrong = list(cohorts), dict[int, subprocess.Popen[bytes]](), list[str]()
    retries = {cohort.index: options.retries for cohort in cohorts}
    display, begin = Display(folder, cohorts), time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                cohort = waiting.pop(0)
                running[cohort.index] = _start(folder, cohort, options, time.monotonic() - begin)
            time.sleep(POLL)
            display.refresh(list(running))
            ended = [index for index, process in running.items() if process.poll() is not None]
            for cohort in [cohort for cohort in cohorts if cohort.index in ended]:
                code = running.pop(cohort.index).returncode
                killed = code < 0
                if killed:
                    faults.note(folder, cohort, display.step(cohort.index), f"its process was ended by {_signal(code)}")
                if killed and retries[cohort.index] > 0:
                    retries[cohort.index] -= 1
                    waiting.insert(0, cohort)
                elif code != OK:
                    wrong.append(f"cohort {cohort.index}: {_how_it_ended(folder, cohort, code)}")
    except KeyboardInterrupt:
        _stop(list(running.values()))
        raise Interrupted(f"stopped; everything is saved under {folder}. The same command goes on.") from None
    finally:
        display.close()
        for process in running.values():
            process.kill()
            process.wait()
    return wrong


def _start(folder: Path, cohort: Cohort, options: Options, elapsed: float) -> subprocess.Popen[bytes]:
    """A process of its own session, so that a terminal's Ctrl-C reaches it through us alone."""
    log_file = _log(folder, cohort)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "harness.cli", "run-cohort", "--plan", str(folder / "plan.json")]
    command += ["--index", str(cohort.index), "--device", options.device]
    command += ["--checkpoint-seconds", str(options.checkpoint_seconds), "--retries", str(options.retries)]
    command += ["--watchdog-seconds", str(options.watchdog_seconds)]
    command += ["--max-wall", str(max(0.0, options.max_wall - elapsed))] if options.max_wall is not None else []
    command += ["--allow-drift"] if options.allow_drift else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}
    with open(log_file, "ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )


def _how_it_ended(folder: Path, cohort: Cohort, code: int) -> str:
    """The sentence that a cohort's process ended with, or how it ended and where its last words are."""
    log = _log(folder, cohort)
    said = log.read_text(errors="replace").splitlines()[-1:]
    if code > INTERNAL and said and said[0].startswith("mst-bench: "):
        return said[0].removeprefix("mst-bench: ").removesuffix(" The same command goes on.").removesuffix(".")
    how = f"its process was ended by {_signal(code)}" if code < 0 else f"its process ended with exit code {code}"
    return f"{how}; its last words are in {log}"


def _signal(code: int) -> str:
    return signal.Signals(-code).name


def _log(folder: Path, cohort: Cohort) -> Path:
    return folder / "cohorts" / str(cohort.index) / "log.txt"


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask once and wait; an impatient second Ctrl-C falls through to the kill in `execute`."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    try:
        for process in processes:
            process.wait()
    except KeyboardInterrupt:
        return
