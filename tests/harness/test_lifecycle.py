"""Killed between training and signature, a run is completed by the same command."""

from functools import partial

import pytest

from harness.entries.entry import stated_runs
from harness.errors import Incomplete
from harness.executors.installed import Installed
from harness.folder import Folder
from harness.options import Options
from harness.planning.plan import read_plan
from harness.run import Request, execute
from harness.training import loop
from harness.training.lease import lease
from helpers.forge import statement_of
from helpers.runs import Killed, carry_out, promised, promised_of_cohorts, stop_after
from leaderboard.formats import envelope
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify


def die(*arguments, **options):
    """What is killed as soon as it is called."""
    raise Killed


def signed_statuses(folder):
    """What the entry of a folder states of its runs."""
    statement = statement_of(Folder(folder).entry)
    return {run["status"] for run in statement["predicate"]["runs"]}


def test_killed_after_the_last_cohort_it_is_sealed_and_signed_anew(
    tiny_suite, tiny_entry, tmp_path, monkeypatch
):
    # An entry of runs that are all missing, from a session that had no time.
    request = partial(Request, str(tiny_suite), tmp_path, executor="inline")
    with pytest.raises(Incomplete):
        execute(request(options=Options(device="cpu", max_wall=0.0)), one_use_key())
    folder = tmp_path / tiny_entry.parent.name
    assert signed_statuses(folder) == {"missing"}

    # Every later session is killed one part further on; no entry is left that says too little.
    for owner, part in ((Installed, "seal"), (envelope, "sign")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, part, die)
            with pytest.raises(Killed):
                execute(request(), one_use_key())
        assert not Folder(folder).entry.exists()
    with monkeypatch.context() as patch:
        patch.setattr("harness.run.write_report", die)
        with pytest.raises(Killed):
            execute(request(), one_use_key())
    assert not Folder(folder).report.exists()

    # The last one completes it.
    assert execute(request(), one_use_key()).summary.complete
    assert verify(Folder(folder).entry, complete=True).accepted
    assert signed_statuses(folder) == {"finished"}
    assert Folder(folder).report.exists()
    assert promised(folder) == promised(tiny_entry.parent)


def test_no_result_outlives_its_records(fresh, tiny_entry, monkeypatch):
    # Killed after the results of two members.
    results = []

    def write_two(*arguments):
        if len(results) == 2:
            raise Killed
        results.append(write_result(*arguments))

    write_result = loop.write_result
    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_result", write_two)
        with pytest.raises(Killed):
            carry_out(fresh)
    plan = read_plan(fresh / "plan.json")
    assert {run.status for run in stated_runs(fresh, plan)} == {"finished", "missing"}

    # Their records are begun again, so their results are gone until they are made again.
    with monkeypatch.context() as patch:
        stop_after(patch, [1])
        with pytest.raises(Incomplete):
            carry_out(fresh)
    assert {run.status for run in stated_runs(fresh, plan)} == {"missing"}
    carry_out(fresh)
    assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)


@pytest.fixture
def with_checkpoint(entry):
    """A finished folder whose process was killed before it cleared the checkpoint."""
    folder = entry.parent
    checkpoint = Folder(folder).cohort(0).checkpoint
    checkpoint.mkdir(exist_ok=True)
    for name in ("rows-0-1234abcd.bin", "3.json", ".3.safetensors"):
        (checkpoint / name).write_bytes(b"gigabytes")
    return folder


def test_a_finished_cohort_that_is_met_again_keeps_no_checkpoint(with_checkpoint):
    carry_out(with_checkpoint)
    assert not list(Folder(with_checkpoint).cohort(0).checkpoint.iterdir())


def test_a_finished_plan_keeps_no_checkpoint_unless_somebody_else_has_the_cohort(
    tiny_suite, with_checkpoint
):
    request = Request(str(tiny_suite), with_checkpoint.parent, executor="inline")
    cohort = Folder(with_checkpoint).cohort(0)
    with lease(cohort.leases):
        execute(request, one_use_key())
        assert len(list(cohort.checkpoint.iterdir())) == 3

    execute(request, one_use_key())
    assert not list(cohort.checkpoint.iterdir())
