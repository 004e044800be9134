"""Statistics against hand-made tables and SciPy's own."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from helpers.statements import stated
from leaderboard.formats.records import EvaluationRecord
from leaderboard.formats.suite import Claim
from leaderboard.statistics import stats
from leaderboard.statistics.claims import findings
from leaderboard.statistics.scores import scored

A, B = [10.0, 12.0, 14.0, 16.0], [9.0, 9.5, 10.5, 15.0, 6.0]


def test_one_task_is_welchs_test():
    ours = stats.difference([A], [B])
    expected = scipy_stats.ttest_ind(A, B, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (ours.value, ours.p) == pytest.approx((3.0, expected.pvalue), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_two_tasks_by_hand():
    # Means 13 and 10, 20 and 17: differences 3 and 3, mean 3. The squared error of a mean is its
    # variance over its seeds; over two tasks, a quarter of it counts.
    ours = stats.difference([A, [19.0, 21.0]], [B, [16.0, 18.0]])
    terms = [(20 / 3 / 4 / 4, 4), (10.625 / 5 / 4, 5), (1.0 / 4, 2), (1.0 / 4, 2)]
    variance = sum(term for term, _ in terms)
    freedom = variance**2 / sum(term**2 / (n - 1) for term, n in terms)
    half = scipy_stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (ours.value, ours.low, ours.high) == pytest.approx(
        (3.0, 3.0 - half, 3.0 + half), abs=1e-9
    )


def test_one_seed_gives_no_interval():
    single = stats.difference([[1.0]], [[2.0, 3.0]])
    assert single.value == -1.5
    assert math.isnan(single.p)
    assert math.isnan(single.low)
    assert math.isnan(stats.suite_mean([[1.0], [2.0, 4.0]]).half_width)


def test_equal_scores_differ_by_nothing_surely():
    assert stats.difference([[5.0, 5.0]], [[5.0, 5.0]]) == stats.Difference(0.0, 0.0, 0.0, 1.0)
    assert stats.difference([[6.0, 6.0]], [[5.0, 5.0]]).p == 0.0


def test_holm_and_benjamini_hochberg_by_hand():
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    with_nan = stats.holm([0.01, math.nan])
    assert with_nan[0] == pytest.approx(0.02), "a test that could not be made counts"

    values = [0.01, 0.04, 0.03, 0.005]
    expected = scipy_stats.false_discovery_control(values)
    assert stats.benjamini_hochberg(values) == pytest.approx(expected)


def test_the_interquartile_mean_is_scipys_trimmed_mean():
    for n in range(1, 23):
        scores = np.random.default_rng(n).normal(size=n)
        assert float(stats.iqm(scores)) == pytest.approx(scipy_stats.trim_mean(scores, 0.25))


def test_the_bootstrap_is_scipys():
    scores = np.random.default_rng(1).normal(size=12).tolist()
    ours = stats.bootstrap([scores], lambda drawn: drawn[0].mean(1))
    generator = np.random.default_rng(5)
    theirs = scipy_stats.bootstrap(
        (scores,), np.mean, method="percentile", n_resamples=20000, rng=generator
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert ours == stats.bootstrap([scores], lambda drawn: drawn[0].mean(1)), "the same each time"


def test_probability_of_improvement_is_mann_whitneys():
    u = scipy_stats.mannwhitneyu(A, B).statistic
    assert stats.improvement([A], [B]) == pytest.approx(u / (len(A) * len(B)))
    assert stats.improvement([[1.0]], [[1.0]]) == 0.5
    low, high = stats.improvement_interval([A], [B])
    assert low < stats.improvement([A], [B]) < high <= 1.0


def test_profile_and_collapse_by_hand():
    assert stats.profile([[1.0, 3.0], [2.0, 2.0, 2.0, 9.0]], [0.0, 1.5, 2.0, 9.0]) == [
        1.0,
        0.75,
        0.375,
        0.0,
    ]
    assert stats.collapsed([100.0, 90.0, 8.0, 80.0]) == 1, "the median is 85"


def test_the_ratio_of_spreads_is_an_f_test():
    ours = stats.spread_ratio(A, B)
    ratio = np.var(A, ddof=1) / np.var(B, ddof=1)
    assert ours.value == pytest.approx(math.sqrt(ratio))
    tails = scipy_stats.f.cdf(ratio, 3, 4), scipy_stats.f.sf(ratio, 3, 4)
    assert ours.p == pytest.approx(2 * min(tails))
    assert ours.low == pytest.approx(math.sqrt(ratio / scipy_stats.f.ppf(0.975, 3, 4)))


def test_evidence_grows_by_hand():
    # One pair at half of the scale: (1 + b/2) and (1 - b/2) have mean 1. A second adds to it.
    assert stats.e_values([0.5], 1.0) == pytest.approx([1.0])
    expected = np.mean([(1 + s * b / 2) ** 2 for s in (1, -1) for b in stats.BETS])
    assert stats.e_values([5.0, 5.0], 10.0)[-1] == pytest.approx(expected)
    assert stats.e_values([99.0], 1.0) == stats.e_values([1.0], 1.0), "clipped"


def test_looking_after_every_pair_rarely_sees_what_is_not_there():
    generator = np.random.default_rng(0)
    alarms = sum(max(stats.e_values(generator.normal(size=20), 2.0)) >= 20.0 for _ in range(1000))
    assert alarms <= 50, "at most 5 percent, whenever one stops"


def runs(lost="failed", **scores):
    """Planned runs: regime -> the scores of its seeds, None for one that is `lost`."""
    planned = []
    for regime, values in scores.items():
        for seed, score in enumerate(values):
            status = lost if score is None else "finished"
            planned.append(stated(regime, seed, score, status=status))
    return scored(planned)


def claim(relation="above", than="theirs", figure="score"):
    """A claim about `ours`."""
    return Claim(claim="c", regime="ours", than=than, relation=relation, figure=figure)


@pytest.mark.parametrize(
    ("ours", "relation", "verdict"),
    [
        ([20, 21, 22, 23], "above", "supported"),
        ([20, 21, 22, 23], "below", "refuted"),
        ([1, 2, 3, 2], "above", "refuted"),
        ([9, 11, 14, 10], "above", "undecided"),
        ([50], "above", "undecided"),
    ],
)
def test_a_claim_about_an_order(ours, relation, verdict):
    planned = runs(ours=ours, theirs=[10, 11, 12, 10])
    (finding,) = findings([claim(relation)], planned, {}, 1000)
    assert finding.verdict == verdict, finding


def test_many_claims_need_more():
    few = runs(ours=[12.5, 13.0, 12.0, 13.5], theirs=[10.0, 12.0, 11.0, 11.5])
    assert findings([claim()], few, {}, 1000)[0].verdict == "supported"
    many = findings([claim()] * 20, few, {}, 1000)
    assert {finding.verdict for finding in many} == {"undecided"}


@pytest.mark.parametrize(
    ("scores", "budget", "verdict"),
    [
        ([560, 575, 590, 550, 570, 568], 1_000_000, "supported"),
        ([300, 320, 310, 290], 1_000_000, "refuted"),
        ([440, 690], 1_000_000, "undecided"),
        ([560, 575, 590, 550, 570, 568], 500_000, "undecided"),
    ],
)
def test_agreement_with_published_figures(scores, budget, verdict):
    agrees = claim("agrees", than="MR.Q")
    (finding,) = findings([agrees], runs(ours=scores), {}, budget)
    assert finding.verdict == verdict, finding


def test_a_claim_about_spread():
    few = runs(ours=[10, 20, 30, 0, 50, 5], theirs=[10, 11, 10, 11, 10, 11])
    assert findings([claim(figure="spread")], few, {}, 1000)[0].verdict == "supported"


DENSE = [100, 101, 102, 100, 101, 102, 100, 101, 102, 100]


@pytest.mark.parametrize("figure", ["score", "last"])
def test_runs_that_diverged_do_not_make_a_regime_look_better(figure):
    """Eight of ten runs of `theirs` diverged; its two others beat ours. Left out of the mean, they
    once decided for `theirs`."""
    planned = runs(ours=DENSE, theirs=[200, 201, *[None] * 8])
    last = {run.name: evaluation(run.score) for run in planned if run.score is not None}
    (finding,) = findings([claim("below", figure=figure)], planned, last, 1000)
    assert finding.verdict == "refuted", finding
    assert "60.8" in finding.statistic, "100.9 less 40.1, the floor of this task being 0"


def test_nothing_is_decided_of_a_regime_that_lacks_a_run():
    planned = runs("missing", ours=DENSE, theirs=[1, 2, 3, 2, None], other=DENSE)
    for regime, than in (("ours", "theirs"), ("theirs", "ours"), ("theirs", "MR.Q")):
        about = Claim(claim="c", regime=regime, than=than, relation="above", figure="score")
        (finding,) = findings([about], planned, {}, 1_000_000)
        assert (finding.verdict, finding.statistic) == (
            "undecided",
            "runs of theirs are missing",
        )


def test_runs_that_are_still_to_come_do_not_count():
    planned = [stated("ours", seed, score) for seed, score in enumerate((20.0, 21.0, 22.0, 23.0))]
    planned += [stated("theirs", seed, score) for seed, score in enumerate((10.0, 11.0, 12.0))]
    planned.append(stated("theirs", 3, None, status="missing"))
    (finding,) = findings([claim()], scored(planned, under_way=True), {}, 1000)
    assert finding.verdict == "supported"
    assert "10.5" in finding.statistic


def evaluation(mean):
    """A last evaluation with this mean return."""
    return EvaluationRecord(
        kind="evaluation",
        before="",
        number=0,
        agent_step=0,
        environment_step=0,
        diagnostics={},
        updates={},
        rewires={},
        returns=(mean,),
    )
