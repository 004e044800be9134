"""Names are published by maintainers, and taken back without a trace. Numbers: the threats of
docs/board.md."""

import json
import time
from unittest import mock

import pytest

from harness.board import people
from helpers.boards import Keys, git
from helpers.submissions import scene_of
from leaderboard.formats.keys import one_use_key

KEYS = Keys()
ME = KEYS.submitter
NAME = f"person-{ME.key_id[:16]}.dsse.json"
PUBLISHED = f"people/{ME.key_id[:16]}.json"


@pytest.fixture
def scene(tmp_path):
    return scene_of(tmp_path, KEYS)


@pytest.fixture
def somebody(scene, monkeypatch):
    """A submitter, whose working folder is theirs."""
    person = scene.person("somebody")
    monkeypatch.chdir(person.folder)
    return person


def named(person, *words, key=ME):
    return person.run("submit", "--name", *words, key=key)


def branch(scene):
    """Path -> content of the branch of names, and how many commits it has."""
    paths = git(scene.remote, "ls-tree", "-r", "--name-only", "people").splitlines()
    contents = {path: json.loads(git(scene.remote, "show", f"people:{path}")) for path in paths}
    return contents, int(git(scene.remote, "rev-list", "--count", "people"))


def test_a_name_is_published_replaced_and_forgotten_without_a_trace(scene, somebody):
    before = scene.head()
    assert named(somebody, "A Lab", "--link", "https://example.org").returncode == 0
    done = somebody.run("accept", NAME)
    assert done.returncode == 0, done.stderr
    contents, commits = branch(scene)
    assert contents[PUBLISHED]["name"] == "A Lab" and commits == 1

    # Another one replaces it, and nothing of the former is left in any commit.
    assert named(somebody, "B Lab").returncode == 0
    assert somebody.run("accept", NAME).returncode == 0
    contents, commits = branch(scene)
    assert contents[PUBLISHED]["name"] == "B Lab" and commits == 1

    # What stays is when it was taken back.
    assert somebody.run("board", "forget", ME.key_id[:16]).returncode == 0
    contents, commits = branch(scene)
    assert (contents[PUBLISHED]["name"], contents[PUBLISHED]["link"], commits) == ("", None, 1)
    assert scene.head() == before
    assert "Lab" not in git(scene.remote, "log", "--all", "--patch")


def request(somebody, name, at):
    """A signed request of a moment; its file."""
    with mock.patch.object(people.time, "time", return_value=at):
        assert named(somebody, name).returncode == 0
    kept = somebody.folder / str(at)
    kept.mkdir()
    return (somebody.folder / NAME).rename(kept / NAME)


def test_25_an_old_request_does_not_bring_a_name_back(scene, somebody):
    """Whoever kept the file could once publish a name again that was replaced or taken back."""
    old = request(somebody, "An Old Lab", time.time() - 60)
    assert named(somebody, "A Lab").returncode == 0
    assert somebody.run("accept", NAME).returncode == 0

    replayed = somebody.run("accept", old)
    assert replayed.returncode == 4 and "is older than what is published" in replayed.stderr
    assert branch(scene)[0][PUBLISHED]["name"] == "A Lab"

    # Neither that one nor the newest comes back after it was taken back, and a new one does. The
    # newest was signed by a clock that is ahead.
    ahead = request(somebody, "A Lab", time.time() + 60)
    assert somebody.run("accept", ahead).returncode == 0
    assert somebody.run("board", "forget", ME.key_id).returncode == 0
    for path in (old, ahead):
        assert somebody.run("accept", path).returncode == 4
    assert branch(scene)[0][PUBLISHED]["name"] == ""
    later = request(somebody, "A New Lab", time.time() + 90)
    assert somebody.run("accept", later).returncode == 0
    assert branch(scene)[0][PUBLISHED]["name"] == "A New Lab"


def test_25_a_request_of_the_future_is_refused(scene, somebody):
    """It would bar every later one."""
    path = request(somebody, "A Lab", time.time() + 86_400)
    refused = somebody.run("accept", path)
    assert refused.returncode == 4 and "seconds from now" in refused.stderr


def test_a_name_is_said_by_the_key_it_is_for(scene, somebody):
    """A stranger cannot name a submitter, nor themselves."""
    stranger = one_use_key()
    assert named(somebody, "A Stranger", key=stranger).returncode == 0
    done = somebody.run("accept", f"person-{stranger.key_id[:16]}.dsse.json")
    assert done.returncode == 4 and "is no submitter's here" in done.stderr

    assert named(somebody, "A Lab").returncode == 0
    path = somebody.folder / NAME
    signed = json.loads(path.read_text())
    signed["signatures"][0]["sig"] = "A" * 86 + "=="
    path.write_text(json.dumps(signed))
    done = somebody.run("accept", NAME)
    assert done.returncode == 4 and "the signature does not fit" in done.stderr
    assert git(scene.remote, "branch", "--list", "people") == ""


@pytest.mark.parametrize(
    "name",
    ["A\u202eLab", "A\nLab", "A\x1b[31mLab", "\u2066A Lab", "A\u200bLab", " A Lab", "x" * 81],
)
def test_25_a_name_that_steers_text_is_refused(somebody, name):
    done = named(somebody, name)
    assert done.returncode == 2 and "name: expected one line" in done.stderr
    assert not (somebody.folder / NAME).exists()


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://example.org", 'https://a/"b'])
def test_25_a_link_that_is_none_is_refused(somebody, link):
    done = named(somebody, "A Lab", "--link", link)
    assert done.returncode == 2 and "https://" in done.stderr


def test_a_file_that_is_not_there_or_is_none_is_said(somebody):
    assert somebody.run("accept", NAME).returncode == 2
    (somebody.folder / NAME).write_text("{}")
    assert somebody.run("accept", NAME).returncode == 4


def test_a_name_that_was_never_published_cannot_be_forgotten(somebody):
    done = somebody.run("board", "forget", ME.key_id)
    assert done.returncode == 2 and "names 0 published names, not one" in done.stderr
