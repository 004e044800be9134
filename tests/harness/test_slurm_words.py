"""`--executor slurm` where no Slurm is needed: its script, and what is missing, in words."""

import os
import sys

import pytest

from harness.errors import NonConforming, UserError
from harness.executors import executor, slurm_queue
from harness.executors.slurm_script import OUR_VARIABLES, _without_our_variables, further
from harness.options import Options
from helpers.program import call

EIGHT = ("--set", "seeds=2", "--members", "1", "--device", "cpu", "--executor", "slurm")


@pytest.fixture
def no_programs(tmp_path, monkeypatch):
    """A path on which no program of Slurm is."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_dry_run_prints_the_script_and_leaves_nothing(tiny_suite, tmp_path, no_programs):
    out = tmp_path / "my out"
    own = ("--partition", "long", "--account", "lab", "--sbatch", "--qos=high --exclusive")
    done = call("run", "--suite", tiny_suite, "--out", out, *EIGHT, *own, "--dry-run", "-j", "3")
    assert done.returncode == 0, done.stderr
    assert not out.exists()

    lines = done.stdout.splitlines()
    assert lines[0] == "#!/bin/bash"
    asked = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert asked >= {
        "array=0,1,2,3,4,5,6,7%3",
        "partition=long",
        "account=lab",
        "qos=high",
        "exclusive",
        "requeue",
        "cpus-per-task=2",
        "nodes=1",
        "signal=USR2@120",
        "open-mode=append",
        "time=16",
    }
    assert any(line.startswith("mem=") and line.endswith("M") for line in asked)
    assert not any(line.startswith(("gpus", "wckey")) for line in asked)
    (step,) = [line for line in lines if line.startswith("srun ")]
    assert "harness.executors.slurm_task" in step
    assert "run-cohort --plan" in step
    assert "'" in step, "a path with a space"


def test_a_job_on_a_gpu_asks_for_one_and_leaves_its_time_to_the_partition(tiny_suite, tmp_path):
    words = ("run", "--suite", tiny_suite, "--out", tmp_path, "--executor", "slurm", "--dry-run")
    done = call(*words, "--device", "cuda", "--apptainer", "bench.sif")
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --gpus-per-node=1" in done.stdout
    assert "#SBATCH --cpus-per-task=8" in done.stdout
    assert "--time" not in done.stdout
    assert " apptainer run --containall " in done.stdout
    assert " --nv bench.sif run-cohort " in done.stdout


def test_what_sbatch_is_told_by_hand_wins(tiny_suite, tmp_path):
    words = ("run", "--suite", tiny_suite, "--out", tmp_path, *EIGHT, "--dry-run")
    done = call(*words, "--wall", "2-00:00:00", "--sbatch", "--mem=3G --signal=USR2@600")
    for line in ("--time=2-00:00:00", "--mem=3G", "--signal=USR2@600"):
        assert f"#SBATCH {line}" in done.stdout
    assert "USR2@120" not in done.stdout


def test_only_slurm_takes_a_dry_run(tiny_suite, tmp_path):
    done = call("run", "--suite", tiny_suite, "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 2
    assert "--executor slurm does" in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_slurm_a_sentence_says_so_before_anything_begins(tiny_suite, tmp_path, no_programs):
    done = call("run", "--suite", tiny_suite, "--out", tmp_path / "out", *EIGHT)
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("mst-bench: --executor slurm: sbatch is not on the path;")


def test_without_submitit_a_sentence_names_the_extra(tiny_suite, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)  # as where it is not installed
    done = call("run", "--suite", tiny_suite, "--out", tmp_path, *EIGHT, "--dry-run")
    assert done.returncode == 2
    assert "submitit is not installed; `pip install 'mst-bench[slurm]'`" in done.stderr


def test_quotes_that_do_not_end_are_said():
    with pytest.raises(UserError, match="--sbatch --qos='x: No closing quotation"):
        further("--qos='x")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        *((f"{form}", "--job-name") for form in ("-J x", "-Jx", "--job-name x", "--job-name=x")),
        *((f"--qos=high {form}", "--job-name") for form in ("--job_name=x", "--job-n=x", "--j=x")),
        *((form, "--chdir") for form in ("-D /x", "-D/x", "--chdir=/x", "--chdir /x", "--chd=/x")),
        *((form, "--array") for form in ("-a 0-3", "-a0-3", "--array=0-3", "--array 0", "--ar=0")),
        *((form, "--clusters") for form in ("-M other", "--clusters=other", "--cluster=other")),
    ],
)
def test_by_what_jobs_are_found_again_is_nobodys_to_choose(options, name):
    """A job of another name counted as gone, and was submitted four times beside itself."""
    with pytest.raises(UserError, match=f"{name} .* is not yours to choose"):
        further(options)


def test_that_is_said_before_anything_begins(tiny_suite, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("sbatch", "squeue", "scancel", "scontrol"):
        (programs / program).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs))
    words = ("run", "--suite", tiny_suite, "--out", tmp_path / "out", *EIGHT)
    done = call(*words, "--sbatch=--job-name=x")
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "--job-name (-J) is not yours to choose" in sentence


def test_what_only_a_script_may_say_is_not_said_by_variables(monkeypatch):
    for name in OUR_VARIABLES:
        monkeypatch.setenv(name, "x")
    with _without_our_variables():
        assert not [name for name in OUR_VARIABLES if name in os.environ]
    assert os.environ["SBATCH_JOB_NAME"] == "x"


@pytest.mark.parametrize("options", ["-p long", "long", "--=3"])
def test_what_is_no_option_of_sbatch_is_said(options):
    with pytest.raises(UserError, match="is no option of the form --name=value"):
        further(options)


def test_options_of_sbatch():
    assert further("--mem=3G --exclusive --mail-type=END,FAIL --comment='a b'") == {
        "mem": "3G",
        "exclusive": True,
        "mail_type": "END,FAIL",
        "comment": "a b",
    }


def test_one_gpu_of_a_machine_is_slurms_to_choose():
    with pytest.raises(UserError, match="Slurm chooses the GPU of a job"):
        executor("slurm", {}).choose_device(Options(device="cuda:1"), "any", "quick")


def test_status_asks_no_slurm_about_what_was_never_submitted(tiny_entry, no_programs):
    assert slurm_queue.states(tiny_entry.parent) == {}


def test_without_apptainer_its_images_cannot_be_asked(no_programs):
    with pytest.raises(NonConforming, match="there is no program apptainer here"):
        executor("slurm", {"apptainer": "bench.sif"}).image_content()
