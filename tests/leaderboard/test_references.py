"""Published results beside their control totals: a digit that slips changes verdicts."""

import pytest

from leaderboard.statistics.references import METHODS

TOTALS = {
    "MR.Q": (10, 5061, 245),
    "DR.Q": (10, 5896, 114),
    "XQC": (10, 5313, 233),
    "SimbaV2": (10, 5105, 291),
    "TD-MPC2": (3, 3440, 1546),
}
"""Seeds, and the sums of all means and of all half widths."""


@pytest.mark.parametrize("name", METHODS)
def test_published_figures_add_up(name):
    method = METHODS[name]
    means, halves = zip(*method.returns.values(), strict=True)
    assert (method.seeds, sum(means), sum(halves)) == TOTALS[name]


def test_every_method_has_the_seven_hard_tasks():
    for method in METHODS.values():
        assert len(method.returns) == 7
        assert all(task.startswith(("dog-", "humanoid-")) for task in method.returns)
        assert method.source
