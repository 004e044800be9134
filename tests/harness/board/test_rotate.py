"""The trust root is replaced by the thresholds of both versions."""

import pytest

from helpers.boards import Keys
from helpers.submissions import done, refused, scene_of
from leaderboard.formats.keys import one_use_key

KEYS = Keys()
M1, M2, M3 = KEYS.maintainers
NEW = one_use_key()


@pytest.fixture
def scene(tmp_path):
    return scene_of(tmp_path, KEYS)


@pytest.fixture
def maintainer(scene):
    """Somebody with a clone. Whose key signs is said with each command."""
    return scene.person("maintainer")


def test_the_root_rotates_by_both_thresholds(scene, maintainer):
    rotate = ("keys", "rotate", "--drop", M3.key_id[:16], "--add", f"new={NEW.public_hex}")
    done(maintainer.run(*rotate, key=M1))
    assert done(maintainer.run(*rotate, key=M2)) == "leaf 3: root\n"
    root = scene.log().board.root
    assert root.version == 2 and NEW.public_hex in root.root.public_keys
    assert M3.public_hex not in root.public_keys and root.maintainers.threshold == 2
    assert "trust/2.root.json" in scene.paths()
    refused(maintainer.run("board", "suite", "quick", "--open", key=M3), "none of those", 2)
    assert "1 of 2" in done(maintainer.run("board", "suite", "quick", "--open", key=NEW))


def test_19_a_root_is_not_rotated_by_new_keys_alone(scene, maintainer):
    """A threshold of one of the new root's own keys does not replace the former ones."""
    rotate = ("keys", "rotate", "--threshold", 1, "--add", f"new={NEW.public_hex}")
    said = done(maintainer.run(*rotate, key=NEW))
    assert "0 of 2 signatures of root, of the version before are there" in said
    assert scene.log().board.root.version == 1
    (path,) = [name for name in scene.paths() if name.endswith(".root.json") and "inbox" in name]
    maintainer.pull()
    done(maintainer.run("accept", path, key=M1))
    assert done(maintainer.run("accept", path, key=M2)) == "leaf 3: root\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--drop", "0" * 16), "is no key of the trust root"),
        (("--add", "witness:w=" + "0" * 64), "unknown role. Did you mean 'witnesses'?"),
        (("--add", "nowhere.pub"), "cannot be read"),
        (("--add", f"x={M1.public_hex}"), "is listed 2 times"),
        (("--add", f"log:x={M1.public_hex}"), "has 2 roles, a key has one"),
        (("--threshold", 4), "threshold: expected at least 1 and at most the number of keys"),
        (("--expires", "soon"), "expected a day as 2030-01-31"),
    ],
)
def test_a_root_that_cannot_be_is_refused(maintainer, words, sentence):
    refused(maintainer.run("keys", "rotate", *words, key=M1), sentence, code=2)


def test_a_key_is_named_by_its_file_too_and_times_can_change(scene, maintainer):
    files = {"gone": M3, "new": NEW}
    for name, key in files.items():
        (maintainer.folder / f"{name}.pub").write_text(f"public key: {key.public_hex}\n")
    gone, new = (maintainer.folder / f"{name}.pub" for name in files)
    rotate = ("keys", "rotate", "--drop", gone, "--add", new, "--delay", 60, "--deadline", 7200)
    for key in (M1, M2):
        done(maintainer.run(*rotate, key=key))
    root = scene.log().board.root
    assert (root.delay, root.deadline) == (60, 7200)
    assert M3.public_hex not in root.public_keys and NEW.public_hex in root.root.public_keys


def test_times_that_cannot_be_are_refused(maintainer):
    rotate = ("keys", "rotate", "--deadline", 60)
    refused(maintainer.run(*rotate, key=M1), "a deadline comes after the delay", 2)
