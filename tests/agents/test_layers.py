"""Layers and blocks over a group axis, against torch's own."""

import math

import pytest
import torch
import torch.nn.functional as F

from agents.members.blocks import BLOCKS, RESIDUALS, Linear, block_type
from agents.members.layers import Layout, final_norm, hidden, mlp, xavier_uniform
from agents.members.module import AdamWSettings, Module


def parameters(groups, *linears, seed=0):
    """Random parameters of layers, as views [groups, ...]."""
    generator = torch.Generator().manual_seed(seed)
    layout = Layout(linears, groups)
    return layout.views(torch.randn(layout.size, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_what_its_table_row_says(name):
    block, p = BLOCKS[name], parameters(3, Linear("l", 5, 5))
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    output = hidden(x, p, "l", block)
    for group in range(3):
        z = x[group] @ p["l.weight"][group] + p["l.bias"][group]
        z = F.layer_norm(z, (5,)) if name in ("T3", "T4", "T5", "T6") else z
        y = torch.relu(z) if name in ("T1", "T3", "T5") else F.elu(z)
        y = x[group] + y if name in ("T5", "T6") else y
        torch.testing.assert_close(output[group], y, rtol=1e-12, atol=1e-12)


def test_the_residual_is_left_out_where_widths_differ():
    p = parameters(1, Linear("l", 5, 6))
    x = torch.randn(1, 4, 5, dtype=torch.float64)
    assert torch.equal(hidden(x, p, "l", BLOCKS["T6"]), hidden(x, p, "l", BLOCKS["T4"]))


def test_the_post_layer_residual_goes_through_norm_and_activation():
    p, x = parameters(1, Linear("l", 5, 5)), torch.randn(1, 4, 5, dtype=torch.float64)
    z = torch.baddbmm(p["l.bias"], x, p["l.weight"])
    expected = F.elu(F.layer_norm(z + x, (5,)))
    post = block_type("T6", {"residual": "post"})
    torch.testing.assert_close(hidden(x, p, "l", post), expected, rtol=1e-12, atol=1e-12)


def test_a_type_without_a_residual_ignores_how_residuals_are_built():
    others = {key: values[-1] for key, values in RESIDUALS.items()}
    defaults = {key: values[0] for key, values in RESIDUALS.items()}
    for name, block in BLOCKS.items():
        assert (block_type(name, others) == block) == (block.residual == "none")
        assert block_type(name, defaults) == block_type(name) == block


@pytest.mark.parametrize(("shortcuts", "first"), [("all", "T6"), ("inner", "T4")])
def test_inner_shortcuts_leave_out_the_first_layer_of_an_mlp(shortcuts, first):
    layers = [Linear(f"m.{index}", 4, 4) for index in range(3)]
    p, x = parameters(1, *layers), torch.randn(1, 5, 4, dtype=torch.float64)
    expected = hidden(x, p, "m.0", BLOCKS[first])
    for name in ("m.1", "m.2"):
        expected = hidden(expected, p, name, BLOCKS["T6"])
    assert torch.equal(mlp(x, p, "m", 3, block_type("T6", {"shortcuts": shortcuts})), expected)


def test_the_final_norm_is_of_each_row_and_changes_no_hidden_layer():
    p, x = parameters(1, Linear("m.0", 4, 4)), torch.randn(1, 5, 4, dtype=torch.float64)
    ends, goes_on = (block_type("T6", {"final_norm": kind}) for kind in ("layer", "none"))
    assert torch.equal(mlp(x, p, "m", 1, ends), mlp(x, p, "m", 1, goes_on))
    torch.testing.assert_close(final_norm(x, ends), F.layer_norm(x, (4,)))
    assert torch.equal(final_norm(x, goes_on), x)


def test_a_trace_holds_what_went_through_each_layer():
    p = parameters(2, Linear("m.0", 3, 4), Linear("m.1", 4, 4))
    x, trace = torch.randn(2, 6, 3, dtype=torch.float64), []
    mlp(x, p, "m", 2, BLOCKS["T6"], trace)
    assert [layer.name for layer in trace] == ["m.0", "m.1"]
    torch.testing.assert_close(trace[0].output, torch.baddbmm(p["m.0.bias"], x, p["m.0.weight"]))
    torch.testing.assert_close(
        trace[1].input, trace[0].activation, msg="widths differ: no shortcut into the second layer"
    )


def test_initial_weights_fill_the_xavier_bound_with_gain_sqrt_two():
    weights = xavier_uniform(Linear("l", 300, 100), 2, torch.Generator().manual_seed(1))
    bound = math.sqrt(2) * math.sqrt(6 / 400)
    assert weights.shape == (2, 300, 100)
    assert 0.99 * bound < weights.abs().max() <= bound
    assert abs(float(weights.mean())) < 0.01 * bound * 3


def test_flat_vector_and_views_are_the_same_memory():
    layout = Layout([Linear("a", 2, 3), Linear("b", 3, 1)], 2)
    flat = torch.arange(float(layout.size))
    views = layout.views(flat)
    views["b.weight"][1] = -1.0
    assert (flat == -1.0).sum() == 3
    assert torch.equal(
        layout.per_group(flat * 0 + 1, lambda v: v.sum(1)), torch.full((2,), 2 * 3 + 3 + 3 + 1.0)
    )
    assert float(layout.expand(torch.tensor([1.0, 2.0])).sum()) == 13 * 1 + 13 * 2


def test_a_module_has_one_copy_of_itself_unless_more_are_asked_for():
    def shape(*copies):
        generators = [torch.Generator() for _ in range(3)]
        module = Module([Linear("a", 4, 2)], generators, AdamWSettings(1e-3), *copies)
        return tuple(module.parameters["a.weight"].shape)

    assert shape() == (3, 4, 2)
    assert shape(2) == (6, 4, 2)


def test_the_norm_of_a_gradient_is_that_of_the_active_weights():
    module = Module([Linear("a", 4, 2)], [torch.Generator()], AdamWSettings(1e-3))
    gradient = torch.full_like(module.target, 3.0)
    assert module.gradient_norm(gradient).tolist() == pytest.approx([3.0 * math.sqrt(10.0)])

    module.keep = torch.ones_like(module.target)
    module.keep[:6] = 0.0
    assert module.gradient_norm(gradient).tolist() == pytest.approx([6.0])
