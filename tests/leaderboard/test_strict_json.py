"""Documents of strangers that are too deep, whatever reads them."""

import subprocess
import sys

import pytest

from leaderboard.formats.strict_json import DEEPEST, parse

HIGH_LIMIT = """
import sys
from leaderboard.formats.strict_json import parse
sys.setrecursionlimit(1_000_000)
try:
    parse(b"[" * 400_000)
except ValueError as error:
    print(error)
"""


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_depth_is_told_under_any_recursion_limit():
    """Some libraries raise it for all of a process, and Python's parser then ends that process."""
    command = [sys.executable, "-c", HIGH_LIMIT]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "nested too deeply\n")


def test_depth_is_told_to_whoever_is_nearly_as_deep_as_python_goes():
    def ask(frames):
        return ask(frames - 1) if frames else parse(nested(DEEPEST))

    def ask_ever_deeper():
        for frames in range(0, sys.getrecursionlimit(), 8):
            ask(frames)

    with pytest.raises(ValueError, match="nested too deeply"):
        ask_ever_deeper()


def test_so_many_levels_are_read_and_no_more():
    parse(nested(DEEPEST))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse(nested(DEEPEST + 1))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse(b'{"[": "\\"[", "a": [' + nested(DEEPEST) + b"]}")


@pytest.mark.parametrize("text", ["[" * 1000, '\\"{' * 1000, "\\\\[" * 1000])
def test_brackets_in_a_string_are_no_levels(text):
    assert parse(f'["{text}"]'.encode()) == [text.replace('\\"', '"').replace("\\\\", "\\")]


def test_a_string_without_end_is_read_once():
    """To look for its end from each of its quotes would take hours."""
    with pytest.raises(ValueError, match="Unterminated string"):
        parse(b"[" * DEEPEST + b'"' + b'\\"[' * 300_000)
