"""Re-evaluations on a board: by its re-evaluators, on episodes that its beacon drew.

Tests of a row of the threat table name its number.
"""

import time

import pytest

from harness.entries.reeval import Streams, reevaluate
from harness.entries.verified import accepted as believed
from harness.entries.verified import judge
from harness.errors import Incomplete, UserError
from helpers.beacons import CHAIN, round_of
from helpers.boards import DELAY, Keys, user
from helpers.forge import check_of, failed
from helpers.registered import Registered, ship
from helpers.statements import reeval_bytes
from leaderboard.formats import keys
from leaderboard.formats.log.leaf import parse_leaf
from leaderboard.formats.reeval import Drawn, RolledOut, TrainedAgain

KEYS = Keys()


@pytest.fixture
def accepted(entry, tmp_path, monkeypatch):
    """An entry that its board has accepted: leaf 5."""
    made = Registered(entry, tmp_path, KEYS)
    ship(monkeypatch, made.plan)
    made.register().witness().claim().sign()
    made.board.entry(made.index, entry=made.payload_sha256())
    return made


def entry_leaf(made):
    return parse_leaf(made.board.leaves[5], "leaf")


def drawn(made, later=0, index=5, **changes):
    """What the episodes must be drawn from."""
    number = CHAIN.round_from(entry_leaf(made).at + DELAY)
    return Drawn(index, round_of(number + later, **changes))


def judged(made, key=KEYS.judge, streams=None, **changes):
    """The verdict with a re-evaluation of every run."""
    streams = streams or drawn(made)
    runs = tuple(
        RolledOut(
            "/".join((run["task"], run["regime"], "0")), True, run["score"], run["score"], 1.0
        )
        for run in made.runs
    )
    fields = {
        "plan": made.predicate["plan"]["id"],
        "runs": runs,
        "drawn": streams,
        "nonce": streams.nonce("example.org/board", entry_leaf(made)),
    }
    path = made.folder / "reeval.dsse.json"
    path.write_bytes(reeval_bytes(key, made.payload_sha256(), **{**fields, **changes}))
    return made.verdict(reeval=path)


def refused(verdict, sentence):
    assert failed(verdict) == "reeval"
    assert sentence in verdict.checks[-1].detail, verdict.checks[-1].detail


def test_a_re_evaluators_measurement_makes_l1_without_a_trust_file(accepted):
    verdict = judged(accepted)
    assert (verdict.ranked, verdict.level) == (True, "L1"), verdict.checks[-1]
    assert check_of(verdict, "reeval").detail.endswith("which example.org/board trusts with it")


def trained(made, count=4, repeated=True):
    """The first runs of an entry, trained again."""
    names = ["/".join((run["task"], run["regime"], "0")) for run in made.runs[:count]]
    return {"retrained": tuple(TrainedAgain(name, repeated, 1.0) for name in names)}


def test_a_runner_who_trained_every_run_again_makes_l3(accepted):
    verdict = judged(accepted, KEYS.runner, **trained(accepted))
    assert verdict.level == "L3" and check_of(verdict, "reeval").detail.startswith("L3, ")


def test_a_re_evaluator_who_trained_every_run_again_makes_l2(accepted):
    assert judged(accepted, **trained(accepted)).level == "L2"


@pytest.mark.parametrize("less", [{"count": 0}, {"count": 3}, {"repeated": False}])
def test_row_13_a_runner_who_trained_less_or_otherwise_makes_no_level(accepted, less):
    """L3 says of the whole entry that it was trained again."""
    verdict = judged(accepted, KEYS.runner, **trained(accepted, **less))
    refused(verdict, "not every run was trained again and came out the same")


def test_row_13_a_re_evaluation_of_the_submitters_own_is_refused(accepted):
    refused(judged(accepted, KEYS.submitter), "is signed with the entry's own key")


@pytest.mark.parametrize("key", [keys.one_use_key(), KEYS.maintainers[0], KEYS.logs[0]])
def test_row_13_a_strangers_re_evaluation_is_refused(accepted, key):
    """Any key once made L2 with a statement that nobody had measured."""
    refused(judged(accepted, key), "is none of the board's re-evaluators or runners")


def test_row_13_episodes_that_the_evaluator_chose_give_no_level(accepted):
    verdict = judged(accepted, drawn=None, nonce="0" * 32)
    assert (verdict.accepted, verdict.level) == (True, "L0")
    assert "were not drawn from the beacon" in check_of(verdict, "reeval").detail


def test_row_13_a_nonce_beside_a_real_round_is_refused(accepted):
    refused(judged(accepted, nonce="0" * 32), "do not follow from leaf and round")


def test_row_13_a_luckier_round_is_refused(accepted):
    refused(judged(accepted, streams=drawn(accepted, later=1)), "expected round")
    refused(judged(accepted, streams=drawn(accepted, secret=9)), "did not sign this as round")


def test_row_13_the_leaf_of_another_entry_is_refused(accepted):
    refused(judged(accepted, streams=drawn(accepted, index=4)), "leaf 4 did not accept this entry")


# -- drawing --


def streams(made, tmp_path, **changes):
    path = tmp_path / "served.json"
    path.write_bytes(drawn(made, **changes).round.content())
    return Streams(made.board.folder, path)


def name(made, streams, key=KEYS.judge, retrain=0):
    """The name of the streams, as an evaluator draws it."""
    with user(made.folder / "config"):
        return streams.nonce(believed(made.entry, judge(made.entry)), key, retrain)


def test_whoever_draws_gets_the_same_episodes(accepted, tmp_path):
    nonce, origin = name(accepted, streams(accepted, tmp_path))
    assert (nonce, origin) == name(accepted, streams(accepted, tmp_path))
    assert nonce == drawn(accepted).nonce("example.org/board", entry_leaf(accepted))
    assert origin == drawn(accepted)


def test_without_a_board_every_draw_is_another_one(accepted):
    assert name(accepted, Streams()) != name(accepted, Streams())


def test_only_re_evaluators_and_runners_draw(accepted, tmp_path):
    with pytest.raises(UserError, match="is no re-evaluator and no runner of"):
        name(accepted, streams(accepted, tmp_path), KEYS.other)


def test_a_runner_who_would_train_less_than_all_is_told_before_anything_is_measured(
    accepted, tmp_path
):
    with pytest.raises(UserError, match="trains every run of an entry again: give --retrain 4"):
        name(accepted, streams(accepted, tmp_path), KEYS.runner, retrain=3)
    assert name(accepted, streams(accepted, tmp_path), KEYS.runner, retrain=4)


def test_an_entry_that_the_board_has_not_accepted_is_not_measured_for_it(accepted, tmp_path):
    accepted.predicate["resumes"] += 1
    accepted.sign()
    with pytest.raises(UserError, match="is no entry that"):
        name(accepted, streams(accepted, tmp_path))


def test_episodes_are_drawn_once_their_round_is_there(entry, tmp_path, monkeypatch):
    made = Registered(entry, tmp_path, KEYS)
    ship(monkeypatch, made.plan)
    now = int(time.time())
    made.register(at=now - 2 * DELAY).witness().claim().sign()
    made.board.entry(made.index, entry=made.payload_sha256(), at=now)
    with user(tmp_path / "config"), pytest.raises(Incomplete, match="Come back then"):
        reevaluate(made.entry, KEYS.judge, streams=streams(made, tmp_path))
