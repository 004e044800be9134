"""Diagnostics of features made by hand."""

import math

import pytest
import torch

from agents.diagnostics.figures import (
    diagnose,
    dormant_ratio,
    effective_rank,
    interference,
    singular_values,
    srank,
    stable_rank,
)
from agents.diagnostics.interference import sample_cosines
from agents.mrq import losses
from harness.training.failure_signatures import new_signatures
from helpers.toy import OBSERVATION, Loop, assert_same


def test_srank_counts_the_singular_values_that_hold_99_percent():
    features = torch.zeros(3, 8, 4)
    features[0, 0, 0] = 5.0  # rank one
    features[1, range(4), range(4)] = torch.tensor([1.0, 1.0, 1.0, 1.0])  # four equal values
    features[2, range(4), range(4)] = torch.tensor(
        [50.0, 49.5, 0.4, 0.1]
    )  # 99.5 of 100 in the first two
    assert srank(singular_values(features)).tolist() == [1, 4, 2]


def test_srank_of_features_that_are_not_finite_is_zero_and_spares_the_neighbours():
    features = torch.eye(4).repeat(2, 1, 1)
    features[0, 0, 0] = float("nan")
    assert srank(singular_values(features)).tolist() == [0, 4]


def test_dormant_units_are_those_far_below_their_layers_mean():
    layer = torch.ones(1, 16, 10)
    layer[..., :3] = 0.0  # dead
    layer[..., 3] = 0.05  # below a tenth of the layer's mean of 0.605
    layer[..., 4] = 0.07  # above it
    assert float(dormant_ratio([layer], 0.1)) == pytest.approx(0.4)
    assert float(dormant_ratio([layer, torch.ones(1, 16, 10)], 0.1)) == pytest.approx(0.2)


def test_signs_do_not_hide_activity():
    layer = torch.ones(1, 16, 4)
    layer[:, ::2] *= -1.0
    assert float(dormant_ratio([layer], 0.1)) == 0.0


def test_ranks_of_values_by_hand():
    values = torch.tensor([[3.0, 1.0, 0.0], [2.0, 2.0, 2.0]], dtype=torch.float64)
    assert stable_rank(values).tolist() == pytest.approx([10 / 9, 3.0])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(values).tolist() == pytest.approx([math.exp(entropy), 3.0])


def test_singular_values_are_those_of_the_decomposition():
    features = torch.randn(2, 40, 12, generator=torch.Generator().manual_seed(1))
    for wide in (features, features.mT):
        expected = torch.linalg.svdvals(wide.double())
        torch.testing.assert_close(singular_values(wide), expected, rtol=1e-9, atol=1e-9)


def test_interference_in_three_numbers():
    cosines = torch.tensor([[1.0, 0.5, -0.5], [0.5, 1.0, -0.2], [-0.5, -0.2, 1.0]])
    found = {name: float(value) for name, value in interference(cosines).items()}
    assert found == pytest.approx(
        {"gradient_cosine": -0.2 / 3, "gradient_cosine_size": 1.2 / 3, "gradient_conflicts": 2 / 3},
        abs=1e-6,
    )


@pytest.mark.parametrize("regime", ["dense", "mst"])
def test_cosines_are_those_of_whole_gradients_of_single_samples(regime, monkeypatch):
    monkeypatch.setattr("agents.diagnostics.interference.AT_A_TIME", 100)  # in many small parts
    agent = Loop([0, 1], [regime, "sst"], dtype=torch.float64).run(90).agent
    n = 6
    observation = torch.randn(
        2, n, OBSERVATION, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    for module, name in (
        (agent.learner.parameters["critic"], "critic"),
        (agent.learner.parameters["actor"], "actor"),
    ):
        trace = []
        zs = agent.algorithm.networks.state_embedding(
            observation, agent.learner.parameters["encoder"].parameters
        ).detach()
        if name == "critic":
            zsa = agent.algorithm.networks.joint_embedding(
                zs, observation[..., :2], agent.learner.parameters["encoder"].parameters
            ).detach()
            q = agent.algorithm.networks.q_values(zsa, module.parameters, trace)
            loss = losses.critic_loss(q, observation[..., 0])
        else:
            _, u = agent.algorithm.networks.policy(zs, module.parameters, trace)
            loss = u.square().sum(-1)
        found = sample_cosines(module, loss, trace, n)
        single = []
        for sample in range(n):
            parts = torch.autograd.grad(
                loss[:, sample].sum(), list(module.parameters.values()), retain_graph=True
            )
            flat = torch.cat([part.reshape(-1) for part in parts]) * (
                1.0 if module.keep is None else module.keep
            )
            views = module.layout.views(flat).values()
            single.append(torch.cat([view.reshape(module.layout.groups, -1) for view in views], 1))
        whole = torch.nn.functional.normalize(torch.stack(single, 1), dim=-1)
        expected = (whole @ whole.mT).view(2, module.copies, n, n)
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


def test_figures_are_there_for_every_module_and_probing_changes_nothing():
    loop, twin = Loop([0, 1], ["dense", "dst"]).run(90), Loop([0, 1], ["dense", "dst"]).run(90)
    probes = loop.agent.probe()
    for member, found in enumerate(diagnose(loop.agent.modules(), probes)):
        for module in ("encoder", "critic", "actor"):
            assert all(value is not None and value >= -1.0 for value in found[module].values())
            wanted = {
                "srank",
                "srank_2048",
                "stable_rank",
                "effective_rank",
                "feature_norm",
                "gradient_norm",
                "parameter_norm",
            }
            wanted |= {
                "dormant_ratio",
                "dormant_ratio_02",
                "dormant_ratio_after",
                "dormant_ratio_after_02",
                "density",
                "mask_churn",
            }
            wanted |= (
                {"gradient_cosine", "gradient_cosine_size", "gradient_conflicts"}
                if module != "encoder"
                else set()
            )
            assert set(found[module]) == wanted
        assert found["critic"]["density"] == pytest.approx([1.0, 0.4][member], abs=0.01)
    loop.run(60), twin.run(60)
    assert_same(loop.member(1), twin.member(1))


def test_failure_signatures_show_once_and_where_they_should():
    def evaluation(step, srank, dormant, mean):
        found = {"encoder": {"srank": srank}, "critic": {"dormant_ratio": dormant}}
        return {"agent_step": step, "returns": [mean, mean], "diagnostics": found}

    calm = [evaluation(step, 100, 0.1, 200.0 + step) for step in range(6)]
    assert new_signatures(calm, []) == []
    assert new_signatures([*calm, evaluation(6, 49, 0.1, 206.0)], []) == [
        {"name": "encoder-rank-collapse", "agent_step": 6, "value": 0.49}
    ]
    dormant = [*calm, evaluation(6, 100, 0.21, 206.0)]
    assert [sign["name"] for sign in new_signatures(dormant, [])] == ["critic-dormant"]
    assert new_signatures(dormant, ["critic-dormant"]) == []
    shaken = [
        evaluation(0, 100, 0.1, 20.0),
        *(evaluation(step, 100, 0.1, 300.0 * (step % 2)) for step in range(5)),
    ]
    assert [sign["name"] for sign in new_signatures(shaken, [])] == ["actor-variance"]
    assert new_signatures([{"agent_step": 0, "returns": [1.0], "diagnostics": {}}], []) == [], (
        "nothing is measured before learning"
    )
