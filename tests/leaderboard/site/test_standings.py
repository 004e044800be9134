"""Why an entry is not ranked, reason by reason; and whose scores count."""

from types import SimpleNamespace

import pytest

from helpers.forgery import Forgery
from helpers.side import reeval_of
from helpers.trust import CURATOR, SUBMITTER
from leaderboard.formats import envelope
from leaderboard.pages.board.entries import measured_again
from leaderboard.pages.board.standings import Row, entry_reasons, regime_reasons
from leaderboard.pages.board.summary import CheckLine, RegimeSummary, Results, Summary
from leaderboard.statistics.stats import suite_mean
from leaderboard.verification.verify import verify

IMAGE = "ab" * 32
FACTS = SimpleNamespace(released=frozenset([IMAGE]))


def regime(name="mst", seeds=5, missing=0):
    """A regime of one task."""
    counts = {"planned": seeds, "finished": seeds - missing, "failed": 0, "collapsed": 0}
    sizes = {"density": "1.00", "parameters": 1, "flops": 1}
    return RegimeSummary(name, {"task": (1.0,) * seeds}, missing=missing, **counts, **sizes)


def entry(level="L1", checks=("registration", "beacon"), image=IMAGE, missing=0, **changes):
    """An entry that is ranked, but for what is changed."""
    results = Results(
        plan="0" * 64,
        agent="mrq",
        modules=("actor",),
        tasks=("task",),
        environment_steps=1,
        hardware="a machine",
        hours=1.0,
        image=image,
        fresh=None,
        regimes=(regime(missing=missing),),
    )
    lines = tuple(CheckLine(name, "passed", "") for name in checks)
    summary = Summary("urn:mst-bench:entry-summary:v1", lines, results)
    fields = {
        "logged": SimpleNamespace(retracted=None, disputed=False),
        "read": SimpleNamespace(summary=summary),
        "announced": SimpleNamespace(in_time=True),
        "level": level,
    }
    return SimpleNamespace(**(fields | changes))


def test_nothing_speaks_against_an_entry_that_has_everything():
    assert entry_reasons(FACTS, entry()) == ()


def test_an_entry_that_lacks_one_thing_says_which():
    retracted = SimpleNamespace(retracted=(9, SimpleNamespace(key="k")), disputed=False)
    disputed = SimpleNamespace(retracted=None, disputed=True)
    refused = Summary(
        "urn:mst-bench:entry-summary:v1", (CheckLine("scores", "failed", "is not the mean"),), None
    )
    for changed, reason in (
        ({"logged": retracted}, "retracted by its submitter (leaf 9)"),
        ({"logged": disputed}, "disputed: its key was revoked from then on"),
        ({"read": None}, "its files are not on the board"),
        (
            {"read": SimpleNamespace(summary=refused)},
            "does not verify: scores: is not the mean",
        ),
        (
            {"announced": SimpleNamespace(in_time=False)},
            "no quorum of witnesses saw its registration before its seeds",
        ),
        ({"checks": ("beacon",)}, "its registration is not proven"),
        ({"checks": ("registration",)}, "its seeds are not proven to come from a beacon"),
        ({"image": None}, "it did not run in a released image"),
        ({"image": "cd" * 32}, "it did not run in a released image"),
        ({"level": "L0"}, "not re-evaluated yet"),
        ({"missing": 2}, "2 of 5 runs are missing"),
    ):
        assert entry_reasons(FACTS, entry(**changed)) == (reason,), changed


def test_four_seeds_are_too_few_and_five_are_not():
    assert regime_reasons(regime(seeds=4), ("task",)) == ("4 seeds a task, 5 are needed",)
    assert regime_reasons(regime(seeds=5), ("task",)) == ()


def test_few_seeds_have_no_bootstrap_interval():
    """One seed resampled would say "165.2 to 165.2"."""
    four, five = (
        Row(entry(), None, regime(seeds=seeds), suite_mean([[1.0, 2.0]]), 1.0, ())
        for seeds in (4, 5)
    )
    assert four.iqm_interval is None
    assert five.iqm_interval is not None


def test_a_regime_of_other_tasks_is_compared_with_nothing():
    (reason,) = regime_reasons(regime(), ("task", "another"))
    assert reason == "planned on task and not on the suite's tasks"


@pytest.fixture
def forged(tiny_entry, tmp_path):
    return Forgery(tiny_entry, tmp_path).sign(SUBMITTER)


def beside(forged, key, level="L1", **changes):
    """A re-evaluation by a key, in the entry's folder; its digest and level, as the log has it."""
    path = reeval_of(forged, key, **changes)
    path.rename(forged.folder / "reeval.dsse.json")
    content = (forged.folder / "reeval.dsse.json").read_bytes()
    return {envelope.open_envelope(content).payload_sha256: level}


def test_scores_of_a_logged_re_evaluation_count(forged):
    logged = beside(forged, CURATOR)
    documents = verify(forged.entry).documents
    measured = measured_again(forged.folder, documents, logged)
    assert measured.key_id == CURATOR.key_id
    names = {f"{run['task']}/{run['regime']}/{run['seed']}": run["score"] for run in forged.runs}
    assert measured.scores == names
    assert (measured.level, measured.name) == ("L1", "a re-evaluator")


def test_a_runners_scores_are_called_a_runners(forged):
    logged = beside(forged, CURATOR, level="L3")
    measured = measured_again(forged.folder, verify(forged.entry).documents, logged)
    assert (measured.level, measured.name) == ("L3", "a runner of the board")


def test_a_re_evaluation_of_a_part_counts_for_nothing(forged):
    logged = beside(forged, CURATOR, runs=forged.runs[:1])
    documents = verify(forged.entry).documents
    assert measured_again(forged.folder, documents, logged) is None


def test_scores_that_no_leaf_names_do_not_count(forged):
    beside(forged, CURATOR)
    documents = verify(forged.entry).documents
    assert measured_again(forged.folder, documents, {"cd" * 32: "L1"}) is None
