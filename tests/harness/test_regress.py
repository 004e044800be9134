"""The regression gate between two folders: what it passes, fails and leaves open."""

import dataclasses
import itertools
import json
import shutil
import xml.etree.ElementTree as ET

import pytest

from harness.entries import regress
from harness.entries import sides as sides_module
from harness.entries.baseline import accept
from harness.entries.entry import missing
from harness.entries.junit import junit
from harness.entries.ranking import DRIFTED
from harness.entries.regress import Limits
from harness.entries.sides import changed, sides
from harness.entries.verified import Refused
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import digest_bytes, dump_json, write_atomic
from harness.planning.plan import read_plan
from helpers.forge import forge_level, forge_returns, redigest, resign, resign_files, table_of
from helpers.program import call
from leaderboard.formats.run import Run
from leaderboard.verification.verify import verify


def halve(returns):
    """Half of what was measured."""
    return [value / 2.0 for value in returns]


def wide():
    """Levels that differ from seed to seed: few of them decide nothing."""
    runs = itertools.count()

    def change(returns):
        level = 80.0 if next(runs) // 2 % 2 else 120.0
        return [level + 0.01 * value for value in returns]

    return change


def erase(returns):
    """Nothing but zeros."""
    return [0.0 for _ in returns]


@pytest.fixture
def later(later_seeds, tmp_path):
    """A copy of the run of later seeds: a candidate by the same code."""
    return shutil.copytree(later_seeds, tmp_path / "later")


def test_the_same_runs_with_the_same_results_pass_without_statistics(old, new):
    outcome = regress.regress(old, new, Limits(), None)
    assert outcome.word == "PASS"
    assert "the same runs gave the same results" in outcome.gates[0].detail

    # The same runs with other results are never identical.
    forge_level(old, 100.0)
    forge_level(new, 99.0)
    outcome = regress.regress(old, new, Limits(), None)
    assert outcome.word == "PASS"
    assert "identical" not in outcome.gates[0].detail
    forge_level(new, 50.0)
    assert regress.regress(old, new, Limits(), None).word == "FAIL"


def test_other_seeds_of_the_same_code_are_identical(old, later):
    """Statistics alone would leave two wide cells of three seeds open."""
    forge_returns(old, wide())
    forge_returns(later, wide())
    outcome = regress.regress(old, later, Limits(), None)
    assert outcome.word == "PASS"
    assert "identical: code, versions, plan, simulation and canary" in outcome.gates[0].detail

    without = regress.regress(old, later, Limits(), None, canary=False)
    assert without.word == "INCONCLUSIVE"
    assert "identical" not in without.gates[0].detail


DIFFERENCES = {
    "the code": {"source": {"code_sha256": "0" * 64, "commit": None, "dirty": None}},
    "the versions": {"versions": {"python": "3.0"}},
    "the canary": {"canary": "0" * 64},
    "code within a run": {"unranked_because": [DRIFTED]},
}
"""What two sides may differ in -> fields of the candidate's manifest."""


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_one_difference_is_enough_for_statistics_to_decide(old, later, difference):
    forge_returns(old, wide())
    forge_returns(later, wide(), DIFFERENCES[difference])
    assert changed(*sides(old, later)) == [difference]
    outcome = regress.regress(old, later, Limits(), None)
    assert outcome.word == "INCONCLUSIVE"
    assert "identical" not in outcome.gates[0].detail


@pytest.mark.parametrize("forge", [halve, erase])
def test_identical_code_cannot_excuse_worse_figures(two_seeds, three_seeds, later, forge):
    """Canary, code and versions of the baseline once passed a candidate whose scores were 0."""
    forge_returns(later, forge)
    for baseline in (three_seeds, two_seeds):
        outcome = regress.regress(baseline, later, Limits(), None)
        assert outcome.word in ("FAIL", "INCONCLUSIVE")
        assert "identical" not in outcome.gates[0].detail


def test_a_loss_that_is_certain_fails_within_the_margin_too(old, later):
    forge_level(old, 100.0)
    forge_level(later, 90.0)
    outcome = regress.regress(old, later, Limits(), None)
    assert outcome.word == "FAIL"
    assert all(cell.change > -0.2 for cell in outcome.cells)


def test_files_that_change_after_verification_change_no_verdict(old, new, monkeypatch):
    """Results were once read from the folder, where anybody could put them."""
    before = regress.regress(old, new, Limits(), None)
    verified = sides_module.verified

    def verified_and_swapped(folder, trust):
        accepted = verified(folder, trust)
        for path in (folder / "plan.json", folder / "suite.json", *folder.rglob("result*")):
            path.write_text("swapped")
        return accepted

    monkeypatch.setattr(sides_module, "verified", verified_and_swapped)
    assert regress.regress(old, new, Limits(), None) == before


def test_the_verified_plan_makes_the_plan_of_fresh_seeds(three_seeds):
    plan = sides(three_seeds, three_seeds)[0].plan
    assert plan == read_plan(three_seeds / "plan.json")


def test_a_worse_candidate_is_confirmed_before_it_fails(old, new):
    forge_level(old, 100.0)
    forge_level(new, 50.0)
    plans = []

    def confirm(plan, members):
        plans.append(plan)
        assert members == 6, "as many as the candidate's cohort had"
        return new

    outcome = regress.regress(old, new, Limits(), confirm)
    assert outcome.word == "FAIL"
    assert "confirmed on fresh seeds" in outcome.gates[0].detail
    seeds = sorted({run.seed for run in plans[0].runs})
    assert seeds == [3, 4, 5], "seeds that neither side has used"

    once = regress.regress(old, new, Limits(), lambda plan, members: old)
    assert once.word != "FAIL"
    assert "fresh seeds did not" in once.gates[0].detail


def test_speed_and_memory_are_gates_of_their_own(old, new):
    for path in new.rglob("timing.json"):
        timing = json.loads(path.read_bytes())
        timing["seconds"]["train"] *= 3.0
        timing["peak_memory_mib"] *= 2.0
        write_atomic(path, dump_json(timing))
    with pytest.raises(Refused):
        regress.regress(old, new, Limits(), None)

    # Measured, and no gate unless a limit is given.
    resign_files(new, "timing.json")
    assert regress.regress(old, new, Limits(), None).word == "PASS"
    outcome = regress.regress(old, new, Limits(speed=0.3, memory=0.3), None)
    words = {gate.name: gate.word for gate in outcome.gates}
    assert words == {"learning": "PASS", "speed": "FAIL", "memory": "FAIL"}
    assert outcome.word == "FAIL"


def test_junit_names_every_gate_and_cell(old, new):
    forge_level(old, 100.0)
    forge_level(new, 50.0)
    suite = ET.fromstring(junit(regress.regress(old, new, Limits(), None)))
    assert suite.attrib["failures"] == "3", "the gate and both of its cells"

    names = [case.attrib["name"] for case in suite.iter("testcase")]
    assert names == [
        "learning",
        "speed",
        "memory",
        "learning/cartpole-swingup/dense",
        "learning/cartpole-swingup/mst",
    ]
    assert "were not measured" in suite.find("system-out").text


def test_what_is_not_comparable_is_never_a_regression(old, other_suite, tiny_entry, tmp_path):
    with pytest.raises(NonConforming, match="differ in budget"):
        regress.regress(old, other_suite, Limits(), None)
    with pytest.raises(UserError, match="one seed"):
        regress.regress(tiny_entry.parent, tiny_entry.parent, Limits(), None)
    with pytest.raises(UserError, match=r"has no entry\.dsse\.json"):
        regress.regress(tmp_path, old, Limits(), None)


def test_missing_runs_are_incomplete(old, new):
    def lose(statement):
        # Its line in the statement, its row in the table. Its files stay, and nobody signed them.
        run = statement["predicate"]["runs"][0]
        name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
        lost = missing(Run(run["task"], run["regime"], run["seed"]), None)
        statement["predicate"]["runs"][0] = dataclasses.asdict(lost)
        statement["subject"] = [s for s in statement["subject"] if not s["name"].startswith(name)]
        table = table_of(statement)
        write_atomic(new / "results.csv", table)
        redigest(statement, {"results.csv": digest_bytes(table)})

    assert resign(new / "entry.dsse.json", lose).accepted
    with pytest.raises(Incomplete, match="1 of 6 runs are missing"):
        regress.regress(old, new, Limits(), None)


def test_a_baseline_is_accepted_on_purpose_and_remembers_what_it_replaced(old, new, tmp_path):
    baseline = tmp_path / "baseline"
    accept(old, baseline, "first")
    assert verify(baseline / "entry.dsse.json").accepted
    assert not (baseline / "cohorts").exists()

    # The next one knows the one before.
    forge_level(new, 90.0)
    accept(new, baseline, "slower but right")
    history = json.loads((baseline / "baseline.json").read_bytes())["history"]
    assert [step["reason"] for step in history] == ["first", "slower but right"]
    assert history[1]["replaces"] == history[0]["payload_sha256"]
    assert regress.regress(baseline, new, Limits(), None).word == "PASS"

    with pytest.raises(UserError, match="neither empty nor a baseline"):
        accept(old, tmp_path, "")


def test_exit_codes_and_words_of_the_commands(old, new, tmp_path):
    gate = ("regress", old, new, "--no-confirm")
    assert call(*gate).returncode == 0

    # A clear loss.
    forge_level(old, 100.0)
    forge_level(new, 50.0)
    failed = call(*gate, "--junit", tmp_path / "gate.xml")
    assert failed.returncode == 5, failed.stderr
    assert "FAIL" in failed.stdout
    assert "the error rates of this suite were not measured" in failed.stdout
    assert ET.parse(tmp_path / "gate.xml").getroot().attrib["tests"] == "5"
    compared = call("compare", old, new, "--json")
    assert {row["regime"] for row in json.loads(compared.stdout)["groups"]} == {"dense", "mst"}
    assert "P(b > a)" in call("compare", old, new).stdout

    # Too few seeds to decide.
    forge_level(new, 79.9)
    undecided = call(*gate, "--on-inconclusive", "fail", "--tolerance", "0.5")
    assert undecided.returncode == 6, undecided.stdout
    assert "more seeds would decide it" in undecided.stdout
    assert call(*gate, "--tolerance", "0.5").returncode == 0

    # What does not verify.
    (new / "results.csv").write_text("forged")
    assert call("regress", old, new).returncode == 4
