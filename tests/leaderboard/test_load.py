"""`leaderboard.load`: verified entries as data frames."""

import subprocess
import sys

import pytest

from helpers.forge import statement_of
from helpers.measured_rows import PLACE, expected
from leaderboard import load
from leaderboard.data.frames import CURVES, RUNS, SCORES, NotVerified

pytest.importorskip("pandas", reason="pandas is not installed")


def predicate(entry):
    return statement_of(entry)["predicate"]


def test_curves_are_every_number_to_the_bit(tiny_entry):
    curves = load(tiny_entry).curves
    rows = curves.astype(object).where(curves.notna(), None)
    places = rows[list(PLACE)].itertuples(index=False, name=None)
    assert dict(zip(places, rows["value"], strict=True)) == expected(tiny_entry.parent)


def test_runs_are_those_of_the_statement(tiny_entry):
    runs = load(tiny_entry.parent).runs
    stated = predicate(tiny_entry)["runs"]
    names = ("task", "regime", "seed", "status", "score", "environment_steps", "members")
    rows = runs[list(names)].itertuples(index=False, name=None)
    assert list(rows) == [tuple(run[name] for name in names) for run in stated]
    assert list(runs["parameters"]) == [run["parameters"]["total"] for run in stated]
    counts = [run["weights"]["critic"] for run in stated]
    assert list(runs["density.critic"]) == [each["active"] / each["total"] for each in counts]
    assert set(runs["level"]) == {"L0"}


def test_scores_of_one_seed_have_no_interval(tiny_entry):
    scores = load(tiny_entry).scores
    assert list(scores["mean"]) == [run["score"] for run in predicate(tiny_entry)["runs"]]
    assert scores[["low", "high", "iqm_low", "iqm_high"]].isna().all(axis=None)
    assert set(scores["seeds"]) == {1}


def test_columns_have_their_documented_types_also_without_rows(tiny_entry):
    for loaded in (load(tiny_entry), load()):
        for frame, types in ((loaded.runs, RUNS), (loaded.curves, CURVES), (loaded.scores, SCORES)):
            shown = {name: str(frame[name].dtype) for name in types}
            assert shown == types


def test_an_entry_that_fails_a_check_is_not_loaded(entry):
    (entry.parent / "results.csv").write_text("")
    with pytest.raises(NotVerified, match=r"does not verify: documents: results\.csv") as refused:
        load(entry)
    assert not refused.value.verdict.accepted


def test_a_folder_without_an_entry_is_named(fresh):
    with pytest.raises(NotVerified, match=r"entry\.dsse\.json: no such file"):
        load(fresh)


def test_neither_torch_nor_pandas_is_loaded_before_they_are_needed(tiny_entry):
    code = (
        "import sys, leaderboard; assert 'pandas' not in sys.modules;"
        f"leaderboard.load({str(tiny_entry)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
