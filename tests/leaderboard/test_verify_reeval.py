"""What a statement of a re-evaluation must be, before it makes an entry better."""

import json
from dataclasses import replace

import pytest

from helpers.forge import check_of, failed, resign
from helpers.statements import reeval_bytes
from helpers.trust import CURATOR, SUBMITTER, trust_file, trusted
from leaderboard.formats import envelope
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.reeval import Equivalence, RolledOut, TrainedAgain
from leaderboard.verification.verify import verify

AGAIN = TrainedAgain("cartpole-swingup/mst/0", True, 5.0)
EQUIVALENT = Equivalence(-1.0, 1.0, 50.0, 0.9, True)


def judged(entry, trust, key=CURATOR, edit=lambda runs: runs, **changes):
    """The verdict with a re-evaluation of every run, `edit` made of its runs, and with changes."""
    documents = verify(entry).documents
    runs = [
        RolledOut(run.name, True, run.score, run.score, 1.0)
        for run in documents.statement.predicate.runs
    ]
    fields = {"plan": documents.statement.predicate.plan.id, "runs": tuple(edit(runs))}
    path = entry.parent / "reeval.dsse.json"
    path.write_bytes(reeval_bytes(key, documents.payload_sha256, **{**fields, **changes}))
    return verify(entry, trust, reeval=path)


def refused(verdict, words):
    """The check of re-evaluations refused an entry in these words."""
    assert failed(verdict) == "reeval"
    assert words in verdict.checks[-1].detail


def test_a_trusted_re_evaluation_makes_l1(submitted, trust):
    verdict = judged(submitted, trust)
    assert (verdict.accepted, verdict.level) == (True, "L1"), verdict.checks[-1]
    assert check_of(verdict, "reeval").detail == "L1, 4 fresh episodes of 4 runs, by reevaluator"


def test_without_a_trust_file_it_says_nothing(submitted):
    verdict = judged(submitted, None, retrained=(AGAIN,))
    assert (verdict.accepted, verdict.level) == (True, "L0")
    assert check_of(verdict, "reeval").status == "unknown"
    assert verdict.documents.reeval is None


def test_the_entrys_own_key_re_evaluates_nothing(submitted, tmp_path):
    """A key with both roles does not, either, nor without a trust file."""
    both = trust_file(tmp_path, trusted(SUBMITTER))
    refused(judged(submitted, both, SUBMITTER), "is signed with the entry's own key")
    refused(judged(submitted, None, SUBMITTER), "is signed with the entry's own key")


def test_a_key_that_may_not_re_evaluate_makes_no_level(submitted, trust, tmp_path):
    refused(judged(submitted, trust, one_use_key()), "is not in the trust file")
    rows = (trusted(SUBMITTER), trusted(CURATOR, "curator", ["submitter", "release"]))
    refused(judged(submitted, trust_file(tmp_path, *rows)), "not as reevaluator")
    rows = (trusted(SUBMITTER), trusted(CURATOR, "curator", revoked="lost"))
    refused(judged(submitted, trust_file(tmp_path, *rows)), "is revoked: lost")


def test_a_statement_that_only_names_a_trusted_key_is_refused(submitted, trust):
    """Signed with any key, naming the maintainer's: once L2."""
    judged(submitted, trust)
    path = submitted.parent / "reeval.dsse.json"
    payload = envelope.open_envelope(path.read_bytes()).payload
    forged = envelope.sign(payload, one_use_key())
    forged["signatures"][0]["keyid"] = CURATOR.key_id
    path.write_text(json.dumps(forged))
    refused(verify(submitted, trust, reeval=path), "the signature does not fit")


@pytest.mark.parametrize(
    "edit",
    [
        lambda runs: runs[:-1],
        lambda runs: [*runs, runs[0]],
        lambda runs: [*runs[:-1], runs[0]],
        lambda runs: [*runs[:-1], replace(runs[-1], run="cartpole-swingup/mst/1")],
        lambda runs: [*runs, replace(runs[-1], run="cartpole-swingup/mst/1")],
    ],
)
def test_it_measures_exactly_the_entrys_finished_runs(submitted, trust, edit):
    refused(judged(submitted, trust, edit=edit), "is not of exactly the finished runs")


@pytest.mark.parametrize("change", [{"claimed": 3.0}, {"fresh": 1000.5}, {"fresh": -0.5}])
def test_it_measures_against_the_claims_and_within_what_the_task_returns(submitted, trust, change):
    verdict = judged(submitted, trust, edit=lambda runs: [replace(runs[0], **change), *runs[1:]])
    refused(verdict, "states another claim, or no possible score")


@pytest.mark.parametrize("changes", [{"plan": "0" * 16}, {"fresh_episodes": 2}])
def test_it_is_of_this_plan_with_as_many_episodes_as_the_suite_says(submitted, trust, changes):
    refused(judged(submitted, trust, **changes), "is of another plan, or not of 4 fresh episodes")


def test_one_that_found_defects_refuses_the_entry(submitted, trust):
    refused(judged(submitted, trust, defects=("its policy is another",)), "refused this entry: its")


def test_one_of_another_entry_is_refused(submitted, trust):
    judged(submitted, trust)
    resign(submitted, lambda s: s["predicate"]["signer"].update(one_use=False), SUBMITTER)
    path = submitted.parent / "reeval.dsse.json"
    refused(verify(submitted, trust, reeval=path), "is about another entry")


def test_one_that_was_changed_is_refused(submitted, trust):
    judged(submitted, trust)
    path = submitted.parent / "reeval.dsse.json"
    path.write_bytes(path.read_bytes().replace(b'"payload":"', b'"payload":"AAAA', 1))
    assert failed(verify(submitted, trust, reeval=path)) == "reeval"


# -- L2 --


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"retrained": (AGAIN,)}, "L2"),
        ({"retrained": (replace(AGAIN, repeated=False),)}, "L1"),
        ({"retrained": (replace(AGAIN, repeated=False),), "equivalence": EQUIVALENT}, "L2"),
        (
            {
                "retrained": (replace(AGAIN, repeated=False),),
                "equivalence": replace(EQUIVALENT, equivalent=False),
            },
            "L1",
        ),
        ({"retrained": (), "equivalence": EQUIVALENT}, "L1"),
    ],
)
def test_l2_takes_runs_that_were_trained_again_and_came_out_the_same(
    submitted, trust, changes, level
):
    assert judged(submitted, trust, **changes).level == level


@pytest.mark.parametrize(
    "retrained", [(AGAIN, AGAIN), (replace(AGAIN, run="cartpole-swingup/mst/7"),)]
)
def test_what_was_trained_again_are_runs_of_the_entry_each_once(submitted, trust, retrained):
    verdict = judged(submitted, trust, retrained=retrained)
    refused(verdict, "trained runs again that this entry does not have")
