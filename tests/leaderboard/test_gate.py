"""The statistics of the regression gate: what they pass, fail and leave open."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from helpers.statements import stated
from leaderboard.statistics import gate


def cells(mean, sd=10.0, n=10, seed=0):
    """One cell of `n` scores around a mean."""
    return {"dog-run/mst": (mean + sd * np.random.default_rng(seed).standard_normal(n)).tolist()}


def test_the_same_passes_a_clear_loss_fails_and_noise_stays_open():
    assert gate.judge(cells(100.0), cells(100.0, seed=1)).word == "PASS"
    assert gate.judge(cells(100.0), cells(60.0, seed=1)).word == "FAIL"
    undecided = gate.judge(cells(100.0, sd=60.0), cells(95.0, sd=60.0, seed=1))
    assert undecided.word == "INCONCLUSIVE"
    assert undecided.more_seeds > 0
    assert gate.judge(cells(100.0), cells(100.0, seed=1)).more_seeds == 0, "nothing is open"


def test_a_sure_but_small_loss_is_no_failure():
    verdict = gate.judge(cells(100.0, sd=0.5), cells(97.0, sd=0.5, seed=1))
    assert verdict.cells[0].p < 0.01
    assert verdict.word == "PASS", "3 percent are within the tolerance of 5"


OLD = [90.0, 100.0, 110.0]
NEW = [60.0, 70.0, 80.0]


def test_a_cell_by_hand():
    # Both have deviation 10. A fifth less than the baseline is 80: the candidate is 10 below it.
    (cell,) = gate.judge({"t/r": OLD}, {"t/r": NEW}).cells
    assert (cell.baseline, cell.candidate) == (100.0, 70.0)
    assert cell.change == pytest.approx(-0.3)
    lost = scipy_stats.ttest_ind(NEW, OLD, equal_var=False, alternative="less")
    assert cell.p == pytest.approx(lost.pvalue)

    # The bound is one of the candidate less 0.8 times the baseline, with Welch's freedom.
    terms = [0.64 * 100.0 / 3.0, 100.0 / 3.0]
    freedom = sum(terms) ** 2 / sum(term**2 / 2.0 for term in terms)
    half = scipy_stats.t.ppf(0.95, freedom) * math.sqrt(sum(terms))
    assert cell.lower == pytest.approx(-10.0 - half)
    assert cell.word == "INCONCLUSIVE"


def test_the_seeds_that_are_asked_for_are_the_fewest_that_would_do():
    # The candidate is 10 above the margin, both deviations are 10, and only its seeds grow.
    (cell,) = gate.judge({"t/r": OLD}, {"t/r": [80.0, 90.0, 100.0]}).cells

    def bound(more):
        error = 10.0 * math.sqrt(0.64 / 3.0 + 1.0 / (3.0 + more))
        return 10.0 - scipy_stats.t.ppf(0.95, 4.0 + more) * error

    assert cell.more_seeds == next(more for more in itertools.count(1) if bound(more) > 0.0) > 1


def test_a_margin_that_no_number_of_seeds_shows_asks_for_the_most():
    verdict = gate.judge({"t/r": OLD}, {"t/r": NEW})
    assert verdict.more_seeds == gate.MOST_SEEDS


def test_a_baseline_of_nothing_has_no_share():
    (cell,) = gate.judge({"t/r": [-1.0, 1.0]}, {"t/r": NEW}).cells
    assert math.isnan(cell.change)


def test_scores_without_any_spread_are_certain():
    for score, word, p in ((100.0, "PASS", 1.0), (90.0, "FAIL", 0.0), (96.0, "PASS", 0.0)):
        verdict = gate.judge({"t/r": [100.0] * 3}, {"t/r": [score] * 3})
        assert (verdict.word, verdict.cells[0].p) == (word, p), score


def test_one_bad_cell_of_many_fails_all():
    old = {f"t/{i}": cells(100.0, seed=i)["dog-run/mst"] for i in range(5)}
    new = {f"t/{i}": cells(50.0 if i == 3 else 100.0, seed=10 + i)["dog-run/mst"] for i in range(5)}
    verdict = gate.judge(old, new)
    assert verdict.word == "FAIL"
    assert [cell.cell for cell in verdict.cells if cell.word == "FAIL"] == ["t/3"]


def test_as_many_seeds_as_were_asked_for_usually_decide():
    undecided = gate.judge(cells(100.0, sd=30.0, n=6), cells(102.0, sd=30.0, n=6, seed=4))
    assert undecided.word == "INCONCLUSIVE"
    more = undecided.more_seeds
    decided = [
        gate.judge(cells(100.0, 30.0, 6), cells(104.0, 30.0, 6 + more + 6, s)).word == "PASS"
        for s in range(30)
    ]
    assert sum(decided) >= 10


def test_figures_contradict_what_is_called_identical():
    open_ = gate.judge(cells(100.0, sd=60.0), cells(95.0, sd=60.0, seed=1))
    assert open_.word == "INCONCLUSIVE" and open_.keeps()
    assert not gate.judge(cells(100.0, sd=60.0), cells(60.0, sd=60.0, seed=1)).keeps()
    assert not gate.judge(cells(100.0), cells(92.0, sd=1.0)).keeps(), "a FAIL within the margin"

    # Nothing at all is borne out by no figures, whatever the margin.
    nothing = {"dog-run/mst": [0.0, 0.0]}
    for baseline in ({"dog-run/mst": [90.0, 110.0]}, nothing):
        verdict = gate.judge(baseline, nothing)
        assert verdict.word != "PASS"
        assert not verdict.keeps(margin=1.0)


def test_a_failed_run_scores_nothing():
    runs = [stated("mst", 0, 10.0), stated("mst", 1, None, status="failed"), stated("mst", 2, 12.0)]
    assert gate.scores(runs) == {"dog-run/mst": [10.0, 0.0, 12.0]}


def test_the_gate_was_calibrated():
    measured = gate.calibration()
    assert measured["comparisons"] >= 300
    assert measured["false_alarms"] / measured["comparisons"] <= 0.01
    assert measured["inconclusive"] / measured["comparisons"] <= 0.20
    assert measured["found"] / measured["comparisons"] >= 0.90
    assert measured["planted_passed_if_identical"] == 0


def test_error_rates_are_stated_for_what_they_were_measured_on():
    line = gate.calibration_line("ci-tiny version 1", [80, 80, 80, 80])
    assert line.startswith("measured on ci-tiny version 1, 80 against 80 seeds: false alarms ")


def test_error_rates_of_anything_else_were_not_measured():
    """Two seeds of a suite of one's own once came with the rates of 80 seeds of ci-tiny."""
    unmeasured = "the error rates of this suite were not measured"
    for suite in ("own version 1", "ci-tiny version 2", "ci-tiny version 1, changed"):
        line = gate.calibration_line(suite, [80, 80])
        assert line.startswith(unmeasured)
        assert "false alarms" not in line

    # The same suite, but not as it was measured.
    for line in (
        gate.calibration_line("ci-tiny version 1", [80, 40]),
        gate.calibration_line("ci-tiny version 1", [80, 80], defaults=False),
    ):
        assert line.startswith("the error rates were measured with other seeds or limits")
        assert "false alarms" not in line
