"""Files that are written in a folder where somebody planted links: nothing outside changes."""

import os
import secrets
import stat

import pytest

from harness.errors import UserError
from harness.files import Files, no_link, write_atomic
from harness.training.records import Records


@pytest.fixture
def outside(tmp_path):
    """A file that nobody asked to change."""
    path = tmp_path / "outside"
    path.write_text("precious")
    return path


@pytest.fixture
def inside(tmp_path):
    """The folder that is written to."""
    path = tmp_path / "inside"
    path.mkdir()
    return path


def test_a_planted_temporary_name_is_not_written_through(inside, outside):
    """The temporary name was once `.<name>.<process id>`, which anybody could plant as a link."""
    for number in range(os.getpid() - 50, os.getpid() + 50):
        (inside / f".report.html.{number}").symlink_to(outside)
    write_atomic(inside / "report.html", b"report")
    assert (inside / "report.html").read_bytes() == b"report"
    assert outside.read_text() == "precious"


def test_not_even_a_temporary_name_that_was_known_is(inside, outside, monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda count: "known")
    (inside / ".report.html.known").symlink_to(outside)
    with pytest.raises(UserError, match="cannot be written"):
        write_atomic(inside / "report.html", b"report")
    assert (inside / ".report.html.known").is_symlink()
    assert outside.read_text() == "precious"


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(inside, outside):
    (inside / "report.html").symlink_to(outside)
    write_atomic(inside / "report.html", b"report")
    assert not (inside / "report.html").is_symlink()
    assert outside.read_text() == "precious"


def test_writing_leaves_no_temporary_file_and_the_mode_that_umask_asks_for(inside):
    before = os.umask(0o027)
    try:
        write_atomic(inside / "report.html", [b"one ", b"two"])
    finally:
        os.umask(before)
    assert [path.name for path in inside.iterdir()] == ["report.html"]
    assert stat.S_IMODE((inside / "report.html").stat().st_mode) == 0o640

    # Nor does a writing that fails.
    def parts():
        yield b"three"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_atomic(inside / "report.html", parts())
    assert [path.name for path in inside.iterdir()] == ["report.html"]
    assert (inside / "report.html").read_bytes() == b"one two"


def test_records_and_logs_are_not_written_through_a_link(inside, outside):
    (inside / "log.txt").symlink_to(outside)
    with pytest.raises(UserError, match="is a link"):
        open(inside / "log.txt", "ab", opener=no_link).close()
    (inside / "records.jsonl").symlink_to(outside)
    records = Records(inside / "records.jsonl", Files())
    records.append({"kind": "evaluation"})
    records.close()
    assert not (inside / "records.jsonl").is_symlink()
    assert outside.read_text() == "precious"
