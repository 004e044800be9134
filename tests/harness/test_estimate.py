"""Estimated hours beside those that runs took."""

import pytest

from harness.planning.cohorts import partition
from harness.planning.estimate import Rates, estimate
from harness.planning.making import make_plan
from harness.planning.reader import load

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


def test_a_measured_rate_comes_before_the_constants():
    plan = make_plan(load("quick"))
    cohorts = partition(plan, "cpu").cohorts
    fast, slow = (estimate(plan, cohorts, Rates(gflops)).core_hours for gflops in (1e6, 1.0))
    assert fast < estimate(plan, cohorts).core_hours < slow


def test_members_share_what_a_step_takes_for_all():
    plan = make_plan(load("quick"))
    alone = estimate(plan, partition(plan, "cpu", 1).cohorts).core_hours
    assert estimate(plan, partition(plan, "cpu", 8).cohorts).core_hours < alone
