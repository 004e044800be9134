"""A re-evaluation is handed in beside its entry, checked and accepted."""

import pytest

from harness.files import dump_json
from helpers.beacons import CHAIN, round_of
from helpers.boards import DELAY, Keys, digest
from helpers.statements import reeval_bytes
from helpers.submissions import MIRROR, registered_entry, scene_of
from leaderboard.formats import envelope
from leaderboard.formats.log.leaf import parse_leaf
from leaderboard.formats.log.statements import statement_payload
from leaderboard.formats.reeval import Drawn, RolledOut, TrainedAgain

KEYS = Keys()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return scene_of(tmp_path_factory.mktemp("scene"), KEYS)


@pytest.fixture(scope="module")
def made(scene, tiny_entry, tmp_path_factory):
    """An entry that was accepted, as leaf 5."""
    work = tmp_path_factory.mktemp("work")
    made = registered_entry(scene, tiny_entry, work).sign(KEYS.submitter)
    person = scene.person("submitter")
    mirror = ("--mirror", MIRROR)
    assert person.run("submit", made.folder, *mirror, key=KEYS.submitter).returncode == 0
    (folder,) = (person.clone / "entries").glob("*/*")
    assert person.run("accept", folder).returncode == 0
    return made


@pytest.fixture
def judge(scene, made, tmp_path_factory):
    """A re-evaluator with a clone."""
    scene.folder = tmp_path_factory.mktemp("judge")
    return scene.person("judge")


def measured(judge, made, key=KEYS.judge, **changes):
    """A re-evaluation of every run beside the entry, as `reeval --board` writes it."""
    leaf = parse_leaf(judge.scene.log().leaves[5], "leaf")
    streams = Drawn(5, round_of(CHAIN.round_from(leaf.at + DELAY)))
    runs = tuple(
        RolledOut(f"{run['task']}/{run['regime']}/0", True, run["score"], run["score"], 1.0)
        for run in made.runs
    )
    fields = {
        "plan": made.predicate["plan"]["id"],
        "runs": runs,
        "drawn": streams,
        "nonce": streams.nonce("example.org/board", leaf),
    }
    (folder,) = (judge.clone / "entries").glob("*/*")
    path = folder / "reeval.dsse.json"
    path.write_bytes(reeval_bytes(key, made.payload_sha256(), **{**fields, **changes}))
    return path


def test_a_re_evaluation_is_handed_in_checked_and_logged_with_its_digest(scene, judge, made):
    path = measured(judge, made)
    done = judge.run("submit", "--reeval", path, key=KEYS.judge)
    assert done.returncode == 0, done.stderr
    assert not path.exists()
    judge.pull_request()
    checked = judge.check()
    assert checked.returncode == 0, checked.stdout
    assert "reeval:       passed   L1 of leaf 5" in checked.stdout

    (reeval,) = path.parent.glob("reeval-????????????????.dsse.json")
    accepted = judge.run("accept", reeval)
    assert accepted.stdout == "leaf 6: reeval\n", accepted.stderr
    log = scene.log()
    leaf = parse_leaf(log.leaves[6], "leaf")
    assert (leaf.level, leaf.entry) == ("L1", 5) and reeval.name[7:23] == leaf.measured[:16]
    names = [name.rpartition("/")[2] for name in scene.paths() if "/reeval-" in name]
    assert names == [reeval.name]


def trained(made):
    """Every run of the entry, trained again with the same bits."""
    names = [f"{run['task']}/{run['regime']}/0" for run in made.runs]
    return {"retrained": tuple(TrainedAgain(name, True, 1.0) for name in names)}


def test_a_runner_of_the_board_hands_in_l3(scene, judge, made):
    path = measured(judge, made, KEYS.runner, **trained(made))
    handed_in = judge.run("submit", "--reeval", path, key=KEYS.runner)
    assert handed_in.returncode == 0, handed_in.stderr
    lines = handed_in.stdout.splitlines()
    written = [line.partition(": ")[2] for line in lines if line.startswith("re-evaluation: ")]
    done = judge.run("accept", *written)
    assert done.returncode == 0 and done.stdout.count("reeval") == 1, done.stderr
    log = scene.log()
    leaf = parse_leaf(log.leaves[log.size - 1], "leaf")
    assert (leaf.level, leaf.key) == ("L3", KEYS.runner.key_id)


@pytest.mark.parametrize(
    ("key", "changes", "sentence"),
    [
        (KEYS.runner, {}, "not every run was trained again"),
        (KEYS.other, {}, "is none of the board's re-evaluators or runners"),
        (KEYS.submitter, {}, "is signed with the entry's own key"),
        (KEYS.judge, {"drawn": None}, "were not drawn from the beacon"),
        (KEYS.judge, {"nonce": "0" * 32}, "do not follow from leaf and round"),
        (KEYS.judge, {"defects": ("too good",)}, "refused this entry"),
    ],
)
def test_13_a_re_evaluation_that_does_not_count_is_not_written(judge, made, key, changes, sentence):
    path = measured(judge, made, key, **changes)
    done = judge.run("submit", "--reeval", path, key=key)
    assert done.returncode == 4 and sentence in done.stderr, done.stderr
    assert path.exists()


@pytest.mark.parametrize(
    ("field", "value", "second"),
    [("level", "L2", 1), ("entry", 4, 2), ("measured", digest("another"), 3)],
)
def test_13_a_statement_that_says_more_than_was_measured_is_refused(
    judge, made, field, value, second
):
    path = measured(judge, made, time=f"2026-01-02T00:00:0{second}+00:00")
    assert judge.run("submit", "--reeval", path, key=KEYS.judge).returncode == 0
    (statement,) = path.parent.glob("*.submission.dsse.json")
    reeval = statement.with_name(statement.name.replace(".submission", ""))
    leaf = {
        "kind": "reeval",
        "key": KEYS.judge.key_id,
        "entry": 5,
        "level": "L1",
        "measured": envelope.open_envelope(reeval.read_bytes()).payload_sha256,
        field: value,
    }
    signed = envelope.sign(statement_payload("example.org/board", leaf), KEYS.judge)
    statement.write_bytes(dump_json(signed))
    done = judge.run("accept", reeval)
    assert done.returncode == 4 and "says something else than the re-evaluation" in done.stderr
