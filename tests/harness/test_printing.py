"""What strangers wrote is shown on a terminal, and never obeyed by it or by a CI runner."""

import json
from dataclasses import replace

import pytest

from harness.cli import printing
from harness.errors import UserError
from harness.planning.plan import read_plan
from harness.summary import summary
from harness.words import count, duration, gib, one_line
from leaderboard.formats.run import Failure

HOSTILE = "x\n::error file=a::forged\x1b[2J\u202e\r##[error]y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text: 3 ± 1", "plain text: 3 ± 1"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202edetpecca", "\\u202edetpecca"),
        ("::error::x", ": :error::x"),
        ("  ::warning::x", "  : :warning::x"),
        ("a ##[error]b", "a # #[error]b"),
        ("###", "# # #"),
        ("cohort 0: a::b", "cohort 0: a::b"),
    ],
)
def test_a_line_is_shown_and_obeyed_by_nobody(text, shown):
    assert one_line(text) == shown


def test_every_line_of_a_summary_is_one_of_ours(entry, capsys):
    overview = summary(entry.parent, read_plan(entry.parent / "plan.json"))
    honest = hostile_summary(overview, "x")
    printing.print_summary(honest)
    lines = capsys.readouterr().out.splitlines()

    printing.print_summary(hostile_summary(overview, HOSTILE))
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(lines)
    assert "\x1b" not in out
    assert "##" not in out
    assert not any(line.lstrip().startswith("::") for line in out.splitlines())


def hostile_summary(overview, text):
    """A summary in which a stranger wrote every text that is free. Names of runs are not."""
    runs = [replace(run, failure=Failure("agent", text, 1)) for run in overview.runs]
    return replace(overview, suite=text, runs=runs, unranked_because=[text])


def test_json_says_the_same_and_holds_no_command(capsys):
    printing.print_json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": HOSTILE}
    assert "##" not in out
    assert out.isascii()


def test_a_sentence_with_a_strangers_text_and_advice_is_one_line():
    text = str(UserError(HOSTILE, HOSTILE))
    assert text.isprintable()
    assert "##" not in text


def test_words_of_numbers():
    assert [count(number, "run") for number in (0, 1, 2, 1000)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "1,000 runs",
    ]
    sizes = [gib(size) for size in (0.0, 0.0001, 0.04, 1.0)]
    assert sizes == ["0 MiB", "1 MiB", "41 MiB", "1.0 GiB"]
    assert [duration(seconds) for seconds in (0, 41, 192, 18000)] == [
        "1 s",
        "41 s",
        "3.2 min",
        "5.0 h",
    ]
