"""Every shipped suite from plan to report, made small as docs/studies.md says."""

import pytest

from harness.options import Options
from harness.planning.plan import read_plan
from harness.suites import shipped
from helpers.runs import finished_run
from leaderboard.verification.verify import verify

pytestmark = pytest.mark.slow

FEW = "episodes: 1, final_episodes: 1, fresh_episodes: 1, environments: 1"
SMALL = (
    "tasks=[cartpole-balance]",
    *("settings.width=16", "settings.zs_dim=16", "settings.za_dim=8", "settings.zsa_dim=16"),
    "settings.batch_size=32",
    "action_repeat=20",  # an episode is 50 agent steps
    "environment_steps=1000000",
    f"evaluation={{every: 50, {FEW}}}",
)
"""It keeps regimes, scales and depths; the networks that are scaled are tiny."""
SHARES = {"quick": 0.05, "smoke": 0.5, "ci-tiny": 0.2}
"""Share of the budget, of suites whose runs are short already; they keep their tasks and sizes."""
OWN = {
    "quick": (f"evaluation={{every: 1500, {FEW}}}",),
    "smoke": ("action_repeat=20", "environment_steps=3200", f"evaluation={{every: 160, {FEW}}}"),
    "ci-tiny": (f"evaluation={{every: 1000, {FEW}}}",),
}
"""Overrides of such a suite, beside that of the seeds."""


@pytest.mark.parametrize("name", shipped())
def test_a_suite_is_planned_trained_verified_and_judged(name, tmp_path):
    entry = finished_run(
        name,
        tmp_path,
        "seeds=1",
        *(OWN[name] if name in SHARES else SMALL),
        budget_scale=SHARES.get(name, 0.001),
        members=8,
        options=Options(device="cpu"),
    )
    assert verify(entry, complete=True).accepted
    plan = read_plan(entry.parent / "plan.json")
    page = (entry.parent / "report.html").read_text()
    for claim in plan.suite.claims:
        assert claim.statement.replace("'", "&#39;") in page
