"""What a report says first, and what a paper takes from it."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from helpers.program import call
from leaderboard.formats.suite import Claim
from leaderboard.pages.answer import answer
from leaderboard.pages.papers import badge
from leaderboard.pages.report import ReportInput, render
from leaderboard.statistics.claims import Finding
from leaderboard.statistics.scores import Scored
from leaderboard.verification.verify import verify

SPREAD = (-20.0, -10.0, 0.0, 10.0, 20.0, 25.0)
"""What seeds score beside their regime's mean."""


def runs_of(means, seeds=6, tasks=("dog-run",)):
    """Finished runs of regimes with these means."""
    return [
        Scored(task, regime, seed, "finished", score, score, score, {})
        for task in tasks
        for regime, mean in means.items()
        for seed in range(seeds)
        for score in [mean + SPREAD[seed]]
    ]


def told(runs, findings=()):
    """The sentences."""
    return answer(runs, list(dict.fromkeys(run.regime for run in runs)), findings).sentences


# -- the sentence --


def test_one_regime_is_best_where_every_other_is_shown_to_be_below():
    (sentence,) = told(runs_of({"dense": 300.0, "mst": 500.0}))
    assert sentence == "mst is best on dog-run: 504.2 ± 18.3, above every other regime."


def test_regimes_that_may_each_be_the_best_are_named_with_those_that_are_not():
    (sentence,) = told(runs_of({"dense": 300.0, "sst": 495.0, "mst": 500.0}))
    assert sentence == (
        "mst and sst may each be the best on dog-run; dense is shown to be below another."
    )
    many = {f"r{number}": 100.0 for number in range(6)} | {"mst": 500.0, "sst": 498.0}
    assert "the other 6 are shown to be below another" in told(runs_of(many))[0]


def test_no_difference_is_no_winner():
    (sentence,) = told(runs_of({"dense": 300.0, "mst": 301.0}, tasks=("dog-run", "humanoid-run")))
    assert sentence == (
        "No regime is shown to be better than another over the 2 tasks: their means lie between"
        " 304.2 and 305.2."
    )


def test_few_seeds_or_a_missing_run_call_nothing_the_best():
    few = runs_of({"dense": 300.0, "mst": 900.0}, seeds=3)
    assert told(few)[0].startswith("mst has the highest mean on dog-run, 890.0 ± ")
    assert "no regime is called the best" in told(few)[0]
    whole = runs_of({"dense": 300.0, "mst": 900.0})
    lacking = [replace(whole[0], status="missing", score=None, counted=0.0), *whole[1:]]
    assert "no regime is called the best" in told(lacking)[0]
    assert all(row.rank is None for row in answer(lacking, ["dense", "mst"], ()).standings)


def test_before_every_task_has_a_score_there_is_no_answer():
    come = replace(runs_of({"mst": 1.0}, seeds=1)[0], status="missing", score=None, counted=None)
    found = answer([come], ["mst"], ())
    assert found.sentences == ["No regime has a score on every task yet."]
    assert found.chart is None
    assert told(runs_of({"mst": 1.0}, seeds=1)) == ["mst scores -19 on dog-run."]


def test_claims_are_counted_by_their_verdicts():
    claim = Claim("O1", "s", "ours", "headline", "mst", "dense", "score", "above", 0.05)
    findings = [
        Finding(claim, "", "", "", verdict) for verdict in ("supported", "undecided", "undecided")
    ]
    assert told(runs_of({"mst": 1.0}), findings)[1] == (
        "Of the 3 comparisons that were declared before the runs: 1 supported, 0 refuted and 2"
        " undecided."
    )


# -- the chart and the table --


def test_the_best_stand_on_top_and_ties_are_ties():
    found = answer(
        runs_of({"dense": 300.0, "sst": 495.0, "mst": 500.0}), ["dense", "sst", "mst"], ()
    )
    assert [(row.regime, row.rank_text, row.first) for row in found.standings] == [
        ("mst", "1 to 2", True),
        ("sst", "1 to 2", True),
        ("dense", "3", False),
    ]


def test_intervals_end_where_the_range_of_the_task_does():
    """Two seeds far apart have an interval that reaches beyond what an episode can return."""
    runs = [
        replace(run, score=score, counted=score)
        for run, score in zip(runs_of({"mst": 0.0}, seeds=2), (10.0, 900.0), strict=True)
    ]
    drawn = answer(runs, ["mst"], ()).chart.svg
    texts = [part.text for part in ElementTree.fromstring(drawn).iter("text")]
    ticks = [float(text) for text in texts if text.isdecimal()]
    assert (min(ticks), max(ticks)) == (0.0, 1000.0)
    assert not [text for text in texts if text.startswith("\N{MINUS SIGN}")]


def test_a_bootstrap_of_few_seeds_is_not_shown():
    """Two seeds resampled gave "1.00 (1.00 to 1.00)" beside p 0.61."""
    few, enough = (
        answer(runs_of({"mst": 300.0}, seeds=seeds), ["mst"], ()).standings[0].iqm_text
        for seeds in (4, 5)
    )
    assert few == "295.0"
    assert enough.startswith("300.0 (") and enough.endswith(")")


def test_contrasts_of_few_seeds_have_no_bootstrap_interval(tiny_entry):
    stated = ReportInput.of(verify(tiny_entry))
    for seeds, shown in ((2, False), (5, True)):
        runs = [
            replace(run, seed=seed, score=run.score + seed)
            for run in stated.runs
            for seed in range(seeds)
        ]
        page = render(replace(stated, runs=tuple(runs)), lambda _: None)
        row = page.split("mst - dense</td>")[1].split("</tr>")[0]
        assert (") </td>" in row or "(0." in row or "(1." in row) == shown


def test_a_signature_of_many_runs_is_one_row(tiny_entry):
    from leaderboard.formats.run import FailureSignature

    stated = ReportInput.of(verify(tiny_entry))
    seen = [FailureSignature("dormant", step, step / 100) for step in (300, 1200)]
    runs = [
        replace(run, seed=seed, failure_signatures=(seen[seed],))
        for run in stated.runs
        for seed in range(2)
    ]
    page = render(replace(stated, runs=tuple(runs)), lambda _: None)
    section = page.split('<section id="signs">')[1].split("</section>")[0]
    assert section.count("<tr>") == 1 + len(stated.runs)
    assert section.count(">2 of 2</td>") == len(stated.runs)
    assert ">300 to 1,200</td>" in section and ">3 to 12</td>" in section


# -- for papers --


def test_charts_become_files_that_are_the_same_each_time(tiny_entry, tmp_path):
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        made = call("report", tiny_entry.parent, "--figures", folder)
        assert made.returncode == 0, made.stderr
    names = sorted(path.name for path in first.iterdir())
    stems = (
        "regimes",
        "profiles",
        "cartpole-swingup-returns",
        "cartpole-swingup-critic-rank-of-the-features",
    )
    for stem in stems:
        assert {f"{stem}.{form}" for form in ("svg", "pdf", "png")} <= set(names)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    drawn = (first / "cartpole-swingup-returns.svg").read_text()
    assert "var(" not in drawn and "#0072b2" in drawn, "colours of its own"
    assert ">mst<" in drawn, "and a legend"


@pytest.mark.parametrize(
    ("option", "row", "last"),
    [("--markdown", "| mst ", "|"), ("--latex", "mst & ", r"\end{tabular}")],
)
def test_the_table_of_regimes_as_text(option, row, last, tiny_entry):
    made = call("report", tiny_entry.parent, option)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.rstrip().splitlines()
    assert any(line.startswith(row) for line in lines)
    assert lines[-1].endswith(last)


@pytest.mark.parametrize(
    ("means", "outcome"),
    [
        ({"dense": 900.0, "sst": 300.0, "mst": 300.0}, "dense best"),
        ({"dense": 500.0, "sst": 300.0, "mst": 500.0}, "dense or mst best"),
        (dict.fromkeys(("a", "b", "c", "d"), 500.0) | {"e": 300.0}, "4 of 5 not told apart"),
        ({"dense": 500.0, "mst": 500.0}, "not told apart"),
    ],
)
def test_a_badge_says_how_far_it_was_checked_and_who_may_be_best(means, outcome, tiny_entry):
    stated = ReportInput.of(verify(tiny_entry))
    shape = stated.runs[0]
    runs = [
        replace(shape, task=run.task, regime=run.regime, seed=run.seed, score=run.score)
        for run in runs_of(means)
    ]
    drawn = badge(replace(stated, runs=tuple(runs)), lambda _: None)
    (title,) = [part for part in ElementTree.fromstring(drawn).iter() if part.tag.endswith("title")]
    assert title.text == f"own-tiny: L0, {outcome}"


def test_a_badge_is_written_where_it_is_asked_for(tiny_entry, tmp_path):
    made = call("report", tiny_entry.parent, "--badge", tmp_path / "badge.svg")
    assert made.returncode == 0, made.stderr
    assert "own-tiny: L0, not told apart" in (tmp_path / "badge.svg").read_text()


def test_two_of_these_at_once_are_refused(tiny_entry, tmp_path):
    made = call("report", tiny_entry.parent, "--latex", "--figures", tmp_path)
    assert made.returncode == 2
    assert "--figures and --latex make different things; give one of them." in made.stderr
