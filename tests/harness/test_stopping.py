"""Runs that are interrupted, out of time, or held up by another process: what they keep and say."""

import json
import re
import signal
import subprocess
import time

import pytest

from harness.errors import Incomplete
from harness.folder import Folder
from harness.options import Options
from harness.run import Request, execute, plan_of, summary
from harness.training.lease import lease
from helpers.program import call, command
from leaderboard.formats.keys import one_use_key

SMALL_DOG = (
    "settings.width=32",
    "settings.zs_dim=32",
    "evaluation.episodes=1",
    "evaluation.environments=1",
)


@pytest.mark.parametrize(
    ("executor", "suite", "task", "overrides"),
    [
        pytest.param("local", "dmc-hard", "dog-run", SMALL_DOG, marks=pytest.mark.slow),
        ("inline", None, "cartpole-swingup", ["environment_steps=200000"]),
    ],
)
def test_ctrl_c_ends_with_130_and_keeps_the_records(
    tiny_suite, tmp_path, executor, suite, task, overrides
):
    arguments = ["--suite", suite or tiny_suite, "--executor", executor, "-j", "1"]
    for override in overrides:
        arguments += ["--set", override]
    with subprocess.Popen(
        command(*arguments, "--device", "cpu", "--out", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        # Interrupted while it trains.
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/cohorts/0/progress.json")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        while_running = call("status", next(tmp_path.glob("*")))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    # What was said before and after, and what is kept.
    assert while_running.returncode == 3
    progress = rf"cohort 0 \({task}, 4 runs\): [\d,]+/[\d,]+ agent steps, (?!not running)"
    assert re.search(progress, while_running.stdout)
    assert process.returncode == 130, stderr
    assert "everything is saved" in stderr
    assert "Traceback" not in stderr
    records = next(tmp_path.glob(f"*/runs/{task}/dense/0/records.jsonl")).read_text()
    assert json.loads(records.splitlines()[0])["kind"] == "evaluation"
    stopped = call("status", next(tmp_path.glob("*")))
    assert stopped.returncode == 3
    assert "agent steps, not running" in stopped.stdout


@pytest.mark.slow
def test_a_cohort_that_somebody_else_has_is_left_out_and_the_others_finish(tiny_suite, tmp_path):
    shorter = ("environment_steps=120",)
    request = Request(str(tiny_suite), tmp_path, shorter, executor="inline", members=2)
    _, plan = plan_of(request)
    leases = Folder(tmp_path / plan.id).cohort(0).leases

    # While another process has it.
    sentence = r"^cohort 0: .*another process is carrying out.*\. The same command resumes\.$"
    with lease(leases, seconds=1.0), pytest.raises(Incomplete, match=sentence):
        execute(request, one_use_key())
    statuses = {run.status for run in summary(tmp_path / plan.id, plan).runs}
    assert statuses == {"missing", "finished"}

    # And afterwards.
    runs = execute(request, one_use_key()).summary.runs
    assert {run.status for run in runs} == {"finished"}


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_no_cohort_is_begun_after_the_wall_time(tiny_suite, tmp_path, executor):
    options = Options(device="cpu", max_wall=0.0)
    request = Request(str(tiny_suite), tmp_path, executor=executor, members=2, options=options)
    sentence = r"^2 cohorts wait: --max-wall is over\. The same command resumes\.$"
    with pytest.raises(Incomplete, match=sentence):
        execute(request, one_use_key())
    assert not list(tmp_path.glob("*/runs/*/*/*/records.jsonl"))
