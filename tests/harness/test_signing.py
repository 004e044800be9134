"""Signing with one's own key: what is signed, passphrases, and whom they do not reach."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from harness.cli.main import program
from harness.cli.variables import commands, flag_of
from harness.entries.entry import write_entry
from harness.planning.plan import read_plan
from helpers.program import call, command
from leaderboard.formats.keys import one_use_key


@pytest.fixture
def locked(tmp_path):
    """An encrypted key, and the file of its passphrase."""
    (tmp_path / "phrase").write_text("open sesame\n")
    key = tmp_path / "key.pem"
    done = call("keys", "generate", key, "--passphrase-file", tmp_path / "phrase")
    assert done.returncode == 0, done.stderr
    return key, tmp_path / "phrase"


def test_every_command_with_a_key_takes_a_passphrase_file():
    with_key = [
        (words, [flag_of(option) for option in command.params])
        for words, command in commands(program())
        if "key" in [flag_of(option) for option in command.params]
    ]
    first_words = {words[0] for words, _ in with_key}
    boards = {"log", "board", "keys", "submit", "accept"}
    assert first_words == {"run", "plan", "sign", "merge", "reeval", "release", *boards}
    assert all("passphrase-file" in flags for _, flags in with_key)


def test_a_passphrase_comes_from_a_file_or_from_the_environment(entry, locked, monkeypatch):
    key, phrase = locked
    refused = call("sign", entry, "--key", key)
    assert refused.returncode == 2
    assert "is encrypted; give --passphrase-file FILE, or MST_BENCH_PASSPHRASE" in refused.stderr

    assert call("sign", entry, "--key", key, "--passphrase-file", phrase).returncode == 0
    monkeypatch.setenv("MST_BENCH_PASSPHRASE", "open sesame")
    assert call("sign", entry, "--key", key).returncode == 0


def test_an_empty_passphrase_is_refused_not_taken_for_none(tmp_path):
    (tmp_path / "phrase").write_text("\n")
    done = call("keys", "generate", tmp_path / "k.pem", "--passphrase-file", tmp_path / "phrase")
    assert done.returncode == 2
    assert "its first line is empty" in done.stderr
    assert not (tmp_path / "k.pem").exists()


def test_an_unfinished_plan_is_not_signed(entry, tmp_path):
    """It used to be, and to verify as L0 with every run missing."""
    assert call("keys", "generate", tmp_path / "key.pem").returncode == 0
    (entry.parent / "runs/cartpole-swingup/mst/0/result.json").unlink()
    write_entry(entry.parent, read_plan(entry.parent / "plan.json"), one_use_key())
    assert call("verify", entry).returncode == 0

    before = entry.read_bytes()
    done = call("sign", entry, "--key", tmp_path / "key.pem")
    assert done.returncode == 3
    assert "1 of 4 runs have no result yet" in done.stderr
    assert entry.read_bytes() == before


def test_the_report_names_the_new_key(entry, tmp_path):
    call("keys", "generate", tmp_path / "key.pem")
    shown = call("keys", "show", tmp_path / "key.pem").stdout
    key_id = shown.split()[2][:16]
    assert call("sign", entry, "--key", tmp_path / "key.pem").returncode == 0
    assert key_id in (entry.parent / "report.html").read_text()


def test_key_and_passphrase_never_reach_the_process_that_trains(tiny_suite, tmp_path, locked):
    """Agents run in it; its environment is read while it does."""
    key, _ = locked
    ours = {
        "MST_BENCH_KEY": str(key),
        "MST_BENCH_PASSPHRASE": "open sesame",
        "MST_BENCH_RUN_RETRIES": "1",
        "MST_BENCH_ALLOW_DRIFT": "1",
    }
    arguments = ("--suite", tiny_suite, "--device", "cpu", "--out", tmp_path / "out")
    process = subprocess.Popen(
        command(*arguments),
        env={**os.environ, **ours},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        environment = environment_of_cohort(process)
    finally:
        process.terminate()
        process.wait()
    names = {name for name, _, _ in (entry.partition("=") for entry in environment)}
    assert {name for name in names if name.startswith("MST_BENCH_")} == {"MST_BENCH_PARENT"}
    assert not any("open sesame" in text or str(key) in text for text in environment)
    assert "PATH" in names


def environment_of_cohort(process):
    """The environment of the first cohort's process, as the system has it."""
    while process.poll() is None:
        for path in Path(f"/proc/{process.pid}/task").glob("*/children"):
            for child in path.read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"run-cohort" in words:
                    return Path(f"/proc/{child}/environ").read_text().split("\0")
        time.sleep(0.02)
    raise AssertionError("no cohort was begun")
