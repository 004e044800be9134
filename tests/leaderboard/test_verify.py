"""Attacks on an entry: whatever is changed, `verify` refuses and names the check."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from harness.entries.entry import missing
from helpers.forge import check_of, failed, resign, restate, statement_of, table_of
from helpers.trust import SUBMITTER, trust_file, trusted
from leaderboard.formats import keys
from leaderboard.formats.run import Run, score
from leaderboard.verification.checks import ORDER, Check, Verdict
from leaderboard.verification.verify import CHECKS, verify


def test_a_real_entry_is_accepted_by_every_check(entry):
    verdict = verify(entry)
    assert verdict.accepted, verdict.checks
    assert [check.name for check in verdict.checks] == list(CHECKS)
    unknown = {check.name for check in verdict.checks if check.status == "unknown"}
    assert unknown == {"key", "image", "reeval", *ORDER}
    plan = verdict.checks[5].detail
    assert plan.endswith(", own suite own-tiny: not one that is shipped")


def test_without_a_trust_file_a_key_is_one_for_a_single_use_or_unknown(entry):
    assert check_of(verify(entry), "key") == Check("key", "unknown", "one-use key")
    own = resign(entry, lambda statement: None, replace(SUBMITTER, one_use=False))
    assert check_of(own, "key") == Check("key", "unknown", "no --trust file was given")


def run_of(statement, index=0):
    """A run of a statement."""
    return statement["predicate"]["runs"][index]


def raise_returns(statement):
    """Every run did better, scores included."""
    for run in statement["predicate"]["runs"]:
        run["final_returns"] = [value * 1.15 for value in run["final_returns"]]
        run["score"] = score(run["final_returns"])


def list_file(statement, name):
    """One more file is listed."""
    statement["subject"].append({"name": name, "digest": {"sha256": "0" * 64}})


def leave_out(statement, ending):
    """Files of this ending are not listed."""
    subjects = statement["subject"]
    statement["subject"] = [each for each in subjects if not each["name"].endswith(ending)]


def call_missing(statement):
    """A run that has files states what a missing one does."""
    run = run_of(statement)
    statement["predicate"]["runs"][0] = asdict(
        missing(Run(run["task"], run["regime"], run["seed"]), None)
    )


FOLDER = "runs/cartpole-swingup/sst/0"
DIVERGED = {"kind": "agent", "reason": "diverged", "agent_step": 3}


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("statement", lambda s: s.update(predicateType="urn:mst-bench:run:v9")),
        ("statement", lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
        ("statement", lambda s: s["predicate"].pop("nonce")),
        ("statement", lambda s: s["predicate"].update(extra=1)),
        ("statement", lambda s: run_of(s).update(score="many")),
        (
            "statement",
            lambda s: (
                s["subject"].append({"name": "../key.pem", "digest": {"sha256": "0" * 64}})
                or s.update(subject=7)
            ),
        ),
        ("statement", lambda s: s["predicate"]["signer"].update(key_id="0" * 64)),
        ("files", lambda s: list_file(s, "../tiny")),
        ("files", lambda s: list_file(s, "absent.json")),
        ("files", lambda s: list_file(s, "x" * 299)),
        ("files", lambda s: list_file(s, f"{FOLDER}/notes.txt")),
        ("files", lambda s: list_file(s, f"{FOLDER}/../sst/0/result.json")),
        ("documents", lambda s: s["subject"].append(s["subject"][0])),
        ("documents", lambda s: leave_out(s, "plan.json")),
        ("documents", lambda s: leave_out(s, "suite.json")),
        ("documents", lambda s: leave_out(s, "manifest.json")),
        ("documents", lambda s: leave_out(s, "results.csv")),
        ("plan", lambda s: s["predicate"]["plan"].update(id="0" * 16)),
        ("plan", lambda s: s["predicate"]["suite"].update(name="dmc-hard")),
        ("plan", lambda s: s["predicate"]["suite"].update(changes=[])),
        (
            "plan",
            lambda s: s["predicate"]["budget"].update(environment_steps=10**6, agent_steps=500_000),
        ),
        ("statement", lambda s: s["predicate"].update(ranked=True)),
        ("statement", lambda s: s["predicate"].update(unranked_because=[])),
        ("manifest", lambda s: s["predicate"].update(ranked=True, unranked_because=[])),
        ("statement", lambda s: s["predicate"]["plan"].update(log_index=-1)),
        ("registration", lambda s: s["predicate"]["plan"].update(log_index=7)),
        ("runs", lambda s: s["predicate"]["runs"].pop()),
        ("runs", lambda s: s["predicate"]["runs"].reverse()),
        ("runs", lambda s: run_of(s).update(seed=5)),
        ("runs", lambda s: run_of(s).update(task="cartpole-balance")),
        ("runs", call_missing),
        ("statement", lambda s: run_of(s).update(status="missing")),
        ("statement", lambda s: run_of(s).update(status="failed", score=None, final_returns=[])),
        ("statement", lambda s: run_of(s).update(failure=DIVERGED)),
        ("statement", lambda s: run_of(s).update(regime="../../escaped")),
        ("statement", lambda s: run_of(s).update(members=0)),
        ("runs", lambda s: run_of(s).update(score=999.0)),
        ("runs", raise_returns),
        ("runs", lambda s: leave_out(s, "0/records.jsonl")),
    ],
)
def test_a_lying_statement_is_refused_by_the_check_that_knows(entry, check, change):
    assert failed(resign(entry, change)) == check


def lie_in_result(entry, run_index, edit):
    """Change a run in its result.json and in the statement alike, as a careful forger would."""
    run = run_of(statement_of(entry), run_index)
    edit(run)
    name = f"runs/{run['task']}/{run['regime']}/{run['seed']}/result.json"
    change = restate(entry, name, json.dumps(run, sort_keys=True).encode())

    def both(statement):
        change(statement)
        statement["predicate"]["runs"][run_index] = run

    return resign(entry, both)


def test_a_forged_score_is_refused(entry):
    assert (
        failed(lie_in_result(entry, 0, lambda run: run.update(score=run["score"] + 1))) == "scores"
    )


def test_densities_that_no_tensors_show_are_those_of_the_plan(entry):
    def without_tensors(statement):
        leave_out(statement, ".safetensors")

    assert check_of(resign(entry, without_tensors), "tensors").detail == "absent, not checked"
    lie_in_result(entry, 3, lambda run: run["weights"]["critic"].update(active=1))
    verdict = resign(entry, without_tensors)
    assert failed(verdict) == "tensors"
    assert "critic: states 1 weights of" in verdict.checks[-1].detail


def test_forged_returns_do_not_fit_the_records(entry):
    def edit(run):
        run["final_returns"] = [value * 1.15 for value in run["final_returns"]]
        run["score"] = score(run["final_returns"])

    assert failed(lie_in_result(entry, 0, edit)) == "records"


def test_another_budget_than_planned_is_refused(entry):
    assert (
        failed(lie_in_result(entry, 1, lambda run: run["updates"].update(critic=999))) == "budgets"
    )


def test_a_changed_record_breaks_its_chain(entry):
    statement = statement_of(entry)
    run = run_of(statement)
    name = f"runs/{run['task']}/{run['regime']}/{run['seed']}/records.jsonl"
    lines = (entry.parent / name).read_bytes().splitlines(keepends=True)
    record = json.loads(lines[0])
    record["returns"][0] += 100.0
    lines[0] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    verdict = resign(entry, restate(entry, name, b"".join(lines)))
    assert failed(verdict) == "records"
    assert f"{name}:2" in verdict.checks[-1].detail


def test_a_results_table_that_does_not_follow_from_the_runs_is_refused(entry):
    statement = statement_of(entry)
    run_of(statement)["score"] = 1000.0
    table = table_of(statement)
    assert failed(resign(entry, restate(entry, "results.csv", table))) == "scores"


def test_a_level_is_data_not_prose():
    spoken = Check("reeval", "passed", "policies repeated; this is level L2", level="L1")
    assert Verdict("entry", [spoken]).level == "L1"
    assert Verdict("entry", [Check("reeval", "passed", "L2, they say")]).level == "L0"
    assert Verdict("entry", [Check("reeval", "failed", "refused", level="L2")]).level == "L0"


def test_what_strangers_wrote_cannot_steer_a_terminal(entry):
    name = f"{FOLDER}/records.jsonl"
    verdict = resign(
        entry, restate(entry, name, b'{"kind": "final", "\\u001b[2J\\n::error::": 1}\n')
    )
    assert failed(verdict) == "records"
    assert r"\x1b[2J\n::error::: unknown key" in verdict.checks[-1].detail
    assert all(check.detail.isprintable() for check in verdict.checks)


def test_with_a_trust_file_only_known_keys_pass(entry, tmp_path):
    mine = keys.generate(tmp_path / "mine.pem")
    trust = trust_file(tmp_path, trusted(mine, roles=["submitter"]))

    # Signed by a known key.
    resign(entry, lambda s: None, mine)
    verdict = verify(entry, trust)
    assert verdict.accepted
    assert check_of(verdict, "key").detail == "me"
    assert check_of(verify(entry), "key").status == "unknown"

    # And by a stranger's.
    resign(entry, lambda s: None, keys.one_use_key())
    assert failed(verify(entry, trust)) == "key"


def test_verify_loads_neither_torch_nor_a_simulator(tiny_entry):
    script = (
        "import sys; from pathlib import Path; from leaderboard.verification.verify import verify;"
        f"assert verify(Path({str(tiny_entry)!r})).accepted;"
        "print(sorted({'torch', 'envpool', 'mujoco', 'scipy'} & set(sys.modules)))"
    )
    python = [sys.executable, "-c", script]
    done = subprocess.run(python, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
