"""Signed documents that are not what the checks read: `verify` refuses them by name."""

import hashlib
import json

import pytest
import rfc8785

from harness.errors import UserError
from harness.planning.plan import read_plan
from helpers.forge import failed, resign, restate
from leaderboard.formats.document import DocumentError
from leaderboard.formats.plan import parse_plan


def sign_plan(entry, plan):
    """Sign the entry again with another plan.json, its id made to fit."""
    if not isinstance(plan, bytes):
        plan = rfc8785.dumps(plan)
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


def test_a_plan_whose_entry_could_be_too_large_to_read_is_refused(tiny_entry):
    plan = tiny_entry.with_name("plan.json").read_bytes()
    documents = [json.loads(plan) for _ in range(2)]
    documents[0]["evaluation"]["final_episodes"] = 10_000
    run = documents[0]["runs"][0]
    documents[0]["runs"] = [run | {"seed": seed} for seed in range(201)]
    documents[1]["runs"] = [run | {"seed": seed} for seed in range(10_001)]
    sentences = ("with 201 runs expected at most 995", "has 10001 runs, expected at most 10000")
    for document, sentence in zip(documents, sentences, strict=True):
        with pytest.raises(DocumentError, match=sentence):
            parse_plan(rfc8785.dumps(document), "plan.json")


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


NAMES = {
    "settings": 2,
    "blocks": 2,
    "observations": 3,
    "regimes": 3,
    "sizes": 2,
    "networks": 3,
}
"""Parts of a plan with names for keys -> depth down to which keys are names, not fields."""


def is_field(path):
    """Whether a path of a plan ends in a field, which must be there."""
    depth = 3 if path[:2] == ("budget", "updates") else NAMES.get(path[0], 1)
    if path[0] == "networks" and path[3:4] == ("layers",):
        depth = 3 if len(path) == 4 else 5
    return len(path) == 1 or path == ("budget", "updates") or len(path) > depth


def test_a_plan_that_lacks_any_field_is_refused_by_name(entry):
    original = json.loads((entry.parent / "plan.json").read_bytes())
    paths = [path for path in every_key(original) if path[-1] != 0]
    fields = [path for path in paths if is_field(path)]
    assert ("regimes", "sst", "critic", "interval") in fields
    assert ("runs", 0, "seed") in fields
    assert ("budget", "updates") in fields
    assert ("networks", "cartpole-swingup/sst", "critic", "layers") in fields
    assert ("networks", "cartpole-swingup/sst", "critic", "layers", "q.0", "first") in fields
    for path in fields:
        plan = json.loads(json.dumps(original))
        del parent_of(plan, path)[path[-1]]
        verdict = sign_plan(entry, plan)
        assert failed(verdict) == "plan", path
        assert f"key '{path[-1]}' is missing" in verdict.checks[-1].detail


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        # Fields and types
        (("budgte",), 1, "budgte: unknown key. Did you mean 'budget'?"),
        (("budget", "bonus_steps"), 1, "budget.bonus_steps: unknown key."),
        (("runs", 0, "score"), 999.0, "runs[0].score: unknown key."),
        (("regimes", "sst", "critic", "secret"), 1, "regimes.sst.critic.secret: unknown key."),
        (("agent",), 1, "agent: expected text, found number 1."),
        (("claims",), [], "claims: unknown key."),
        (("schema",), "urn:mst-bench:plan:v9", "schema: text 'urn:mst-bench:plan:v9' is not"),
        (("evaluation", "final_episodes"), None, "expected a whole number, found nothing."),
        # What there is no log for
        (("seed_source",), "mine", "seed_source: 'mine' is neither suite nor log: and 64"),
        # What the catalogue does not know
        (("agent",), "mqr", "agent: unknown algorithm 'mqr'. Did you mean 'mrq'?"),
        (("modules",), ["critic"], "modules are critic and encoder, actor, agent mrq has encoder"),
        (("policy_modules",), ["../key"], "agent mrq has encoder, critic, actor and encoder"),
        (("settings", "secret"), 1, "settings: are not those of agent mrq"),
        (("blocks", "critic"), "T9", "blocks: critic 'T9' is no block of this algorithm"),
        (("observations", "nowhere"), {"x": 1}, "observations: unknown task 'nowhere'"),
        (("observations", "cartpole-swingup"), {}, "is observed otherwise than the catalogue's"),
        (("regimes", "sst", "critic", "rule"), "rgl", "unknown rule 'rgl'"),
        # Runs, their names and their regimes
        (("runs", 0, "seed"), -1, "runs[0]: seed is -1, expected at least 0"),
        (("runs", 0, "seed"), 2**31, "runs[0]: seed is 2147483648, expected at least 0 and below"),
        (("runs", 0, "regime"), "best", "regimes: states nothing of 'best'"),
        (("runs", 0, "regime"), "..", "regime '..': expected a name"),
        (("runs", 0, "regime"), "a/../../b", "regime 'a/../../b': expected a name"),
        (("runs", 0, "task"), "", "task '': expected a name"),
        (("runs", 0, "regime"), "sst", "run cartpole-swingup/sst/0: is planned 2 times"),
        (("runs",), [], "has 0 runs, expected 1 to 10000"),
        # Limits
        (("regimes", "sst", "critic", "sparsity"), 1.0, "sparsity is 1.0, expected at least 0"),
        (("regimes", "sst", "critic", "interval"), 0, "interval is 0, expected at least 1"),
        (("regimes", "sst", "critic", "start"), "a", "start: expected a finite number, found text"),
        (("regimes", "sst", "critic", "schedule"), "sometimes", "'sometimes' is not a choice."),
        (("regimes", "sst", "value"), {}, "regimes.sst.value: key 'rule' is missing."),
        (("budget", "updates", "critic"), 10**15, "updates are"),
        (("budget", "action_repeat"), 7, "are not 120 agent steps of 7"),
        (("evaluation", "environments"), 10**6, "expected a divisor of episodes"),
        (("evaluation", "fresh_episodes"), 10**6, "fresh_episodes is 1000000, expected 1 to"),
    ],
)
def test_a_plan_with_another_field_is_refused_in_a_sentence(entry, path, value, sentence):
    plan = json.loads((entry.parent / "plan.json").read_bytes())
    parent_of(plan, path)[path[-1]] = value
    verdict = sign_plan(entry, plan)
    assert failed(verdict) == "plan"
    assert sentence in verdict.checks[-1].detail


def test_a_plan_that_is_not_in_canonical_form_is_refused(entry):
    """Equal plans have equal ids; a number that RFC 8785 does not know is none of a plan."""
    plan = json.loads((entry.parent / "plan.json").read_bytes())
    monstrous = json.loads(json.dumps(plan))
    monstrous["budget"]["updates"]["critic"] = 2**60
    for content in (json.dumps(plan), json.dumps(monstrous, separators=(",", ":"))):
        verdict = sign_plan(entry, content.encode())
        assert failed(verdict) == "plan"
        assert "is not in canonical form; it was edited" in verdict.checks[-1].detail


GROUP = "cartpole-swingup/sst"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("critic", "layers", "q.0", "first"), 1, "its masks keep"),
        (("critic", "layers", "q.0", "first"), 10**6, "weights are kept"),
        (("critic", "layers", "q.0", "fan_in"), 0, "weights has none"),
        (("critic", "copies"), 0, "at least one copy and one layer"),
        (("critic", "copies"), 3, "parameters are active, its layers have"),
        (("critic", "layers"), {}, "at least one copy and one layer"),
        (("secret",), {"copies": 1, "layers": {}}, "at least one copy and one layer"),
        (("actor",), None, "expected a mapping of settings, found nothing"),
    ],
)
def test_a_network_that_contradicts_its_regime_or_its_size_is_refused(entry, path, value, sentence):
    plan = json.loads((entry.parent / "plan.json").read_bytes())
    networks = plan["networks"][GROUP]
    parent_of(networks, path)[path[-1]] = value
    verdict = sign_plan(entry, plan)
    assert failed(verdict) == "plan"
    assert sentence in verdict.checks[-1].detail


def test_what_verify_refuses_in_a_plan_is_not_run_either(entry):
    plan = json.loads((entry.parent / "plan.json").read_bytes())
    plan["runs"].append(plan["runs"][0])
    (entry.parent / "plan.json").write_bytes(rfc8785.dumps(plan))
    with pytest.raises(UserError, match="is planned 2 times"):
        read_plan(entry.parent / "plan.json")


@pytest.mark.parametrize("line", [b"[]\n", b"7\n", b'{"kind":[]}\n', b'{"kind":"final"}\n'])
def test_a_line_that_is_no_record_is_refused_by_its_number(entry, line):
    name = "runs/cartpole-swingup/sst/0/records.jsonl"
    records = (entry.parent / name).read_bytes()
    verdict = resign(entry, restate(entry, name, records + line))
    assert failed(verdict) == "records"
    number = records.count(b"\n") + 1
    assert verdict.checks[-1].detail.startswith(f"{name}:{number}: ")
