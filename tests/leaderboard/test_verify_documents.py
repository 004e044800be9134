"""Signed documents that are not what the checks read: `verify` refuses them by name."""

import hashlib
import json

import pytest

from helpers.forge import failed, resign, restate


def sign_plan(entry, plan):
    """Sign the entry again with other bytes of plan.json, its id made to fit."""
    change = restate(entry, "plan.json", plan)

    def both(statement):
        change(statement)
        digest = hashlib.sha256(plan).hexdigest()
        statement["predicate"]["plan"] = {"id": digest[:16], "sha256": digest, "log_index": None}

    return resign(entry, both)


@pytest.mark.parametrize(
    "plan", [b"{}", b"[]", b"7", b'{"suite": []}', b'{"suite": "tiny", "version": 1}', b"{"]
)
def test_a_signed_plan_without_what_the_checks_read_is_refused_by_name(entry, plan):
    assert failed(sign_plan(entry, plan)) == "plan"


@pytest.mark.parametrize("suite", [b"{}", b"[]", b'{"name": "tiny", "version": 1}', b"{"])
def test_a_signed_suite_that_is_none_is_refused_by_name(entry, suite):
    assert failed(resign(entry, restate(entry, "suite.json", suite))) == "plan"


def test_an_entry_of_an_older_format_says_who_wrote_it(entry):
    def older(statement):
        statement["predicateType"] = "urn:mst-bench:run:v1"
        statement["predicate"]["versions"]["mst-bench"] = "0.0.9"

    verdict = resign(entry, older)
    assert failed(verdict) == "statement"
    assert "run:v1, written by mst-bench 0.0.9; this version reads" in verdict.checks[-1].detail


def every_key(document, path=()):
    """Where a document has keys, at every depth, the first element of a list standing for all."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*path, key)
            yield from every_key(value, (*path, key))
    elif isinstance(document, list) and document:
        yield from every_key(document[0], (*path, 0))


def parent_of(document, path):
    """What holds the last key of a path."""
    for key in path[:-1]:
        document = document[key]
    return document


NAMES = {"settings": 2, "blocks": 2, "observations": 3, "regimes": 3, "sizes": 2}
"""Parts of a plan with names for keys -> depth down to which keys are names, not fields."""


def is_field(path):
    """Whether a path of a plan ends in a field, which must be there."""
    depth = 3 if path[:2] == ("budget", "updates") else NAMES.get(path[0], 1)
    return len(path) == 1 or path == ("budget", "updates") or len(path) > depth


def test_a_plan_that_lacks_any_field_is_refused_by_name(entry):
    original = json.loads((entry.parent / "plan.json").read_bytes())
    paths = [path for path in every_key(original) if path[-1] != 0]
    fields = [path for path in paths if is_field(path)]
    assert ("regimes", "sst", "critic", "interval") in fields
    assert ("runs", 0, "seed") in fields
    assert ("budget", "updates") in fields
    for path in fields:
        plan = json.loads(json.dumps(original))
        del parent_of(plan, path)[path[-1]]
        verdict = sign_plan(entry, json.dumps(plan).encode())
        assert failed(verdict) == "plan", path
        assert f"key '{path[-1]}' is missing" in verdict.checks[-1].detail


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("budgte",), 1, "budgte: unknown key. Did you mean 'budget'?"),
        (("budget", "bonus_steps"), 1, "budget.bonus_steps: unknown key."),
        (("runs", 0, "score"), 999.0, "runs[0].score: unknown key."),
        (("regimes", "sst", "critic", "secret"), 1, "regimes.sst.critic.secret: unknown key."),
        (("agent",), 1, "agent: expected text, found number 1."),
        (("modules",), ["critic"], "trains other modules than the plan states"),
        (("policy_modules",), ["../key"], "policy_modules: ../key is not among the modules"),
        (("runs", 0, "seed"), -1, "runs[0]: seed is -1, expected at least 0."),
        (("runs", 0, "regime"), "best", "run cartpole-swingup/best/0: regimes state nothing"),
        (("claims",), [], "claims: unknown key."),
        (("schema",), "urn:mst-bench:plan:v9", "schema: text 'urn:mst-bench:plan:v9' is not"),
        (("regimes", "sst", "critic", "sparsity"), 1.0, "sparsity is 1.0, expected at least 0"),
        (("regimes", "sst", "critic", "interval"), 0, "interval is 0, expected at least 1"),
        (("regimes", "sst", "critic", "schedule"), "sometimes", "'sometimes' is not a choice."),
        (("regimes", "sst", "value"), {}, "regimes.sst.value: key 'rule' is missing."),
        (("budget", "updates", "critic"), 10**18, "updates are"),
        (("budget", "updates", "critic"), 10**400, "updates are"),
        (("evaluation", "final_episodes"), None, "expected a whole number, found nothing."),
    ],
)
def test_a_plan_with_another_field_is_refused_in_a_sentence(entry, path, value, sentence):
    plan = json.loads((entry.parent / "plan.json").read_bytes())
    parent_of(plan, path)[path[-1]] = value
    verdict = sign_plan(entry, json.dumps(plan).encode())
    assert failed(verdict) == "plan"
    assert sentence in verdict.checks[-1].detail


def test_a_signed_file_that_is_not_of_its_type_is_refused_by_the_check_that_reads_it(entry):
    manifest = json.loads((entry.parent / "manifest.json").read_bytes())
    del manifest["nonce"]
    change = restate(entry, "manifest.json", json.dumps(manifest).encode())
    verdict = resign(entry, change)
    assert failed(verdict) == "files"
    assert verdict.checks[-1].detail == "manifest.json: key 'nonce' is missing."


@pytest.mark.parametrize("line", [b"[]\n", b"7\n", b'{"kind":[]}\n', b'{"kind":"final"}\n'])
def test_a_line_that_is_no_record_is_refused_by_its_number(entry, line):
    name = "runs/cartpole-swingup/sst/0/records.jsonl"
    records = (entry.parent / name).read_bytes()
    verdict = resign(entry, restate(entry, name, records + line))
    assert failed(verdict) == "records"
    number = records.count(b"\n") + 1
    assert verdict.checks[-1].detail.startswith(f"{name}:{number}: ")
