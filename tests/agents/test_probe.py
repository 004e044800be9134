"""What a probe of MR.Q looks at: which rows, which layers, and that nothing else depends on it."""

import torch

from agents.diagnostics.figures import FEW, ROWS, diagnose
from helpers.toy import SMALL, TASK, Loop

HEADS = ("zsa.out", "model")
"""Layers of the encoder without an activation."""


def features(loop):
    """The features of every module at the probe's rows."""
    return {name: probe.features for name, probe in loop.agent.probe().items()}


def test_rows_of_a_probe_do_not_depend_on_priorities():
    # Drawn by priority, they were what the critic predicts badly: other rows under every regime.
    loop, twin = (Loop([0, 1], ["dense", "mst"]).run(90) for _ in range(2))
    rows = torch.arange(80).expand(2, -1)
    twin.agent.replay.update_priority(rows, torch.linspace(1.0, 500.0, 80).expand(2, -1))
    others = features(twin)
    for name, expected in features(loop).items():
        assert torch.equal(others[name], expected), name


def test_the_encoders_units_are_those_of_all_its_hidden_layers():
    # Was: those of zs alone.
    probe = Loop([0], ["dense"]).run(90).agent.probe()["encoder"]
    layers, _ = SMALL.shapes(TASK)["encoder"]
    hidden = [layer for layer in layers if layer.name not in HEADS]
    assert [layer.name for layer in hidden if layer.part != "zs"] == ["za", "zsa.0", "zsa.1"]

    widths = sorted(layer.fan_out for layer in hidden)
    assert sorted(units.shape[-1] for units in probe.pre_activations) == widths
    assert sorted(units.shape[-1] for units in probe.activations) == widths


def test_dead_units_of_the_action_embedding_and_of_zsa_are_dormant():
    loop = Loop([0], ["dense"]).run(90)
    before = diagnose(loop.agent.modules(), loop.agent.probe())[0]["encoder"]["dormant_ratio"]
    encoder = loop.agent.learner.trained["encoder"].parameters
    with torch.no_grad():
        for name in ("za", "zsa.1"):
            encoder[f"{name}.weight"][..., :4] = 0.0
            encoder[f"{name}.bias"][..., :4] = 0.0
    after = diagnose(loop.agent.modules(), loop.agent.probe())[0]["encoder"]["dormant_ratio"]

    # Four units of each of two layers, of all units of zs, za and zsa.
    units = 3 * SMALL.width + SMALL.za_dim + 2 * SMALL.width
    assert before == 0.0
    assert after == 8 / units


def test_traced_layers_are_those_that_the_network_computes():
    loop = Loop([0], ["dense"], blocks={"encoder": "T3"}).run(90)
    algorithm = loop.agent.algorithm
    encoder = loop.agent.learner.trained["encoder"].parameters
    zs, action = torch.randn(1, 5, SMALL.zs_dim), torch.rand(1, 5, TASK.action)
    trace = []
    zsa = algorithm.networks.joint_embedding(zs, action, encoder, trace)
    assert torch.equal(zsa, algorithm.networks.joint_embedding(zs, action, encoder))

    za, first, second = trace
    expected = first.input @ encoder["zsa.0.weight"] + encoder["zsa.0.bias"]
    torch.testing.assert_close(first.output, expected)
    assert torch.equal(first.input, torch.cat([zs, za.activation], -1))
    assert torch.equal(second.input, first.activation)


def test_figures_of_a_member_depend_on_neither_its_place_nor_its_neighbours():
    # Was: cosines of a dense member were rounded otherwise beside a sparse one.
    (_, expected) = figures([0, 1], ["dense", "dense"])
    assert figures([0, 1], ["mst", "dense"])[1] == expected
    assert figures([1, 0], ["dense", "mst"])[0] == expected


def figures(keys, regimes):
    """The figures of every member."""
    agent = Loop(keys, regimes).run(90).agent
    return diagnose(agent.modules(), agent.probe())


def test_a_rank_on_all_rows_is_not_held_down_by_the_few():
    assert FEW < ROWS
    probe = Loop([0], ["dense"]).run(90).agent.probe()["critic"]
    assert probe.features.shape[-2] == ROWS
