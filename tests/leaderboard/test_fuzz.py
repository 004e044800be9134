"""Readers of what strangers sign, fuzzed: they accept, or refuse in words; they never fall over.

Each of them accepts its unmutated original.
"""

import json
import shutil

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from harness.files import digest_bytes, dump_json
from helpers.forge import name_signer, redigest, signed, statement_of
from helpers.fuzz import DOCUMENTS, FUZZ, PATHS, SLOW_FUZZ, VALUES, reads_or_refuses, replaced
from helpers.statements import MODULES, reeval_bytes, release_bytes, stated
from helpers.trust import trust_bytes, trusted
from leaderboard.formats import envelope, keys
from leaderboard.formats.document import DocumentError, convert
from leaderboard.formats.records import EvaluationRecord, learning_curves
from leaderboard.formats.reeval import read_reeval
from leaderboard.formats.release import read_release
from leaderboard.formats.run import Run
from leaderboard.formats.schema import RUN_SCHEMA, run_defects, schema_defects
from leaderboard.formats.signed import SignedError
from leaderboard.formats.strict_json import parse
from leaderboard.formats.suite import Claim
from leaderboard.formats.trust import load_trust
from leaderboard.pages.charts import single
from leaderboard.pages.curves import diagnostics_panels, returns_panel
from leaderboard.statistics.claims import findings
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import scored
from leaderboard.verification.verify import verify

ORIGINAL = None
"""Instead of an input: the unmutated one."""


@FUZZ
@given(st.binary(max_size=300))
@example(ORIGINAL)
@example(b'{"a":1,"a":2}')
@example(b"[" * 5000)
@example(b"1" * 5000)
def test_strict_json_parses_or_says_why(content):
    original = content is ORIGINAL
    json_text = b'{"a": [1, 2.5, null, "x"]}' if original else content
    reads_or_refuses(lambda: parse(json_text), original, ValueError)


@FUZZ
@given(st.binary(max_size=200) | DOCUMENTS)
@example(ORIGINAL)
def test_an_envelope_opens_or_is_refused_in_words(tiny_entry, content):
    original = content is ORIGINAL
    opened = tiny_entry.read_bytes() if original else content
    reads_or_refuses(lambda: envelope.open_envelope(opened), original, envelope.EnvelopeError)


@pytest.fixture(scope="module")
def copied_entry(tiny_entry, tmp_path_factory):
    """A copy of an entry, whose statement and plan every example writes anew."""
    folder = tmp_path_factory.mktemp("fuzzed") / tiny_entry.parent.name
    shutil.copytree(tiny_entry.parent, folder)
    return folder / tiny_entry.name


@FUZZ
@given(path=PATHS, value=VALUES)
@example(path=[], value=None)
def test_any_signed_statement_gets_a_verdict(tiny_entry, copied_entry, path, value):
    statement = replaced(statement_of(tiny_entry), path, value)
    key = keys.one_use_key()
    name_signer(statement, key)
    copied_entry.write_bytes(signed(statement, key))
    plan = copied_entry.parent / "plan.json"
    plan.write_bytes((tiny_entry.parent / "plan.json").read_bytes())

    verdict = verify(copied_entry)
    assert verdict.accepted or path
    assert verdict.checks
    assert all(check.detail for check in verdict.checks)


@FUZZ
@given(path=PATHS, value=VALUES | st.sampled_from([0, -1, 1e308, float("inf"), float("nan")]))
@example(path=[], value=None)
def test_any_signed_regimes_get_a_verdict(tiny_entry, copied_entry, path, value):
    plan = json.loads((tiny_entry.parent / "plan.json").read_bytes())
    forged = plan | {"regimes": replaced(plan["regimes"], path, value)}

    # In canonical form where there is one, so that more than the form is read.
    try:
        changed = rfc8785.dumps(forged)
    except rfc8785.CanonicalizationError:
        changed = json.dumps(forged).encode()
    (copied_entry.parent / "plan.json").write_bytes(changed)

    digest = digest_bytes(changed)
    statement = statement_of(tiny_entry)
    statement["predicate"]["plan"] |= {"sha256": digest, "id": digest[:16]}
    redigest(statement, {"plan.json": digest})
    key = keys.one_use_key()
    name_signer(statement, key)
    copied_entry.write_bytes(signed(statement, key))

    verdict = verify(copied_entry)
    assert verdict.accepted or path
    assert all(check.detail for check in verdict.checks)


@FUZZ
@given(st.binary(max_size=300) | DOCUMENTS, st.booleans())
@example(ORIGINAL, True)
def test_a_release_reads_or_is_refused_in_words(tmp_path, content, properly_signed):
    path = tmp_path / "release.dsse.json"
    if content is ORIGINAL:
        path.write_bytes(release_bytes(keys.one_use_key()))
    elif properly_signed:
        path.write_bytes(dump_json(envelope.sign(content, keys.one_use_key())))
    else:
        path.write_bytes(content)
    reads_or_refuses(lambda: read_release(path, None), content is ORIGINAL, SignedError)


@FUZZ
@given(st.binary(max_size=100) | DOCUMENTS, st.booleans())
@example(ORIGINAL, True)
def test_a_re_evaluation_reads_or_is_refused_in_words(tmp_path, content, properly_signed):
    path = tmp_path / "reeval.dsse.json"
    if content is ORIGINAL:
        path.write_bytes(reeval_bytes(keys.one_use_key(), "0" * 64))
    elif properly_signed:
        path.write_bytes(dump_json(envelope.sign(content, keys.one_use_key())))
    else:
        path.write_bytes(content)
    reads_or_refuses(lambda: read_reeval(path, "0" * 64, None), content is ORIGINAL, SignedError)


@FUZZ
@given(st.binary(max_size=200) | DOCUMENTS)
@example(ORIGINAL)
def test_a_trust_file_reads_or_is_refused(tmp_path, content):
    path = tmp_path / "trust.json"
    original = trust_bytes(trusted(keys.one_use_key()))
    path.write_bytes(original if content is ORIGINAL else content)
    reads_or_refuses(lambda: load_trust(path), content is ORIGINAL, keys.KeyFileError)


@FUZZ
@given(VALUES)
def test_a_schema_check_never_falls_over(value):
    assert schema_defects(RUN_SCHEMA, value, "statement")
    assert run_defects(value)


def test_a_schema_check_takes_an_original(tiny_entry):
    statement = statement_of(tiny_entry)
    assert schema_defects(RUN_SCHEMA, statement, "statement") == []
    assert not any(run_defects(run) for run in statement["predicate"]["runs"])


@SLOW_FUZZ
@given(PATHS, VALUES)
@example([], None)
@example([3], 10**400)
@example([6, 0], 1e300)
@example([6, 0], -1e300)
def test_curves_of_forged_records_are_drawn_or_left_out(tiny_entry, path, value):
    records = tiny_entry.parent / "runs/cartpole-swingup/sst/0/records.jsonl"
    record = json.loads(records.read_text().splitlines()[-2])
    lines_of_it = [replaced(record, path, value), value]
    forged = "".join(json.dumps(line) + "\n" for line in lines_of_it).encode()

    recorded = learning_curves([Run("t", "r", 0)], lambda name: forged)
    panels = [returns_panel(recorded), *diagnostics_panels(recorded, MODULES)[:1]]
    assert path or all(panel.curves for panel in panels), "the original is drawn"
    for panel in panels:
        if panel.curves:
            assert single(panel, ["r"], "x", "r").svg().startswith("<svg")


NAMES = st.text(max_size=5)
CLAIMS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.just("A1"),
            "statement": st.just("x") | st.text(max_size=8),
            "source": st.just("ours"),
            "family": st.sampled_from(["headline", "controls", ""]),
            "regime": st.sampled_from(["dense", "mst", "nobody"]),
            "than": st.sampled_from(["dense", "MR.Q", "nobody"]),
            "figure": NAMES
            | st.sampled_from(["score", "last", "auc", "spread", "failures", "actor."])
            | st.sampled_from(["critic.srank", "slope:critic.srank"]),
            "rule": NAMES | st.sampled_from(["above", "below", "no-worse", "equivalent"]),
            "margin": st.floats() | st.sampled_from([0.1, 1.0, 1e9]),
            "unit": st.sampled_from(["share", "own"]),
            "over": st.sampled_from(["mean", "each"]),
            "paired": st.booleans(),
        }
    ),
    max_size=3,
)
EVALUATION = EvaluationRecord(
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


@FUZZ
@given(CLAIMS, st.lists(st.none() | st.floats(-1e9, 1e9), min_size=6, max_size=6))
def test_forged_claims_get_a_verdict_or_are_refused_in_words(claims, scores):
    regimes = ["dense"] * 3 + ["mst"] * 3
    pairs = zip(regimes, scores, strict=True)
    runs = scored(
        stated(regime, seed % 3, score, status="failed" if score is None else "finished")
        for seed, (regime, score) in enumerate(pairs)
    )
    try:
        typed = convert(tuple[Claim, ...], claims, "suite.json: claims")
    except DocumentError as error:
        assert str(error).startswith("suite.json: claims")
        return

    names = {claim.figure for claim in typed}
    values = {run.name: figures(names, run, [EVALUATION], 1_000_000) for run in runs}
    for finding in findings(typed, runs, values, 1_000_000):
        assert finding.verdict in ("supported", "refuted", "undecided")


def test_an_honest_claim_gets_its_verdict():
    claim = {
        "id": "A14",
        "statement": "MST is better than dense",
        "source": "arXiv 2510.12096",
        "family": "headline",
        "regime": "mst",
        "than": "dense",
        "figure": "score",
        "rule": "above",
        "margin": 0.05,
        "unit": "share",
        "over": "mean",
        "paired": False,
    }
    typed = convert(tuple[Claim, ...], [claim], "suite.json: claims")
    scores = {"dense": (1.0, 1.1), "mst": (9.0, 9.1)}
    runs = scored(
        stated(regime, seed, score)
        for regime, both in scores.items()
        for seed, score in enumerate(both)
    )
    values = {run.name: figures({"score"}, run, (), 1_000_000) for run in runs}
    (finding,) = findings(typed, runs, values, 1_000_000)
    assert finding.verdict == "supported"
