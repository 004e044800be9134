"""The regression gate between two folders: what it passes, fails and leaves open."""

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ET

import pytest

from agents.mrq import losses
from harness.entries import regress
from harness.entries.baseline import accept
from harness.entries.entry import missing
from harness.entries.junit import junit
from harness.entries.regress import Limits
from harness.entries.verified import Refused
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import digest_bytes, dump_json, write_atomic
from harness.machine import canary
from harness.planning.plan import Run
from helpers.forge import forge_level, redigest, resign, resign_files, table_of
from helpers.program import call
from leaderboard.verification.verify import verify

OTHER_CANARY = {"canary": "0" * 64}
"""Manifest fields of a candidate whose code learns otherwise."""


def test_the_canary_is_the_same_twice_and_sees_a_changed_loss(monkeypatch):
    first = canary.canary("mrq")
    assert canary.canary("mrq") == first
    real = losses.q_target
    monkeypatch.setattr(losses, "q_target", lambda *arguments: 0.999 * real(*arguments))
    assert canary.canary("mrq") != first


def test_bit_identical_behaviour_passes_without_statistics(old, new):
    outcome = regress.regress(old, new, Limits(), None)
    assert outcome.word == "PASS"
    assert "the same runs gave the same results" in outcome.gates[0].detail

    # The same runs with other results are no canary's matter.
    forge_level(old, 100.0)
    forge_level(new, 50.0)
    assert regress.regress(old, new, Limits(), None).word == "FAIL"


def test_other_seeds_of_the_same_code_pass_by_the_canary(three_seeds, later_seeds):
    outcome = regress.regress(three_seeds, later_seeds, Limits(), None)
    assert outcome.word == "PASS"
    assert "canary" in outcome.gates[0].detail
    without = regress.regress(three_seeds, later_seeds, Limits(), None, canary=False)
    assert "canary" not in without.gates[0].detail


def test_a_worse_candidate_is_confirmed_before_it_fails(old, new):
    forge_level(old, 100.0)
    forge_level(new, 50.0, OTHER_CANARY)
    plans = []

    def confirm(plan):
        plans.append(plan)
        return new

    outcome = regress.regress(old, new, Limits(), confirm)
    assert outcome.word == "FAIL"
    assert "confirmed on fresh seeds" in outcome.gates[0].detail
    seeds = sorted({run.seed for run in plans[0].runs})
    assert seeds == [3, 4, 5], "seeds that neither side has used"

    once = regress.regress(old, new, Limits(), lambda plan: old)
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
    forge_level(new, 50.0, OTHER_CANARY)
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
    assert "false alarms" in suite.find("system-out").text


def test_what_is_not_comparable_is_never_a_regression(old, other_suite, tiny_entry, tmp_path):
    with pytest.raises(NonConforming, match="differ in suite"):
        regress.regress(old, other_suite, Limits(), None)
    with pytest.raises(UserError, match="one seed"):
        regress.regress(tiny_entry.parent, tiny_entry.parent, Limits(), None)
    with pytest.raises(UserError, match=r"has no entry\.dsse\.json"):
        regress.regress(tmp_path, old, Limits(), None)


def test_missing_runs_are_incomplete(old, new):
    def lose(statement):
        # Its files, its line in the statement, its row in the table.
        run = statement["predicate"]["runs"][0]
        name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
        shutil.rmtree(new / name)
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
    assert history[1]["replaces"] == history[0]["entry_sha256"]
    assert regress.regress(baseline, new, Limits(), None).word == "PASS"

    with pytest.raises(UserError, match="neither empty nor a baseline"):
        accept(old, tmp_path, "")


def test_exit_codes_and_words_of_the_commands(old, new, tmp_path):
    gate = ("regress", old, new, "--no-confirm")
    assert call(*gate).returncode == 0

    # A clear loss.
    forge_level(old, 100.0)
    forge_level(new, 50.0, OTHER_CANARY)
    failed = call(*gate, "--junit", tmp_path / "gate.xml")
    assert failed.returncode == 5, failed.stderr
    assert "FAIL" in failed.stdout
    assert "false alarms" in failed.stdout
    assert ET.parse(tmp_path / "gate.xml").getroot().attrib["tests"] == "5"
    compared = call("compare", old, new, "--json")
    assert {row["regime"] for row in json.loads(compared.stdout)} == {"dense", "mst"}
    assert "P(b > a)" in call("compare", old, new).stdout

    # Too few seeds to decide.
    forge_level(new, 79.9, OTHER_CANARY)
    undecided = call(*gate, "--on-inconclusive", "fail", "--tolerance", "0.5")
    assert undecided.returncode == 6, undecided.stdout
    assert "more seeds would decide it" in undecided.stdout
    assert call(*gate, "--tolerance", "0.5").returncode == 0

    # What does not verify.
    (new / "results.csv").write_text("forged")
    assert call("regress", old, new).returncode == 4
