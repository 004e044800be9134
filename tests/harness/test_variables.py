"""Environment variables: one rule for every option of every command."""

from pathlib import Path

import pytest

from harness.cli import variables
from harness.cli.main import program
from helpers.program import call

OPTIONS = [
    (words, option, variables.flag_of(option))
    for words, command in variables.commands(program())
    for option in command.params
    if variables.flag_of(option)
]
"""Words of a command, one of its options, and that option's flag."""
NAMES = [f"{' '.join(words)} --{flag}" for words, _, flag in OPTIONS]


@pytest.mark.parametrize(("words", "option", "flag"), OPTIONS, ids=NAMES)
def test_every_option_follows_the_rule(words, option, flag, monkeypatch):
    own, common = option.envvar
    assert own == "MST_BENCH_" + "_".join([*words, flag]).replace("-", "_").upper()
    assert common == "MST_BENCH_" + flag.replace("-", "_").upper()

    # The command's own variable wins over the common one.
    class Context:
        auto_envvar_prefix = None

    monkeypatch.setenv(common, "1")
    assert option.resolve_envvar_value(Context()) == "1"
    monkeypatch.setenv(own, "2")
    assert option.resolve_envvar_value(Context()) == "2"


def test_no_variable_means_two_options():
    owners = [(option.envvar[0], words) for words, option, _ in OPTIONS]
    own = {name for name, _ in owners}
    common = {option.envvar[1] for _, option, _ in OPTIONS}
    assert len(own) == len(owners)
    assert not own & common


def test_the_help_shows_every_variable_whole_on_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words, option, flag in OPTIONS:
        if not option.hidden and words != ("seal",):
            assert f"[{option.envvar[0]}]" in call(*words, "--help").stdout, flag


def test_a_typed_option_wins_over_variables(requested, monkeypatch):
    monkeypatch.setenv("MST_BENCH_RUN_RETRIES", "1")
    monkeypatch.setenv("MST_BENCH_RETRIES", "2")
    assert requested().options.retries == 1
    assert requested("--retries", "0").options.retries == 0


@pytest.mark.parametrize(
    "value",
    ["seeds=1; tasks=[dog-run, dog-walk]", "seeds=1\ntasks=[dog-run, dog-walk]\n"],
)
def test_overrides_are_split_at_semicolons_and_lines_not_at_blanks(requested, monkeypatch, value):
    monkeypatch.setenv("MST_BENCH_SET", value)
    assert requested().overrides == ("seeds=1", "tasks=[dog-run, dog-walk]")


def test_a_misspelt_variable_is_reported(monkeypatch):
    monkeypatch.setenv("MST_BENCH_RUN_JOBZ", "2")
    done = call("list", "blocks")
    assert done.returncode == 0
    assert done.stderr == (
        "mst-bench: environment variable MST_BENCH_RUN_JOBZ: no option reads it."
        " Did you mean 'MST_BENCH_RUN_JOBS'?\n"
    )


@pytest.mark.parametrize("value", ["0.1.0", "1"])
def test_a_version_pinned_in_the_environment_hijacks_nothing(monkeypatch, value):
    monkeypatch.setenv("MST_BENCH_VERSION", value)
    done = call("list", "blocks")
    assert done.returncode == 0
    assert "block" in done.stdout
    assert "MST_BENCH_VERSION: no option reads it" in done.stderr


def test_the_documentation_states_the_rule():
    page = (Path(__file__).parents[2] / "docs/use.md").read_text()
    assert "`MST_BENCH_<COMMAND>_<FLAG>`" in page
    assert "`MST_BENCH_<FLAG>`" in page
    assert "`MST_BENCH_PASSPHRASE`" in page
