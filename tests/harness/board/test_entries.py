"""What a cheat hands in is refused by `accept`, and nothing is logged. Numbers: the threats of
docs/board.md."""

import random
import shutil
import time

import pytest

from harness.board.append import Main
from harness.board.handed_in import HandedIn, on_disk
from harness.board.judged import judge_folder
from helpers.boards import Keys, digest
from helpers.forgery import Forgery, subject
from helpers.fuzz import EXAMPLES, flipped
from helpers.submissions import MIRROR, by_hand, registered_entry, scene_of
from leaderboard.board.files import FolderFiles
from leaderboard.board.trial import decide
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import REGISTERED

KEYS = Keys()
ME = KEYS.submitter


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A board that knows two submitters; leaf 5 is a registration."""
    scene = scene_of(tmp_path_factory.mktemp("scene"), KEYS)
    scene.board.admit(KEYS.other)
    return scene


@pytest.fixture(scope="module")
def honest(scene, tiny_entry, tmp_path_factory):
    """The entry of that registration, in its folder."""
    return registered_entry(scene, tiny_entry, tmp_path_factory.mktemp("work")).sign(ME)


@pytest.fixture(scope="module")
def cheat(scene, honest):
    """Somebody with a clone and the keys of a submitter."""
    return scene.person("cheat")


@pytest.fixture
def forgery(honest, cheat, tmp_path):
    """A copy of the honest entry, to be forged."""
    copy = Forgery(honest.entry, tmp_path)
    copy.listed = [subject(name, (copy.folder / name).read_bytes()) for name in REGISTERED]
    yield copy
    shutil.rmtree(cheat.clone / "entries", ignore_errors=True)


def refused(cheat, folder, sentence):
    """`accept` ends with one sentence and exit 4, and the main branch is as before."""
    before = cheat.scene.head()
    done = cheat.run("accept", folder)
    assert done.returncode == 4, done.stdout + done.stderr
    assert sentence in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert cheat.scene.head() == before


def test_honest_files_written_by_hand_pass_the_same_checks(cheat, forgery):
    folder = by_hand(cheat, forgery.sign(ME), ME)
    cheat.pull_request()
    checked = cheat.run("board", "check")
    assert checked.returncode == 0, checked.stdout
    cheat.pull()
    assert not folder.exists()


# -- 7 and 27: what belongs to others --


def test_7_the_registration_of_another_submitter_is_refused(cheat, forgery):
    folder = by_hand(cheat, forgery.sign(KEYS.other), KEYS.other)
    refused(cheat, folder, "leaf 5 of example.org/board is of another submitter")


def test_7_the_entry_of_another_submitter_is_refused(cheat, forgery):
    folder = by_hand(cheat, forgery.sign(ME), KEYS.other)
    refused(cheat, folder, f"signer: the entry is signed by key {ME.key_id[:16]}")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entry": digest("another")}, "is about another entry"),
        ({"policies": digest("another")}, "names other policies"),
        ({"registration": 2}, "names another registration"),
        ({"licence": "GPL-3.0-only"}, "licence"),
        ({"kind": "amend"}, "another kind than entry"),
    ],
)
def test_7_a_statement_about_something_else_is_refused(cheat, forgery, changes, sentence):
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME, **changes), sentence)


def test_27_an_entry_of_another_version_of_the_suite_is_refused(cheat, forgery):
    forgery.suite["version"] = 2
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME), "is not of the leaf that this key, suite")


def test_27_an_entry_in_the_folder_of_another_version_is_refused(cheat, forgery):
    place = f"entries/own-tiny-v2/{forgery.predicate['plan']['id']}"
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME, place), "folder: entries/own-tiny-v2/")


# -- 9 to 12: what `verify` finds --


def leave_out_a_run(forgery):
    run = forgery.run("sst")
    shutil.rmtree(forgery.path(run))
    forgery.runs.remove(run)


def raise_a_score(forgery):
    forgery.run("dense")["score"] += 1.0


def train_longer(forgery):
    forgery.run("dense")["environment_steps"] *= 2


def forge_the_density(forgery):
    forgery.run("mst")["weights"]["critic"]["active"] -= 1


def cut_the_records(forgery):
    path = forgery.path(forgery.run("dense"), "records.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


@pytest.mark.parametrize(
    ("forge", "check"),
    [
        pytest.param(leave_out_a_run, "runs", id="9-a-run-left-out"),
        pytest.param(raise_a_score, "scores", id="10-score"),
        pytest.param(train_longer, "budgets", id="10-budget"),
        pytest.param(cut_the_records, "records", id="10-records"),
        pytest.param(forge_the_density, "tensors", id="11-density"),
    ],
)
def test_9_10_11_a_forged_entry_is_refused_by_name_of_the_check(cheat, forgery, forge, check):
    forge(forgery)
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME), f"verify refuses it: {check}: ")


def test_10_a_file_that_was_changed_after_signing_is_refused(cheat, forgery):
    files = {"results.csv": b"task,regime\n"}
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME, files=files), "results.csv: its bytes")


def test_12_tensors_and_pickles_do_not_come_in(cheat, forgery):
    name = f"{forgery.path(forgery.run('dense')).relative_to(forgery.folder)}/actor.safetensors"
    folder = by_hand(cheat, forgery.sign(ME), ME, files={name: b"\x80\x04pickle"})
    refused(cheat, folder, "is nothing that a pull request may add")


# -- 26: tensors that nobody can fetch --


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (MIRROR, "ftp://example.org", "expected https://"),
        (MIRROR, "https://me@example.org", "expected https://"),
        (f'["{MIRROR}"]', "[]", "names no mirror"),
        ('"sha256":"', '"sha256":"0', "64 hexadecimal digits"),
        (".safetensors", ".pickle", "expected the name of a .safetensors file"),
    ],
)
def test_26_a_list_of_tensors_that_says_something_else_is_refused(
    cheat, forgery, before, after, sentence
):
    folder = by_hand(cheat, forgery.sign(ME), ME)
    path = folder / "tensors.json"
    path.write_text(path.read_text().replace(before, after))
    refused(cheat, folder, sentence)


def test_26_an_entry_without_a_list_of_tensors_is_refused(cheat, forgery):
    folder = by_hand(cheat, forgery.sign(ME), ME, files={"tensors.json": None})
    refused(cheat, folder, "safetensors: is missing")


def test_26_an_entry_whose_policies_are_not_signed_is_refused(cheat, forgery):
    for run in forgery.runs:
        for path in forgery.path(run).glob("*.safetensors"):
            path.unlink()
    refused(cheat, by_hand(cheat, forgery.sign(ME), ME), "is not among the signed files")


# -- 10: whatever is changed --


def logged(main, handed_in):
    """Whether an entry would be: its files are judged, and then the signatures on its statement."""
    proposal = judge_folder(main, handed_in).proposal
    if proposal is None:
        return False
    board = Main.read(main.files).board  # that it would be changed by the entry
    try:
        decide(board, proposal.decision(), main.files, int(time.time()), presumed=True)
    except DocumentError:
        return False
    return True


@pytest.mark.slow
def test_10_no_entry_with_a_flipped_bit_is_accepted(cheat, forgery):
    """In any of its files but tensors.json, whose sizes and addresses nobody signs."""
    folder = by_hand(cheat, forgery.sign(ME), ME)
    handed_in = on_disk(cheat.clone, folder.relative_to(cheat.clone).as_posix())
    paths = sorted(path for path in handed_in.files if not path.endswith("/tensors.json"))
    main = Main.read(FolderFiles(cheat.clone))
    assert logged(main, handed_in)
    for number in range(EXAMPLES or 30):
        draws = random.Random(number if not EXAMPLES else None)
        path = paths[number % len(paths)]
        before = handed_in.files[path]
        content = flipped(draws, before)
        changed = HandedIn({**handed_in.files, path: content}, handed_in.folder)
        place = next(at for at, byte in enumerate(content) if byte != before[at])
        around = slice(max(0, place - 20), place + 20)
        assert not logged(main, changed), (path, before[around], content[around])
