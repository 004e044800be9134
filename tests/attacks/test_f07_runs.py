"""Every planned run counts: F7.

A bad seed that was called missing or failed left the mean, though not the count.
"""

import pytest

from helpers.forge import failed
from helpers.forgery import table
from helpers.program import call
from helpers.statements import MODULES
from leaderboard.formats.document import build
from leaderboard.formats.run import StatedRun
from leaderboard.pages.table import comparison_columns
from leaderboard.statistics.scores import scored

FAILURE = {"kind": "agent", "reason": "diverged", "agent_step": 7}


def test_f7_a_bad_seed_that_is_called_failed_lowers_the_mean(pair):
    forgery, _ = pair
    mean = mean_of(forgery)
    forgery.fail(worst(forgery), FAILURE)
    assert forgery.sign().verdict().accepted
    assert mean_of(forgery) < mean


def test_f7_and_so_does_one_that_is_called_missing(pair):
    forgery, _ = pair
    mean = mean_of(forgery)
    forgery.lose(worst(forgery))
    assert forgery.sign().verdict().accepted
    assert mean_of(forgery) < mean


def worst(forgery):
    return min((run for run in forgery.runs if run["regime"] == "mst"), key=lambda r: r["score"])


def mean_of(forgery):
    """The mean of MST that tables show."""
    runs = scored([build(StatedRun, run, "run") for run in forgery.runs])
    columns = {column.title: column.cells for column in comparison_columns(runs, MODULES)}
    return float(columns["mean score"][columns["regime"].index("mst")])


@pytest.mark.parametrize("failure", [None, FAILURE | {"reason": " "}])
def test_f7_a_failure_has_a_reason(forgery, failure):
    forgery.fail(forgery.run("dst"), failure)
    assert failed(forgery.sign().verdict()) == "statement"


def test_f7_a_run_that_finished_has_no_failure(forgery):
    forgery.run("dst")["failure"] = FAILURE
    assert failed(forgery.sign().verdict()) == "statement"


def test_f7_a_failure_is_told_by_the_records_too(forgery):
    """A finished run cannot be called failed afterwards, its records left as they are."""
    run = forgery.run("dst")
    kept = dict(run)
    forgery.fail(run, FAILURE)
    forgery.record = lambda run, record: (
        {"kind": "final", "agent_step": 120, "returns": kept["final_returns"]}
        if record["kind"] == "failure"
        else record
    )
    assert failed(forgery.sign().verdict()) == "records"


def test_f7_a_rival_that_is_called_failed_is_trained_again_before_others(forgery):
    forgery.fail(forgery.run("dense"), FAILURE)
    refused = call("reeval", forgery.sign().entry, "--retrain", 1)
    assert refused.returncode == 4, refused.stdout
    assert "cartpole-swingup/dense/0: trained again, its records are other ones" in refused.stdout


def test_f7_nor_does_another_machine_excuse_it(forgery):
    """What finished here and failed there is no equivalence."""
    forgery.fail(forgery.run("dense"), FAILURE)
    done = call("reeval", forgery.elsewhere().sign().entry, "--retrain", 4)
    assert done.returncode == 0, done.stderr
    assert "not shown to be equivalent, so not L2" in done.stdout


def test_the_table_of_a_forged_entry_is_the_real_one(forgery):
    """The control: the forger's table is what the project writes."""
    assert table(forgery.runs) == (forgery.folder / "results.csv").read_bytes()
