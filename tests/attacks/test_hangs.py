"""Files made to keep a program busy for ever: refused at once, in little memory.

Seconds are measured on machines that do other things too, so the limit is generous: what hung took
15 s to 69 s, or did not end.
"""

import os

import pytest

from helpers.forgery import subject
from helpers.measured import PLANNING
from helpers.program import call
from helpers.refusals import refused


@pytest.mark.parametrize("count", [20_000, 400_000])
def test_a_doubled_key_among_many_is_found_at_once(forgery, count):
    keys = b",".join(b'"%d":0' % at for at in range(count))
    forgery.sign().entry.write_bytes(b"{" + keys + b',"%d":0}' % (count - 1))
    refused("verify", forgery.entry)


def test_a_listed_file_of_terabytes_is_not_read(forgery):
    path = forgery.path(forgery.run("dense"), "timing.json")
    name = path.relative_to(forgery.folder).as_posix()
    forgery.sign()
    os.truncate(path, 4 << 40)
    assert name in {listed["name"] for listed in forgery.statement["subject"]}
    refused("verify", forgery.entry)


def test_a_file_that_no_run_has_is_not_read(forgery):
    path = forgery.path(forgery.run("dense"), "extra.bin")
    path.touch()
    os.truncate(path, 4 << 40)
    forgery.unlisted.add(path.relative_to(forgery.folder).as_posix())
    forgery.listed = [subject(path.relative_to(forgery.folder).as_posix(), b"")]
    path.unlink()
    forgery.sign()
    path.touch()
    os.truncate(path, 4 << 40)
    refused("verify", forgery.entry)


@pytest.mark.parametrize(("name", "code"), [("entry.dsse.json", 2), ("manifest.json", 4)])
def test_a_pipe_is_no_file(forgery, name, code):
    """The entry itself is the path that the user named."""
    path = forgery.sign().folder / name
    path.unlink()
    os.mkfifo(path)
    refused("verify", forgery.entry, code=code)


def test_300000_signatures_of_failure_are_too_many(forgery):
    sign = {"name": "critic-dormant", "value": 0.5}
    signs = [sign | {"agent_step": step} for step in range(300_000)]
    forgery.run("dense")["failure_signatures"] = signs
    refused("verify", forgery.sign().entry)


def test_a_plan_of_200000_runs_is_too_large(forgery):
    run = {"task": "cartpole-swingup", "regime": "dense"}
    forgery.plan["runs"] = [run | {"seed": seed} for seed in range(200_000)]
    refused("verify", forgery.sign().entry)


def test_10000_missing_runs_are_looked_at_once(forgery):
    """As many as a plan may have and more: none of them may take the time of all the others."""
    lost = forgery.run("mst")
    forgery.lose(lost)
    forgery.runs.extend(lost | {"seed": seed} for seed in range(1, 10_000))
    forgery.replan()
    forgery.files["results.csv"] = b"refused at the end"
    refused("verify", forgery.sign().entry)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("evaluation", "environments", 10**6),
        ("evaluation", "fresh_episodes", 10**9),
        ("budget", "agent_steps", 10**12),
    ],
)
def test_a_plan_that_nobody_can_carry_out_is_refused(forgery, part, name, value):
    """Whoever re-evaluates it would be busy for years."""
    forgery.plan[part][name] = value
    assert call("reeval", forgery.elsewhere().sign().entry).returncode == 4


def test_more_members_than_there_are_runs_are_refused(forgery):
    """Each of 2,000 members would be rolled out."""
    for run in forgery.elsewhere().runs:
        run["members"] = 2000
    assert call("reeval", forgery.sign().entry).returncode == 4


def test_a_suite_of_nested_anchors_is_refused(tmp_path):
    """439 bytes whose text is 6^10 letters long; what is shown of it is short."""
    nested = "[x]"
    for level in range(10):
        nested = f"[&a{level} {nested}" + f", *a{level}" * 6 + "]"
    path = tmp_path / "bomb.yaml"
    path.write_text(f"suite: bomb\nversion: 1\ndescription: x\ntasks:\n  - {nested}\n")
    ended = refused("plan", "--suite", path, "--out", tmp_path, code=2, imports=PLANNING)
    assert len(ended.stderr) < 1000
