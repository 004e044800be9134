"""The release workflow: who holds the key, who may write, and which actions it trusts."""

import re
from pathlib import Path

import pytest
import yaml

PATH = Path(__file__).parents[2] / ".github/workflows/release.yaml"
JOBS = yaml.safe_load(PATH.read_text())["jobs"]
STEPS = [(job, step) for job, body in JOBS.items() for step in body["steps"]]
BUILDS = re.compile(r"\bpip\b|\bmake\b|docker build|-m build")


def test_no_step_that_holds_a_secret_installs_or_builds():
    """The key was once in the environment of a step that ran pip and a build backend."""
    holders = [(job, step) for job, step in STEPS if "secrets." in str(step)]
    assert [job for job, _ in holders] == ["sign"]
    assert not any(BUILDS.search(step["run"]) for _, step in holders)
    assert not any("env" in body and "secrets." in str(body["env"]) for body in JOBS.values())

    # Nor does a step that holds the token.
    tokens = [step for _, step in STEPS if "github.token" in str(step)]
    assert tokens and not any(BUILDS.search(step["run"]) for step in tokens)
    assert "github.token" not in str([body.get("env") for body in JOBS.values()])


def test_the_key_touches_no_disk():
    (sign,) = [step for _, step in STEPS if "secrets." in str(step)]
    assert "unset RELEASE_KEY" in sign["run"]
    assert "> key" not in sign["run"] and ".pem" not in sign["run"]


@pytest.mark.parametrize(
    ("right", "job"), [("packages: write", "push"), ("contents: write", "publish")]
)
def test_one_job_alone_may_write(right, job):
    name, _, value = right.partition(": ")
    assert [each for each, body in JOBS.items() if body["permissions"].get(name) == value] == [job]
    assert yaml.safe_load(PATH.read_text())["permissions"] == {}
    assert not any("checkout" in step.get("uses", "") for step in JOBS[job]["steps"])


def test_actions_are_pinned_by_commit():
    used = [step["uses"] for _, step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
