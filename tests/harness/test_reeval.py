"""Re-evaluation: honest policies repeat to the bit, and others are refused.

No code of a submission is run.
"""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.entries import policies, reeval
from harness.entries.policies import Unreadable, load_policies
from harness.entries.reeval import reevaluate
from harness.entries.verified import Refused
from harness.planning.plan import read_plan
from helpers.forge import forge_returns, resign, resign_files
from helpers.program import call
from leaderboard.formats.keys import one_use_key
from leaderboard.statistics import inflation
from leaderboard.verification.verify import verify

POLICY = ("encoder.safetensors", "actor.safetensors")


def policy(entry, regime, file="actor.safetensors"):
    """A file of tensors of one run."""
    return entry.parent / f"runs/cartpole-swingup/{regime}/0/{file}"


def test_an_honest_entry_repeats_to_the_bit_and_becomes_l1(entry):
    outcome = reevaluate(entry, one_use_key())
    assert outcome.accepted, outcome.defects
    assert (outcome.level, outcome.same_platform) == ("L1", True)
    assert all(check.repeated for check in outcome.runs) and len(outcome.runs) == 4
    verdict = verify(entry, reeval=outcome.statement)
    assert verdict.accepted and verdict.level == "L1"
    assert verify(entry).level == "L0"


def test_raised_returns_are_refused_on_the_same_machine(entry):
    forge_returns(entry.parent, lambda values: [1.15 * value for value in values])
    outcome = reevaluate(entry, one_use_key())
    assert not outcome.accepted and outcome.level == "L0"
    assert len([d for d in outcome.defects if "on the same kind of machine" in d]) == 4
    assert verify(entry, reeval=outcome.statement).checks[-1].detail.endswith("refused this entry")


def test_another_runs_policy_is_refused(entry):
    for file in POLICY:
        shutil.copyfile(policy(entry, "dense", file), policy(entry, "mst", file))
    rewritten(entry, "mst")
    outcome = reevaluate(entry, one_use_key())
    assert [defect.partition(":")[0] for defect in outcome.defects] == ["cartpole-swingup/mst/0"]


def rewritten(entry, regime):
    """Signs again, the policy pruned to the forger's masks, which `verify` audits."""
    masks = load_file(policy(entry, regime, "masks.safetensors"))
    for file in POLICY:
        weights = load_file(policy(entry, regime, file))
        module = file.removesuffix(".safetensors")
        for name in [name for name in weights if name.endswith(".weight")]:
            weight = weights[name]
            bits = np.unpackbits(masks[f"last/{module}/{name}"], count=weight.size)
            weights[name] = weight * bits.reshape(weight.shape).astype(weight.dtype)
        save_file(weights, policy(entry, regime, file))
    resign_files(entry.parent, POLICY)


def elsewhere(entry):
    """Let the entry say that it comes from another kind of machine."""

    def change(statement):
        statement["predicate"]["hardware"]["cpu"] = "another"

    assert resign(entry, change).accepted


def test_on_another_machine_honest_policies_pass_and_raised_ones_do_not(entry):
    elsewhere(entry)
    outcome = reevaluate(entry, one_use_key())
    assert outcome.accepted and not outcome.same_platform
    forge_returns(entry.parent, lambda values: [value + 300.0 for value in values])
    outcome = reevaluate(entry, one_use_key())
    assert not outcome.accepted
    assert "claims" in outcome.defects[0] or "all runs together" in outcome.defects[0]


@pytest.mark.slow
def test_retraining_gives_the_same_records_and_l2(entry):
    outcome = reevaluate(entry, one_use_key(), retrain=2)
    assert (outcome.accepted, outcome.level) == (True, "L2")
    assert [again.repeated for again in outcome.retrained] == [True, True]
    assert verify(entry, reeval=outcome.statement).level == "L2"


@pytest.mark.slow
def test_a_longer_trained_policy_is_found_by_retraining(entry, monkeypatch):
    """Its claimed returns are its own, so only training again tells."""
    monkeypatch.setattr(reeval, "roll_out", lambda trial, stated_runs: [])
    forge_returns(entry.parent, lambda values: [value + 1.0 for value in values])
    outcome = reevaluate(entry, one_use_key(), retrain=4)
    assert len([defect for defect in outcome.defects if "trained again" in defect]) == 4


@pytest.mark.parametrize("defect", ["shape", "name", "type", "bytes", "large"])
def test_tensors_that_do_not_fit_are_not_loaded(entry, defect):
    path = policy(entry, "dense", "encoder.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("zs.0.weight"))
    if defect == "shape":
        tensors[name] = np.zeros((1, 7, 7), dtype=np.float32)
    elif defect == "name":
        tensors["other.weight"] = tensors.pop(name)
    elif defect == "type":
        tensors = {key: value.astype(np.float64) for key, value in tensors.items()}
    elif defect == "large":
        tensors["padding"] = np.zeros(1 << 20, dtype=np.float32)
    save_file(tensors, path)
    if defect == "bytes":
        path.write_bytes(b"\x80\x04\x95 a pickle")

    plan = read_plan(entry.parent / "plan.json")
    with pytest.raises(Unreadable, match=r"encoder\.safetensors"):
        load_policies(entry.parent, plan, [run for run in plan.runs if run.regime == "dense"], 4)


def test_a_plan_of_monstrous_networks_is_refused_before_memory_is_gone(entry, monkeypatch):
    monkeypatch.setattr(policies.resources, "memory_gib", lambda: 1e-6)
    with pytest.raises(Unreadable, match="more than there is memory for"):
        reevaluate(entry, one_use_key())


def test_an_entry_that_does_not_verify_is_not_rolled_out(entry):
    policy(entry, "dense").write_bytes(b"")
    with pytest.raises(Refused):
        reevaluate(entry, one_use_key())


def test_a_re_evaluation_of_another_entry_proves_nothing(entry, tmp_path):
    outcome = reevaluate(entry, one_use_key(), tmp_path / "reeval.dsse.json")
    forge_returns(entry.parent, lambda values: values)
    verdict = verify(entry, reeval=outcome.statement)
    assert (verdict.accepted, verdict.checks[-1].detail.endswith("is about another entry")) == (
        False,
        True,
    )
    document = json.loads(outcome.statement.read_bytes())
    document["payload"] = document["payload"][:-8] + "AAAAAAA="
    outcome.statement.write_text(json.dumps(document))
    assert not verify(entry, reeval=outcome.statement).accepted


def test_the_tests_of_claims_by_hand():
    z, p = inflation.inflated([11.0, 13.0, 12.0], [1.0, 3.0, 2.0])
    assert p < 1e-3 and z > 3.0
    assert inflation.inflated([1.0, 3.0, 2.0], [11.0, 13.0, 12.0])[1] > 0.99
    assert inflation.inflated([5.0, 5.0], [5.0, 5.0]) == (0.0, 0.5)
    assert inflation.inflated([6.0, 6.0], [5.0, 5.0])[1] == 0.0
    assert inflation.inflated([6.0], [5.0]) == (0.0, 0.5), (
        "one episode alone says nothing of how much they vary"
    )
    assert inflation.pooled([1.0, 1.0, 1.0, 1.0])[0] == 2.0


def test_exit_codes_of_the_command(entry):
    accepted = call("reeval", entry)
    assert accepted.returncode == 0, accepted.stderr
    assert "L1, accepted" in accepted.stdout
    checked = call("verify", entry, "--reeval", entry.parent / "reeval.dsse.json")
    assert "accepted, L1" in checked.stdout

    forge_returns(entry.parent, lambda values: [1.15 * value for value in values])
    refused = call("reeval", entry, "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["accepted"] is False


def test_files_that_cannot_be_read_are_one_sentence(entry, tmp_path):
    trust = tmp_path / "trust.json"
    trust.write_text("{")
    for arguments in (("absent.dsse.json",), (entry, "--trust", trust)):
        unreadable = call("reeval", *arguments)
        assert unreadable.returncode == 2
        assert len(unreadable.stderr.splitlines()) == 1
