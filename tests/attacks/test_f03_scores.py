"""Whose score it is: F3 and F9.

A claim was compared with fresh episodes by a test whose variance the claimant supplied, on one side
only; whoever named another CPU chose that test. Now the fresh mean is the score, returns lie in the
task's range, and the test has two sides and the variance of the fresh episodes.
"""

import numpy as np
import pytest

from harness.entries.verified import accepted, judge
from helpers.forge import failed
from helpers.forgery import FORGER, trust_file
from helpers.program import call
from helpers.statements import MODULES
from leaderboard.formats import keys
from leaderboard.pages.table import comparison_columns
from leaderboard.statistics.claimed import Episodes, compare
from leaderboard.statistics.scores import scored


def claim_everywhere(forgery, low, high):
    """Every run's policy had these two returns, in turn."""
    for run in forgery.runs:
        count = len(run["final_returns"])
        forgery.claim(run, ([low, high] * count)[:count])


# -- F3: claims that are too high --


@pytest.mark.parametrize("returns", [(1e8 + 999.0, -1e8 + 999.0), (1000.1, 0.0), (-1.0, 0.0)])
def test_f3_returns_that_no_episode_can_have_are_refused(forgery, returns):
    claim_everywhere(forgery.elsewhere(), *returns)
    assert failed(forgery.sign().verdict()) == "scores"


def test_f3_nor_can_a_curve_have_them(forgery):
    """What the records of the evaluations say on the way is shown too."""

    def raised(run, record):
        higher = [1001.0] * len(record["returns"])
        return record | ({"returns": higher} if record["kind"] == "evaluation" else {})

    forgery.record = raised
    assert failed(forgery.sign().verdict()) == "records"


def everywhere_else(forgery):
    """All that made bits excusable: another CPU, another version, a GPU."""
    hardware = forgery.elsewhere().predicate["hardware"]
    hardware["gpus"] = ["NVIDIA H100"]
    forgery.predicate["versions"]["libc"] = "glibc 2.99"


@pytest.mark.parametrize("excused", [False, True], ids=["here", "on another machine"])
def test_f3_fabricated_scores_are_refused_and_give_no_level(forgery, excused):
    claim_everywhere(forgery, 999.0, 998.0)
    if excused:
        everywhere_else(forgery)
    refused = call("reeval", forgery.sign().entry)
    assert refused.returncode == 4, refused.stdout
    assert failed(forgery.verdict(reeval=forgery.folder / "reeval.dsse.json")) == "reeval"


@pytest.mark.slow
def test_f3_nor_do_runs_that_are_trained_again_make_them_true(forgery):
    """Scores of 999 were L2, though the command printed what training again gave."""
    claim_everywhere(forgery, 999.0, 998.0)
    everywhere_else(forgery)
    assert call("reeval", forgery.sign().entry, "--retrain", 2).returncode == 4


def test_f3_what_is_claimed_within_the_noise_is_not_what_is_shown(forgery, tmp_path):
    """The control of all of them too: an entry whose policies are worth about what it says."""
    for run in forgery.elsewhere().runs:
        forgery.claim(run, [1.03 * value for value in run["final_returns"]])
    curator = tmp_path / "curator.pem"
    key = keys.generate(curator)
    accepting = call("reeval", forgery.sign().entry, "--key", curator)
    assert accepting.returncode == 0, accepting.stdout

    # Whoever trusts that curator sees the fresh mean, and the claim beside it.
    trust = trust_file(tmp_path / "trust.json", {FORGER: "submitter", key: "reevaluator"})
    reeval = forgery.folder / "reeval.dsse.json"
    entry = accepted(forgery.entry, judge(forgery.entry, trust, reeval=reeval))
    assert entry.verdict.level == "L1"
    columns = comparison_columns(scored(entry.runs, entry.fresh), MODULES)
    cells = {column.title: column.cells for column in columns}
    shown = [f"{entry.fresh[run.name]:.1f}" for run in entry.runs]
    claimed = [f"{run['score']:.1f}" for run in forgery.runs]
    assert (cells["mean score"], cells["claimed"]) == (shown, claimed)


# -- F3 and F9 as shipped suites have them: 200 fresh episodes, 50 claimed --


def verdict_on(claims, spread=20.0, seeds=3):
    """What contradicts claims about policies that are worth 500. `claims`: regime -> the returns of
    50 honest episodes -> those that are claimed."""
    draws = np.random.default_rng(0)
    runs = []
    for regime, claim in claims.items():
        for seed in range(seeds):
            fresh, honest = draws.normal(500.0, spread, 200), draws.normal(500.0, spread, 50)
            claimed = np.clip(claim(honest), 0.0, 1000.0)
            name = f"task/{regime}"
            runs.append(Episodes(f"{name}/{seed}", name, [*claimed], [*fresh], 0.0, 1000.0))
    return compare(runs).defects


def honest(returns):
    return returns


def raised(returns):
    return 1.1 * returns


def halved(returns):
    return 0.5 * returns


def lowered(returns):
    return 0.9 * returns


def nothing(returns):
    return 0.0 * returns


def one_in_ten_is_the_best_there_is(returns):
    """Its variance hid the rest from the old test."""
    return np.where(np.arange(len(returns)) % 10 == 0, 1000.0, returns)


def bounds_in_turn(returns):
    """The most variance that the task's range allows, around the best mean that it allows."""
    return np.where(np.arange(len(returns)) % 4 == 0, 0.0, 1000.0)


@pytest.mark.parametrize(
    "lie",
    [raised, one_in_ten_is_the_best_there_is, bounds_in_turn, lowered, halved, nothing],
    ids=lambda lie: lie.__name__,
)
def test_f3_f9_a_false_claim_of_one_regime_is_refused(lie):
    defects = verdict_on({"dense": honest, "mst": lie})
    assert any("mst" in defect for defect in defects)
    assert not any("dense" in defect for defect in defects)


def test_f9_low_claims_do_not_cancel_high_ones():
    defects = verdict_on({"dense": lowered, "mst": raised})
    assert any("dense" in defect for defect in defects)
    assert any("mst" in defect for defect in defects)


def test_honest_claims_are_not():
    assert verdict_on({"dense": honest, "mst": honest}) == []


def test_f9_claims_far_below_are_refused_in_words(forgery):
    """The normal score of their probability was minus infinity, and JSON cannot write that."""
    claim_everywhere(forgery.elsewhere(), 0.0, 0.0001)
    assert call("reeval", forgery.sign().entry).returncode in (0, 4)


# -- F10: policies that are not there --


def test_f10_an_entry_without_policies_is_not_re_evaluated(forgery):
    for run in forgery.runs:
        for path in forgery.path(run).glob("*.safetensors"):
            forgery.unlisted.add(path.relative_to(forgery.folder).as_posix())
    refused = call("reeval", forgery.sign().entry)
    assert refused.returncode == 4
    assert "L1" not in refused.stdout
