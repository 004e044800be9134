"""A whole run, from suite file to the files it leaves."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from harness.entries.reeval import reevaluate
from harness.entries.retrain import Retraining
from harness.planning.plan import read_plan
from harness.run import Request, execute, summary
from harness.training.loop import Training
from harness.training.profiling import STEPS
from helpers.program import call
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify

REGIMES = ("dense", "sst", "dst", "mst")


def run_folder(entry, regime):
    """The folder of one run of the tiny suite."""
    return entry.parent / "runs" / "cartpole-swingup" / regime / "0"


def records(entry, regime):
    """The records of one run, oldest first."""
    lines = (run_folder(entry, regime) / "records.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


OF_A_PLAN = {
    "plan.json",
    "suite.json",
    "cohorts.json",
    "manifest.json",
    "results.csv",
    "entry.dsse.json",
    "report.html",
    "runs",
    "cohorts",
}
OF_A_RUN = {
    "records.jsonl",
    "encoder.safetensors",
    "critic.safetensors",
    "actor.safetensors",
    "masks.safetensors",
    "result.json",
    "timing.json",
}


def test_a_run_leaves_the_files_of_the_design(tiny_entry):
    assert {path.name for path in tiny_entry.parent.iterdir()} >= OF_A_PLAN
    for regime in REGIMES:
        assert {path.name for path in run_folder(tiny_entry, regime).iterdir()} == OF_A_RUN


def test_records_hold_the_curve_and_the_counts(tiny_entry):
    plan = read_plan(tiny_entry.parent / "plan.json")
    for regime in REGIMES:
        *curve, final = records(tiny_entry, regime)
        assert [record["agent_step"] for record in curve] == [0, 60, 120]
        assert {len(record["returns"]) for record in curve} == {plan.evaluation.episodes}
        assert len(final["returns"]) == plan.evaluation.final_episodes

        # From nothing learned to what was planned.
        assert curve[0]["updates"] == {"encoder": 0, "critic": 0, "actor": 0}
        assert plan.budget.updates == {"encoder": 80, "critic": 80, "actor": 80}
        assert curve[-1]["updates"] == plan.budget.updates
        assert curve[-1]["rewires"]["critic"] == (5 if regime in ("dst", "mst") else 0)


def test_records_hold_the_diagnostics(tiny_entry):
    plan = read_plan(tiny_entry.parent / "plan.json")
    for regime in REGIMES:
        last = records(tiny_entry, regime)[-2]
        for module, figures in last["diagnostics"].items():
            sparse = plan.regimes[regime][module].distribution != "dense"
            assert figures["density"] == pytest.approx(0.4 if sparse else 1.0, abs=1e-3)
            assert 1 <= figures["srank"] <= 16
            assert 0 <= figures["dormant_ratio"] <= 1


@pytest.mark.slow
def test_a_profile_is_a_trace_of_agent_steps_and_changes_nothing(tiny_entry, tiny_suite, tmp_path):
    done = call("--suite", tiny_suite, "--device", "cpu", "--out", tmp_path, "--profile")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^time: [a-z]+ [\d.]+%.*, rest [\d.]+%$", done.stdout, re.MULTILINE)

    # The trace holds the steps, and nothing else is different.
    (trace,) = tmp_path.glob("*/cohorts/0/trace.json")
    events = json.loads(trace.read_text())["traceEvents"]
    names = {event["name"] for event in events if event.get("cat") == "user_annotation"}
    assert len([name for name in names if name.startswith("ProfilerStep")]) == STEPS
    results = trace.parents[2] / "results.csv"
    assert results.read_bytes() == (tiny_entry.parent / "results.csv").read_bytes()


def test_regimes_of_one_seed_start_alike_and_end_apart(tiny_entry):
    firsts = {regime: records(tiny_entry, regime)[0]["returns"] for regime in REGIMES}
    assert firsts["sst"] == firsts["dst"], "same weights, same masks, same start states"
    assert firsts["dense"] != firsts["sst"]
    lasts = {regime: tuple(records(tiny_entry, regime)[-1]["returns"]) for regime in REGIMES}
    assert len(set(lasts.values())) == 4


def test_saved_tensors_are_masked_and_masks_fit_their_digests(tiny_entry):
    folder = run_folder(tiny_entry, "mst")
    result = json.loads((folder / "result.json").read_bytes())
    with (
        safe_open(folder / "masks.safetensors", "np") as masks,
        safe_open(folder / "critic.safetensors", "np") as critic,
    ):
        # Where a mask is zero, so is the weight.
        weights = [name for name in critic.keys() if name.endswith(".weight")]  # noqa: SIM118
        for name in weights:
            weight = critic.get_tensor(name)
            bits = np.unpackbits(masks.get_tensor(f"last/critic/{name}"), count=weight.size)
            assert not weight[bits.reshape(weight.shape) == 0].any()

        # The chain of digests begins and ends at the masks of the result.
        digests = json.loads(masks.metadata()["digests"])
        assert result["mask_first"] == {module: chain[0] for module, chain in digests.items()}
        assert result["mask_last"] == {module: chain[-1] for module, chain in digests.items()}

    # One digest a rewire, and the stated density.
    assert len(digests["critic"]) == result["rewires"]["critic"] + 1 == 6
    assert len(digests["actor"]) == 1
    counts = result["weights"]["critic"]
    assert counts["active"] / counts["total"] == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize(
    ("module", "step"),
    [("encoder", 60), pytest.param("critic", 61, marks=pytest.mark.slow)],
)
def test_a_member_that_fails_is_counted_and_the_others_finish(
    tiny_suite, tiny_entry, tmp_path, monkeypatch, module, step
):
    """A module of one member is poisoned after step 60; its neighbours end as if untroubled.

    A poisoned encoder shows in the next action; a poisoned critic spoils the actor, which shows one
    step later.
    """
    evaluate = Training.evaluate

    def poison(training):
        evaluate(training)
        if training.step == 60:
            parameters = training.agent.modules()[module].parameters
            with torch.no_grad():
                first = next(iter(parameters.layout.views(parameters.flat).values()))
                member = [run.regime for run in training.cohort.runs].index("dst")
                first[member * parameters.copies] = float("nan")

    monkeypatch.setattr(Training, "evaluate", poison)
    request = Request(str(tiny_suite), tmp_path / "poisoned", executor="inline")
    poisoned = execute(request, one_use_key())

    # The member failed, with its reason.
    (failed,) = (run for run in poisoned.summary.runs if run.regime == "dst")
    assert failed.status == "failed"
    assert "not finite" in failed.failure.reason
    assert failed.failure.agent_step == step

    # Its neighbours are those of the untroubled run, and the entry is accepted.
    untroubled = summary(tiny_entry.parent, read_plan(tiny_entry.parent / "plan.json"))
    for run in poisoned.summary.runs:
        assert run.regime == "dst" or run in untroubled.runs
    assert poisoned.verdict.accepted
    entry = Path(poisoned.summary.entry)
    assert verify(entry).accepted

    # Whoever trains it again sees it fail, at the same step.
    stated = reevaluate(entry, one_use_key(), again=Retraining(1)).stated
    assert stated.accepted, stated.defects
    (again,) = stated.retrained
    assert (again.run, again.repeated, again.fresh) == (failed.name, True, None)
    assert stated.level == "L2"
