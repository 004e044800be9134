"""The signed files of an entry as `verify` reads them: as they were signed, from inside its folder,
and no larger than they may be."""

import hashlib
from dataclasses import replace

import pytest

from leaderboard.formats.document import DocumentError
from leaderboard.formats.run import MOST_SIGNATURES
from leaderboard.formats.statement import Digest, Subject
from leaderboard.verification.files import (
    DOCUMENTS,
    LARGEST,
    LONGEST_NAME,
    SignedFiles,
    read_documents,
    read_runs,
)
from leaderboard.verification.verify import verify

RUN_FILE = "runs/dog-run/mst/0/result.json"


def subject(name, content):
    """A file as a statement lists it."""
    return Subject(name, Digest(hashlib.sha256(content).hexdigest()))


@pytest.fixture
def folder(tmp_path):
    """The documents of an entry, and one file of a run; each holds its own name."""
    inside = tmp_path / "entry"
    for name in (*DOCUMENTS, RUN_FILE):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_text(name)
    return inside


def read(folder, *others):
    """The documents and other subjects, read as they are listed."""
    listed = [subject(name, name.encode()) for name in DOCUMENTS]
    return read_documents(folder, [*listed, *others])


def read_one(folder, name, content=b"", limit=LARGEST):
    """A file of a run, read again."""
    files = SignedFiles(folder, {name: hashlib.sha256(content).hexdigest()}, {}, {name: limit})
    return files.read(name)


def refusal(function, *arguments):
    """What a refusal says."""
    with pytest.raises(DocumentError) as caught:
        function(*arguments)
    return str(caught.value)


def test_documents_are_read_once_and_stay_what_they_were(folder):
    files = read(folder, subject(RUN_FILE, RUN_FILE.encode()))
    for name in DOCUMENTS:
        (folder / name).write_text("changed")
        assert files.read(name) == name.encode()


def test_a_file_of_a_run_is_read_again_only_as_it_was_signed(folder):
    assert read_one(folder, RUN_FILE, RUN_FILE.encode()) == RUN_FILE.encode()
    (folder / RUN_FILE).write_text("changed")
    said = refusal(read_one, folder, RUN_FILE, RUN_FILE.encode())
    assert said == f"{RUN_FILE}: its bytes are not those that were signed"
    (folder / RUN_FILE).unlink()
    assert refusal(read_one, folder, RUN_FILE) == f"{RUN_FILE}: is missing"


def test_nothing_else_is_read(folder):
    assert refusal(read(folder).read, RUN_FILE) == f"{RUN_FILE}: is not among the signed files"


def test_every_document_is_listed_once(folder):
    twice = subject(DOCUMENTS[0], b"")
    assert refusal(read, folder, twice) == f"{DOCUMENTS[0]}: is listed twice"
    listed = [subject(name, name.encode()) for name in DOCUMENTS[1:]]
    said = refusal(read_documents, folder, listed)
    assert said == f"{DOCUMENTS[0]}: is not among the signed files"


@pytest.mark.parametrize(
    "name", ["../stolen", "/etc/hostname", "a/../plan.json", "./plan.json", "runs//x", "runs/", "."]
)
def test_no_name_leads_out_of_the_folder_or_is_a_second_one(folder, name):
    (folder.parent / "stolen").write_text("x")
    assert refusal(read_one, folder, name) == f"{name}: points outside the entry's folder"


def test_no_link_leads_out_of_the_folder(folder):
    (folder.parent / "stolen").write_bytes(b"")
    (folder / "link").symlink_to(folder.parent / "stolen")
    assert refusal(read_one, folder, "link") == "link: points outside the entry's folder"
    (folder / "loop").symlink_to(folder / "loop")
    assert refusal(read_one, folder, "loop").startswith("loop: ")
    (folder / "inside").symlink_to(folder / RUN_FILE)
    assert read_one(folder, "inside", RUN_FILE.encode()) == RUN_FILE.encode()


def test_a_name_is_no_longer_than_a_file_systems(folder):
    longest = "n" * LONGEST_NAME
    (folder / longest).write_bytes(b"")
    assert read_one(folder, longest) == b""
    too_long = f"runs/{longest}n/x"
    assert refusal(read_one, folder, too_long).endswith("is longer than a file's name can be")


def test_no_more_is_read_than_a_file_may_have(folder):
    size = len(RUN_FILE)
    assert read_one(folder, RUN_FILE, RUN_FILE.encode(), size) == RUN_FILE.encode()
    said = refusal(read_one, folder, RUN_FILE, RUN_FILE.encode(), size - 1)
    assert said == f"{RUN_FILE}: has {size} bytes, at most {size - 1} are read"


def test_the_files_of_a_run_may_be_as_large_as_its_plan_needs(tiny_entry):
    """It has 3 evaluations of 2 episodes and 2 final episodes, and 80 updates of each module."""
    documents = verify(tiny_entry).documents
    limits = documents.files.limits
    run = "runs/cartpole-swingup/mst/0"
    assert limits[f"{run}/result.json"] == 65_536 + 2 * 32
    assert limits[f"{run}/records.jsonl"] == (3 + MOST_SIGNATURES + 2) * 65_536 + (3 * 2 + 2) * 32
    assert limits[f"{run}/timing.json"] == 65_536

    # Weights are float32; each of two masks takes a bit a weight, each digest at most 100 bytes;
    # names and the rest of the JSON may take a mebibyte each.
    networks = documents.plan.networks["cartpole-swingup/mst"]
    mebibyte = 1024 * 1024
    for module, network in networks.items():
        numbers = network.weights + network.biases
        assert limits[f"{run}/{module}.safetensors"] == 4 * numbers + mebibyte
    masks = sum(network.weights // 4 + 100 * 81 for network in networks.values())
    assert limits[f"{run}/masks.safetensors"] == masks + 2 * mebibyte

    # One update more of each module is one digest more.
    budget = replace(documents.plan.budget, updates=dict.fromkeys(networks, 81))
    longer = SignedFiles(tiny_entry.parent, {}, {})
    read_runs(longer, replace(documents.plan, budget=budget))
    assert longer.limits[f"{run}/masks.safetensors"] == masks + 3 * 100 + 2 * mebibyte


def test_no_entry_is_larger_than_96_mebibytes(tmp_path):
    entry = tmp_path / "entry.dsse.json"
    for size, sentence in (
        (96 * 1024 * 1024 + 1, "the entry: has 100663297 bytes, at most 100663296 are read"),
        (96 * 1024 * 1024, "envelope: not readable JSON"),
    ):
        with open(entry, "wb") as file:
            file.truncate(size)
        (check,) = verify(entry).checks
        assert check.name == "envelope"
        assert check.detail.startswith(sentence), check.detail
