"""Claims: every one is judged by a shipped suite or says what it waits for, and suites train
nothing that no claim is about."""

import json
import re
from collections import Counter

import pytest

from agents.diagnostics.figures import FEW, ROWS
from agents.diagnostics.names import FIGURES, OF_SAMPLES
from harness.claims import FILES, UNJUDGED, WAITS, read_file, registry, stated_tests
from harness.claims.words import in_words, rows_of
from harness.errors import UserError
from harness.planning import finding
from harness.planning.making import make_plan
from harness.planning.reader import load
from harness.suites import shipped
from helpers.program import call
from helpers.suites import TINY

SUITES = {name: load(name) for name in shipped()}
JUDGING = [name for name in SUITES if name not in UNJUDGED]


def test_the_registry_holds_the_claims_of_both_papers():
    assert list(read_file("paper-a")) == [f"A{number}" for number in range(1, 21)]
    assert list(read_file("paper-b")) == [f"B{number}" for number in range(1, 10)]
    ids = [claim for name in FILES for claim in read_file(name)]
    assert Counter(ids).most_common(1)[0][1] == 1, "no id stands in two files"


def test_claims_of_ours_are_called_ours():
    for claim, registered in registry().items():
        assert (registered.source == "ours") == claim.startswith("O"), claim


@pytest.mark.parametrize("claim", registry())
def test_every_claim_is_judged_by_a_shipped_suite_or_names_what_it_waits_for(claim, capsys):
    registered = registry()[claim]
    judged = any(part.suites for part in registered.tests)
    judged |= any(registry()[other].tests for other in registered.judged_by)
    if registered.waits_for:
        with capsys.disabled():
            print(f"\n{claim} waits for {WAITS[registered.waits_for]}: {registered.missing}")
    assert judged or registered.waits_for


@pytest.mark.parametrize("claim", registry())
def test_the_suites_that_a_claim_names_make_its_tests(claim):
    """A regime that is written wrongly would be left out in silence."""
    assert all(registry()[other].tests for other in registry()[claim].judged_by)
    for part, test in stated_tests(claim):
        for suite in part.suites:
            assert claim in SUITES[suite].suite.claims, suite
            assert test in SUITES[suite].claims, (suite, test)


@pytest.mark.parametrize("name", JUDGING)
def test_a_suite_trains_no_regime_that_nothing_judges(name):
    resolved = SUITES[name]
    judged = {side for test in resolved.claims for side in (test.regime, test.than)}
    assert set(resolved.suite.regimes) <= judged
    for claim in resolved.suite.claims:
        assert any(name in part.suites for part in registry()[claim].tests), claim


def test_suites_without_claims_say_why():
    assert set(UNJUDGED) == {name for name in SUITES if not SUITES[name].claims}


@pytest.mark.parametrize("name", [name for name in JUDGING if name != "dmc-hard-pilot"])
def test_a_shipped_suite_can_find_something(name):
    plan = make_plan(SUITES[name])
    assert finding.warning(plan) == ""
    useless = [row.test.id for row in finding.finds(plan) if row.nothing]
    assert useless == []


# -- ranks --


RANKS = {"srank": FEW, f"srank_{ROWS}": ROWS}
"""Figure -> rows that it is measured on."""


def compared_ranks():
    """Suite and test, for every test of a shipped suite that compares ranks."""
    for name, resolved in SUITES.items():
        for test in resolved.claims:
            _, _, figure = test.figure.rpartition(".")
            if figure in RANKS:
                yield name, test


def width_of_features(settings, module):
    """Columns of a module's features in MR.Q."""
    return settings.zs_dim if module == "encoder" else settings.width


def test_ranks_are_compared_on_more_rows_than_features_have_columns():
    # Was: encoder.srank, on 256 rows, of embeddings 1536 wide; then 2048 rows of 2560 columns.
    checked = 0
    for name, test in compared_ranks():
        module, _, figure = test.figure.removeprefix("slope:").partition(".")
        regimes = [side for side in (test.regime, test.than) if side in SUITES[name].regimes]
        for regime in regimes:
            settings = SUITES[name].regimes[regime].settings
            width = width_of_features(settings, module)
            assert different_rows(settings.learning_starts, RANKS[figure]) >= width, (name, test.id)
            checked += 1
    assert checked >= 40


def different_rows(rows, drawn):
    """How many of a replay's rows are among those drawn with replacement, on average."""
    return rows * (1.0 - (1.0 - 1.0 / rows) ** drawn)


# -- what a suite can find --


def test_more_seeds_find_smaller_effects():
    (first, *_) = finding.finds(make_plan(load("dmc-hard")))
    (more, *_) = finding.finds(make_plan(load("dmc-hard", ("seeds=40",))))
    assert 0.05 < more.smallest < 0.7 * first.smallest
    assert first.smallest == pytest.approx(0.19, abs=0.01), "10 seeds, three tests, margin 5 %"


def test_given_spreads_come_before_published_ones(tmp_path):
    path = tmp_path / "spreads.yaml"
    path.write_text("score: {dog-run: [569, 4], humanoid-run: [200, 5.7]}")
    plan = make_plan(load("dmc-hard"))
    assert finding.finds(plan, finding.read_spreads(path))[0].smallest < 0.07
    path.write_text("score: {dog-run: [569, 0]}")
    with pytest.raises(
        UserError, match=r"score\.dog-run: expected a mean and a standard deviation"
    ):
        finding.read_spreads(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score: {dog-rum: [569, 40]}", "score: unknown task 'dog-rum'. Did you mean 'dog-run'?"),
        ("scoer: {dog-run: [569, 40]}", "unknown figure 'scoer'. Did you mean 'score'?"),
        ("critic.srnak: {dog-run: [50, 4]}", "unknown figure 'srnak'. Did you mean 'srank'?"),
    ],
)
def test_a_misspelt_spread_is_not_taken_for_none(tmp_path, text, words):
    """Published spreads were taken in its place, and nobody said so."""
    path = tmp_path / "spreads.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        finding.read_spreads(path)


def test_a_figure_without_a_known_spread_says_so():
    rows = finding.finds(make_plan(SUITES["scale-5x"]))
    (row,) = [row for row in rows if row.test.figure == "critic.dormant_ratio"]
    assert finding.in_words(row) == "no spread is known"


def test_the_pilot_of_two_seeds_can_find_nothing():
    sentence = finding.warning(make_plan(SUITES["dmc-hard-pilot"]))
    assert sentence.startswith("dmc-hard-pilot can find nothing: with 2 seeds of each regime none")


def test_one_seed_can_find_nothing_and_a_run_says_so_first(tmp_path):
    plan = make_plan(load("dmc-hard", ("seeds=1",)))
    sentence = finding.warning(plan)
    assert sentence.startswith("own-dmc-hard can find nothing: with 1 seed of each regime")

    path = tmp_path / "one.yaml"
    path.write_text(TINY + "claims: [O1]\n")
    ran = call("run", "--suite", path, "--out", tmp_path / "out", "--executor", "docker")
    assert "can find nothing" in ran.stderr.splitlines()[0]


# -- the program --


def test_plan_says_what_each_test_finds(tmp_path):
    planned = call("plan", "--suite", "dmc-hard", "--out", tmp_path)
    assert "found with 80 % from" in planned.stdout
    assert "score of mst above dense by more than 5 %" in planned.stdout
    document = json.loads(call("plan", "--suite", "dmc-hard", "--out", tmp_path, "--json").stdout)
    assert [row["test"]["id"] for row in document["finds"]] == ["O1a", "O1b", "O1c"]


def test_list_claims_shows_every_part_with_its_suites_or_what_it_waits_for():
    rows = json.loads(call("list", "claims", "--json").stdout)
    ids = [row.id for claim in registry() for row in rows_of(claim, registry()[claim])]
    assert [row["claim"] for row in rows] == ids
    for row in rows:
        assert (row["suites"] and row["tests"] and row["seeds for 80 %"]) or row["otherwise"], row


def test_a_level_is_said_as_one():
    tests = {test.id: test for _, test in stated_tests("A11")}
    assert in_words([tests["A11b"]]) == (
        "critic.dormant_ratio of critic-rigl near zero on each task, margin 0.2"
    )


# -- suites that name claims --


def test_a_changed_suite_keeps_the_tests_of_the_regimes_that_are_left():
    left = load("dmc-hard", ("regimes=[mst, dense]",)).claims
    assert [(test.id, test.than) for test in left] == [("O1a", "dense")]


def test_a_suite_of_ones_own_may_name_claims_and_state_tests(tmp_path):
    path = tmp_path / "mine.yaml"
    test = "{id: mine, statement: MST is better, source: ours, family: mine, regime: mst,"
    rest = " than: dense, figure: score, rule: above, margin: 0.05}"
    path.write_text(TINY + f"claims: [O1]\ntests: [{test}{rest}]\n")
    assert [claim.id for claim in load(str(path)).claims] == ["O1a", "O1b", "O1c", "mine"]


@pytest.mark.parametrize(
    ("name", "figure", "words"),
    [
        ("A14a", "score", "id 'A14a' is taken; give yours another"),
        ("A7", "score", "id 'A7' is taken"),
        ("mine", "critic.dormant_ration", "figure: unknown diagnostic 'dormant_ration'. Did you"),
        ("mine", "critics.srank", "figure: no module 'critics'"),
        ("mine", "auc, than: MR.Q", "mine: of MR.Q only score and last are published"),
        ("mine", "score, than: MR.Q, paired: true", "without seeds to pair"),
    ],
)
def test_an_own_test_bears_its_own_id_and_is_about_what_is_measured(tmp_path, name, figure, words):
    """Both were found at the end of the training, or never."""
    path = tmp_path / "mine.yaml"
    test = f"{{id: {name}, statement: MST is better, source: ours, family: mine, regime: mst,"
    than = "" if "than" in figure else " than: dense,"
    rest = f"{than} figure: {figure}, rule: above, margin: 0.05}}"
    path.write_text(TINY + f"tests: [{test}{rest}]\n")
    with pytest.raises(UserError, match=words):
        load(str(path))


def test_two_own_tests_have_two_ids(tmp_path):
    path = tmp_path / "mine.yaml"
    test = "{id: mine, statement: MST is better, source: ours, family: mine, regime: mst,"
    rest = " than: dense, figure: score, rule: above, margin: 0.05}"
    path.write_text(TINY + f"tests: [{test}{rest}, {test}{rest}]\n")
    with pytest.raises(UserError, match="id 'mine' is taken"):
        load(str(path))


def test_every_diagnostic_of_the_registry_is_measured():
    for claim in registry():
        for _, test in stated_tests(claim):
            _, dot, figure = test.figure.removeprefix("slope:").partition(".")
            assert not dot or figure in (*FIGURES, *OF_SAMPLES), test.id


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("claims: [O99]", "claims: unknown claim 'O99'"),
        ("claims: [A16]", "claims: A16 has no test; waits for an algorithm"),
        ("claims: [A19]", "claims: A19 has no test; judged by A11, A13, O2"),
    ],
)
def test_a_claim_that_cannot_be_tested_is_one_sentence(tmp_path, line, words):
    path = tmp_path / "mine.yaml"
    path.write_text(TINY + line + "\n")
    with pytest.raises(UserError, match=words):
        load(str(path))
