"""`board check` says of a pull request what `accept` would say, and writes nothing."""

import subprocess

import pytest

from helpers.boards import Keys, git
from helpers.submissions import scene_of
from leaderboard.board.additions import MOST_FILES, Added, check_additions, largest
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key

KEYS = Keys()
NEW = one_use_key()
ENTRY = "entries/own-tiny-v1/0123456789abcdef"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return scene_of(tmp_path_factory.mktemp("scene"), KEYS)


@pytest.fixture(scope="module")
def author(scene):
    """Somebody who opens pull requests."""
    return scene.person("author-of-requests")


@pytest.fixture
def stranger(author):
    """The same with a clone as the main branch is."""
    git(author.clone, "checkout", "--quiet", "--detach", "origin/main")
    git(author.clone, "clean", "--quiet", "-fd")
    return author


def lines(finished):
    """Name -> rest of the line of each check."""
    pairs = (line.partition(":") for line in finished.stdout.splitlines())
    return {name: rest.strip() for name, _, rest in pairs}


def refused(person, sentence):
    """The check of files fails, and the main branch and the clone are as before."""
    before = git(person.clone, "status", "--porcelain"), git(person.clone, "rev-parse", "HEAD")
    checked = person.check()
    assert checked.returncode == 4, checked.stdout
    failed = [line for line in checked.stdout.splitlines() if "failed" in line]
    assert len(failed) == 1 and sentence in failed[0], checked.stdout
    after = git(person.clone, "status", "--porcelain"), git(person.clone, "rev-parse", "HEAD")
    assert before == after


def add(person, path, content="{}"):
    full = person.clone / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_text(content)


def test_a_request_to_join_is_allowed_once_maintainers_sign(stranger):
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    stranger.pull_request()
    checked = stranger.check()
    assert checked.returncode == 0, checked.stdout
    found = lines(checked)
    assert found["log"].startswith("passed   3 leaves on origin/main")
    assert found["statement"].endswith(
        f"admit by {NEW.key_id[:16]}, allowed once enough have signed"
    )


def test_a_statement_that_two_files_sign_is_allowed(stranger):
    keys = ("keys", "change", "--to", stranger.key(NEW))
    assert stranger.run(*keys, key=KEYS.submitter).returncode == 0
    stranger.pull_request()
    checked = stranger.check()
    assert checked.returncode == 0, checked.stdout
    assert lines(checked)["files"].startswith("passed   2 new ones")


def test_a_request_that_fell_behind_the_main_branch_adds_no_more_than_before(scene, stranger):
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    stranger.pull_request()
    scene.board.register(draft="meanwhile")
    scene.push()
    assert stranger.check().returncode == 0


# -- 23: what others own --


@pytest.mark.parametrize(
    "path",
    [
        "log/leaves/001.jsonl",
        "log/checkpoint",
        "statements/x.dsse.json",
        "trust/2.root.json",
        ".github/workflows/check.yml",
        "README.md",
        "people/0123456789abcdef.json",
        ".gitattributes",
        "inbox/notes.txt",
        "inbox/grant-0123456789abcdef-0123456789abcdef.dsse.json",
        "inbox/entry-0123456789abcdef-0123456789abcdef.dsse.json",
        f"{ENTRY}/run.py",
        f"{ENTRY}/runs/task/dense/0/actor.safetensors",
        f"{ENTRY}/runs/task/dense/00/result.json",
        f"{ENTRY}/runs/task/dense/0/x/result.json",
        "entries/own-tiny-v1/x/plan.json",
        "entries/own-tiny-v0/0123456789abcdef/plan.json",
    ],
)
def test_23_what_a_pull_request_may_not_add_is_refused(stranger, path):
    add(stranger, path)
    stranger.pull_request()
    refused(stranger, f"{path}: is nothing that a pull request may add")


def test_23_what_is_there_already_may_not_be_changed(stranger):
    add(stranger, "log/leaves/000.jsonl", "{}\n")
    stranger.pull_request()
    refused(stranger, "log/leaves/000.jsonl: is there already, and is changed")


def test_23_what_is_there_already_may_not_be_removed_or_moved(stranger):
    git(stranger.clone, "mv", "trust/1.root.json", "inbox-1.json")
    stranger.pull_request()
    refused(stranger, "trust/1.root.json: is there already, and is changed")
    git(stranger.clone, "checkout", "--quiet", "--detach", "origin/main")
    git(stranger.clone, "rm", "--quiet", "trust/1.root.json")
    git(stranger.clone, "commit", "--quiet", "--message", "change")
    refused(stranger, "trust/1.root.json: is there already, and is changed")


def test_23_one_matter_each(stranger):
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    add(stranger, f"{ENTRY}/plan.json")
    stranger.pull_request()
    refused(stranger, "hand in one entry by itself")


def test_an_empty_request_is_refused(stranger):
    git(stranger.clone, "commit", "--quiet", "--allow-empty", "--message", "nothing")
    refused(stranger, "adds or changes 0 files")


# -- 24: names, links, sizes, counts, before anything is read --


def test_24_a_link_is_refused(stranger):
    (stranger.clone / ENTRY).mkdir(parents=True)
    (stranger.clone / ENTRY / "plan.json").symlink_to("/etc/passwd")
    stranger.pull_request()
    refused(stranger, "plan.json: is a link, a program or no plain file")


def test_24_a_submodule_and_a_program_are_refused(stranger):
    add(stranger, f"{ENTRY}/plan.json")
    (stranger.clone / ENTRY / "plan.json").chmod(0o755)
    stranger.pull_request()
    refused(stranger, "is a link, a program or no plain file")
    git(stranger.clone, "checkout", "--quiet", "--detach", "origin/main")
    commit = git(stranger.clone, "rev-parse", "HEAD")
    entry = f"160000,{commit},{ENTRY}/plan.json"
    git(stranger.clone, "update-index", "--add", "--cacheinfo", entry)
    git(stranger.clone, "commit", "--quiet", "--message", "change")
    refused(stranger, "is a link, a program or no plain file")
    git(stranger.clone, "reset", "--quiet", "--hard", "origin/main")


def test_24_a_large_file_is_refused_before_it_is_read(stranger):
    with (stranger.clone / "big").open("wb") as file:
        file.truncate(envelope.LARGEST + 1)
    (stranger.clone / ENTRY).mkdir(parents=True)
    (stranger.clone / "big").rename(stranger.clone / ENTRY / "plan.json")
    stranger.pull_request()
    refused(stranger, f"has {envelope.LARGEST + 1} bytes, at most {envelope.LARGEST} are read")


@pytest.mark.slow
def test_24_a_hundred_thousand_files_are_refused_before_they_are_read(stranger):
    blob = git(stranger.clone, "hash-object", "-w", "trust/1.root.json")
    inbox = mktree(stranger, "".join(f"100644 blob {blob}\t{name}\n" for name in range(100_000)))
    present = git(stranger.clone, "ls-tree", "HEAD")
    tree = mktree(stranger, f"{present}\n040000 tree {inbox}\tinbox\n")
    commit = git(stranger.clone, "commit-tree", tree, "-p", "HEAD", "-m", "many")
    git(stranger.clone, "update-ref", "--no-deref", "HEAD", commit)
    checked = stranger.check()
    git(stranger.clone, "update-ref", "--no-deref", "HEAD", "origin/main")
    assert checked.returncode == 4
    assert f"changes 100000 files, expected 1 to {MOST_FILES}" in checked.stdout


def mktree(person, listing):
    """The tree that a listing describes."""
    command = ["git", "-C", str(person.clone), "mktree", "--missing"]
    made = subprocess.run(command, input=listing, text=True, check=True, capture_output=True)
    return made.stdout.strip()


def test_24_ten_gigabytes_in_a_folder_are_refused_by_accept_before_they_are_read(stranger):
    (stranger.clone / ENTRY).mkdir(parents=True)
    with (stranger.clone / ENTRY / "results.csv").open("wb") as file:
        file.truncate(10 << 30)
    done = stranger.run("accept", ENTRY)
    assert done.returncode == 4 and "adds 10737418240 bytes" in done.stderr
    (stranger.clone / ENTRY / "results.csv").unlink()


def test_24_a_link_in_a_folder_is_refused_by_accept(stranger):
    (stranger.clone / ENTRY).mkdir(parents=True)
    (stranger.clone / ENTRY / "runs").symlink_to("/etc")
    done = stranger.run("accept", ENTRY)
    assert done.returncode == 4 and "runs: is a link, or no plain file" in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "inbox/../log/leaves/000.jsonl",
        f"{ENTRY}/../plan.json",
        f"{ENTRY}//plan.json",
        f"{ENTRY}/plan.json/",
        f"/{ENTRY}/plan.json",
        f"{ENTRY}/PLAN.json",
        f"{ENTRY}/plan.json\n",
        f"{ENTRY}/runs/a\u202eb/dense/0/result.json",
        f"{ENTRY}/runs/../dense/0/result.json",
        "entries/..-v1/0123456789abcdef/plan.json",
        "",
    ],
)
def test_24_tricks_with_paths_match_no_pattern(path):
    assert largest(path) is None
    with pytest.raises(DocumentError, match="nothing that a pull request may add"):
        check_additions([Added(path, 1)])


# -- content --


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.replace('"payload"', '"Payload"'), "envelope: Payload"),
        (lambda content: content[: len(content) // 2], "not readable JSON"),
        (lambda content: content.replace('"payload":"e', '"payload":"f'), "inbox/admit-"),
    ],
)
def test_a_statement_that_was_damaged_is_refused(stranger, change, sentence):
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    (name,) = stranger.waiting("admit")
    add(stranger, name, change((stranger.clone / name).read_text()))
    stranger.pull_request()
    refused(stranger, sentence)


def test_a_statement_under_the_name_of_another_is_refused(stranger):
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    (name,) = stranger.waiting("admit")
    other = name.replace(NEW.key_id[:16], KEYS.maintainers[0].key_id[:16])
    (stranger.clone / name).rename(stranger.clone / other)
    stranger.pull_request()
    refused(stranger, "is not named after what it holds")


def test_a_statement_that_the_rules_forbid_is_refused(stranger):
    """It was allowed when it was signed: the key was admitted since."""
    assert stranger.run("submit", "--join", key=NEW).returncode == 0
    (name,) = stranger.waiting("admit")
    stranger.pull_request()
    scene = stranger.scene
    git(scene.board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
    scene.board.admit(NEW)
    scene.push()
    refused(stranger, f"{name}: leaf")


def test_a_base_that_git_does_not_know_is_said(stranger):
    done = stranger.run("board", "check", "--base", "origin/none")
    assert done.returncode == 2 and "has no commit origin/none" in done.stderr
