"""Claimed returns against fresh ones: the forgeries that an audit got past the old test, and the
statistics by hand."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from leaderboard.statistics import resampled
from leaderboard.statistics.claimed import LEVEL, Episodes, compare


def run(claimed, fresh, *, regime="mst", seed=0, low=0.0, high=1000.0):
    """A run of a task whose episodes return 0 to 1000."""
    group = f"dog-run/{regime}"
    return Episodes(f"{group}/{seed}", group, list(claimed), list(fresh), low, high)


def episodes(mean, count, deviation=100.0, seed=0):
    """Returns of a policy, by chance."""
    generator = np.random.default_rng([seed, count])
    return np.clip(generator.normal(mean, deviation, count), 0.0, 1000.0).tolist()


def group(regime, mean, share=1.0, seeds=10):
    """Runs whose true mean return is `mean`, and who claim `share` of it in every episode."""
    return [
        run([share * mean] * 50, episodes(mean, 200, seed=seed), regime=regime, seed=seed)
        for seed in range(seeds)
    ]


def only_defect(runs):
    """The one sentence about runs that are refused for one reason."""
    (defect,) = compare(runs).defects
    return defect


# -- forgeries --


def test_honest_claims_pass():
    runs = [
        run(episodes(500, 50, seed=seed), episodes(500, 200, seed=seed), seed=seed)
        for seed in range(10)
    ]
    assert compare(runs).defects == []


def test_outliers_cannot_widen_the_test():
    """Two outliers of 1e8 that cancel once made any score pass: the claimed variance was used."""
    claimed = [999.0] * 48 + [1e8, -1e8]
    outcome = compare([run(claimed, episodes(83, 200))])
    assert outcome.runs[0].defect == (
        "claims an episode that returns 1e+08; the task allows 0 to 1000"
    )
    assert any("too high" in defect for defect in outcome.defects)


def test_one_of_ten_episodes_that_says_1000_is_found():
    """Inside the range of the task a run once gained 31 to 210 percent this way."""
    runs = [
        run([1000.0, *episodes(150, 9, 20, seed)], episodes(150, 200, 20, seed), seed=seed)
        for seed in range(4)
    ]
    assert only_defect(runs).startswith("dog-run/mst: its 4 runs claim, on average, 23")


def test_a_claim_of_half_is_found():
    """The old test looked for high claims alone, so a baseline could be weakened."""
    outcome = compare(group("dense", 500, 0.5))
    assert len(outcome.defects) == 11
    assert outcome.runs[0].defect.startswith("claims 250.0, too low: fresh episodes return")
    assert outcome.groups[0].defect.startswith("its 10 runs claim, on average, 250.0, too low:")


def test_low_claims_do_not_cancel_high_ones():
    """dense at -5 percent once hid mst at +8 percent: all runs were pooled with their signs."""
    defects = compare([*group("mst", 500, 1.08), *group("dense", 500, 0.92)]).defects
    assert [defect.split(":")[0] for defect in defects] == ["dog-run/mst", "dog-run/dense"]


@pytest.mark.parametrize("spread", ["equal", "extremes"])
def test_the_spread_of_claims_hides_nothing(spread):
    def shaped(mean):
        if spread == "equal":
            return [mean] * 50
        ones = int(50 * mean / 1000)
        return [1000.0] * ones + [50 * mean - 1000.0 * ones] + [0.0] * (49 - ones)

    runs = [run(shaped(535.0), episodes(500, 200, seed=seed), seed=seed) for seed in range(10)]
    assert only_defect(runs).startswith("dog-run/mst: its 10 runs claim, on average, 535.0, too hi")


def test_a_policy_that_fell_only_before_or_only_afterwards_is_no_cheat():
    upright = [900.0] * 199
    assert compare([run([900.0] * 50, [*upright, 0.0])]).defects == []
    assert compare([run([900.0] * 49 + [0.0], [*upright, 900.0])]).defects == []


def test_a_sure_but_small_difference_of_one_run_is_no_defect_of_this_run():
    (outcome,) = compare([run([690.0] * 50, [600.0] * 200)]).runs
    assert outcome.p < 1e-3
    assert outcome.defect is None, "9 percent of the range"


# -- figures --


def test_the_error_by_hand():
    # Fresh 400 and 600 with 0 and 1000: mean 500, squares 10^4 + 10^4 + 25 10^4 + 25 10^4 over 3.
    outcome = compare([run([700.0] * 4, [400.0, 600.0])]).groups[0]
    variance = 520_000 / 3 * (1 / 4 + 1 / 2)
    assert outcome.difference == 200.0
    assert outcome.error == pytest.approx(math.sqrt(variance))


def test_a_single_episode_on_both_sides_by_hand():
    """The largest difference there is: of 0, 0 and 1000, a draw claims 1000 once in three times and
    returns 0 afresh twice in three times."""
    (outcome,) = compare([run([1000.0], [0.0])]).runs
    assert outcome.p == pytest.approx(2 * (1 / 3) * (2 / 3), rel=1e-6)
    assert compare([run([500.0], [500.0])]).runs[0].p == 1.0


def test_returns_of_two_values_are_binomial():
    # With the imagined episodes, half of what is drawn returns 1000.
    fresh = [0.0, 1000.0] * 100
    (outcome,) = compare([run([1000.0] * 36 + [0.0] * 14, fresh)]).runs
    claimed = scipy_stats.binom.pmf(np.arange(51), 50, 0.5)
    observed = scipy_stats.binom.pmf(np.arange(201), 200, 0.5)
    difference = np.arange(51)[:, None] / 50 - np.arange(201)[None, :] / 200
    exact = 2 * (np.outer(claimed, observed) * (difference >= 0.22 - 1e-12)).sum()
    assert outcome.p == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(("count", "shift"), [(5, -100.0), (50, -60.0), (50, 20.0)])
def test_skewed_returns_have_the_p_of_many_draws(count, shift):
    # 5 of 200 fell.
    fresh = [*np.linspace(850, 950, 195), *[0.0] * 5]
    drawn = np.array([*fresh, 0.0, 1000.0])
    generator = np.random.default_rng(0)
    claims = generator.choice(drawn, (60_000, count)).mean(axis=1)
    means = generator.choice(drawn, (60_000, 200)).mean(axis=1)
    frequency = 2 * np.mean(np.sign(shift) * (claims - means) >= abs(shift))

    p = compare([run([np.mean(fresh) + shift] * count, fresh)]).runs[0].p
    assert p == pytest.approx(frequency, rel=0.25)


def test_normal_returns_have_the_p_of_a_normal_distribution():
    outcome = compare(group("mst", 500, 1.02)).groups[0]
    z = outcome.difference / outcome.error
    assert outcome.p == pytest.approx(2 * scipy_stats.norm.sf(abs(z)), rel=0.1)


def test_levels_are_shared_out():
    """The same runs pass beside others that are tested too."""
    assert LEVEL <= 0.005
    suspicious = group("mst", 500, 1.0)
    outcome = compare(suspicious)
    shift = 3.15 * outcome.groups[0].error - outcome.groups[0].difference
    suspicious = [
        run([500.0 + shift] * 50, member.fresh, seed=seed) for seed, member in enumerate(suspicious)
    ]
    assert 0.001 < compare(suspicious).groups[0].p < 0.003
    assert len(compare(suspicious).defects) == 1
    others = [member for name in "abc" for member in group(name, 500)]
    assert compare([*suspicious, *others]).defects == []


@pytest.mark.parametrize(
    ("claimed", "fresh"),
    [
        ([1e300] * 5, [0.0] * 10),
        ([-1e300] * 5, [1000.0] * 10),
        ([0.0], [math.nan] * 3),
        ([0.0] * 5, [0.0] * 200),
        ([1000.0] * 50, [0.0] * 200),
        ([0.0] * 50, [1000.0] * 200),
        ([5.0], [math.inf]),
        ([999.999999] * 50, [0.0] * 200),
        ([1e-9] * 50, [0.0] * 200),
        ([-120.0], [-110.0]),
    ],
)
def test_every_figure_is_finite(claimed, fresh):
    outcome = compare([run(claimed, fresh, seed=seed) for seed in range(2)])
    figures = [figure for one in outcome.runs for figure in (one.claimed, one.fresh, one.p)]
    figures += [figure for one in outcome.groups for figure in (one.difference, one.error, one.p)]
    assert all(map(math.isfinite, figures))
    assert all(0.0 < one.p <= 1.0 for one in (*outcome.runs, *outcome.groups))


def test_p_falls_as_a_claim_moves_away():
    fresh = np.array([[[*np.linspace(300, 700, 50), 0.0, 1000.0]]])
    differences = np.linspace(1.0, 499.0, 60)
    for side in (1.0, -1.0):
        p = resampled.two_sided(
            side * differences, np.repeat(fresh, 60, axis=0), np.array([50.0]), 50
        )
        assert (np.diff(p) < 0.0).all()


def test_the_largest_difference_there_is_may_be_rounded():
    # Draws of 0 and 1000 differ by 1000 at most: a single 1000 claimed, and 0 afresh.
    returns = np.array([[[0.0, 1000.0]]])

    def chance(difference):
        return resampled.two_sided(np.array([difference]), returns, np.array([1.0]), 1)[0]

    assert chance(1000.0) == pytest.approx(2 * 0.25, rel=1e-6)
    assert chance(1000.0 * (1.0 + 1e-12)) == chance(1000.0)
    assert chance(1000.0 * (1.0 + 1e-8)) == resampled.SMALLEST, "no draw goes beyond"


def test_what_cannot_be_compared_is_an_error():
    for claimed, fresh in (([], [1.0]), ([1.0], [])):
        with pytest.raises(ValueError, match="claimed and"):
            run(claimed, fresh)
    with pytest.raises(ValueError, match="no range"):
        run([1.0], [1.0], low=1.0, high=1.0)
    with pytest.raises(ValueError, match="not as many"):
        compare([run([1.0], [1.0]), run([1.0], [1.0, 2.0])])
