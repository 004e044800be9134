"""Suite files as text: numbers as researchers write them, and files that are meant to do harm."""

import pytest

from harness.config import DEPTH, FILE_BYTES, parse_yaml, read_yaml
from harness.errors import UserError
from harness.planning.reader import load
from helpers.program import call
from helpers.suites import TINY


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-3", 0.001),
        ("1E-3", 0.001),
        ("-2.5e-4", -0.00025),
        ("1e6", 1_000_000),
        ("1.5e3", 1500),
        ("2e0", 2),
        ("1.0", 1.0),
        (".5", 0.5),
        ("7", 7),
        ("1e16", 1e16),
    ],
)
def test_numbers_are_those_of_yaml_1_2(text, number):
    read = parse_yaml(text, "x")
    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize("text", ["1e", "e3", "1e-", "1e3x", "1.2.3"])
def test_what_only_looks_like_a_number_is_text(text):
    assert parse_yaml(text, "x") == text


def test_a_whole_number_with_an_exponent_fits_a_count_and_a_fraction_does_not():
    suite = load("quick", ("environment_steps=1e5", "settings.actor_lr=1e-3"))
    assert suite.suite.environment_steps == 100_000
    assert suite.settings.actor_lr == 0.001
    with pytest.raises(UserError, match=r"^--set seeds: expected a whole number, found number 0"):
        load("quick", ("seeds=5e-1",))


def test_a_suite_file_reads_exponents_too(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TINY.replace("environment_steps: 240", "environment_steps: 2.4e2"))
    assert load(str(path)).suite.environment_steps == 240


def test_a_mistake_of_an_override_is_said_of_the_override_and_one_of_the_file_of_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TINY.replace("seeds: 1", "seeds: one"))
    with pytest.raises(UserError, match=r"^mine\.yaml: seeds: expected"):
        load(str(path), ("version=2",))
    with pytest.raises(UserError, match=r"^--set seeds: expected a whole number, found nothing"):
        load(str(path), ("seeds=",))


def bomb(levels):
    """A suite of a few hundred bytes whose `tasks` are 10**levels words."""
    lines = [
        "suite: bomb",
        "version: 1",
        "description: x",
        "a0: &a0 [b, b, b, b, b, b, b, b, b, b]",
    ]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join([*lines, f"tasks: *a{levels - 1}"])


def test_nested_anchors_are_refused_before_they_go_off(tmp_path):
    """A suite of 752 bytes took 69 s and 6 GB: its tasks were ten to the tenth words."""
    path = tmp_path / "bomb.yaml"
    path.write_text(bomb(levels=10))
    done = call("plan", "--suite", path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "aliases and all, it has more than 100,000 keys and values" in done.stderr
    assert len(done.stderr) < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]", "levels deep"),
        ("a: &a {b: *a}", "levels deep"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "levels deep"),
        ("[" * 10_000, "not valid YAML"),
        ("a: 99999999999999999999", "too large a number"),
        ("a: " + "9" * 5000, "not valid YAML"),
    ],
)
def test_a_document_without_an_end_is_refused(text, words):
    with pytest.raises(UserError, match=words):
        parse_yaml(text, "x")


def test_aliases_that_stay_small_are_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a\nc: *a", "x")["c"] == [1, 2]


def test_a_file_that_no_suite_is_as_large_as_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * FILE_BYTES)
    with pytest.raises(UserError, match="larger than 64 KiB"):
        read_yaml(path)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"suite: \xff")
    with pytest.raises(UserError, match=r"binary\.yaml: cannot be read \(byte 7 is no UTF-8\)"):
        read_yaml(path)


def test_the_beginning_of_a_large_value_is_shown_and_no_more():
    with pytest.raises(UserError) as refused:
        load("quick", (f"description=[{', '.join('abcdefgh' * 1000)}]",))
    assert len(str(refused.value)) < 200
