"""Estimated hours beside those that runs took."""

import pytest

from harness.planning.cohorts import partition
from harness.planning.estimate import Rates, estimate
from harness.planning.making import make_plan
from harness.planning.reader import load
from harness.training.rates import learning_rate

TOOK = [
    # Cohorts of 20 on shared cores, by their own clocks (results/README.md).
    ("dmc-small", (), 20, 15.6),
    # `make quick` with two cores, of which the second simulates.
    ("quick", (), 8, 4.5 / 60.0),
    # 20 members of width 32 and of width 64, without what they simulate (442 s and 1062 s).
    ("scale-small", ("regimes=[dense-1x, sst-1x, dst-1x, mst-1x]", "seeds=5"), 20, 0.14),
    ("scale-small", ("regimes=[dense-2x, sst-2x, dst-2x, mst-2x]", "seeds=5"), 20, 0.33),
]


@pytest.mark.parametrize(("suite", "overrides", "members", "hours"), TOOK)
def test_hours_are_good_to_a_factor_of_two(suite, overrides, members, hours):
    plan = make_plan(load(suite, overrides))
    cohorts = partition(plan, "cpu", members).cohorts
    assert hours / 2 < estimate(plan, cohorts).core_hours < 2 * hours


def test_a_slower_machine_learns_longer_and_simulates_as_before():
    plan = make_plan(load("quick"))
    cohorts = partition(plan, "cpu").cohorts
    hours = [estimate(plan, cohorts, Rates(slowness)).core_hours for slowness in (1.0, 2.0, 3.0)]
    assert hours[2] - hours[1] == pytest.approx(hours[1] - hours[0])
    assert hours[0] < hours[1] < 2.0 * hours[0]


@pytest.mark.slow
def test_a_machine_is_measured_on_networks_of_the_suites_size():
    plan = make_plan(load("quick"))
    rate = learning_rate(plan, plan.agent_settings().rehearsal())
    assert 0.1 < rate.slowness < 10.0
    assert 0.1 < rate.gflops < 1000.0


def test_members_share_what_a_step_takes_for_all():
    plan = make_plan(load("quick"))
    alone = estimate(plan, partition(plan, "cpu", 1).cohorts).core_hours
    assert estimate(plan, partition(plan, "cpu", 8).cohorts).core_hours < alone
