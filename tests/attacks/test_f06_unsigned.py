"""Only what was signed counts: F6.

Gates, tables and signatures took results from the folder, not from the statement that was verified.
"""

import json
import shutil

import pytest

from harness.files import dump_json
from helpers.forge import statement_of
from helpers.program import call
from leaderboard.formats import keys


@pytest.fixture
def planted(pair, tmp_path):
    """A baseline, and an entry that says that all its runs are missing, with results of 1000 beside
    it that nobody signed."""
    baseline, candidate = pair
    baseline.sign()
    shutil.copytree(candidate.folder / "runs", tmp_path / "runs")
    results = [json.loads(json.dumps(run)) for run in candidate.runs]
    for run in candidate.runs:
        candidate.lose(run)
    candidate.sign()

    shutil.copytree(tmp_path / "runs", candidate.folder / "runs", dirs_exist_ok=True)
    for run in results:
        candidate.claim(run, [1000.0] * len(run["final_returns"]))
        candidate.path(run, "result.json").write_bytes(dump_json(run))
    return baseline.folder, candidate.folder


def test_f6_a_gate_passes_nothing_on_unsigned_results(planted):
    ended = call("regress", *planted, "--no-confirm")
    assert "PASS" not in ended.stdout
    assert ended.returncode in (3, 4)


def test_f6_a_comparison_shows_no_unsigned_result(planted):
    assert "1000" not in call("compare", *planted).stdout


def test_f6_nor_does_a_report(planted):
    _, candidate = planted
    call("report", candidate)
    page = candidate / "report.html"
    assert not page.exists() or "1000.0" not in page.read_text()


def test_f6_a_signature_covers_no_unsigned_result(planted, tmp_path):
    key = tmp_path / "key.pem"
    keys.generate(key)
    call("sign", planted[1], "--key", key)
    runs = statement_of(planted[1] / "entry.dsse.json")["predicate"]["runs"]
    assert {run["status"] for run in runs} == {"missing"}


def test_f6_a_baseline_takes_no_unsigned_result(planted, tmp_path):
    ended = call("baseline", "accept", planted[1], "--to", tmp_path / "new")
    assert ended.returncode != 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("canary", ["--canary", "--no-canary"])
def test_f6_scores_of_nothing_never_pass_a_gate(pair, canary):
    """Other seeds, every score 0, and the canary of the baseline."""
    baseline, candidate = pair
    baseline.sign()
    for run in candidate.runs:
        candidate.rename(run, seed=run["seed"] + 10)
        candidate.claim(run, [0.0] * len(run["final_returns"]))
    candidate.replan()
    candidate.sign()
    ended = call("regress", baseline.folder, candidate.folder, "--no-confirm", canary)
    assert ended.returncode in (0, 5), ended.stderr
    assert not any(line.startswith("PASS") for line in ended.stdout.splitlines())
