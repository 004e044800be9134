"""A whole run, from suite file to the files it leaves; by the command line where a user would."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from harness.cli.listing import rows
from harness.errors import Incomplete
from harness.options import Options
from harness.planning.plan import read_plan
from harness.run import Request, execute, plan_of, summary
from harness.suites import shipped
from harness.training.profiling import STEPS
from leaderboard.formats.keys import one_use_key

REGIMES = ("dense", "sst", "dst", "mst")


def command(*arguments):
    return [sys.executable, "-P", "-m", "harness.cli", *map(str, arguments)]


def cli(*arguments, **options):
    return subprocess.run(command(*arguments), capture_output=True, text=True, **options)


def run_folder(entry, regime):
    return entry.parent / "runs" / "cartpole-swingup" / regime / "0"


def records(entry, regime):
    return [
        json.loads(line)
        for line in (run_folder(entry, regime) / "records.jsonl").read_bytes().splitlines()
    ]


def test_a_run_leaves_the_files_of_the_design(tiny_entry):
    names = {path.name for path in tiny_entry.parent.iterdir()}
    assert {
        "plan.json",
        "cohorts.json",
        "manifest.json",
        "results.csv",
        "entry.dsse.json",
        "report.html",
        "runs",
        "cohorts",
    } <= names
    for regime in REGIMES:
        files = {path.name for path in run_folder(tiny_entry, regime).iterdir()}
        assert files == {
            "records.jsonl",
            "policy.safetensors",
            "critic.safetensors",
            "masks.safetensors",
            "result.json",
            "timing.json",
        }


def test_records_hold_the_curve_the_counts_and_the_diagnostics(tiny_entry):
    plan = read_plan(tiny_entry.parent / "plan.json")
    for regime in REGIMES:
        *curve, final = records(tiny_entry, regime)
        assert [record["agent_step"] for record in curve] == [0, 60, 120]
        assert all(len(record["returns"]) == plan.evaluation.episodes for record in curve)
        assert len(final["returns"]) == plan.evaluation.final_episodes
        assert curve[0]["updates"] == {"encoder": 0, "critic": 0, "actor": 0}
        assert (
            curve[-1]["updates"]
            == plan.budget.updates
            == {"encoder": 80, "critic": 80, "actor": 80}
        )
        assert curve[-1]["rewires"]["critic"] == (5 if regime in ("dst", "mst") else 0)
        for module, figures in curve[-1]["diagnostics"].items():
            sparse = plan.regimes[regime][module].distribution != "dense"
            assert figures["density"] == pytest.approx(0.4 if sparse else 1.0, abs=1e-3)
            assert 1 <= figures["srank"] <= 16
            assert 0 <= figures["dormant_ratio"] <= 1


def test_a_profile_is_a_trace_of_agent_steps_and_changes_nothing(tiny_entry, tiny_suite, tmp_path):
    done = cli("--suite", tiny_suite, "--device", "cpu", "--out", tmp_path, "--profile")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^time: [a-z]+ [\d.]+%.*, rest [\d.]+%$", done.stdout, re.MULTILINE)
    (trace,) = tmp_path.glob("*/cohorts/0/trace.json")
    steps = {
        event["name"]
        for event in json.loads(trace.read_text())["traceEvents"]
        if event.get("cat") == "user_annotation"
    }
    assert len([name for name in steps if name.startswith("ProfilerStep")]) == STEPS
    assert (trace.parent.parent.parent / "results.csv").read_bytes() == (
        tiny_entry.parent / "results.csv"
    ).read_bytes()


def test_regimes_of_one_seed_start_alike_and_end_apart(tiny_entry):
    firsts = {regime: records(tiny_entry, regime)[0]["returns"] for regime in REGIMES}
    assert firsts["sst"] == firsts["dst"], "same weights, same masks, same start states"
    assert firsts["dense"] != firsts["sst"]
    lasts = {regime: tuple(records(tiny_entry, regime)[-1]["returns"]) for regime in REGIMES}
    assert len(set(lasts.values())) == 4


def test_saved_tensors_are_masked_and_masks_fit_their_digests(tiny_entry):
    folder = run_folder(tiny_entry, "mst")
    with (
        safe_open(folder / "masks.safetensors", "np") as masks,
        safe_open(folder / "critic.safetensors", "np") as critic,
    ):
        digests = json.loads(masks.metadata()["digests"])
        result = json.loads((folder / "result.json").read_bytes())
        for name in critic.keys():  # noqa: SIM118 - not a dictionary
            if name.endswith(".weight"):
                weight = critic.get_tensor(name)
                mask = (
                    np.unpackbits(masks.get_tensor(f"last/{name}"), count=weight.size)
                    .reshape(weight.shape)
                    .astype(bool)
                )
                assert not weight[~mask].any()
        assert result["mask_first"] == {module: chain[0] for module, chain in digests.items()}
        assert result["mask_last"] == {module: chain[-1] for module, chain in digests.items()}
        assert len(digests["critic"]) == result["rewires"]["critic"] + 1 == 6
        assert len(digests["actor"]) == 1
        assert result["weights"]["critic"]["active"] / result["weights"]["critic"][
            "total"
        ] == pytest.approx(0.4, abs=1e-3)


def test_the_command_line_runs_signs_verifies_and_prints_one_json_document(tiny_suite, tmp_path):
    key = tmp_path / "key.pem"
    assert cli("keys", "generate", key).returncode == 0
    done = cli(
        "--suite", tiny_suite, "--out", tmp_path / "out", "--device", "cpu", "--json", "--key", key
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["accepted"] is True
    assert document["ranked"] is False
    assert "own suite file" in document["unranked_because"][0]
    assert [(run["regime"], run["seed"], run["status"]) for run in document["runs"]] == [
        (r, 0, "finished") for r in REGIMES
    ]
    verified = cli("verify", document["entry"])
    assert verified.returncode == 0
    assert "accepted" in verified.stdout
    again = cli(
        "--suite", tiny_suite, "--out", tmp_path / "out", "--device", "cpu", "--json", "--key", key
    )
    assert json.loads(again.stdout)["runs"] == document["runs"]
    assert cli("status", document["folder"]).returncode == 0
    first = Path(document["folder"]) / "runs/cartpole-swingup/dst/0/policy.safetensors"
    first.write_bytes(first.read_bytes()[:-1] + b"\x01")
    refused = cli("verify", document["entry"])
    assert refused.returncode == 4
    assert re.search(
        r"files: +failed +runs/cartpole-swingup/dst/0/policy\.safetensors", refused.stdout
    )


def test_sign_on_the_host_replaces_a_one_use_signature(tiny_suite, tiny_entry, tmp_path):
    import shutil

    folder = Path(shutil.copytree(tiny_entry.parent, tmp_path / tiny_entry.parent.name))
    key = tmp_path / "key.pem"
    shown = cli("keys", "generate", key).stdout
    assert cli("sign", folder, "--key", key).returncode == 0
    assert (
        re.search("key id: +([0-9a-f]{64})", shown).group(1)[:16]
        in cli("verify", folder / "entry.dsse.json").stdout
    )
    (folder / "results.csv").write_text("forged\n")
    assert cli("sign", folder, "--key", key).returncode == 4, (
        "what does not verify is not signed again"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--suite", "quik"], 2, ["unknown suite", "Did you mean 'quick'?"]),
        (["--suite", "quick", "--set", "seeds=none"], 2, ["quick.yaml: seeds", "whole number"]),
        (["--suite", "quick", "--executor", "slrm"], 2, ["unknown executor"]),
        (
            ["--suite", "quick", "--executor", "inline", "--image", "x"],
            2,
            ["--image: --executor inline does not take", "none of its own", "docker does"],
        ),
        (["--suite", "dmc-hard"], 7, ["needs a CUDA device", "--gpus all", "--device cpu"]),
        (["--suite", "quick", "--device", "cuda"], 7, ["--device cuda"]),
        (["--suite", "quick", "--out", "/proc/out"], 2, ["/proc/out", "cannot be written"]),
        (["--suite", "quick", "--key", "nokey.pem"], 2, ["nokey.pem", "cannot be read"]),
        (["verify", "nowhere.json"], 2, ["nowhere.json", "cannot be read"]),
        (["status", "nowhere"], 2, ["not a readable plan"]),
        (["run", "--seeds"], 2, ["No such option"]),
        (["fly"], 2, ["No such command"]),
    ],
)
def test_a_users_mistake_is_one_sentence_with_its_exit_code(tmp_path, arguments, code, words):
    done = cli(*arguments, cwd=tmp_path, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stdout == ""


def test_no_arguments_and_h_print_help():
    for arguments in ([], ["--help"], ["-h"]):
        assert "run" in cli(*arguments).stdout + cli(*arguments).stderr
    assert re.fullmatch(r"mst-bench \d+\.\d+\.\d+\n", cli("--version").stdout)


@pytest.mark.parametrize("what", ["suites", "tasks", "regimes", "blocks", "agents", "executors"])
def test_every_table_can_be_listed(what):
    headers, table = rows(what)
    assert len(table) > 0
    assert all(
        len(row) == len(headers) and all(isinstance(cell, str) for cell in row) for row in table
    )


def test_a_table_is_printed_or_given_as_json():
    assert [row["suite"] for row in json.loads(cli("list", "suites", "--json").stdout)] == list(
        shipped()
    )
    assert len(cli("list", "regimes").stdout.splitlines()) == 2 + len(rows("regimes")[1])


def test_the_help_of_the_command_line_stays_light():
    heavy = ["envpool", "numpy", "scipy", "torch"]
    script = f"import sys; import harness.cli.main; print(set({heavy}) & set(sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )


def test_plan_says_what_it_will_take(tmp_path):
    done = cli("plan", "--suite", "dmc-hard", "--out", tmp_path)
    assert done.returncode == 0
    assert "80 runs" in done.stdout
    assert "490000 critic" in done.stdout
    assert "GiB of memory" in done.stdout


SMALL_DOG = [
    "settings.width=32",
    "settings.zs_dim=32",
    "evaluation.episodes=1",
    "evaluation.environments=1",
]


@pytest.mark.parametrize(
    ("executor", "suite", "task", "overrides"),
    [
        ("local", "dmc-hard", "dog-run", SMALL_DOG),
        ("inline", None, "cartpole-swingup", ["environment_steps=200000"]),
    ],
)
def test_ctrl_c_ends_with_130_and_keeps_the_records(
    tiny_suite, tmp_path, executor, suite, task, overrides
):
    arguments = [
        "--suite",
        suite or tiny_suite,
        "--device",
        "cpu",
        "--out",
        tmp_path,
        "--executor",
        executor,
        "-j",
        "1",
    ]
    arguments += [word for override in overrides for word in ("--set", override)]
    listening = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    }  # a job in the background ignores it
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(*arguments), **pipes, **listening) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/cohorts/0/progress.json")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        while_running = cli("status", next(tmp_path.glob("*")))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert while_running.returncode == 3
    assert re.search(
        rf"cohort 0 \({task}, 4 runs\): \d+/\d+ agent steps, (?!not running)", while_running.stdout
    )
    assert process.returncode == 130, stderr
    assert "everything is saved" in stderr
    assert "Traceback" not in stderr
    kept = next(tmp_path.glob(f"*/runs/{task}/dense/0/records.jsonl")).read_text()
    assert json.loads(kept.splitlines()[0])["kind"] == "evaluation"
    stopped = cli("status", next(tmp_path.glob("*")))
    assert stopped.returncode == 3
    assert "agent steps, not running" in stopped.stdout


@pytest.mark.parametrize(("module", "step"), [("encoder", 60), ("critic", 61)])
def test_a_member_that_fails_is_counted_and_the_others_finish(
    tiny_suite, tiny_entry, tmp_path, monkeypatch, module, step
):
    """A module of one member is poisoned after step 60; its neighbours end as if untroubled.

    A poisoned encoder shows in the next action; a poisoned critic spoils the actor, which shows one
    step later.
    """
    from harness.training import loop
    from leaderboard.verification.verify import verify

    calm = summary(tiny_entry.parent, read_plan(tiny_entry.parent / "plan.json"))
    evaluate = loop.Training.evaluate

    def poison(training):
        evaluate(training)
        if training.step == 60:
            parameters = training.agent.modules()[module].parameters
            with torch.no_grad():
                first = next(iter(parameters.layout.views(parameters.flat).values()))
                first[2 * parameters.copies] = float("nan")

    monkeypatch.setattr(loop.Training, "evaluate", poison)
    poisoned = execute(
        Request(str(tiny_suite), tmp_path / "poisoned", executor="inline"), one_use_key()
    )
    (failed,) = (run for run in poisoned.summary.runs if run.regime == "dst")
    assert failed.status == "failed"
    assert "not finite" in failed.failure.reason
    assert failed.failure.agent_step == step
    others = [run for run in poisoned.summary.runs if run.regime != "dst"]
    assert others == [run for run in calm.runs if run.regime != "dst"]
    assert poisoned.verdict.accepted
    assert verify(Path(poisoned.summary.entry)).accepted


def test_a_cohort_that_somebody_else_has_is_left_out_and_the_others_finish(tiny_suite, tmp_path):
    request = Request(
        str(tiny_suite),
        tmp_path,
        executor="inline",
        members=2,
        overrides=("environment_steps=120",),
    )
    _, plan = plan_of(request)
    cohort_folder = tmp_path / plan.id / "cohorts" / "0"
    cohort_folder.mkdir(parents=True)
    with open(cohort_folder / "lease", "w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        with pytest.raises(
            Incomplete,
            match=r"^cohort 0: .*another process is carrying out.*\. The same command resumes\.$",
        ):
            execute(request, one_use_key())
    assert {run.status for run in summary(tmp_path / plan.id, plan).runs} == {
        "missing",
        "finished",
    }
    runs = execute(request, one_use_key()).summary.runs
    assert {run.status for run in runs} == {"finished"}


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_no_cohort_is_begun_after_the_wall_time(tiny_suite, tmp_path, executor):
    options = Options(device="cpu", max_wall=0.0)
    request = Request(str(tiny_suite), tmp_path, executor=executor, members=2, options=options)
    with pytest.raises(
        Incomplete, match=r"^2 cohorts wait: --max-wall is over\. The same command resumes\.$"
    ):
        execute(request, one_use_key())
    assert not list(tmp_path.glob("*/runs/*/*/*/records.jsonl"))
