"""The canary: a short run that changes whenever environments, learning or evaluation do."""

import os
import shutil
from pathlib import Path

import pytest

import envs
from agents.catalog import AGENTS
from agents.mrq import losses
from harness.training import canary
from harness.training.evaluation import Evaluator
from leaderboard.formats.records import learning_curves, parse_chain


@pytest.fixture(scope="module")
def digest():
    """The digest of the code as it is."""
    return canary.canary("mrq")


def test_the_canary_is_the_same_twice(digest):
    assert canary.canary("mrq") == digest


def test_it_sees_a_changed_loss(digest, monkeypatch):
    real = losses.q_target
    monkeypatch.setattr(losses, "q_target", lambda *arguments: 0.999 * real(*arguments))
    assert canary.canary("mrq") != digest


def test_it_sees_an_environment_that_pays_half(digest, monkeypatch, tmp_path):
    """A canary on made-up transitions once called that bit-identical."""
    copy = shutil.copytree(Path(envs.__file__).parent, tmp_path / "envs") / "pool.py"
    text = copy.read_text()
    assert text.count("reward[rows] += rewards") == 1
    copy.write_text(text.replace("reward[rows] += rewards", "reward[rows] += 0.5 * rewards"))

    # The worker's process takes the changed folder.
    paths = (str(tmp_path), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    assert canary.canary("mrq") != digest


def test_it_sees_another_number_of_evaluation_episodes(digest, monkeypatch):
    make = Evaluator.__init__

    def one_more_round(evaluator, worker, task, seeds, episodes, *others):
        make(evaluator, worker, task, seeds, episodes + len(seeds[0]), *others)

    monkeypatch.setattr(Evaluator, "__init__", one_more_round)
    assert canary.canary("mrq") != digest


@pytest.mark.parametrize("agent", AGENTS)
def test_it_trains_rewires_and_evaluates_as_every_run_does(agent, tmp_path):
    plan = canary.short_plan(agent)
    assert plan.agent == agent
    canary.carry_out(plan, tmp_path)
    assert len(list((tmp_path / "cohorts").iterdir())) == 1, "both regimes in one cohort"

    for curve in learning_curves(plan.runs, lambda name: (tmp_path / name).read_bytes()):
        learned = [record for record in curve.evaluations if record.agent_step > 0]
        assert len(learned) == 2
        assert max(learned[-1].rewires.values()) > 0
        path = tmp_path / "runs" / curve.run.name / "records.jsonl"
        assert parse_chain(path.read_bytes(), path.name).last.kind == "final"
