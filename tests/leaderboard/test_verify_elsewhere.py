"""Tensors that are kept elsewhere: they are unknown where they were not found, and checked where
they were. Whatever else is absent fails. Numbers: the threats of docs/board.md."""

import json
import shutil

import pytest

from harness.files import dump_json
from helpers.forge import check_of, failed, resign, restate, statement_of
from helpers.program import call
from leaderboard.formats.mirrors import TENSORS_SCHEMA
from leaderboard.verification.verify import verify

NAME = "runs/cartpole-swingup/sst/0/actor.safetensors"


def listed(entry):
    """What tensors.json says of an entry."""
    subjects = [at for at in statement_of(entry)["subject"] if at["name"].endswith(".safetensors")]
    return {
        "schema": TENSORS_SCHEMA,
        "mirrors": ["https://example.org/tensors"],
        "tensors": [
            {"name": at["name"], "sha256": at["digest"]["sha256"], "size": 1} for at in subjects
        ],
    }


@pytest.fixture
def elsewhere(entry, tmp_path):
    """An entry whose tensors lie in another folder; that folder."""
    for path in entry.parent.rglob("*.safetensors"):
        target = tmp_path / "tensors" / path.relative_to(entry.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    (entry.parent / "tensors.json").write_bytes(dump_json(listed(entry)))
    return tmp_path / "tensors"


def test_26_tensors_that_were_never_served_leave_the_check_unknown(entry, elsewhere):
    verdict = verify(entry)
    assert verdict.accepted
    assert check_of(verdict, "files").detail.endswith("of tensors are kept elsewhere")
    assert check_of(verdict, "tensors").status == "unknown"
    assert check_of(verdict, "tensors").detail.startswith("kept elsewhere for 4 of 4 runs")
    with pytest.raises(ValueError, match="is kept elsewhere; name its folder with --tensors"):
        verdict.documents.files.read(NAME)


def test_26_a_complete_entry_has_its_tensors(entry, elsewhere):
    verdict = verify(entry, complete=True)
    assert failed(verdict) == "tensors" and "--tensors" in verdict.checks[-1].detail


def test_tensors_are_checked_where_they_were_put(entry, elsewhere):
    verdict = verify(entry, complete=True, tensors=elsewhere)
    assert verdict.accepted and check_of(verdict, "tensors").status == "passed"
    assert verdict.documents.files.read(NAME) == (elsewhere / NAME).read_bytes()
    told = call("verify", entry, "--tensors", elsewhere, "--complete")
    assert told.returncode == 0, told.stdout


def test_tensors_of_some_runs_are_checked_and_the_others_are_said(entry, elsewhere):
    shutil.rmtree((elsewhere / NAME).parent)
    verdict = verify(entry, tensors=elsewhere)
    assert check_of(verdict, "tensors").detail.startswith("kept elsewhere for 1 of 4 runs")


def test_11_other_tensors_than_were_signed_are_refused_wherever_they_lie(entry, elsewhere):
    content = bytearray((elsewhere / NAME).read_bytes())
    content[-1] ^= 1
    (elsewhere / NAME).write_bytes(content)
    verdict = verify(entry, tensors=elsewhere)
    assert failed(verdict) == "files" and f"{NAME}: its bytes" in verdict.checks[-1].detail


def test_12_a_pickle_that_was_signed_as_tensors_is_refused_where_it_is_found(entry, elsewhere):
    pickle = b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94."
    (entry.parent / NAME).write_bytes(pickle)
    change = restate(entry, NAME, pickle)
    (elsewhere / NAME).write_bytes(pickle)
    (entry.parent / NAME).unlink()
    (entry.parent / "tensors.json").unlink()
    resign(entry, change)
    (entry.parent / "tensors.json").write_bytes(dump_json(listed(entry)))
    assert verify(entry).accepted  # nobody has seen it yet
    assert failed(verify(entry, tensors=elsewhere)) == "tensors"


def test_what_else_is_absent_fails(entry, elsewhere):
    (entry.parent / NAME).with_name("timing.json").unlink()
    assert failed(verify(entry)) == "files"


def test_tensors_that_no_list_names_are_missing(entry, elsewhere):
    path = entry.parent / "tensors.json"
    document = json.loads(path.read_bytes())
    document["tensors"] = [at for at in document["tensors"] if at["name"] != NAME]
    path.write_bytes(dump_json(document))
    assert f"{NAME}: is missing" in verify(entry).checks[-1].detail
    path.unlink()
    assert failed(verify(entry)) == "files"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["tensors"][0].update(sha256="0" * 64), "signed with other bytes"),
        (lambda d: d["tensors"][0].update(name="x.safetensors"), "or not at all"),
        (lambda d: d["tensors"][0].update(name="plan.json"), "of a .safetensors file"),
        (lambda d: d["tensors"].append(d["tensors"][0]), "is listed 2 times"),
        (lambda d: d.update(mirrors=["javascript:alert(1)"]), "expected https://"),
        (lambda d: d.update(mirrors=["https://example.org/a b"]), "expected https://"),
        (lambda d: d.update(mirrors=['https://example.org/"x']), "expected https://"),
        (lambda d: d.update(mirrors=["https://example.org"] * 9), "expected at most 8"),
        (lambda d: d.update(more=1), "unknown key"),
    ],
)
def test_a_list_that_says_something_else_is_refused(entry, elsewhere, change, sentence):
    document = listed(entry)
    change(document)
    (entry.parent / "tensors.json").write_bytes(dump_json(document))
    verdict = verify(entry)
    assert failed(verdict) == "files" and sentence in verdict.checks[-1].detail


def test_a_list_of_gigabytes_is_refused_before_it_is_read(entry, elsewhere):
    with (entry.parent / "tensors.json").open("wb") as file:
        file.truncate(10 << 30)
    assert "at most" in verify(entry).checks[-1].detail
