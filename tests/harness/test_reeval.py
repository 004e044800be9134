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
from harness.entries.reeval import reevaluate, verdict_lines
from harness.entries.verified import Refused, verified
from harness.errors import UserError
from harness.planning.plan import read_plan
from helpers.forge import check_of, forge_returns, resign_files
from helpers.program import call
from helpers.rollouts import measured
from helpers.trust import CURATOR, SUBMITTER, trust_of
from leaderboard.formats import keys
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify

POLICY = ("encoder.safetensors", "actor.safetensors")
ANOTHER = {"architecture": "x86_64", "cpu": "another", "cpu_flags": [], "cores": 2, "gpus": []}
"""Hardware that bits do not repeat on."""


def policy(entry, regime, file="actor.safetensors"):
    """A file of tensors of one run."""
    return entry.parent / f"runs/cartpole-swingup/{regime}/0/{file}"


def test_an_honest_entry_repeats_to_the_bit_and_becomes_l1(submitted, trust):
    outcome = reevaluate(submitted, CURATOR, trust=trust)
    stated = outcome.stated
    assert stated.accepted, stated.defects
    assert (stated.level, stated.differs, stated.fresh_episodes) == ("L1", (), 4)
    assert all(run.repeated for run in stated.runs) and len(stated.runs) == 4
    assert {cell.cell for cell in stated.cells} == {
        run.run.rpartition("/")[0] for run in stated.runs
    }
    assert list(verdict_lines(outcome))[-1].endswith("L1, accepted")

    # The fresh means are what counts, once a trusted key says them.
    entry = verified(submitted.parent, trust)
    assert entry.verdict.level == "L1"
    assert entry.fresh == {run.run: run.fresh for run in stated.runs}

    # Without trust it says nothing: anybody can sign.
    verdict = verify(submitted, reeval=outcome.path)
    assert (verdict.accepted, verdict.level) == (True, "L0")
    assert check_of(verdict, "reeval").status == "unknown"
    assert verdict.documents.reeval is None


def test_raised_returns_are_refused_on_the_same_machine(entry):
    forge_returns(entry.parent, lambda values: [1.15 * value for value in values])
    outcome = reevaluate(entry, one_use_key())
    assert not outcome.stated.accepted and outcome.stated.level == "L0"
    others = [defect for defect in outcome.stated.defects if "returns other bits" in defect]
    assert len(others) == 4
    verdict = verify(entry, reeval=outcome.path)
    assert "refused this entry: cartpole-swingup/" in verdict.checks[-1].detail
    assert any(line.startswith("REFUSED: ") for line in verdict_lines(outcome))


def test_another_runs_policy_is_refused(entry):
    for file in POLICY:
        shutil.copyfile(policy(entry, "dense", file), policy(entry, "mst", file))
    rewritten(entry, "mst")
    outcome = reevaluate(entry, one_use_key())
    refused = {defect.partition(":")[0] for defect in outcome.stated.defects}
    assert "cartpole-swingup/mst/0" in refused
    assert refused <= {"cartpole-swingup/mst/0", "cartpole-swingup/mst"}


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: 999.0, "too high"),
        (lambda value: 0.0, "too low"),
    ],
)
def test_a_word_about_the_hardware_excuses_other_bits_and_nothing_else(
    entry, monkeypatch, change, words
):
    """Scores of 999 for policies worth 32 once passed, as the machine was called another."""
    monkeypatch.setattr(reeval, "roll_out", measured(verified(entry.parent).runs))
    forge_returns(entry.parent, lambda values: values, {"hardware": ANOTHER})
    stated = reevaluate(entry, one_use_key()).stated
    assert stated.accepted, stated.defects
    assert "the entry names CPU another" in stated.differs[0]

    forge_returns(entry.parent, lambda values: [change(value) for value in values])
    stated = reevaluate(entry, one_use_key()).stated
    assert (stated.accepted, stated.level) == (False, "L0")
    assert all(words in defect for defect in stated.defects)


def test_an_entry_is_not_re_evaluated_with_its_own_key(submitted):
    with pytest.raises(UserError, match="signed with this very key") as refusal:
        reevaluate(submitted, SUBMITTER)
    assert refusal.value.code == 2


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

    def read(name):
        return (entry.parent / name).read_bytes()

    plan = read_plan(entry.parent / "plan.json")
    with pytest.raises(Unreadable, match=r"encoder\.safetensors"):
        load_policies(read, plan, [run for run in plan.runs if run.regime == "dense"])


def test_a_plan_of_monstrous_networks_is_refused_before_memory_is_gone(entry, monkeypatch):
    monkeypatch.setattr(policies.resources, "memory_gib", lambda: 1e-6)
    with pytest.raises(Unreadable, match="more than there is memory for"):
        reevaluate(entry, one_use_key())


def test_an_entry_that_does_not_verify_is_not_rolled_out(entry):
    policy(entry, "dense").write_bytes(b"")
    with pytest.raises(Refused):
        reevaluate(entry, one_use_key())


def test_exit_codes_of_the_command(submitted, trust, tmp_path, monkeypatch):
    monkeypatch.setattr(reeval, "roll_out", measured(verified(submitted.parent).runs))
    curator = keys.generate(tmp_path / "curator.pem")
    accepted = call("reeval", submitted, "--key", tmp_path / "curator.pem")
    assert accepted.returncode == 0, accepted.stderr
    assert "L1, accepted" in accepted.stdout

    # A key that is not known for it makes an entry no better, and no trust file makes it no L1.
    beside = ("verify", submitted, "--reeval", submitted.parent / "reeval.dsse.json")
    assert "accepted, L0" in call(*beside).stdout
    assert call(*beside, "--trust", trust).returncode == 4
    trust = trust_of(tmp_path, reevaluator=curator)
    assert "accepted, L1" in call(*beside, "--trust", trust).stdout

    forge_returns(submitted.parent, lambda values: [1.15 * value for value in values])
    refused = call("reeval", submitted, "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["accepted"] is False


def test_files_that_cannot_be_read_are_one_sentence(entry, tmp_path):
    trust = tmp_path / "trust.json"
    trust.write_text("{")
    for arguments in (("absent.dsse.json",), (entry, "--trust", trust)):
        unreadable = call("reeval", *arguments)
        assert unreadable.returncode == 2
        assert len(unreadable.stderr.splitlines()) == 1
