"""A board is set up from public keys alone, and begins once enough holders of its root agree."""

import json
import time

import pytest

from helpers.beacons import CHAIN
from helpers.boards import DAY, Keys, clone, git, user
from helpers.program import call
from helpers.submissions import Scene, Someone
from leaderboard.formats.log.beacon import QUICKNET

KEYS = Keys()
M1, M2, M3 = KEYS.maintainers


@pytest.fixture
def founder(tmp_path):
    """Somebody with a clone of a repository that holds nothing but a page."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    folder = tmp_path / "founder"
    folder.mkdir()
    mine = clone(remote, folder / "board")
    (mine / "README.md").write_text("A board.\n")
    return Someone(folder, mine, Scene(tmp_path, None, remote, KEYS))


def public(founder, key, name):
    """The file of a public key, as `keys show` prints it."""
    path = founder.folder / f"{name}.pub"
    with user(founder.folder / "config"):
        path.write_text(call("keys", "show", founder.key(key)).stdout)
    return path


def roles(founder):
    """Two of three maintainers, a log's key, a witness."""
    keys = [public(founder, key, f"m{number}") for number, key in enumerate(KEYS.maintainers, 1)]
    keys.append(f"log:{public(founder, KEYS.logs[0], 'log1')}")
    keys.append(f"witnesses:example.org/w1={KEYS.witnesses[0].public_hex}")
    return [word for key in keys for word in ("--add", key)]


def init(founder, *words):
    with user(founder.folder / "config"):
        return call("board", "init", founder.clone, "--origin", "example.org/board", *words)


def pushed(founder):
    git(founder.clone, "checkout", "--quiet", "-B", "main")
    git(founder.clone, "add", "--all")
    git(founder.clone, "commit", "--quiet", "--message", "A board begins")
    git(founder.clone, "push", "--quiet", "origin", "main")


def test_a_board_begins_with_the_signature_that_meets_the_threshold(founder, tmp_path):
    done = init(founder, *roles(founder), "--threshold", 2, "--quorum", 1)
    assert done.returncode == 0, done.stderr
    (path,) = (founder.clone / "inbox").glob("*.root.json")
    root = json.loads(path.read_text())
    assert [key["name"] for key in root["root"]["keys"]] == ["m1", "m2", "m3"]
    assert root["beacon"]["chain"] == QUICKNET.chain
    assert abs(root["expires"] - time.time() - 3 * 365 * DAY) < 2 * DAY

    # Each holder signs in a clone of their own; nothing was agreed on but the file.
    pushed(founder)
    name = path.relative_to(founder.clone)
    first = founder.run("accept", name, key=M1)
    assert "root: signed; 1 of 2 signatures of root, of the new version" in first.stdout
    other = founder.scene.person("other")
    second = other.run("accept", name, key=M3)
    assert second.stdout == "leaf 0: root\n", second.stderr
    log = founder.scene.log()
    assert (log.size, log.board.root.version) == (1, 1)
    assert "trust/1.root.json" in founder.scene.paths()
    assert not [path for path in founder.scene.paths() if path.startswith("inbox/")]
    assert other.run("log", "sign", key=KEYS.logs[0]).returncode == 0


def test_a_log_that_was_seen_before_does_not_begin_anew(founder):
    assert init(founder, *roles(founder), "--threshold", 1).returncode == 0
    pushed(founder)
    (name,) = (founder.clone / "inbox").glob("*.root.json")
    kept = name.read_bytes()
    assert founder.run("accept", name, key=M1).stdout == "leaf 0: root\n"
    assert founder.run("log", "sign", key=KEYS.logs[0]).returncode == 0
    git(founder.clone, "rm", "--quiet", "-r", "log", "trust", "statements")
    name.parent.mkdir(exist_ok=True)
    name.write_bytes(kept)
    pushed(founder)
    done = founder.run("accept", name, key=M1)
    assert done.returncode == 4
    assert "the log example.org/board was seen before, and here it has no leaf" in done.stderr


def test_another_beacon_and_other_times_are_taken(founder, tmp_path):
    path = tmp_path / "chain.json"
    chain = {name: getattr(CHAIN, name) for name in ("chain", "public_key", "genesis", "period")}
    path.write_text(json.dumps(chain))
    times = ("--delay", 5, "--deadline", 60, "--expires", "2040-01-31", "--beacon", path)
    assert init(founder, *roles(founder), "--threshold", 2, *times).returncode == 0
    (root,) = (founder.clone / "inbox").glob("*.root.json")
    document = json.loads(root.read_text())
    assert (document["delay"], document["deadline"]) == (5, 60)
    assert document["expires"] == 2_211_667_199
    assert document["beacon"] == chain


def test_a_board_is_not_set_up_twice(founder):
    (founder.clone / "log").mkdir()
    done = init(founder, *roles(founder), "--threshold", 2)
    assert done.returncode == 2 and "is a board already" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "root, maintainers and log have at least one key each"),
        (("--threshold", 4), "root: threshold"),
        (("--quorum", 9), "witnesses: threshold"),
        (("--beacon", "nowhere.json"), "nowhere.json: cannot be read"),
        (("--deadline", 1), "a deadline comes after the delay"),
    ],
)
def test_a_root_that_cannot_be_is_not_written(founder, words, sentence):
    keys = roles(founder) if words else ["--add", f"m1={M1.public_hex}"]
    done = init(founder, *keys, *words)
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
    assert not (founder.clone / "inbox").exists()


def test_a_private_key_is_not_taken_for_a_public_one(founder):
    done = init(founder, "--add", founder.key(M1))
    assert done.returncode == 2 and "holds no public key; write `mst-bench keys show" in done.stderr
