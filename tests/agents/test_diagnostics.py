"""Diagnostics of features made by hand."""

import math

import pytest
import torch

from agents.diagnostics.figures import (
    diagnose,
    dormant_ratio,
    effective_rank,
    eigenvalues,
    eigenvalues_in_threads,
    interference,
    singular_values,
    srank,
    stable_rank,
    zero_share,
)
from agents.diagnostics.interference import sample_cosines
from agents.diagnostics.names import FIGURES, OF_SAMPLES
from agents.mrq import losses
from harness.training.failure_signatures import new_signatures
from helpers.toy import OBSERVATION, Loop, assert_same


def test_srank_counts_the_singular_values_that_hold_99_percent():
    features = torch.zeros(3, 8, 4)
    features[0, 0, 0] = 5.0  # rank one
    features[1, range(4), range(4)] = torch.tensor([1.0, 1.0, 1.0, 1.0])  # four equal values
    # 99.5 of 100 in the first two
    features[2, range(4), range(4)] = torch.tensor([50.0, 49.5, 0.4, 0.1])
    assert srank(singular_values(features)).tolist() == [1, 4, 2]


def test_srank_of_features_that_are_not_finite_is_zero_and_spares_the_neighbours():
    features = torch.eye(4).repeat(2, 1, 1)
    features[0, 0, 0] = float("nan")
    assert srank(singular_values(features)).tolist() == [0, 4]


def test_a_network_that_diverged_is_not_called_awake():
    layer = torch.ones(1, 16, 4)
    layer[0, 3, 1] = math.inf
    assert dormant_ratio([layer], 0.1).isnan()
    assert zero_share([layer]).isnan()


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


def test_the_share_of_zeros_counts_every_unit_on_every_row():
    wide = torch.ones(1, 8, 3)
    wide[:, :4, 0] = 0.0  # half of the rows of one of four units
    narrow = torch.zeros(1, 8, 1)
    assert float(zero_share([wide])) == pytest.approx(4 / 24)
    assert float(zero_share([wide, narrow])) == pytest.approx((4 + 8) / 32)
    assert float(zero_share([torch.full((1, 8, 3), -1e-30)])) == 0.0, "small is not zero"


def test_features_of_relu_are_sparse_and_those_of_elu_are_not():
    agent = Loop([0], ["dense"], blocks={"actor": "T3"}).run(90).agent
    (figures,) = diagnose(agent.modules(), agent.probe())
    assert 0.25 < figures["actor"]["zero_activations"] < 0.75
    assert figures["encoder"]["zero_activations"] == figures["critic"]["zero_activations"] == 0.0


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


def test_eigenvalues_are_the_same_to_the_bit_in_threads():
    features = torch.randn(3, 2, 90, 70, generator=torch.Generator().manual_seed(1)).double()
    gram = features.mT @ features
    assert torch.equal(eigenvalues_in_threads(gram), eigenvalues(gram))


def test_interference_in_three_numbers():
    cosines = torch.tensor([[1.0, 0.5, -0.5], [0.5, 1.0, -0.2], [-0.5, -0.2, 1.0]])
    figures = {name: float(value) for name, value in interference(cosines).items()}
    assert figures == pytest.approx(
        {"gradient_cosine": -0.2 / 3, "gradient_cosine_size": 1.2 / 3, "gradient_conflicts": 2 / 3},
        abs=1e-6,
    )


SAMPLES = 6


def critic_losses(agent, observation):
    """A loss of each sample, and the trace of the critic's layers."""
    encoder = agent.learner.trained["encoder"].parameters
    networks, trace = agent.algorithm.networks, []
    zs = networks.state_embedding(observation, encoder)
    zsa = networks.joint_embedding(zs, observation[..., :2], encoder).detach()
    q = networks.q_values(zsa, agent.learner.trained["critic"].parameters, trace)
    return losses.critic_loss(q, observation[..., 0]), trace


def actor_losses(agent, observation):
    """A loss of each sample, and the trace of the actor's layers."""
    encoder = agent.learner.trained["encoder"].parameters
    networks, trace = agent.algorithm.networks, []
    zs = networks.state_embedding(observation, encoder).detach()
    _, u = networks.policy(zs, agent.learner.trained["actor"].parameters, trace)
    return u.square().sum(-1), trace


def whole_gradients(module, loss):
    """The masked gradient of each sample's loss, one vector a copy: [G, samples, parameters]."""
    single = []
    for sample in range(SAMPLES):
        parameters = list(module.parameters.values())
        parts = torch.autograd.grad(loss[:, sample].sum(), parameters, retain_graph=True)
        flat = torch.cat([part.reshape(-1) for part in parts])
        if module.keep is not None:
            flat = flat * module.keep
        views = module.layout.views(flat).values()
        single.append(torch.cat([view.reshape(module.layout.groups, -1) for view in views], 1))
    return torch.stack(single, 1)


@pytest.mark.parametrize(
    ("name", "losses_of"), [("critic", critic_losses), ("actor", actor_losses)]
)
@pytest.mark.parametrize("regime", ["dense", "mst"])
def test_cosines_are_those_of_whole_gradients_of_single_samples(
    regime, name, losses_of, monkeypatch
):
    monkeypatch.setattr("agents.diagnostics.interference.AT_A_TIME", 100)  # in many small parts
    agent = Loop([0, 1], [regime, "sst"], dtype=torch.float64).run(90).agent
    generator = torch.Generator().manual_seed(3)
    observation = torch.randn(2, SAMPLES, OBSERVATION, dtype=torch.float64, generator=generator)

    module = agent.learner.trained[name]
    loss, trace = losses_of(agent, observation)
    cosines = sample_cosines(module, loss, trace, SAMPLES)
    directions = torch.nn.functional.normalize(whole_gradients(module, loss), dim=-1)
    expected = (directions @ directions.mT).view(2, module.copies, SAMPLES, SAMPLES)
    torch.testing.assert_close(cosines, expected, rtol=1e-7, atol=1e-7)


def test_figures_are_there_for_every_module_and_probing_changes_nothing():
    loop, twin = (Loop([0, 1], ["dense", "dst"]).run(90) for _ in range(2))
    probes = loop.agent.probe()
    for member, figures in enumerate(diagnose(loop.agent.modules(), probes)):
        assert set(figures["encoder"]) == set(FIGURES)
        assert set(figures["critic"]) == set(figures["actor"]) == {*FIGURES, *OF_SAMPLES}
        for of_module in figures.values():
            logarithm = of_module.pop("gradient_norm_log")
            assert logarithm == pytest.approx(math.log(of_module["gradient_norm"]))
            assert all(value is not None and value >= -1.0 for value in of_module.values())
        assert figures["critic"]["density"] == pytest.approx([1.0, 0.4][member], abs=0.01)

    loop.run(60)
    twin.run(60)
    assert_same(loop.member(1), twin.member(1))


def evaluation(step, srank, dormant, mean):
    """A record of an evaluation, as far as failure signatures read it."""
    diagnostics = {"encoder": {"srank_4096": srank}, "critic": {"dormant_ratio": dormant}}
    return {"agent_step": step, "returns": [mean, mean], "diagnostics": diagnostics}


def test_failure_signatures_show_once_and_where_they_should():
    calm = [evaluation(step, 100, 0.1, 200.0 + step) for step in range(6)]
    assert new_signatures(calm, []) == []

    # Half of the encoder's rank is gone.
    assert new_signatures([*calm, evaluation(6, 49, 0.1, 206.0)], []) == [
        {"name": "encoder-rank-collapse", "agent_step": 6, "value": 0.49}
    ]

    # Too many dormant units; said once.
    dormant = [*calm, evaluation(6, 100, 0.21, 206.0)]
    assert [signature["name"] for signature in new_signatures(dormant, [])] == ["critic-dormant"]
    assert new_signatures(dormant, ["critic-dormant"]) == []

    # Returns that go up and down.
    shaken = [evaluation(step, 100, 0.1, 300.0 * (step % 2)) for step in range(5)]
    signatures = new_signatures([evaluation(0, 100, 0.1, 20.0), *shaken], [])
    assert [signature["name"] for signature in signatures] == ["actor-variance"]


def test_nothing_is_measured_before_learning():
    assert new_signatures([{"agent_step": 0, "returns": [1.0], "diagnostics": {}}], []) == []
