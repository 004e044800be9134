"""Re-evaluation: honest policies repeat to the bit, others are refused; nothing of a submission is
run."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.entries import policies, reeval, rollout
from harness.entries.policies import Unreadable, load_policies
from harness.entries.reeval import reevaluate
from harness.entries.verified import Refused
from helpers.forge import forge_returns, resign, resign_files
from leaderboard.formats.keys import one_use_key
from leaderboard.statistics import inflation
from leaderboard.verification.verify import verify

POLICY = ("encoder.safetensors", "actor.safetensors")


def policy(entry, regime, file="actor.safetensors"):
    return entry.parent / f"runs/cartpole-swingup/{regime}/0/{file}"


def test_an_honest_entry_repeats_to_the_bit_and_becomes_l1(entry):
    found = reevaluate(entry, one_use_key())
    assert found.accepted, found.defects
    assert (found.level, found.same_platform) == ("L1", True)
    assert all(check.repeated for check in found.runs) and len(found.runs) == 4
    verdict = verify(entry, reeval=found.statement)
    assert verdict.accepted and verdict.level == "L1"
    assert verify(entry).level == "L0"


def test_raised_returns_are_refused_on_the_same_machine(entry):
    forge_returns(entry.parent, lambda values: [1.15 * value for value in values])
    found = reevaluate(entry, one_use_key())
    assert not found.accepted and found.level == "L0"
    assert len([d for d in found.defects if "on the same kind of machine" in d]) == 4
    assert verify(entry, reeval=found.statement).checks[-1].detail.endswith("refused this entry")


def test_another_runs_policy_is_refused(entry):
    for file in POLICY:
        shutil.copyfile(policy(entry, "dense", file), policy(entry, "mst", file))
    rewritten(entry, "mst")
    found = reevaluate(entry, one_use_key())
    assert [defect.partition(":")[0] for defect in found.defects] == ["cartpole-swingup/mst/0"]


def rewritten(entry, regime):
    """Sign again, the policy pruned to the forger's masks: what `verify` audits is not what is
    tested here."""
    masks = load_file(policy(entry, regime, "masks.safetensors"))
    for file in POLICY:
        mine = load_file(policy(entry, regime, file))
        module = file.removesuffix(".safetensors")
        for name in [name for name in mine if name.endswith(".weight")]:
            bits = np.unpackbits(masks[f"last/{module}/{name}"], count=mine[name].size)
            mine[name] = mine[name] * bits.reshape(mine[name].shape).astype(mine[name].dtype)
        save_file(mine, policy(entry, regime, file))
    resign_files(entry.parent, POLICY)


def elsewhere(entry):
    """Let the entry say that it comes from another kind of machine."""

    def change(statement):
        statement["predicate"]["hardware"]["cpu"] = "another"

    assert resign(entry, change).accepted


def test_on_another_machine_honest_policies_pass_and_raised_ones_do_not(entry):
    elsewhere(entry)
    found = reevaluate(entry, one_use_key())
    assert found.accepted and not found.same_platform
    forge_returns(entry.parent, lambda values: [value + 300.0 for value in values])
    found = reevaluate(entry, one_use_key())
    assert not found.accepted
    assert "claims" in found.defects[0] or "all runs together" in found.defects[0]


def test_retraining_gives_the_same_records_and_l2(entry):
    found = reevaluate(entry, one_use_key(), retrain=2)
    assert (found.accepted, found.level) == (True, "L2")
    assert [again.repeated for again in found.retrained] == [True, True]
    assert verify(entry, reeval=found.statement).level == "L2"


def test_a_longer_trained_policy_is_found_by_retraining(entry, monkeypatch):
    """Its claimed returns are its own, so only training again tells."""
    monkeypatch.setattr(rollout, "_check", lambda trial, members, claimed: [])
    forge_returns(entry.parent, lambda values: [value + 1.0 for value in values])
    found = reevaluate(entry, one_use_key(), retrain=4)
    assert len([defect for defect in found.defects if "trained again" in defect]) == 4


@pytest.mark.parametrize("what", ["shape", "name", "type", "bytes", "large"])
def test_tensors_that_do_not_fit_are_not_loaded(entry, what):
    path = policy(entry, "dense", "encoder.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("zs.0.weight"))
    if what == "shape":
        tensors[name] = np.zeros((1, 7, 7), dtype=np.float32)
    elif what == "name":
        tensors["other.weight"] = tensors.pop(name)
    elif what == "type":
        tensors = {key: value.astype(np.float64) for key, value in tensors.items()}
    elif what == "large":
        tensors["padding"] = np.zeros(1 << 20, dtype=np.float32)
    save_file(tensors, path)
    if what == "bytes":
        path.write_bytes(b"\x80\x04\x95 a pickle")
    plan = reeval.read_plan(entry.parent / "plan.json")
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
    found = reevaluate(entry, one_use_key(), tmp_path / "reeval.dsse.json")
    forge_returns(entry.parent, lambda values: values)
    verdict = verify(entry, reeval=found.statement)
    assert (verdict.accepted, verdict.checks[-1].detail.endswith("is about another entry")) == (
        False,
        True,
    )
    document = json.loads(found.statement.read_bytes())
    document["payload"] = document["payload"][:-8] + "AAAAAAA="
    found.statement.write_text(json.dumps(document))
    assert not verify(entry, reeval=found.statement).accepted


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
    command = [sys.executable, "-P", "-m", "harness.cli", "reeval", str(entry)]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert "L1, accepted" in good.stdout
    checked = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "harness.cli", "verify", str(entry)),
            *("--reeval", str(entry.parent / "reeval.dsse.json")),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "accepted, L1" in checked.stdout
    forge_returns(entry.parent, lambda values: [1.15 * value for value in values])
    bad = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert bad.returncode == 4
    assert json.loads(bad.stdout)["accepted"] is False
