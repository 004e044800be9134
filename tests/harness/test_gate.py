"""The regression gate: what it passes, fails and leaves open."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from agents.mrq import losses
from harness.entries import regress
from harness.entries.baseline import accept
from harness.entries.entry import missing
from harness.entries.junit import junit
from harness.entries.merge import merge
from harness.entries.regress import Limits
from harness.entries.verified import Refused
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import dump_json, write_atomic
from harness.machine import canary
from harness.planning.plan import Run, read_plan
from harness.run import Request, execute
from helpers.forge import forge_returns, resign, resign_files, table_of
from helpers.stated import stated
from helpers.suites import TINY
from leaderboard.formats.keys import one_use_key
from leaderboard.statistics import gate
from leaderboard.verification.verify import verify


def cells(mean, sd=10.0, n=10, seed=0):
    return {"dog-run/mst": (mean + sd * np.random.default_rng(seed).standard_normal(n)).tolist()}


def test_the_same_passes_a_clear_loss_fails_and_noise_stays_open():
    assert gate.judge(cells(100.0), cells(100.0, seed=1)).word == "PASS"
    assert gate.judge(cells(100.0), cells(60.0, seed=1)).word == "FAIL"
    open_ = gate.judge(cells(100.0, sd=60.0), cells(95.0, sd=60.0, seed=1))
    assert open_.word == "INCONCLUSIVE"
    assert open_.more_seeds > 0


def test_a_sure_but_small_loss_is_no_failure():
    verdict = gate.judge(cells(100.0, sd=0.5), cells(97.0, sd=0.5, seed=1))
    assert verdict.cells[0].p < 0.01
    assert verdict.word == "PASS", "3 percent are within the tolerance of 5"


def test_one_bad_cell_of_many_fails_all():
    old = {f"t/{i}": cells(100.0, seed=i)["dog-run/mst"] for i in range(5)}
    new = {f"t/{i}": cells(50.0 if i == 3 else 100.0, seed=10 + i)["dog-run/mst"] for i in range(5)}
    verdict = gate.judge(old, new)
    assert verdict.word == "FAIL"
    assert [cell.cell for cell in verdict.cells if cell.word == "FAIL"] == ["t/3"]


def test_as_many_seeds_as_were_asked_for_usually_decide():
    open_ = gate.judge(cells(100.0, sd=30.0, n=6), cells(102.0, sd=30.0, n=6, seed=4))
    assert open_.word == "INCONCLUSIVE"
    more = open_.more_seeds
    decided = [
        gate.judge(cells(100.0, 30.0, 6), cells(104.0, 30.0, 6 + more + 6, s)).word == "PASS"
        for s in range(30)
    ]
    assert sum(decided) >= 10


def test_a_failed_run_scores_nothing():
    runs = [stated("r", seed, score, task="t") for seed, score in enumerate((10.0, None, 12.0))]
    assert gate.scores(runs) == {"t/r": [10.0, 0.0, 12.0]}


def test_the_calibration_is_printed():
    assert "false alarms" in gate.calibration_line()
    found = gate.calibration()
    assert found["comparisons"] >= 300
    assert found["false_alarms"] / found["comparisons"] <= 0.01
    assert found["inconclusive"] / found["comparisons"] <= 0.20
    assert found["found"] / found["comparisons"] >= 0.90


def test_the_canary_is_the_same_twice_and_sees_a_changed_loss(monkeypatch):
    first = canary.canary("mrq")
    assert canary.canary("mrq") == first
    real = losses.q_target
    monkeypatch.setattr(losses, "q_target", lambda *given: 0.999 * real(*given))
    assert canary.canary("mrq") != first


@pytest.fixture(scope="module")
def two(tiny_suite, tmp_path_factory):
    """A finished run of the tiny suite with three seeds of two regimes."""
    out = tmp_path_factory.mktemp("two")
    overrides = ("seeds=3", "regimes=[dense, mst]")
    carried_out = execute(
        Request(str(tiny_suite), out, overrides, executor="inline", members=6), one_use_key()
    )
    return Path(carried_out.summary.folder)


@pytest.fixture(scope="module")
def later(tiny_suite, tmp_path_factory):
    """The same with two seeds that come later."""
    out = tmp_path_factory.mktemp("later")
    overrides = ("seeds=2", "first_seed=3", "regimes=[dense, mst]")
    carried_out = execute(
        Request(str(tiny_suite), out, overrides, executor="inline", members=6), one_use_key()
    )
    return Path(carried_out.summary.folder)


@pytest.fixture
def old(two, tmp_path):
    shutil.copytree(two, tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def new(two, tmp_path):
    shutil.copytree(two, tmp_path / "new")
    return tmp_path / "new"


def forge(folder, level, manifest=None):
    """Sign the folder again with returns around a level, or with other manifest fields: what
    another candidate would leave."""
    forge_returns(folder, lambda values: [level + 0.01 * value for value in values], manifest)


def test_bit_identical_behaviour_passes_without_statistics(old, new):
    found = regress.regress(old, new, Limits(), None)
    assert found.word == "PASS"
    assert "the same runs gave the same results" in found.gates[0].detail
    forge(old, 100.0)
    forge(new, 50.0)
    assert regress.regress(old, new, Limits(), None).word == "FAIL", (
        "the same runs with other results are no canary's matter"
    )


def test_other_seeds_of_the_same_code_pass_by_the_canary(two, later):
    found = regress.regress(two, later, Limits(), None)
    assert found.word == "PASS"
    assert "canary" in found.gates[0].detail
    assert "canary" not in regress.regress(two, later, Limits(), None, canary=False).gates[0].detail


def test_a_worse_candidate_is_confirmed_before_it_fails(old, new):
    forge(old, 100.0)
    forge(new, 50.0, {"canary": "0" * 64})
    asked = []

    def confirm(plan):
        asked.append(plan)
        return new

    found = regress.regress(old, new, Limits(), confirm)
    assert found.word == "FAIL" and "confirmed on fresh seeds" in found.gates[0].detail
    assert sorted({run.seed for run in asked[0].runs}) == [3, 4, 5], (
        "seeds that neither side has used"
    )
    once = regress.regress(old, new, Limits(), lambda plan: old)
    assert once.word != "FAIL" and "fresh seeds did not" in once.gates[0].detail


def test_speed_and_memory_are_gates_of_their_own(old, new):
    for path in new.rglob("timing.json"):
        made = json.loads(path.read_bytes())
        made["seconds"]["train"] *= 3.0
        made["peak_memory_mib"] *= 2.0
        write_atomic(path, dump_json(made))
    with pytest.raises(Refused):
        regress.regress(old, new, Limits(), None)
    resign_files(new, "timing.json")
    assert regress.regress(old, new, Limits(), None).word == "PASS", (
        "measured, and no gate unless a limit is given"
    )
    found = regress.regress(old, new, Limits(speed=0.3, memory=0.3), None)
    assert {g.name: g.word for g in found.gates} == {
        "learning": "PASS",
        "speed": "FAIL",
        "memory": "FAIL",
    }
    assert found.word == "FAIL"


def test_junit_names_every_gate_and_cell(old, new):
    forge(old, 100.0)
    forge(new, 50.0, {"canary": "0" * 64})
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


def test_what_is_not_comparable_is_never_a_regression(old, tiny_entry, tmp_path):
    other = execute_other(tmp_path)
    with pytest.raises(NonConforming, match="differ in suite"):
        regress.regress(old, other, Limits(), None)
    with pytest.raises(UserError, match="one seed"):
        regress.regress(tiny_entry.parent, old, Limits(), None)
    with pytest.raises(UserError, match=r"has no entry\.dsse\.json"):
        regress.regress(tmp_path, old, Limits(), None)


def execute_other(tmp_path):
    suite = tmp_path / "other.yaml"
    suite.write_text(
        TINY.replace("suite: tiny", "suite: other")
        .replace("seeds: 1", "seeds: 2")
        .replace("sst, dst, ", "")
    )
    return Path(
        execute(
            Request(str(suite), tmp_path / "out", executor="inline"), one_use_key()
        ).summary.folder
    )


def test_missing_runs_are_incomplete(old, new):
    def lose(statement):
        run = statement["predicate"]["runs"][0]
        name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
        shutil.rmtree(new / name)
        lost = missing(Run(run["task"], run["regime"], run["seed"]), None)
        statement["predicate"]["runs"][0] = dataclasses.asdict(lost)
        statement["subject"] = [s for s in statement["subject"] if not s["name"].startswith(name)]
        data = table_of(statement)
        write_atomic(new / "results.csv", data)
        for subject in statement["subject"]:
            if subject["name"] == "results.csv":
                subject["digest"]["sha256"] = hashlib.sha256(data).hexdigest()

    assert resign(new / "entry.dsse.json", lose).accepted
    with pytest.raises(Incomplete, match="1 of 6 runs are missing"):
        regress.regress(old, new, Limits(), None)


def test_a_baseline_is_accepted_on_purpose_and_remembers_what_it_replaced(old, new, tmp_path):
    to = tmp_path / "baseline"
    accept(old, to, "first")
    assert verify(to / "entry.dsse.json").accepted
    assert not (to / "cohorts").exists()
    forge(new, 90.0)
    accept(new, to, "slower but right")
    history = json.loads((to / "baseline.json").read_bytes())["history"]
    assert [step["reason"] for step in history] == ["first", "slower but right"]
    assert history[1]["replaces"] == history[0]["entry_sha256"]
    assert regress.regress(to, new, Limits(), None).word == "PASS"
    with pytest.raises(UserError, match="neither empty nor a baseline"):
        accept(old, tmp_path, "")


def cli(*arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_exit_codes_and_words_of_the_commands(old, new, tmp_path):
    assert cli("regress", old, new, "--no-confirm").returncode == 0
    forge(old, 100.0)
    forge(new, 50.0, {"canary": "0" * 64})
    failed = cli("regress", old, new, "--no-confirm", "--junit", tmp_path / "gate.xml")
    assert failed.returncode == 5, failed.stderr
    assert "FAIL" in failed.stdout and "false alarms" in failed.stdout
    assert ET.parse(tmp_path / "gate.xml").getroot().attrib["tests"] == "5"
    compared = cli("compare", old, new, "--json")
    assert {row["regime"] for row in json.loads(compared.stdout)} == {"dense", "mst"}
    assert "P(b > a)" in cli("compare", old, new).stdout
    forge(new, 79.9, {"canary": "0" * 64})
    open_ = cli(
        "regress", old, new, "--on-inconclusive", "fail", "--no-confirm", "--tolerance", "0.5"
    )
    assert (open_.returncode, "more seeds would decide it" in open_.stdout) == (6, True), (
        open_.stdout
    )
    assert cli("regress", old, new, "--no-confirm", "--tolerance", "0.5").returncode == 0
    (new / "results.csv").write_text("forged")
    assert cli("regress", old, new).returncode == 4


def test_seeds_that_come_later_are_merged_into_the_plan_that_has_them_all(two, later, tmp_path):
    folder = merge([two, later], tmp_path / "merged", one_use_key())
    assert verify(folder / "entry.dsse.json", complete=True).accepted
    plan = read_plan(folder / "plan.json")
    assert [run.seed for run in plan.runs] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert plan.suite.changes == ("own suite file",)
    assert merge([two, folder], tmp_path / "again", one_use_key()).name == folder.name, (
        "what both have is the same"
    )


def test_other_experiments_and_changed_runs_are_not_merged(two, old, tmp_path):
    with pytest.raises(NonConforming, match="only the same experiment is merged"):
        merge([two, execute_other(tmp_path)], tmp_path / "merged", one_use_key())
    forge(old, 50.0)
    with pytest.raises(UserError, match="one of them was changed"):
        merge([two, old], tmp_path / "merged", one_use_key())
