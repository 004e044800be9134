"""Options are told once: what the command line, `run-cohort` and the executors make of that."""

import subprocess
import sys

import pytest

from harness.cli import options as cli_options
from harness.cli.main import program
from harness.errors import UserError
from harness.executors import EXECUTORS, executor
from harness.options import ExecutorOptions, Options, options_of
from helpers.program import call

OTHERS = Options(
    device="cpu",
    jobs=2,
    checkpoint_seconds=1.5,
    max_wall=60.0,
    allow_drift=True,
    retries=0,
    watchdog_seconds=7.0,
    lease_seconds=5.0,
    deterministic=True,
    eager=True,
    profile=True,
)
"""None of them has its default."""


def parsed(command, arguments):
    """The parameters of a command as the command line understands them."""
    return program().commands[command].make_context("x", list(arguments)).params


@pytest.mark.parametrize("options", [Options(), OTHERS])
def test_a_cohorts_process_is_told_the_options_that_were_given(options):
    words = ["--plan", "plan.json", "--index", "0", *options.arguments()]
    heard = parsed("run-cohort", words)
    fields = [option.field for option in options_of(Options) if option.flag.of_cohort]
    assert "jobs" not in fields
    assert {name: heard[name] for name in fields} == {
        name: getattr(options, name) for name in fields
    }


def test_every_option_differs_from_its_default_in_the_test_above():
    assert all(getattr(OTHERS, option.field) != option.default for option in options_of(Options))


def test_the_command_line_fills_the_options_and_those_of_the_executor(requested):
    request = requested("--executor", "docker", "--devices", "0, 1", "--retries", "1", "-j", "4")
    assert request.options == Options(retries=1, jobs=4)
    assert request.own == {"devices": "0, 1"}
    assert executor("docker", request.own).own.gpus == ("0", "1")


def test_environment_variables_fill_options(requested):
    request = requested(MST_BENCH_RUN_RETRIES="1", MST_BENCH_DEVICE="cpu")
    assert request.options == Options(retries=1, device="cpu")
    request = requested("--executor", "docker", MST_BENCH_RUN_IMAGE="mine")
    assert request.own == {"image": "mine"}


def test_a_variable_of_another_executor_is_left_aside_and_a_typed_option_is_not(requested):
    assert requested(MST_BENCH_RUN_IMAGE="mine").own == {}
    assert requested("--image", "mine").own == {"image": "mine"}


def test_the_sentence_about_an_option_of_another_executor_names_the_right_ones():
    with pytest.raises(UserError, match=r"--image: --executor local .*; --executor docker does"):
        executor("local", {"image": "mine"})
    with pytest.raises(UserError, match="--executor local and --executor docker do"):
        executor("inline", {"devices": "0"})
    with pytest.raises(UserError, match="its own are --devices, --image, --memory-gib"):
        executor("docker", {"partition": "gpu"})


@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_takes_its_own_options_and_says_them_in_the_help(name):
    group = options_of(EXECUTORS[name].options)
    chosen = executor(name, {option.field: option.default for option in group})
    assert chosen.gpus >= 1
    assert all(callable(getattr(chosen, method)) for method in ("choose_device", "execute", "seal"))
    help_text = call("run", "--help").stdout
    assert all(option.flag.names[-1] in help_text for option in group)
    assert (f"Options of --executor {name}" in help_text) == bool(group)


def test_an_option_of_one_name_is_one_option():
    groups = [Options, *(row.options for row in EXECUTORS.values())]
    options = {option for group in groups for option in options_of(group)}
    assert len({option.field for option in options}) == len(options)
    assert options_of(ExecutorOptions) == []


def test_the_options_load_neither_numpy_nor_an_engine():
    script = (
        "import sys; import harness.cli.options;"
        " print({'torch', 'numpy', 'docker', 'harness.planning.plan'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
    assert cli_options.EXECUTORS is EXECUTORS
