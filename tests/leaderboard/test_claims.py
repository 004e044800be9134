"""Verdicts of claims: rules, figures, levels, families and missing runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtr

from helpers.statements import stated
from helpers.verdicts import BUDGET, FAILED, TEN, claim, judged, verdict
from leaderboard.statistics.claims import LEVEL_ZERO, compared, findings, outcome
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import scored

# -- rules --


@pytest.mark.parametrize(
    ("ours", "rule", "expected"),
    [
        (20.0, "above", "supported"),
        (20.0, "below", "refuted"),
        (5.0, "above", "refuted"),
        (5.0, "below", "supported"),
        (5.0, "no-worse", "refuted"),
        (20.0, "no-worse", "supported"),
        (20.0, "equivalent", "refuted"),
        (10.1, "equivalent", "supported"),
        (10.5, "above", "undecided"),
        (10.5, "equivalent", "undecided"),
        (9.5, "below", "undecided"),
        (9.5, "no-worse", "undecided"),
    ],
)
def test_every_rule_has_its_verdicts(ours, rule, expected):
    cells = {("dog-run", "mst"): ours + 0.2 * TEN, ("dog-run", "dense"): 10.0 + 0.2 * TEN}
    assert verdict(claim(rule), cells) == expected


def test_a_claim_about_each_task_needs_every_task():
    cells = {
        ("dog-run", "mst"): 20.0 + TEN,
        ("dog-run", "dense"): 10.0 + TEN,
        ("humanoid-run", "mst"): 10.0 + TEN,
        ("humanoid-run", "dense"): 10.0 + TEN,
    }
    assert verdict(claim(), cells) == "supported"
    (finding,) = judged([claim(over="each")], cells)
    assert finding.verdict == "undecided"
    assert finding.statistic.startswith("humanoid-run: ")


def test_pairs_see_what_seeds_hide():
    seeds = 10.0 * TEN
    cells = {
        ("dog-run", "mst"): 106.0 + seeds + 0.1 * TEN[::-1],
        ("dog-run", "dense"): 100.0 + seeds,
    }
    assert verdict(claim(margin=0.02), cells) == "undecided"
    assert verdict(claim(margin=0.02, paired=True), cells) == "supported"


@pytest.mark.parametrize(
    ("failures", "rule", "expected"),
    [
        ((0, 10), "below", "supported"),
        ((10, 0), "below", "refuted"),
        ((0, 0), "no-worse", "supported"),
        ((10, 0), "no-worse", "refuted"),
        ((1, 2), "below", "undecided"),
    ],
)
def test_the_rate_of_failures_is_a_figure(failures, rule, expected):
    ours, theirs = failures
    cells = {
        ("dog-run", "mst"): [FAILED] * ours + [500.0] * (20 - ours),
        ("dog-run", "dense"): [12.0] * theirs + [500.0] * (20 - theirs),
    }
    rate = claim(rule, figure="failures", margin=0.2, unit="own")
    assert verdict(rate, cells) == expected


def level(rule, **changes):
    """A claim about the share of a critic's units that are dormant: against a fifth."""
    fields = {"figure": "critic.dormant_ratio", "unit": "own", "margin": 0.2} | changes
    return claim(rule, "zero", **fields)


@pytest.mark.parametrize(
    ("share", "rule", "expected"),
    [
        (0.3, "above", "supported"),
        (0.2, "above", "undecided"),
        (0.1, "above", "refuted"),
        (0.1, "equivalent", "supported"),
        (0.2, "equivalent", "undecided"),
        (0.3, "equivalent", "refuted"),
        (0.0, "above", "refuted"),
    ],
)
def test_a_figure_is_judged_against_a_fixed_level(share, rule, expected):
    # "More than 20 percent are dormant" was judged beside another regime alone.
    runs = scored(stated("mst", seed, 500.0, task="dog-run") for seed in range(10))
    shares = share * (1.0 + 0.2 * TEN)
    values = {
        run.name: {"critic.dormant_ratio": float(value)}
        for run, value in zip(runs, shares, strict=True)
    }
    (finding,) = findings([level(rule)], runs, values, BUDGET)
    assert finding.verdict == expected


def test_a_level_is_compared_by_students_t():
    shares = 0.3 * (1.0 + 0.2 * TEN)
    found = outcome(level("above"), ([shares.tolist()] * 2, [LEVEL_ZERO] * 2))
    both = np.concatenate([shares, shares])
    error = math.sqrt(2.0 * shares.var(ddof=1) / 10.0) / 2.0
    t = (both.mean() - 0.2) / error
    assert found.p == pytest.approx(2.0 * stdtr(18, -t))


def test_nothing_is_compared_with_itself():
    # Was: "no worse than itself" was supported, Holm p 9e-22.
    with pytest.raises(ValueError, match="mst is compared with another, not with itself"):
        claim("no-worse", than="mst")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"figure": "score"}, "score is compared with that of others"),
        ({"figure": "failures"}, "failures is compared with that of others"),
        ({"unit": "share"}, "zero has no shares"),
        ({"paired": True}, "zero has no shares and no seeds"),
    ],
)
def test_a_level_is_one_of_a_diagnostic_in_its_own_unit(changes, words):
    with pytest.raises(ValueError, match=words):
        level("above", **changes)


def test_less_spread_is_better():
    cells = {("dog-run", "mst"): 500.0 + 10.0 * TEN, ("dog-run", "dense"): 500.0 + 90.0 * TEN}
    assert verdict(claim("below", figure="spread", margin=2.0), cells) == "supported"
    assert verdict(claim("no-worse", figure="spread", margin=1.5), cells) == "supported"
    assert verdict(claim("above", figure="spread", margin=1.0), cells) == "refuted"
    same = {("dog-run", "mst"): 500.0 + 10.0 * TEN, ("dog-run", "dense"): 500.0 + 10.0 * TEN}
    assert verdict(claim("no-worse", figure="spread", margin=1.2), same) == "undecided"


def test_a_margin_of_spreads_is_a_factor_both_ways():
    cells = {("dog-run", "mst"): 500.0 + 10.0 * TEN, ("dog-run", "dense"): 500.0 + 11.0 * TEN}
    for rule, limit in (("above", "2"), ("below", "0.5"), ("no-worse", "2"), ("equivalent", "0.5")):
        (finding,) = judged([claim(rule, figure="spread", margin=2.0)], cells)
        assert f"ratio 0.909 {'(90 %' if rule == 'equivalent' else '('}" in finding.statistic
        assert f", limit {limit}, Holm p " in finding.statistic


@pytest.mark.parametrize(
    ("tested", "words"),
    [
        (claim(), "score of mst above dense by more than 5 %"),
        (claim("below", unit="own", margin=2.5), "score of mst below dense by more than 2.5"),
        (claim("no-worse", over="each"), "score of mst no worse than dense by 5 %, on each task"),
        (claim(paired=True), "score of mst above dense by more than 5 %, pairs of seeds"),
        (
            claim("equivalent", figure="spread", margin=1.5),
            "spread of mst within a factor of 1.5 of dense, on each task",
        ),
        (
            claim("below", figure="failures", unit="own", margin=0.25),
            "failures of mst below dense by more than 25 %",
        ),
    ],
)
def test_what_is_compared_is_told_in_words(tested, words):
    assert compared(tested) == words


# -- families and missing runs --


def test_a_family_is_adjusted_by_itself():
    cells = {
        ("dog-run", "mst"): [12.5, 13.0, 12.0, 13.5],
        ("dog-run", "dense"): [10.0, 12.0, 11.0, 11.5],
    }
    one = claim(margin=0.001)
    assert verdict(one, cells) == "supported"
    many = judged([one] * 20, cells)
    assert {finding.verdict for finding in many} == {"undecided"}

    others = [claim(margin=0.001, family="controls")] * 19
    alone, *_ = judged([one, *others], cells)
    assert alone.verdict == "supported"


def test_nothing_is_decided_of_a_regime_that_lacks_a_run():
    runs = scored(
        [
            *(stated("mst", seed, 500.0 + seed) for seed in range(5)),
            *(stated("dense", seed, 100.0 + seed) for seed in range(4)),
            stated("dense", 4, None, status="missing"),
        ]
    )
    values = {run.name: figures({"score"}, run, (), BUDGET) for run in runs}
    other_way = replace(claim("below"), regime="dense", than="mst")
    against = replace(claim("below", "MR.Q"), regime="dense")
    for finding in findings([claim(), other_way, against], runs, values, BUDGET):
        assert finding.verdict == "undecided"
        assert finding.statistic == "runs of dense are missing"
        assert finding.finished == ""


def test_finished_runs_stand_beside_only_where_a_run_of_the_claim_failed():
    cells = {("dog-run", "mst"): 20.0 + TEN, ("dog-run", "dense"): 10.0 + TEN}
    third = {**cells, ("dog-run", "sst"): [FAILED, 10.0, 11.0]}
    failed = {**cells, ("dog-run", "dense"): [FAILED, 10.0, 11.0]}
    rate = claim("below", figure="failures", margin=0.2, unit="own")
    for one, planned in ((claim(), cells), (claim(), third), (rate, failed)):
        (finding,) = judged([one], planned)
        assert finding.finished == ""
    (finding,) = judged([claim()], failed)
    assert finding.finished.startswith("difference 90.5 % "), "20 beside 10.5"
    assert "Holm" not in finding.finished, "it decides nothing"


@pytest.mark.parametrize("rule", ["below", "equivalent"])
def test_nothing_is_decided_of_a_regime_whose_runs_lack_the_figure(rule):
    # Was: supported, from the two seeds of ten that stated the figure.
    runs = scored(
        stated(regime, seed, 500.0, task="dog-run")
        for regime in ("mst", "dense")
        for seed in range(10)
    )
    values = {run.name: {"critic.dormant_ratio": 0.3 + 0.001 * run.seed} for run in runs}
    for run in runs:
        if run.regime == "mst":
            hidden = run.seed >= 2
            values[run.name] = {} if hidden else {"critic.dormant_ratio": 0.05 + 0.001 * run.seed}
    about = level(rule) if rule == "equivalent" else replace(level(rule), than="dense")
    (finding,) = findings([about], runs, values, BUDGET)
    assert finding.verdict == "undecided"
    assert finding.statistic == "runs without critic.dormant_ratio: 8 of mst"


def test_runs_that_are_still_to_come_do_not_count():
    planned = [
        *(stated("mst", seed, 500.0 + seed) for seed in range(4)),
        *(stated("dense", seed, 100.0 + seed) for seed in range(3)),
        stated("dense", 3, None, status="missing"),
    ]
    runs = scored(planned, under_way=True)
    values = {run.name: figures({"score"}, run, (), BUDGET) for run in runs}
    (finding,) = findings([claim()], runs, values, BUDGET)
    assert finding.verdict == "supported"
    assert finding.statistic.startswith("difference 397 % "), "501.5 beside 101"


def test_published_figures_are_of_one_budget():
    scores = {("dog-run", "mst"): 569.0 + 20.0 * TEN}
    equal = claim("equivalent", "MR.Q", margin=0.1)
    assert verdict(equal, scores) == "supported"
    assert verdict(equal, scores, budget=500_000) == "undecided"
    assert verdict(claim("equivalent", "MR.Q", figure="spread", margin=1.5), scores) == "undecided"


def test_a_published_mean_has_an_error_of_its_own_by_hand():
    # 569 +- 29 over ten seeds: half width is t(0.975, 9) = 2.262 errors of 12.82 each.
    (finding,) = judged([claim("below", "MR.Q", margin=0.1)], {("dog-run", "mst"): [400.0, 440.0]})
    published = 0.9 * 29.0 / 2.262157
    ours = 20.0
    freedom = (ours**2 + published**2) ** 2 / (ours**4 + published**4 / 9)
    t = (410.0 + 10.0 - 0.9 * 569.0) / math.hypot(ours, published)
    assert finding.statistic.startswith("difference -26.2 % ")
    assert finding.statistic.endswith(f"Holm p {2.0 * stdtr(freedom, t):.2g}")
