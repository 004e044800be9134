"""Records of runs that were made to fit a lie, with their chain, result and table."""

import json
from contextlib import suppress

import pytest

from harness.files import digest_bytes, dump_json
from helpers.forge import failed, redigest, resign, statement_of, table_of
from leaderboard.formats.records import CHAIN_START
from leaderboard.formats.run import score

RUN = "runs/cartpole-swingup/sst/0"
INDEX = 1
"""Of that run in the plan."""
DIVERGED = {"kind": "agent", "reason": "diverged", "agent_step": 70}


def chained(records):
    """The bytes of records, each with the digest of the line before; and the last digest."""
    lines = []
    head = CHAIN_START
    for record in records:
        line = json.dumps({**record, "before": head}).encode() + b"\n"
        head = digest_bytes(line)
        lines.append(line)
    return b"".join(lines), head


def lie(entry, edit):
    """Signs an entry after `edit(records, run)`, all that follows from either made to fit."""
    records = [json.loads(line) for line in (entry.parent / RUN / "records.jsonl").open()]
    run = statement_of(entry)["predicate"]["runs"][INDEX]
    assert RUN.endswith(f"{run['task']}/{run['regime']}/{run['seed']}")
    edit(records, run)
    content, run["chain_head"] = chained(records)
    files = {f"{RUN}/records.jsonl": content, f"{RUN}/result.json": dump_json(run)}

    def change(statement):
        statement["predicate"]["runs"][INDEX] = run
        with suppress(ValueError):  # no run that there can be: the table stays as it was
            files["results.csv"] = table_of(statement)
        for name, written in files.items():
            (entry.parent / name).write_bytes(written)
        redigest(statement, {name: digest_bytes(written) for name, written in files.items()})

    return resign(entry, change)


def refused(verdict, check, sentence):
    """A check refused an entry in these words."""
    assert failed(verdict) == check, verdict.checks[-1]
    assert sentence in verdict.checks[-1].detail


def test_what_is_chained_again_unchanged_is_accepted(entry):
    assert lie(entry, lambda records, run: None).accepted


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda records: records.pop(0), "evaluation 0 is not the planned one"),
        (lambda records: records.pop(2), "has 2 evaluations, planned 3"),
        (lambda records: records.insert(2, {**records[2]}), "evaluation 3 is not the planned one"),
        (
            lambda records: records.insert(
                3, {**records[2], "number": 3, "agent_step": 180, "environment_step": 360}
            ),
            "has 4 evaluations, planned 3",
        ),
        (lambda records: records.__setitem__(slice(0, 2), records[1::-1]), "evaluation 0 is not"),
        (lambda records: records[1].update(number=7), "evaluation 1 is not the planned one"),
        (lambda records: records[1].update(agent_step=61), "evaluation 1 is not the planned one"),
        (lambda records: records[1].update(environment_step=60), "evaluation 1 is not the"),
        (lambda records: records[1].update(returns=[1.0]), "evaluation 1 is not the planned one"),
        (lambda records: records[1].update(returns=[1.0] * 3), "evaluation 1 is not the planned"),
        (lambda records: records[1].update(returns=[1.0, 1000.5]), "a return is outside of 0 to"),
        (lambda records: records[1].update(returns=[-0.5, 1.0]), "a return is outside of 0 to"),
        (lambda records: records.pop(), "its last record does not hold the final returns"),
        (lambda records: records[-1].update(returns=[1.0, 2.0]), "does not hold the final returns"),
    ],
)
def test_evaluations_that_are_not_the_planned_ones_are_refused(entry, edit, sentence):
    refused(lie(entry, lambda records, run: edit(records)), "records", sentence)


@pytest.mark.parametrize("returns", [[999.0, 1000.5], [-0.01, 5.0]])
def test_a_final_return_that_the_task_cannot_give_is_refused(entry, returns):
    def edit(records, run):
        records[-1]["returns"] = run["final_returns"] = returns
        run["score"] = score(returns)

    refused(lie(entry, edit), "scores", "a return is outside of 0 to 1000")


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_final_episodes_is_refused(entry, count):
    def edit(records, run):
        records[-1]["returns"] = run["final_returns"] = [5.0] * count
        run["score"] = 5.0

    assert failed(lie(entry, edit)) == "budgets"


SIGNATURE = {"name": "collapsed", "agent_step": 60, "value": 0.5}


@pytest.mark.parametrize(
    "edit",
    [
        lambda records, run: run.update(failure_signatures=[SIGNATURE]),
        lambda records, run: records.insert(2, {"kind": "failure signature", **SIGNATURE}),
    ],
)
def test_a_failure_signature_is_stated_as_it_was_recorded(entry, edit):
    refused(lie(entry, edit), "records", "has other failure signatures than the entry states")


# -- runs that failed --


def fail(records, run, failure=None, reason="diverged"):
    """The run failed after its second evaluation, as the records say for `reason`."""
    del records[2:]
    if reason is not None:
        records.append({"kind": "failure", "agent_step": 70, "reason": reason})
    run.update(status="failed", failure=failure or DIVERGED, score=None, final_returns=[])


def test_a_run_that_failed_is_accepted_with_its_reason(entry):
    verdict = lie(entry, fail)
    assert verdict.accepted, verdict.checks[-1]
    assert verdict.documents.statement.predicate.runs[INDEX].failed


@pytest.mark.parametrize("reason", [None, "out of luck"])
def test_a_failure_that_the_records_do_not_tell_is_refused(entry, reason):
    verdict = lie(entry, lambda records, run: fail(records, run, reason=reason))
    assert failed(verdict) == "records"


@pytest.mark.parametrize(
    "edit",
    [
        lambda records, run: fail(records, run, failure=DIVERGED | {"reason": " "}),
        lambda records, run: fail(records, run, failure=DIVERGED | {"reason": ""}),
        lambda records, run: fail(records, run, failure=DIVERGED | {"kind": "infrastructure"}),
        lambda records, run: fail(records, run) or run.update(failure=None),
        lambda records, run: fail(records, run) or run.update(score=900.0),
        lambda records, run: fail(records, run) or run.update(status="finished"),
        lambda records, run: fail(records, run) or run.update(status="missing"),
        lambda records, run: run.update(failure=DIVERGED),
    ],
)
def test_a_status_without_what_belongs_to_it_is_refused(entry, edit):
    """A run without a reason was once called failed, and its score left the mean."""
    assert failed(lie(entry, edit)) == "statement"
