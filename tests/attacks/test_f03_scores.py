"""Whose score it is: F3 and F9.

A claim was compared with fresh episodes by a test whose variance the claimant supplied, on one side
only; whoever named another CPU chose that test. Now the fresh mean is the score, the test has two
sides and the variance of the fresh episodes, and returns lie in the task's range.
"""

import pytest

from helpers.forge import failed
from helpers.program import call
from leaderboard.formats import keys


def reeval(forgery, *options):
    """Re-evaluates a forged entry; how the command ended."""
    return call("reeval", forgery.sign().entry, *options)


def claim_everywhere(forgery, returns):
    """Every run's policy had these returns."""
    for run in forgery.runs:
        forgery.claim(run, returns)


# -- F3: claims that are too high --


@pytest.mark.parametrize("returns", [[1e8 + 999.0, -1e8 + 999.0], [1000.1, 0.0], [-1.0, 0.0]])
def test_f3_returns_that_no_episode_can_have_are_refused(forgery, returns):
    claim_everywhere(forgery.elsewhere(), returns)
    assert failed(forgery.sign().verdict()) == "scores"


def test_f3_nor_can_a_curve_have_them(forgery):
    """What the records of the evaluations say on the way is shown too."""

    def raised(run, record):
        higher = [1001.0] * len(record["returns"])
        return record | ({"returns": higher} if record["kind"] == "evaluation" else {})

    forgery.record = raised
    assert failed(forgery.sign().verdict()) == "records"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "on another CPU"])
def test_f3_fabricated_scores_are_refused(forgery, elsewhere):
    claim_everywhere(forgery, [999.0, 999.0])
    if elsewhere:
        forgery.elsewhere()
    refused = reeval(forgery)
    assert refused.returncode == 4, refused.stdout


def test_f3_one_lucky_episode_in_each_run_is_refused(forgery):
    for run in forgery.elsewhere().runs:
        forgery.claim(run, [*run["final_returns"][:-1], 1000.0])
    assert reeval(forgery).returncode == 4


def test_f3_another_version_string_is_no_way_out(forgery):
    forgery.predicate["versions"]["libc"] = "glibc 2.99"
    claim_everywhere(forgery, [999.0, 998.0])
    assert reeval(forgery).returncode == 4


def test_f3_nor_is_a_gpu(forgery):
    forgery.predicate["hardware"]["gpus"] = ["NVIDIA H100"]
    claim_everywhere(forgery, [999.0, 998.0])
    assert reeval(forgery).returncode == 4


def test_f3_nor_is_a_plan_of_one_final_episode(forgery):
    forgery.plan["evaluation"] |= {"final_episodes": 1, "environments": 1}
    claim_everywhere(forgery.elsewhere(), [999.0])
    assert reeval(forgery).returncode == 4


@pytest.mark.slow
def test_f3_nor_are_runs_that_are_trained_again(forgery):
    """Scores of 999 were L2, though the command printed what training again gave."""
    claim_everywhere(forgery.elsewhere(), [999.0, 998.0])
    refused = reeval(forgery, "--retrain", 2)
    assert refused.returncode == 4


def test_f3_a_refusal_gives_no_level_to_whoever_hands_it_in(forgery):
    claim_everywhere(forgery.elsewhere(), [999.0, 998.0])
    assert reeval(forgery).returncode == 4
    verdict = forgery.verdict(reeval=forgery.folder / "reeval.dsse.json")
    assert failed(verdict) == "reeval"


# -- F9: claims that are too low, which make the others look high --


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_f9_a_regime_cannot_be_sandbagged(forgery, share):
    run = forgery.elsewhere().run("dense")
    forgery.claim(run, [share * value for value in run["final_returns"]])
    refused = reeval(forgery)
    assert refused.returncode == 4, refused.stdout


def test_f9_low_claims_do_not_cancel_high_ones(forgery):
    for regime, share in (("dense", 0.9), ("mst", 1.1)):
        run = forgery.elsewhere().run(regime)
        forgery.claim(run, [share * value for value in run["final_returns"]])
    assert reeval(forgery).returncode == 4


def test_f9_claims_far_below_are_refused_in_words(forgery):
    """The normal score of their probability was minus infinity, and JSON cannot write that."""
    claim_everywhere(forgery.elsewhere(), [1.0, 1.0001])
    assert reeval(forgery).returncode == 4


# -- F10: policies that are not there --


def test_f10_an_entry_without_policies_is_not_re_evaluated(forgery):
    for run in forgery.runs:
        for path in forgery.path(run).glob("*.safetensors"):
            forgery.unlisted.add(path.relative_to(forgery.folder).as_posix())
    refused = reeval(forgery, "--key", key_file(forgery))
    assert refused.returncode == 4
    assert "L1" not in refused.stdout


def key_file(forgery):
    """A key that is kept, to sign with."""
    path = forgery.folder.parent / "curator.pem"
    keys.generate(path)
    return path


def test_the_honest_entry_is_accepted_here_and_elsewhere(forgery):
    """The control of all of them."""
    for entry in (forgery, forgery.elsewhere()):
        accepted = reeval(entry)
        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
