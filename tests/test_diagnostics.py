"""Diagnostics of features made by hand."""

import pytest
import torch

from agents.diagnostics import dormant_ratio, srank


def test_srank_counts_the_singular_values_that_hold_99_percent():
    features = torch.zeros(3, 8, 4)
    features[0, 0, 0] = 5.0  # rank one
    features[1, range(4), range(4)] = torch.tensor([1.0, 1.0, 1.0, 1.0])  # four equal values
    features[2, range(4), range(4)] = torch.tensor([50.0, 49.5, 0.4, 0.1])  # 99.5 of 100 in the first two
    assert srank(features).tolist() == [1, 4, 2]


def test_srank_of_features_that_are_not_finite_is_zero_and_spares_the_neighbours():
    features = torch.eye(4).repeat(2, 1, 1)
    features[0, 0, 0] = float("nan")
    assert srank(features).tolist() == [0, 4]


def test_dormant_units_are_those_far_below_their_layers_mean():
    layer = torch.ones(1, 16, 10)
    layer[..., :3] = 0.0  # dead
    layer[..., 3] = 0.05  # below a tenth of the layer's mean of 0.605
    layer[..., 4] = 0.07  # above it
    assert float(dormant_ratio([layer])) == pytest.approx(0.4)
    assert float(dormant_ratio([layer, torch.ones(1, 16, 10)])) == pytest.approx(0.2)


def test_signs_do_not_hide_activity():
    layer = torch.ones(1, 16, 4)
    layer[:, ::2] *= -1.0
    assert float(dormant_ratio([layer])) == 0.0
