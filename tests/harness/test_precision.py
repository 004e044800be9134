"""Precisions of matrix products."""

import pytest
import torch

from harness.entries.reeval import reevaluate
from harness.errors import NonConforming
from harness.training.precision import prepare, product_type
from helpers.runs import finished_run
from helpers.suites import TINY
from helpers.toy import Loop
from leaderboard.formats.keys import one_use_key


def critic(products=None):
    """The critic of two members after 120 agent steps in a precision."""
    loop = Loop([0, 1], ["dense", "mst"], products=products).run(120)
    return loop.agent.learner.trained["critic"]


def test_products_in_bfloat16_learn_alike_with_parameters_in_float32():
    exact, rough, again = critic(), critic(torch.bfloat16), critic(torch.bfloat16)
    weights = rough.flat.detach()
    assert weights.dtype == torch.float32

    # Not the same numbers, but alike; and the same each time.
    assert not torch.equal(exact.flat, weights)
    assert torch.nn.functional.cosine_similarity(exact.flat.detach(), weights, dim=0) > 0.99
    assert torch.equal(weights, again.flat)
    assert not weights[~rough.mask].any(), "dead weights stay zero"


def test_an_update_sees_the_parameters_of_the_moment():
    """A cast that is cached would go on with the critic of before its own step."""
    agent = Loop([0], ["dense"], products=torch.bfloat16).run(80).agent
    module = agent.learner.trained["critic"]
    zsa = torch.randn(1, 4, agent.algorithm.settings.zsa_dim)
    with torch.no_grad():
        before = agent.algorithm.networks.q_values(zsa, module.parameters)
        module.flat.add_(0.5)
        after = agent.algorithm.networks.q_values(zsa, module.parameters)
    assert not torch.equal(before, after)


def test_tf32_is_refused_without_cuda():
    with pytest.raises(NonConforming, match="tf32 needs a CUDA device"):
        prepare("tf32", "cpu", deterministic=False)
    assert product_type("float32") is None


@pytest.mark.slow
def test_a_run_in_bfloat16_says_so_and_can_be_re_evaluated(tmp_path):
    suite = tmp_path / "rough.yaml"
    suite.write_text(TINY + "precision: bfloat16\n")
    entry = finished_run(suite, tmp_path / "out")
    outcome = reevaluate(entry, one_use_key())
    assert outcome.stated.accepted, outcome.stated.defects
    assert all(check.repeated for check in outcome.stated.runs)
