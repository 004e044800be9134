"""Hand-computed densities, schedules and rewires."""

import itertools
import math

import pytest
import torch

from agents.members.blocks import Linear
from agents.sparsity.distribution import DISTRIBUTIONS, erdos_renyi, exact_counts
from agents.sparsity.regime import ModuleRegime
from agents.sparsity.rewire import ranks, rewire
from agents.sparsity.schedule import Exchange, Move, Never, cosine_rate, cubic

LAYERS = [Linear("in", 4, 10), Linear("mid", 10, 10), Linear("out", 10, 1)]


def test_erdos_renyi_of_a_small_network_by_hand():
    # 150 weights at sparsity 0.5: 75 stay. Fans 14, 20, 11. The head's raw density 75/45 * 11/10
    # passes 1: it is dense, and 65 are shared out by fans 14 and 20. So eps is 65/34, and densities
    # are 65/34 * 14/40 and 65/34 * 20/100.
    densities = erdos_renyi(LAYERS, 0.5)
    assert densities == pytest.approx([65 / 34 * 14 / 40, 65 / 34 * 20 / 100, 1.0], abs=1e-12)

    # 26.76 and 38.24: the larger remainder rounds up.
    assert exact_counts(LAYERS, densities) == [27, 38, 10]


def test_erdos_renyi_densities_of_mrq_are_those_of_the_facts():
    # Dog at 1x, sparsity 0.6: critic hidden layers 0.600 sparse and its head dense
    critic = [*(Linear(f"q.{i}", 512, 512) for i in range(3)), Linear("q.out", 512, 1)]
    assert [round(1 - d, 3) for d in erdos_renyi(critic, 0.6)] == [0.6, 0.6, 0.6, 0.0]

    # Its encoder: the action layer is dense.
    encoder = [
        Linear("zs.0", 223, 512),
        Linear("zs.1", 512, 512),
        Linear("zs.out", 512, 512),
        Linear("za", 38, 256),
        Linear("zsa.0", 768, 512),
        Linear("zsa.1", 512, 512),
        Linear("zsa.out", 512, 512),
        Linear("model", 512, 578),
    ]
    densities = erdos_renyi(encoder, 0.6)
    sparsity = {
        layer.name: round(1 - density, 3) for layer, density in zip(encoder, densities, strict=True)
    }
    assert sparsity["za"] == 0.0
    assert sparsity["zs.0"] == pytest.approx(0.34, abs=0.01)
    assert 0.655 <= sparsity["zsa.0"] <= 0.668
    assert 0.586 <= sparsity["zs.1"] <= 0.601
    assert 0.591 <= sparsity["model"] <= 0.624


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.6, 0.9, 0.98])
def test_the_modules_total_is_exact(name, sparsity):
    counts = exact_counts(LAYERS, DISTRIBUTIONS[name](LAYERS, sparsity))
    assert sum(counts) == (150 if name == "dense" else round((1 - sparsity) * 150))
    assert all(0 <= count <= layer.size for count, layer in zip(counts, LAYERS, strict=True))


def test_cosine_schedule_by_hand():
    schedule = Exchange(interval=100, fraction=0.3, start=0, end=750)
    assert [t for t in range(1000) if schedule.due(t)] == [100, 200, 300, 400, 500, 600, 700]
    assert schedule.exchanged(100) == pytest.approx(0.15 * (1 + math.cos(math.pi * 100 / 750)))
    assert Exchange(100, 0.3, 350, 750).exchanged(550) == pytest.approx(0.15), (
        "half of the time: half of the fraction"
    )
    assert not Never().due(100)


def test_a_schedule_does_one_thing_alone():
    exchange = Exchange(interval=100, fraction=0.3, start=0, end=750)
    move = Move(interval=10, start=20, end=69, pruning=True)
    for update in (0, 100, 749, 1000):
        assert Never().exchanged(update) == move.exchanged(update) == 0.0
        assert Never().progress(update) == exchange.progress(update) == 0.0


@pytest.mark.parametrize(
    "numbers",
    [
        {"sparsity": -0.1},
        {"sparsity": 1.0},
        {"interval": 0},
        {"drop_fraction": 0.0},
        {"drop_fraction": 1.1},
        {"start": -0.1},
        {"start": 0.5, "end": 0.5},
        {"end": 1.1},
    ],
)
def test_a_regime_has_limits(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        ModuleRegime.of("rigl", **numbers)


def test_a_regime_may_go_to_its_limits():
    regime = ModuleRegime.of(
        "rigl", sparsity=0.0, interval=1, drop_fraction=1.0, start=0.0, end=1.0
    )
    assert regime.times(10) == Exchange(1, 1.0, 0, 10)


def test_cubic_schedule_by_hand():
    assert [cubic(u) for u in (0.0, 0.5, 1.0)] == [0.0, 0.875, 1.0]
    schedule = Move(interval=10, start=20, end=69, pruning=True)
    assert [t for t in range(100) if schedule.due(t)] == [30, 40, 50, 60]
    assert [schedule.progress(t) for t in (0, 20, 60, 69, 99)] == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert schedule.progress(40) == pytest.approx(1 - 0.5**3), (
        "half way from 20 to the last update, 60"
    )


def test_growth_starts_fast_and_ends_slowly():
    assert [cosine_rate(u) for u in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 0.5 + 1 / math.pi, 1.0])
    shares = [cosine_rate(u / 10) for u in range(11)]
    steps = [after - before for before, after in itertools.pairwise(shares)]
    assert all(later < earlier for earlier, later in itertools.pairwise(steps))


def test_rewire_drops_small_weights_and_grows_by_score_with_ties_by_index():
    weight = torch.tensor([[0.5, -0.1, 0.0, 0.1, 0.0, 0.0]])
    mask = torch.tensor([[True, True, False, True, False, False]])
    score = torch.tensor([[9.0, 0.0, 2.0, 0.0, 2.0, 2.0]])
    new, grown = rewire(weight, mask, score, torch.tensor([1]), torch.tensor([1]))
    # |w| ties at 0.1: index 1 goes before index 3; scores tie at 2: index 2 grows before 4 and 5
    assert new.tolist() == [[True, False, True, True, False, False]]
    assert grown.tolist() == [[False, False, True, False, False, False]]


def test_a_weight_dropped_a_moment_ago_may_grow_again():
    weight = torch.tensor([[0.5, 0.1, 0.0]])
    mask = torch.tensor([[True, True, False]])
    score = torch.tensor([[0.0, 5.0, 1.0]])
    new, grown = rewire(weight, mask, score, torch.tensor([1]), torch.tensor([1]))
    assert new.tolist() == [[True, True, False]]
    assert grown.tolist() == [[False, True, False]]


def test_members_that_are_not_due_keep_their_masks():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 50, generator=generator)
    score = torch.randn(3, 50, generator=generator).abs()
    mask = torch.rand(3, 50, generator=generator) < 0.4
    amounts = torch.tensor([0, 5, 0])
    new, grown = rewire(weight * mask, mask, score, amounts, amounts)

    assert torch.equal(new[[0, 2]], mask[[0, 2]])
    assert not grown[[0, 2]].any()
    assert torch.equal(new.sum(1), mask.sum(1))
    assert (new[1] != mask[1]).any()


def test_ranks_of_equal_scores_go_by_index():
    assert ranks(torch.tensor([[3.0, 1.0, 1.0, 0.0, 1.0]])).tolist() == [[4, 1, 2, 0, 3]]
