"""What the same command cannot complete: exit 7 or 2 from every executor, never "resumes"."""

import json
import subprocess

import pytest

from harness.errors import (
    RESUME,
    CohortFailed,
    Incomplete,
    NonConforming,
    RetriesExhausted,
    UserError,
    together,
)
from harness.folder import Folder
from harness.run import Request, execute
from helpers.program import call, run_process
from helpers.runs import carry_out
from leaderboard.formats.keys import one_use_key


@pytest.fixture
def half(fresh):
    """A plan folder whose cohort has a checkpoint."""
    with pytest.raises(Incomplete):
        carry_out(fresh, max_wall=0.0)
    return fresh


def notes(folder):
    """The notes of cohort 0's checkpoints."""
    return sorted(Folder(folder).cohort(0).checkpoint.glob("*.json"))


def written_by_other_code(folder):
    """Says of every checkpoint that other code wrote it."""
    for path in notes(folder):
        note = json.loads(path.read_bytes())
        note["identity"] = dict.fromkeys(note["identity"], "another")
        path.write_text(json.dumps(note))


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_changed_code_is_refused_before_anything_is_begun(tiny_suite, half, executor):
    """A loop `until it is not 3` used to spin for ever, with the default executor alone."""
    written_by_other_code(half)
    before = sorted(half.rglob("*"))
    request = Request(str(tiny_suite), half.parent, executor=executor)
    with pytest.raises(NonConforming, match="was written with another code") as refused:
        execute(request, one_use_key())
    assert "resumes" not in str(refused.value)
    assert sorted(half.rglob("*")) == before


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_tf32_on_a_cpu_is_refused_before_anything_is_written(tiny_suite, tmp_path, executor):
    options = ("--suite", tiny_suite, "--executor", executor, "--device", "cpu", "--out", tmp_path)
    done = call("run", *options, "--set", "precision=tf32")
    assert done.returncode == 7
    assert "precision tf32 needs a CUDA device" in done.stderr
    assert "resumes" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("executor", ["inline", pytest.param("local", marks=pytest.mark.slow)])
def test_broken_checkpoints_end_with_2_and_what_to_remove(tiny_suite, half, executor):
    for path in Folder(half).cohort(0).checkpoint.glob("*.safetensors"):
        path.write_bytes(b"torn")
    done = run_process(
        "--suite", tiny_suite, "--executor", executor, "--device", "cpu", "--out", half.parent
    )
    assert done.returncode == 2, done.stderr
    assert "no checkpoint is whole" in done.stderr
    assert "Remove this folder to begin the cohort again." in done.stderr
    assert "The same command resumes" not in done.stderr
    assert not Folder(half).entry.exists()


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([Incomplete("a."), RetriesExhausted("b.")], Incomplete),
        ([Incomplete("a."), CohortFailed("b.")], CohortFailed),
        ([CohortFailed("a."), UserError("b.")], UserError),
        ([UserError("a."), NonConforming("b.")], NonConforming),
    ],
)
def test_of_several_cohorts_the_worst_decides_and_only_incomplete_ones_resume(errors, kind):
    error = together([Incomplete("first."), *errors])
    assert type(error) is kind
    assert str(error).startswith("first. a. b.")
    assert str(error).endswith(RESUME) == (kind is Incomplete)


def test_a_plan_without_work_says_so(tiny_suite, entry):
    done = call("--suite", tiny_suite, "--executor", "inline", "--out", entry.parents[1])
    assert done.returncode == 0
    assert "nothing is left to do, every one of 4 runs is there." in done.stderr


def test_a_run_says_first_what_it_does_where_and_for_how_long(tiny_suite, fresh):
    options = ("--suite", tiny_suite, "--executor", "inline", "--device", "cpu", "--max-wall", "0")
    first = call(*options, "--out", fresh.parent).stderr.splitlines()[0]
    assert f"plan {fresh.name}: 4 runs in 1 cohort on cpu; results go to {fresh}; about" in first


def test_an_edited_result_is_refused_with_what_to_remove_and_is_made_again(
    tiny_suite, entry, tiny_entry
):
    options = ("--suite", tiny_suite, "--executor", "inline", "--out", entry.parents[1])
    name = "runs/cartpole-swingup/dst/0"
    result = entry.parent / name / "result.json"
    result.write_bytes(result.read_bytes().replace(b'"score":', b'"score": '))
    refused = call(*options)
    assert refused.returncode == 4
    assert f"remove {entry.parent / name}: the same command trains it again" in refused.stderr

    subprocess.run(["rm", "-r", entry.parent / name], check=True)
    assert call(*options).returncode == 0
    assert result.read_bytes() == (tiny_entry.parent / name / "result.json").read_bytes()


def test_after_an_edited_table_the_entry_is_what_to_remove(tiny_suite, entry):
    options = ("--suite", tiny_suite, "--executor", "inline", "--out", entry.parents[1])
    (entry.parent / "results.csv").write_text("forged\n")
    refused = call(*options)
    assert refused.returncode == 4
    assert f"remove {entry}: the same command signs it anew" in refused.stderr
    entry.unlink()
    assert call(*options).returncode == 0
