"""Where an entry says it comes from: `verify` compares what can be, and calls the rest unknown."""

import json
from pathlib import Path

import pytest

from helpers.forge import check_of, failed, resign, restate

HARDWARE = {"architecture": "x86_64", "cpu": "a CPU", "cpu_flags": [], "cores": 2, "gpus": []}


def tell_origin(entry, changes, manifest=None):
    """Signs an entry whose statement and manifest tell another origin; the verdict.

    `manifest`: what the manifest tells instead.
    """
    document = json.loads((entry.parent / "manifest.json").read_bytes())
    told = document | (changes if manifest is None else manifest)
    change = restate(entry, "manifest.json", json.dumps(told).encode())

    def both(statement):
        change(statement)
        statement["predicate"] |= changes

    return resign(entry, both)


# -- the manifest --


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nonce": "0" * 32}, "nonce"),
        ({"resumes": 7}, "resumes"),
        ({"versions": {"mst-bench": "9.9.9"}}, "versions"),
        ({"hardware": HARDWARE}, "hardware"),
        ({"image": {"variant": "cpu", "content_sha256": "c" * 64}}, "image"),
        ({"canary": "0" * 64}, "canary"),
        ({"unranked_because": []}, "unranked_because"),
        ({"plan": "0" * 16}, "is of plan 0000000000000000"),
    ],
)
def test_a_manifest_that_tells_something_else_than_the_statement_is_refused(entry, changes, field):
    verdict = tell_origin(entry, {}, changes)
    assert failed(verdict) == "manifest"
    assert field in verdict.checks[-1].detail


@pytest.mark.parametrize(
    ("started", "ended"),
    [
        ("2026-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"),
        ("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00"),
        ("yesterday", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_times_that_are_not_possible_are_refused(entry, started, ended):
    verdict = tell_origin(entry, {"times": {"started": started, "ended": ended}})
    assert failed(verdict) in ("statement", "manifest")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff"])
def test_a_manifest_that_is_none_is_refused(entry, content):
    assert failed(resign(entry, restate(entry, "manifest.json", content))) == "manifest"


# -- how tasks were simulated --


def test_the_verifiers_fingerprints_are_those_of_the_environments():
    root = Path(__file__).parents[2]
    assert (root / "leaderboard/verification/fingerprints.json").read_bytes() == (
        root / "envs/fingerprints.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        (
            {"fingerprints": {"cartpole-swingup": "0" * 64}},
            "unknown",
            "with other bits than recorded",
        ),
        (
            {"hardware": HARDWARE | {"architecture": "riscv64"}},
            "unknown",
            "nothing is recorded for cartpole-swingup",
        ),
        ({"fingerprints": {}}, "failed", "states fingerprints of no task"),
    ],
)
def test_how_a_task_was_simulated_is_compared_with_what_is_recorded(entry, changes, status, words):
    check = check_of(tell_origin(entry, changes), "simulation")
    assert (check.status, words in check.detail) == (status, True), check
