"""Readers of the files that users write and edit, fuzzed: they read, or refuse in one sentence.

Each of them reads its unmutated original.
"""

import json
import shutil
import string

import pytest
import rfc8785
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from harness.entries.entry import stated_runs
from harness.files import Files, dump_json
from harness.planning.cohorts import frozen_cohorts
from harness.planning.making import make_plan
from harness.planning.plan import read_plan
from harness.planning.reader import load
from harness.run import summary
from harness.training.checkpoint import Checkpoints
from harness.training.progress import read_progress
from harness.training.results import read_timings
from helpers.fuzz import DOCUMENTS, FUZZ, PATHS, VALUES, reads_or_refuses, replaced
from helpers.suites import TINY

ORIGINAL = None
"""Instead of an input: the unmutated one."""


@FUZZ
@given(
    st.text(max_size=200)
    | st.tuples(st.integers(0, len(TINY)), st.text(max_size=5)).map(
        lambda insertion: TINY[: insertion[0]] + insertion[1] + TINY[insertion[0] :]
    )
)
@example(TINY)
def test_a_suite_reads_or_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "fuzz.yaml"
    path.write_text(text, encoding="utf-8")
    reads_or_refuses(lambda: make_plan(load(str(path))), text == TINY)


@FUZZ
@given(st.text(string.printable, max_size=40))
@example("seeds=2")
@example("seeds=.inf")
@example("tasks=[[]]")
@example("settings={1: 2}")
def test_an_override_is_taken_or_refused_in_one_sentence(override):
    reads_or_refuses(lambda: make_plan(load("quick", (override,))), override == "seeds=2")


@pytest.fixture(scope="module")
def plan(tiny_entry):
    return read_plan(tiny_entry.parent / "plan.json")


@FUZZ
@given(path=PATHS, value=VALUES)
@example(path=[], value=None)
def test_a_plan_reads_or_is_refused_in_one_sentence(tiny_entry, plan, tmp_path, path, value):
    document = replaced(json.loads(plan.canonical()), path, value)
    shutil.copy(tiny_entry.parent / "suite.json", tmp_path)

    # In canonical form where there is one, so that more than the form is read.
    edited = tmp_path / "plan.json"
    try:
        edited.write_bytes(rfc8785.dumps(document))
    except rfc8785.CanonicalizationError:
        edited.write_text(json.dumps(document))
    reads_or_refuses(lambda: read_plan(edited), not path)


@FUZZ
@given(st.binary(max_size=200) | DOCUMENTS)
@example(ORIGINAL)
def test_cohorts_read_or_are_refused_in_one_sentence(tiny_entry, plan, tmp_path, content):
    original = (tiny_entry.parent / "cohorts.json").read_bytes()
    (tmp_path / "cohorts.json").write_bytes(original if content is ORIGINAL else content)
    reads_or_refuses(lambda: frozen_cohorts(tmp_path, plan, "cpu", None), content is ORIGINAL)


@pytest.fixture(scope="module")
def finished_folder(tiny_entry, tmp_path_factory):
    """A copy of a finished run; every example puts back what it changed."""
    folder = tmp_path_factory.mktemp("fuzzed") / tiny_entry.parent.name
    return shutil.copytree(tiny_entry.parent, folder)


LEFT_BY_A_RUN = (
    "runs/cartpole-swingup/sst/0/result.json",
    "manifest.json",
    "cohorts/0/progress.json",
)


@FUZZ
@given(st.sampled_from(LEFT_BY_A_RUN), PATHS, VALUES)
@example(LEFT_BY_A_RUN[0], [], None)
def test_what_a_run_left_reads_or_is_refused_in_one_sentence(
    finished_folder, plan, name, path, value
):
    def read():
        summary(finished_folder, plan)
        read_progress(finished_folder, 0)

    changed = finished_folder / name
    original = changed.read_bytes()
    try:
        changed.write_text(json.dumps(replaced(json.loads(original), path, value)))
        reads_or_refuses(read, not path)
    finally:
        changed.write_bytes(original)


FAULT = {"time": "2026-01-01T00:00:00+00:00", "agent_step": 3, "reason": "ended by SIGSEGV"}
FAULTS = {"schema": "urn:mst-bench:faults:v1"}
FAULTS_OF_VALUES = VALUES.map(lambda value: json.dumps(FAULTS | {"faults": value}).encode())
"""Numbers that are none among them, which only a forger writes."""


@FUZZ
@given(st.binary(max_size=200) | FAULTS_OF_VALUES)
@example(ORIGINAL)
@example(b'{"schema":"s","faults":[],"faults":[]}')
def test_faults_and_timings_read_or_are_refused_in_one_sentence(finished_folder, plan, content):
    def read():
        stated_runs(finished_folder, plan)
        read_timings(finished_folder, plan.runs)

    timing = finished_folder / "runs/cartpole-swingup/sst/0/timing.json"
    original = timing.read_bytes()
    faults = finished_folder / "cohorts/0/faults.json"
    if content is ORIGINAL:
        faults.write_bytes(dump_json(FAULTS | {"faults": [FAULT]}))
        reads_or_refuses(read, original=True)
        faults.unlink()
        return
    try:
        faults.write_bytes(content)
        reads_or_refuses(read, original=False)
        faults.unlink()
        timing.write_bytes(content)
        reads_or_refuses(read, original=False)
    finally:
        faults.unlink(missing_ok=True)
        timing.write_bytes(original)


@FUZZ
@given(st.binary(max_size=200) | DOCUMENTS, st.binary(max_size=100))
@example(ORIGINAL, ORIGINAL)
def test_a_checkpoint_reads_or_is_refused_in_one_sentence(tmp_path, note, state):
    checkpoints = Checkpoints(tmp_path / "checkpoint", 1, {"code": "x"}, Files())
    for older in (tmp_path / "checkpoint").iterdir():
        older.unlink()
    if note is ORIGINAL:
        checkpoints.write(1, {"n": 1}, [torch.ones(3, 2)])
    else:
        (tmp_path / "checkpoint/1.json").write_bytes(note)
        (tmp_path / "checkpoint/1.safetensors").write_bytes(state)
    reads_or_refuses(lambda: checkpoints.read(allow_drift=False), note is ORIGINAL)
