"""One run of every regime, from suite file to report."""

import pytest

from agents.sparsity.regime import REGIMES
from harness.planning.plan import read_plan
from harness.run import summary
from helpers.runs import finished_run, made_once
from helpers.statements import MODULES
from helpers.suites import TINY
from leaderboard.verification.verify import verify

pytestmark = pytest.mark.slow

OWN = """
define:
  parts:
    encoder: {rule: set, parts: [zsa], start: 0.3, end: 0.9}
    critic: d2s
    actor: {rule: s2d, level: 0.8}
claims: [O1]
tests:
  - id: mine
    statement: something else
    source: ours
    family: diagnostics
    regime: dst
    than: dense
    figure: critic.dormant_ratio
    rule: below
    margin: 0.05
    unit: own
"""


@pytest.fixture(scope="module")
def every(shared):
    """The signed entry of a run of every regime and of one that the suite defines."""

    def make():
        names = ", ".join([*REGIMES, "parts"])
        suite = shared / "every.yaml"
        suite.write_text(TINY.replace("dense, sst, dst, mst", names) + OWN)
        return finished_run(suite, shared / "every", members=8)

    return made_once(shared, "every-entry", make)


def test_an_entry_of_every_regime_is_audited_and_accepted(every):
    verdict = verify(every, complete=True)
    assert verdict.accepted, verdict.checks[-1]
    assert {check.name: check.status for check in verdict.checks}["tensors"] == "passed"
    runs = summary(every.parent, read_plan(every.parent / "plan.json")).runs
    assert {run.regime for run in runs} == {*REGIMES, "parts"}


def test_a_study_says_what_it_shows(every):
    page = (every.parent / "report.html").read_text()
    assert "something else" in page
    assert "undecided" in page, "one seed decides nothing"


def test_a_matched_network_is_as_large_as_what_it_matches_leaves_active(every):
    runs = summary(every.parent, read_plan(every.parent / "plan.json")).runs
    active = {}
    for run in runs:
        active[run.regime] = sum(run.weights[module].active for module in MODULES)
    assert 0.9 * active["mst"] < active["dense-matched"] <= 1.01 * active["mst"]
