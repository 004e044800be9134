"""Every reader of foreign bytes, fuzzed: it accepts, or it refuses in words; it never falls
over."""

import json
import os
import shutil
import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.entries.entry import stated_runs
from harness.errors import UserError
from harness.files import digest_bytes
from harness.planning.cohorts import frozen_cohorts
from harness.planning.making import make_plan
from harness.planning.plan import read_plan
from harness.planning.reader import load
from harness.run import summary
from harness.training.checkpoint import Checkpoints
from harness.training.progress import read_progress
from harness.training.results import read_timings
from helpers.forge import statement_of
from helpers.stated import MODULES, stated
from helpers.suites import TINY
from leaderboard.formats import envelope, keys
from leaderboard.formats.document import DocumentError, convert
from leaderboard.formats.records import EvaluationRecord, read_evaluations
from leaderboard.formats.reeval import read_reeval
from leaderboard.formats.release import read_release
from leaderboard.formats.run import Run
from leaderboard.formats.schema import RUN_SCHEMA, run_defects, schema_defects
from leaderboard.formats.signed import SignedError
from leaderboard.formats.strict_json import parse
from leaderboard.formats.suite import Claim
from leaderboard.pages.charts import lines
from leaderboard.pages.curves import diagnostics_panels, returns_panel
from leaderboard.statistics.claims import findings
from leaderboard.verification.verify import verify

EXAMPLES = int(os.environ.get("MST_BENCH_FUZZ", "0"))
"""Inputs tried by each test: the same 120 every day, or as many random ones as the variable says
for a hunt."""
FUZZ = settings(
    max_examples=EXAMPLES or 120,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_lowercase, max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def replaced(document, path, value):
    """A copy of a document with the value at a path (a list of draws) replaced."""
    copy = json.loads(json.dumps(document))
    at, parent, key = copy, None, None
    for draw in path:
        if not isinstance(at, dict | list) or not at:
            break
        parent, key = at, (sorted(at)[draw % len(at)] if isinstance(at, dict) else draw % len(at))
        at = parent[key]
    if parent is not None:
        parent[key] = value
    return copy


PATHS = st.lists(st.integers(0, 40), min_size=1, max_size=6)


@FUZZ
@given(st.binary(max_size=300))
@example(b'{"a":1,"a":2}')
@example(b"[" * 5000)
@example(b"1" * 5000)
def test_strict_json_parses_or_says_why(data):
    try:
        parse(data)
    except ValueError as error:
        assert str(error)


@FUZZ
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_an_envelope_opens_or_is_refused_in_words(data):
    try:
        envelope.open_envelope(data)
    except envelope.EnvelopeError as error:
        assert str(error)


@pytest.fixture(scope="module")
def statement(tiny_entry):
    return statement_of(tiny_entry)


@FUZZ
@given(path=PATHS, value=VALUES)
def test_any_signed_statement_gets_a_verdict(statement, tiny_entry, tmp_path, path, value):
    folder = tmp_path / "entry"
    if not folder.exists():
        shutil.copytree(tiny_entry.parent, folder)
    key = keys.one_use_key()
    changed = replaced(statement, path, value)
    if isinstance(changed.get("predicate"), dict):
        changed["predicate"]["signer"] = {
            "key_id": key.key_id,
            "public_key": key.public_hex,
            "one_use": True,
        }
    (folder / "entry.dsse.json").write_text(
        json.dumps(envelope.sign(json.dumps(changed).encode(), key))
    )
    verdict = verify(folder / "entry.dsse.json")
    assert verdict.checks
    assert all(check.detail for check in verdict.checks)


@FUZZ
@given(path=PATHS, value=VALUES | st.sampled_from([0, -1, 1e308, float("inf"), float("nan")]))
def test_any_signed_regimes_get_a_verdict(statement, tiny_entry, tmp_path, path, value):
    folder = tmp_path / "entry"
    if not folder.exists():
        shutil.copytree(tiny_entry.parent, folder)
    plan, key, changed = (
        json.loads((tiny_entry.parent / "plan.json").read_bytes()),
        keys.one_use_key(),
        replaced(statement, [], 0),
    )
    data = json.dumps(plan | {"regimes": replaced(plan["regimes"], path, value)}).encode()
    (folder / "plan.json").write_bytes(data)
    digest = digest_bytes(data)
    changed["predicate"]["plan"] |= {"sha256": digest, "id": digest[:16]}
    changed["predicate"]["signer"] = {
        "key_id": key.key_id,
        "public_key": key.public_hex,
        "one_use": True,
    }
    for subject in changed["subject"]:
        if subject["name"] == "plan.json":
            subject["digest"]["sha256"] = digest
    (folder / "entry.dsse.json").write_text(
        json.dumps(envelope.sign(json.dumps(changed).encode(), key))
    )
    assert all(check.detail for check in verify(folder / "entry.dsse.json").checks)


@FUZZ
@given(
    st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()), st.booleans()
)
def test_a_release_reads_or_is_refused_in_words(tmp_path, data, signed):
    path = tmp_path / "release.dsse.json"
    path.write_bytes(
        json.dumps(envelope.sign(data, keys.one_use_key())).encode() if signed else data
    )
    with pytest.raises(SignedError, match=r"release\.dsse\.json: ."):
        read_release(path, None)


@FUZZ
@given(VALUES)
def test_a_schema_check_never_falls_over(value):
    assert isinstance(schema_defects(RUN_SCHEMA, value, "statement"), list)
    assert isinstance(run_defects(value), list)


@FUZZ
@given(
    st.text(max_size=200)
    | st.tuples(st.integers(0, len(TINY)), st.text(max_size=5)).map(
        lambda at: TINY[: at[0]] + at[1] + TINY[at[0] :]
    )
)
def test_a_suite_reads_or_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "fuzz.yaml"
    path.write_text(text, encoding="utf-8")
    refused(lambda: make_plan(load(str(path))))


@FUZZ
@given(st.text(string.printable, max_size=40))
@example("seeds=.inf")
@example("tasks=[[]]")
@example("settings={1: 2}")
def test_an_override_is_taken_or_refused_in_one_sentence(override):
    refused(lambda: make_plan(load("quick", (override,))))


@FUZZ
@given(path=PATHS, value=VALUES)
def test_a_plan_reads_or_is_refused_in_one_sentence(tiny_suite, tmp_path, path, value):
    original = json.loads(make_plan(load(str(tiny_suite))).canonical())
    place = tmp_path / "plan.json"
    place.write_text(
        json.dumps(replaced(original, path, value), sort_keys=True, separators=(",", ":"))
    )
    refused(lambda: read_plan(place))


@FUZZ
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_cohorts_read_or_are_refused_in_one_sentence(tiny_suite, tmp_path, data):
    plan = make_plan(load(str(tiny_suite)))
    (tmp_path / "cohorts.json").write_bytes(data)
    refused(lambda: frozen_cohorts(tmp_path, plan, "cpu", None))


@pytest.fixture(scope="module")
def finished_folder(tiny_entry, tmp_path_factory):
    return shutil.copytree(
        tiny_entry.parent, tmp_path_factory.mktemp("fuzzed") / tiny_entry.parent.name
    )


@FUZZ
@given(
    st.sampled_from(
        ["runs/cartpole-swingup/sst/0/result.json", "manifest.json", "cohorts/0/progress.json"]
    ),
    PATHS,
    VALUES,
)
def test_what_a_run_left_reads_or_is_refused_in_one_sentence(finished_folder, name, path, value):
    place = finished_folder / name
    original = place.read_bytes()
    try:
        place.write_text(json.dumps(replaced(json.loads(original), path, value)))
        refused(
            lambda: (
                summary(finished_folder, read_plan(finished_folder / "plan.json")),
                read_progress(finished_folder, 0),
            )
        )
    finally:
        place.write_bytes(original)


@FUZZ
@given(
    st.binary(max_size=200)
    | VALUES.map(
        lambda value: json.dumps({"schema": "urn:mst-bench:faults:v1", "faults": value}).encode()
    )
)
@example(b'{"schema":"s","faults":[],"faults":[]}')
def test_faults_and_timings_read_or_are_refused_in_one_sentence(finished_folder, data):
    plan = read_plan(finished_folder / "plan.json")
    for name in ("cohorts/0/faults.json", "runs/cartpole-swingup/sst/0/timing.json"):
        place = finished_folder / name
        original = place.read_bytes() if place.exists() else None
        try:
            place.write_bytes(data)
            refused(
                lambda: (
                    stated_runs(finished_folder, plan),
                    read_timings(finished_folder, plan.runs),
                )
            )
        finally:
            place.write_bytes(original) if original else place.unlink()


@settings(parent=FUZZ, max_examples=(EXAMPLES or 120) // 6)  # drawing is slow
@given(PATHS, VALUES)
@example([3], 10**400)
@example([6, 0], 1e300)
@example([6, 0], -1e300)
def test_curves_of_forged_records_are_drawn_or_left_out(tiny_entry, tmp_path, path, value):
    record = json.loads(
        (tiny_entry.parent / "runs/cartpole-swingup/sst/0/records.jsonl")
        .read_text()
        .splitlines()[-2]
    )
    place = tmp_path / "runs/t/r/0/records.jsonl"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(replaced(record, path, value)) + "\n" + json.dumps(value) + "\n")
    recorded = read_evaluations(tmp_path, [Run("t", "r", 0)])
    for panel in (returns_panel(recorded), *diagnostics_panels(recorded, MODULES)[:1]):
        if panel.curves:
            assert lines(panel, ["r"], "x", "r").startswith("<svg")


@FUZZ
@given(
    st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=100),
)
def test_a_checkpoint_reads_or_is_refused_in_one_sentence(tmp_path, note, state):
    checkpoints = Checkpoints(tmp_path / "checkpoint", 1, {"code": "x"})
    (tmp_path / "checkpoint/1.json").write_bytes(note)
    (tmp_path / "checkpoint/1.safetensors").write_bytes(state)
    refused(lambda: checkpoints.read(allow_drift=False))


@FUZZ
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_trust_file_reads_or_is_refused(tmp_path, data):
    path = tmp_path / "trust.json"
    path.write_bytes(data)
    try:
        keys.load_trust(path)
    except keys.KeyFileError as error:
        assert "trust.json" in str(error)


def refused(read):
    try:
        read()
    except UserError as error:
        assert str(error).strip()
        assert "\n" not in str(error)


@FUZZ
@given(
    st.binary(max_size=100) | VALUES.map(lambda value: json.dumps(value).encode()), st.booleans()
)
def test_a_re_evaluation_reads_or_is_refused_in_words(tmp_path, data, signed):
    path = tmp_path / "reeval.dsse.json"
    path.write_bytes(
        json.dumps(envelope.sign(data, keys.one_use_key())).encode() if signed else data
    )
    try:
        read_reeval(path, "0" * 64, None)
    except SignedError as error:
        assert str(error)


CLAIMS = st.lists(
    st.fixed_dictionaries(
        {
            "claim": st.text(max_size=8),
            "regime": st.sampled_from(["dense", "mst", "nobody"]),
            "than": st.sampled_from(["dense", "MR.Q", "nobody"]),
            "relation": st.text(max_size=5) | st.sampled_from(["above", "below", "agrees"]),
            "figure": st.text(max_size=8)
            | st.sampled_from(["score", "last", "spread", "critic.srank", "actor."]),
        }
    ),
    max_size=3,
)


@FUZZ
@given(CLAIMS, st.lists(st.none() | st.floats(-1e9, 1e9), min_size=4, max_size=4))
def test_forged_claims_get_a_verdict_or_are_refused_in_words(claims, scores):
    groups = [("dog-run", "dense"), ("dog-run", "dense"), ("dog-run", "mst"), ("dog-run", "mst")]
    runs = [
        stated(regime, seed, score, task=task)
        for seed, ((task, regime), score) in enumerate(zip(groups, scores, strict=True))
    ]
    try:
        typed = convert(tuple[Claim, ...], claims, "suite.json: claims")
    except DocumentError as error:
        assert "relation" in str(error)
        return
    evaluation = EvaluationRecord(
        kind="evaluation",
        before="",
        number=0,
        agent_step=0,
        environment_step=0,
        diagnostics={"critic": {"srank": 3.0}},
        updates={},
        rewires={},
        returns=(1.0, 2.0),
    )
    last = {run.name: evaluation for run in runs}
    for finding in findings(typed, runs, last, 1_000_000):
        assert finding.verdict in ("supported", "refuted", "undecided")
