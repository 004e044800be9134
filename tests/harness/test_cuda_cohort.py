"""Runs on a GPU: what tests/agents/test_cuda.py shows of agents, here of whole cohorts.

python -m pytest tests/harness/test_cuda_cohort.py -n0
"""

import pytest

from helpers.program import run_process

pytestmark = pytest.mark.cuda


def trained(suite, out, *options):
    """The digests of what the cohort of the tiny suite recorded: four regimes, 120 agent steps."""
    train = ("run", "--suite", suite, "--device", "cuda", "--out", out)
    done = run_process(*train, *options)
    assert done.returncode == 0, done.stderr
    (folder,) = out.iterdir()
    records = sorted((folder / "runs").rglob("records.jsonl"))
    assert len(records) == 4
    return [path.read_bytes() for path in records]


def test_a_run_is_trained_broken_off_resumed_signed_and_accepted(tmp_path, tiny_suite):
    train = ("run", "--suite", tiny_suite, "--device", "cuda", "--out", tmp_path)
    assert run_process(*train, "--max-wall", "6").returncode in (0, 3)
    assert run_process(*train).returncode == 0
    (entry,) = tmp_path.glob("*/entry.dsse.json")
    assert run_process("verify", entry).returncode == 0


def test_evaluations_beside_captured_steps_measure_what_they_measure_beside_written_ones(
    tmp_path, tiny_suite
):
    captured = trained(tiny_suite, tmp_path / "captured")
    assert captured == trained(tiny_suite, tmp_path / "written", "--eager")


def test_deterministic_mode_repeats_a_cohort(tmp_path, tiny_suite):
    first = trained(tiny_suite, tmp_path / "first", "--deterministic")
    assert first == trained(tiny_suite, tmp_path / "second", "--deterministic")
