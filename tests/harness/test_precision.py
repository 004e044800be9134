"""Precisions of matrix products."""

from pathlib import Path

import pytest
import torch

from harness.entries.reeval import reevaluate
from harness.errors import NonConforming
from harness.run import Request, execute
from harness.training.precision import prepare, product_type
from helpers.suites import TINY
from helpers.toy import Loop
from leaderboard.formats.keys import one_use_key


def test_products_in_bfloat16_learn_alike_with_parameters_in_float32():
    exact, rough = (
        Loop([0, 1], ["dense", "mst"]).run(120),
        Loop([0, 1], ["dense", "mst"], products=torch.bfloat16).run(120),
    )
    assert rough.agent.learner.parameters["critic"].flat.dtype == torch.float32
    a, b = (loop.agent.learner.parameters["critic"].flat.detach() for loop in (exact, rough))
    assert not torch.equal(a, b)
    assert torch.nn.functional.cosine_similarity(a, b, dim=0) > 0.99
    again = Loop([0, 1], ["dense", "mst"], products=torch.bfloat16).run(120)
    assert torch.equal(b, again.agent.learner.parameters["critic"].flat), (
        "and are the same each time"
    )
    dead = ~rough.agent.learner.parameters["critic"].mask
    assert not rough.agent.learner.parameters["critic"].flat.detach()[dead].any()


def test_an_update_sees_the_parameters_of_the_moment():
    """A cast that is cached would go on with the critic of before its own step."""
    agent = Loop([0], ["dense"], products=torch.bfloat16).run(80).agent
    zsa = torch.randn(1, 4, agent.algorithm.settings.zsa_dim)
    with torch.no_grad():
        before = agent.algorithm.networks.q_values(
            zsa, agent.learner.parameters["critic"].parameters
        )
        agent.learner.parameters["critic"].flat.add_(0.5)
        assert not torch.equal(
            before,
            agent.algorithm.networks.q_values(zsa, agent.learner.parameters["critic"].parameters),
        )


def test_tf32_is_refused_without_cuda():
    with pytest.raises(NonConforming, match="tf32 needs a CUDA device"):
        prepare("tf32", "cpu", deterministic=False)
    assert product_type("float32") is None


def test_a_run_in_bfloat16_says_so_and_can_be_re_evaluated(tmp_path):
    suite = tmp_path / "rough.yaml"
    suite.write_text(TINY + "precision: bfloat16\n")
    request = Request(str(suite), tmp_path / "out", executor="inline")
    entry = execute(request, one_use_key()).summary.entry
    found = reevaluate(Path(entry), one_use_key())
    assert found.accepted, found.defects
    assert all(check.repeated for check in found.runs)
