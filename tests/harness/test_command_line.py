"""The command line: its commands, its sentences, its exit codes.

What a shell would see is asked of a process once; the rest is called inside this one.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.cli.listing import rows
from harness.suites import shipped
from helpers.program import call, run_process

REGIMES = ("dense", "sst", "dst", "mst")


def test_the_command_line_runs_signs_verifies_and_prints_one_json_document(tiny_suite, tmp_path):
    key = tmp_path / "key.pem"
    assert call("keys", "generate", key).returncode == 0
    options = ("--out", tmp_path / "out", "--device", "cpu", "--json", "--key", key)
    done = run_process("--suite", tiny_suite, *options)
    assert done.returncode == 0, done.stderr

    document = json.loads(done.stdout)
    assert document["accepted"] is True
    assert document["ranked"] is False
    assert "own suite file" in document["unranked_because"][0]
    stated_runs = [(run["regime"], run["seed"], run["status"]) for run in document["runs"]]
    assert stated_runs == [(regime, 0, "finished") for regime in REGIMES]
    assert call("status", document["folder"]).returncode == 0

    # The same command again: everything is there.
    again = call("--suite", tiny_suite, *options)
    assert json.loads(again.stdout)["runs"] == document["runs"]

    # Verified by a process, as a stranger would.
    verified = run_process("verify", document["entry"])
    assert verified.returncode == 0
    assert "accepted" in verified.stdout
    policy = Path(document["folder"]) / "runs/cartpole-swingup/dst/0/actor.safetensors"
    policy.write_bytes(policy.read_bytes()[:-1] + b"\x01")
    refused = run_process("verify", document["entry"])
    assert refused.returncode == 4
    failed_line = r"files: +failed +runs/cartpole-swingup/dst/0/actor\.safetensors"
    assert re.search(failed_line, refused.stdout)


def test_sign_on_the_host_replaces_a_one_use_signature(entry, tmp_path):
    key = tmp_path / "key.pem"
    shown = call("keys", "generate", key).stdout
    key_id = re.search("key id: +([0-9a-f]{64})", shown).group(1)
    assert call("sign", entry.parent, "--key", key).returncode == 0
    assert key_id[:16] in call("verify", entry).stdout

    (entry.parent / "results.csv").write_text("forged\n")
    refused = call("sign", entry.parent, "--key", key)
    assert refused.returncode == 4, "what does not verify is not signed again"


NO_KEY = ["--suite", "quick", "--key", "nokey.pem"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--suite", "quik"], 2, ["unknown suite", "Did you mean 'quick'?"]),
        (
            ["--suite", "quick", "--set", "seeds=none"],
            2,
            ["--set seeds", "whole number", "text 'none'"],
        ),
        (["--suite", "quick", "--executor", "slrm"], 2, ["unknown executor"]),
        (
            ["--suite", "quick", "--executor", "inline", "--image", "x"],
            2,
            ["--image: --executor inline does not take", "none of its own", "docker does"],
        ),
        (["--suite", "dmc-hard"], 7, ["needs a CUDA device", "--gpus all", "--device cpu"]),
        (["--suite", "quick", "--device", "cuda"], 7, ["--device cuda"]),
        (["--suite", "quick", "--out", "/proc/out"], 2, ["/proc/out", "cannot be written"]),
        (NO_KEY, 2, ["nokey.pem", "cannot be read"]),
        (["verify", "nowhere.json"], 2, ["nowhere.json", "no such file"]),
        (["status", "nowhere"], 2, ["nowhere", "no such file or folder"]),
        (["run", "--seeds"], 2, ["No such option", "`mst-bench run --help`"]),
        (["run", "--lease-seconds", "4000"], 2, ["--lease-seconds", "3600"]),
        (["fly"], 2, ["No such command", "`mst-bench --help`"]),
        (["quick"], 2, ["quick is a suite", "`mst-bench run --suite quick`"]),
        (["run", "quick"], 2, ["a suite is named with --suite"]),
        (["list", "suitez"], 2, ["'suitez' is not one of"]),
        (["regress", "a", "b", "--on-inconclusive", "x"], 2, ["'x' is not one of"]),
        (["plan", "--set", "tasks=x"], 2, ["--set tasks: expected a list", "tasks=[x]"]),
        (["plan", "--set", "seeds=100000000"], 2, ["--set seeds is 100,000,000", "at most"]),
        (
            ["plan", "--set", "seeds=100", "--set", "evaluation.fresh_episodes=10000"],
            2,
            ["--set evaluation.fresh_episodes is 10,000", "400 runs", "at most 500."],
        ),
        (["plan", "--set", "first_seed=99999999999999999999"], 2, ["--set first_seed", "2**53"]),
        (["plan", "--set", "settings.width=1e9"], 2, ["--set settings.width is", "at most"]),
        (["plan", "--set", "scale.depth=1000000"], 2, ["--set scale.depth", "at most"]),
    ],
)
def test_a_users_mistake_is_one_sentence_with_its_exit_code(
    tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = call(*arguments)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stdout == ""


def test_a_process_says_the_sentence_and_exits_alike(tmp_path):
    done = run_process(*NO_KEY, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("mst-bench: ")
    assert "nokey.pem" in sentence


def test_a_suite_for_a_larger_machine_is_refused_in_one_sentence(tmp_path):
    options = ("--device", "cpu", "--out", tmp_path, "--set", "settings.width=200000")
    done = call("run", "--suite", "dmc-hard", *options)
    assert done.returncode == 7
    assert done.stderr.startswith("mst-bench: 1 cohort at a time: needs about")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["-h"], ["help"], ["run", "-h"], ["help", "run"], ["keys"], ["baseline"]],
    ids=str,
)
def test_whoever_asks_in_any_way_gets_help(arguments):
    done = call(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: mst-bench")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_one_line(flag):
    assert re.fullmatch(r"mst-bench \d+\.\d+\.\d+\n", call(flag).stdout)


@pytest.mark.parametrize("table", ["suites", "tasks", "regimes", "blocks", "agents", "executors"])
def test_every_table_can_be_listed(table):
    headers, body = rows(table)
    assert len(body) > 0
    assert all(len(row) == len(headers) for row in body)
    assert all(isinstance(cell, str) for row in body for cell in row)


def test_a_table_is_printed_or_given_as_json():
    listed = json.loads(call("list", "suites", "--json").stdout)
    assert [row["suite"] for row in listed] == list(shipped())
    assert len(call("list", "regimes").stdout.splitlines()) == 2 + len(rows("regimes")[1])


def test_the_help_of_the_command_line_stays_light():
    heavy = ["envpool", "numpy", "scipy", "torch"]
    script = f"import sys; import harness.cli.main; print(set({heavy}) & set(sys.modules))"
    python = [sys.executable, "-c", script]
    done = subprocess.run(python, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_plan_says_what_it_will_take(tmp_path):
    done = call("plan", "--suite", "dmc-hard", "--out", tmp_path)
    assert done.returncode == 0
    assert "80 runs" in done.stdout
    assert "490,000 critic" in done.stdout
    assert "GiB of memory" in done.stdout
    assert "made for a GPU, where time is not estimated" in done.stdout


def test_one_of_a_thing_is_not_several(tmp_path):
    options = ("--set", "seeds=1", "--set", "regimes=[dense]", "--out", tmp_path)
    done = call("plan", "--suite", "quick", *options)
    assert "1 run in 1 cohort of 1 member," in done.stdout
    assert "0.0" not in done.stdout.splitlines()[-1]
