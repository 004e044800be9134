"""Two engines carry out the same plan in the same folder at the same time."""

import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from harness.entries.entry import stated_runs, write_entry
from harness.folder import Folder
from harness.planning.cohorts import frozen_cohorts, read_cohorts
from harness.planning.plan import read_plan
from harness.training.agreed import agreed
from harness.training.ending import read_ending
from harness.training.lease import newest
from helpers.forked import forks
from helpers.program import call, command
from helpers.racing import race
from helpers.runs import promised, promised_of_cohorts
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify

ROUNDS = int(os.environ.get("MST_BENCH_TEST_REAL_RACES", "1"))
"""Of real cohorts; more for a hunt."""
PROGRAM = "import sys; from harness.cli.main import main; sys.exit(main())"


@pytest.mark.slow
def test_two_engines_on_one_folder_leave_what_one_would(tiny_suite, tmp_path):
    shorter = ("--set", "environment_steps=120", "--members", "2", "-j", "1")
    words = ("run", "--suite", tiny_suite, "--device", "cpu", *shorter)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    racing = [
        subprocess.Popen(command(*words, "--out", tmp_path / "both"), **quiet) for _ in range(2)
    ]
    said = [engine.communicate()[1] for engine in racing]
    assert all(engine.returncode in (0, 3) for engine in racing), said

    # Whoever comes last has everything, and the entry is of that.
    assert call(*words, "--out", tmp_path / "both").returncode == 0
    assert call(*words, "--out", tmp_path / "one").returncode == 0
    (both,), (one,) = ((tmp_path / name).iterdir() for name in ("both", "one"))
    assert promised(both) == promised(one)
    assert call("verify", both).returncode == 0
    for index in range(2):
        assert read_ending(Folder(both).cohort(index)).kind == "finished"


def test_who_begins_at_once_agrees_on_the_cohorts(fresh):
    """Even with other --members: whoever is first decides."""
    plan = read_plan(Folder(fresh).plan)
    Folder(fresh).cohorts.unlink()
    with ThreadPoolExecutor(4) as threads:
        freezing = [partial(frozen_cohorts, fresh, plan, "cpu", size) for size in (1, 2, 3, 4)]
        found = set(threads.map(partial(agreed, fresh), freezing))
    assert found == {read_cohorts(fresh)}


def test_a_result_that_came_after_the_look_is_not_signed(entry):
    """Another engine's cohort ended between the look at the folder and the signature."""
    folder = entry.parent
    plan = read_plan(Folder(folder).plan)
    result = Folder(folder).run(plan.runs[0]).result
    content = result.read_bytes()
    result.unlink()
    seen = stated_runs(folder, plan)
    result.write_bytes(content)

    verdict = verify(write_entry(folder, plan, one_use_key(), seen))
    assert verdict.accepted
    assert "3 finished, 0 failed, 1 missing" in {check.detail for check in verdict.checks}


@pytest.mark.slow
@pytest.mark.timeout(120 * ROUNDS)
def test_killed_and_stopped_at_random_moments_a_real_cohort_has_the_same_bytes(
    fresh, tiny_entry, tmp_path
):
    moments = random.Random(11)
    ends = []
    with forks(tmp_path, "harness.cli.main", "harness.cli.runs", "harness.training.loop") as server:
        for number in range(ROUNDS):
            folder = shutil.copytree(fresh, tmp_path / f"round-{number}")
            words = ("run-cohort", "--plan", folder / "plan.json", "--index", "0")
            words += ("--device", "cpu", "--checkpoint-seconds", "0", "--lease-seconds", "2")
            begin = partial(server.start, PROGRAM, *words)
            ends += race([begin] * 2, moments, longest=3.0, patience=110.0)

            # One result, and nobody holds the cohort.
            paths = Folder(folder).cohort(0)
            assert promised(folder) == promised_of_cohorts(tiny_entry.parent), ends[-2:]
            assert read_ending(paths).kind == "finished"
            assert newest(paths.leases).heartbeat is None
            assert not list(paths.checkpoint.iterdir())
            assert not list(folder.glob("runs/**/.*"))
    codes = [code for each in ends for code in each]
    print(
        f"{ROUNDS} rounds: killed {codes.count(-9)} times, another's cohort {codes.count(3)} times"
    )
