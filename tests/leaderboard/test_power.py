"""Power: beside an audit's table, the noncentral t, and simulations of the rules themselves."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from leaderboard.formats.suite import Claim
from leaderboard.statistics.claims import LEVEL_ZERO, outcome
from leaderboard.statistics.power import (
    Design,
    power,
    seeds_needed,
    smallest_effect,
    usual_effect,
)

MEANS = (569.0, 200.0)
DEVIATIONS = (40.0, 56.7)
"""Published of dog-run and humanoid-run."""
ABOVE = Claim("A1", "x", "ours", "headline", "mst", "dense", "score", "above", 0.05)
NO_WORSE = replace(ABOVE, rule="no-worse", margin=0.1)
EQUIVALENT = replace(ABOVE, rule="equivalent", over="each", margin=0.25)
SPREAD = replace(ABOVE, figure="spread", margin=1.0)
FAILURES = replace(ABOVE, figure="failures", unit="own", margin=0.1)


def design(claim=ABOVE, **changes):
    """A design of the two tasks."""
    return Design(claim, MEANS, DEVIATIONS, **changes)


def test_a_tenth_needs_fourteen_seeds_and_a_family_needs_more():
    # An audit's table, by the noncentral t: 14, and 18, 20, 22 in families of 3, 5, 8.
    counts = [
        seeds_needed(design(replace(ABOVE, margin=1e-9), tests=tests), effect=0.1)
        for tests in (1, 3, 5, 8)
    ]
    assert counts[0] == 14
    assert counts == pytest.approx([14, 18, 20, 22], abs=1)


def test_power_is_that_of_the_noncentral_t():
    # Equal variances and ten seeds a side: freedom 18 all but exactly, on a single task.
    one = Design(replace(ABOVE, margin=1e-9), (100.0,), (10.0,))
    shift = 0.15 * 100.0 / (10.0 * math.sqrt(2.0 / 10.0))
    exact = scipy_stats.nct.sf(scipy_stats.t.ppf(0.975, 18), 18, shift)
    assert power(one, 10, 0.15) == pytest.approx(exact, abs=0.01)


def test_power_of_pairs_is_that_of_the_noncentral_t():
    # Ours less 1.5 times theirs: variance 1 + 1.5^2 - 2 * 1.5 * 0.5 = 1.75 of a score's.
    paired = replace(ABOVE, paired=True, margin=0.5)
    one = Design(paired, (100.0,), (20.0,), correlation=0.5)
    shift = (0.7 - 0.5) * 100.0 / (20.0 * math.sqrt(1.75 / 10.0))
    exact = scipy_stats.nct.sf(scipy_stats.t.ppf(0.975, 9), 9, shift)
    assert 0.5 < exact < 0.8
    assert power(one, 10, 0.7) == pytest.approx(exact, abs=0.01)


def test_at_the_margin_power_is_the_size():
    for claim, margin in ((ABOVE, 0.05), (NO_WORSE, -0.1)):
        assert power(design(claim), 30, margin) == pytest.approx(0.025, abs=0.003)


def test_the_smallest_effect_has_the_power_it_says():
    for claim in (ABOVE, replace(ABOVE, rule="below"), SPREAD, replace(ABOVE, over="each")):
        least = smallest_effect(design(claim), 10)
        assert power(design(claim), 10, least) == pytest.approx(0.8, abs=0.01)
        assert smallest_effect(design(claim), 30) < least


def test_of_rules_about_nothing_the_smallest_margin_is_told():
    for claim in (NO_WORSE, EQUIVALENT):
        margin = smallest_effect(design(claim), 30)
        shown = replace(claim, margin=margin)
        assert power(design(shown), 30, 0.0) == pytest.approx(0.8, abs=0.01)


def test_what_no_number_of_seeds_finds_has_no_number():
    assert smallest_effect(design(EQUIVALENT), 3) == math.inf
    assert seeds_needed(design(), effect=0.05) is None, "at the margin nothing is shown"
    rare = Design(replace(FAILURES, rule="below"), (0.05, 0.05), (0.0, 0.0))
    assert smallest_effect(rare, 30) == math.inf, "a twentieth cannot fall by a tenth"


def test_one_seed_has_no_power():
    for claim in (ABOVE, EQUIVALENT, SPREAD, FAILURES):
        assert power(design(claim), 1, 10.0) == 0.0


def test_without_any_spread_an_effect_is_sure():
    still = Design(ABOVE, (100.0,), (0.0,))
    assert power(still, 3, 0.06) == 1.0
    assert power(still, 3, 0.04) == 0.0
    assert power(replace(still, claim=EQUIVALENT), 3, 0.0) == 1.0
    assert smallest_effect(still, 3, enough=1.0) == pytest.approx(0.05)


def test_pairs_that_go_together_need_fewer_seeds():
    paired = replace(ABOVE, paired=True)
    alone = seeds_needed(design())
    assert seeds_needed(design(paired, correlation=0.5)) < alone
    assert seeds_needed(design(paired, correlation=0.0)) == pytest.approx(alone, abs=3)


def test_a_published_mean_of_few_seeds_is_no_help():
    assert power(design(published=3), 30, 0.2) < power(design(published=10), 30, 0.2)
    assert power(design(published=30), 30, 0.2) == pytest.approx(power(design(), 30, 0.2))


def test_the_usual_effect_is_twice_the_margin_or_none():
    assert usual_effect(ABOVE) == pytest.approx(0.1)
    assert usual_effect(NO_WORSE) == 0.0
    assert usual_effect(replace(SPREAD, rule="equivalent", over="each", margin=2.0)) == 1.0


def supported(claim, sides, replications=400):
    """Share of drawn experiments that support a claim."""
    generator = np.random.default_rng(3)
    outcomes = [outcome(claim, sides(generator)) for _ in range(replications)]
    return sum(o.leans == "supported" and o.p < 0.05 for o in outcomes) / replications


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(
    ("claim", "effect"),
    [
        (ABOVE, 0.25),
        (replace(ABOVE, over="each"), 0.6),
        (NO_WORSE, 0.1),
        (EQUIVALENT, 0.0),
        (SPREAD, 3.0),
        (replace(SPREAD, rule="equivalent", over="each", margin=4.0), 1.5),
        (replace(SPREAD, rule="no-worse", margin=1.5), 2.0),
        (replace(SPREAD, rule="below", margin=1.5), 4.0),
    ],
)
def test_the_formula_is_what_the_rule_does(claim, effect, seeds):
    def sides(generator):
        noise = generator.standard_normal((2, 2, seeds)) * np.array(DEVIATIONS)[:, None]
        middle = np.array(MEANS)[:, None]
        if claim.figure == "spread":
            # Less is better, so of these two rules the effect is a factor below.
            factor = 1.0 / effect if claim.rule in ("below", "no-worse") else effect
            return (middle + factor * noise[0]).tolist(), (middle + noise[1]).tolist()
        return (middle * (1.0 + effect) + noise[0]).tolist(), (middle + noise[1]).tolist()

    assert power(design(claim), seeds, effect) == pytest.approx(supported(claim, sides), abs=0.06)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_formula_of_a_level_is_what_the_rule_does(seeds):
    level = Claim("A9", "x", "ours", "x", "mst", "zero", "critic.x", "above", 0.2, unit="own")

    def sides(generator):
        noise = 0.05 * generator.standard_normal((2, seeds))
        return (0.28 + noise).tolist(), [LEVEL_ZERO] * 2

    spread = Design(level, (0.28, 0.28), (0.05, 0.05))
    assert power(spread, seeds, 0.28) == pytest.approx(supported(level, sides), abs=0.06)


def test_of_an_even_number_of_seeds_the_formula_keeps_what_the_rule_keeps():
    def sides(generator):
        noise = generator.standard_normal((2, 2, 4))
        return (3.0 * noise[0]).tolist(), noise[1].tolist()

    found = supported(SPREAD, sides, replications=3000)
    assert power(design(SPREAD), 4, 3.0) == pytest.approx(found, abs=0.025)


@pytest.mark.parametrize("seeds", [5, 10, 30])
@pytest.mark.parametrize(
    ("claim", "rate", "effect"),
    [
        (FAILURES, 0.2, 0.5),
        (replace(FAILURES, rule="below"), 0.7, 0.5),
        (replace(FAILURES, rule="no-worse", margin=0.3), 0.5, 0.2),
        (replace(FAILURES, rule="equivalent", over="each", margin=0.6), 0.5, 0.1),
    ],
)
def test_the_formula_of_rates_is_what_the_rule_does(claim, rate, effect, seeds):
    # Failures are losses: "no worse" points down.
    true = rate + effect if claim.rule in ("above", "equivalent") else rate - effect

    def sides(generator):
        ours = (generator.random((2, seeds)) < true).astype(float).tolist()
        return ours, (generator.random((2, seeds)) < rate).astype(float).tolist()

    rates = Design(claim, (rate, rate), (0.0, 0.0))
    assert power(rates, seeds, effect) == pytest.approx(supported(claim, sides), abs=0.08)


def test_what_cannot_be_shown_on_one_task_cannot_be_on_two():
    rates = Design(replace(FAILURES, rule="equivalent", over="each"), (0.3, 0.3), (0.0, 0.0))
    assert power(rates, 5, 0.0) == 0.0
    spreads = design(replace(SPREAD, rule="equivalent", over="each", margin=1.1))
    assert power(spreads, 5, 1.0) == 0.0


@pytest.mark.parametrize(("margin", "effect"), [(1.0, 1.2), (1.0, 1.4), (2.0, 2.5), (3.0, 4.0)])
def test_beyond_the_seeds_that_are_drawn_the_formula_goes_on_where_draws_ended(margin, effect):
    spread = design(replace(SPREAD, margin=margin))
    assert 0.2 < power(spread, 50, effect) < 0.95
    assert power(spread, 51, effect) == pytest.approx(power(spread, 50, effect), abs=0.04)


def falling(rate, **changes):
    """A design about failures that are rarer than a regime's with this rate."""
    return Design(replace(FAILURES, rule="below", **changes), (rate, rate), (0.0, 0.0))


def test_rates_fall_as_likely_as_they_rise():
    rising = Design(FAILURES, (0.3, 0.3), (0.0, 0.0))
    assert power(falling(0.7), 10, 0.5) == pytest.approx(power(rising, 10, 0.5))
    assert power(falling(0.7, over="each"), 10, 0.5) == pytest.approx(
        power(replace(rising, claim=replace(FAILURES, over="each")), 10, 0.5)
    )


def test_no_rate_falls_below_zero_or_rises_above_one():
    rising = Design(FAILURES, (0.8, 0.8), (0.0, 0.0))
    assert power(rising, 10, 0.5) == power(rising, 10, 0.2) < 0.9
    assert power(falling(0.2), 10, 0.5) == pytest.approx(power(falling(0.2), 10, 0.2))


def test_a_rate_can_fall_by_all_that_there_is():
    effect = smallest_effect(falling(0.8), 10)
    assert 0.5 < effect < 0.8
    assert power(falling(0.8), 10, effect) == pytest.approx(0.8, abs=0.01)


def test_rates_that_nothing_varies_are_certain():
    never = Design(FAILURES, (0.0, 0.0), (0.0, 0.0))
    assert power(never, 10, 1.0) == 1.0
    assert power(never, 10, 0.0) == 0.0
