"""The GitHub action: its steps, carried out here as a runner would, and which actions it trusts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
"""What a runner calls for `shell: bash`."""
EXPRESSION = re.compile(r"\$\{\{ *([^}]*?) *\}\}")


class Runner:
    """A job in a folder: inputs, outputs of steps, and the summary page."""

    def __init__(self, folder, **inputs):
        defaults = {name: given["default"] for name, given in ACTION["inputs"].items()}
        self.known = {f"inputs.{name}": text for name, text in (defaults | inputs).items()}
        self.folder = folder
        self.summary = folder / "summary.md"
        program = folder / "bin" / "mst-bench"
        program.parent.mkdir()
        command = shlex.join([sys.executable, "-P", "-m", "harness.cli"])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)

    def carry_out(self, name):
        """A step's exit code; its outputs are kept for later steps."""
        step = STEPS[name]
        outputs = self.folder / f"{name}.output"
        outputs.touch()
        own = {key: EXPRESSION.sub(self.value, text) for key, text in step["env"].items()}
        places = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        environment = {
            **os.environ,
            "PATH": os.pathsep.join(places),
            "PYTHONPATH": str(ROOT),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            **own,
        }
        done = subprocess.run(
            [*SHELL, step["run"]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        for line in outputs.read_text().splitlines():
            key, _, value = line.partition("=")
            self.known[f"steps.{name}.outputs.{key}"] = value
        return done

    def value(self, expression):
        """What an expression stands for."""
        return self.known[expression[1]]


@pytest.mark.slow
def test_a_candidate_like_the_baseline_passes_and_is_shown(tmp_path, tiny_suite, tiny_entry):
    """The whole job: train, here what is trained already, compare, show."""
    runner = Runner(tmp_path, suite=str(tiny_suite), baseline=str(ROOT / "results/baseline"))
    cached = tmp_path / "mst-bench-out" / tiny_entry.parent.name
    shutil.copytree(tiny_entry.parent, cached)
    trained = runner.carry_out("train")
    assert trained.returncode == 0, trained.stderr
    assert Path(runner.known["steps.train.outputs.folder"]).name == cached.name

    # Of one seed nothing can be compared; what passes is the baseline beside itself.
    runner.known["steps.train.outputs.folder"] = str(ROOT / "results/baseline")
    gate = runner.carry_out("gate")
    assert gate.returncode == 0, gate.stdout + gate.stderr
    assert runner.known["steps.gate.outputs.verdict"] == "PASS"
    page = runner.summary.read_text()
    assert page.startswith("## mst-bench: PASS\n")
    assert "| **mst** " in page and "◆" in page, "regimes with their intervals"
    assert (tmp_path / "mst-bench-gate.xml").exists()
    assert (tmp_path / "mst-bench-figures/regimes.png").exists()


@pytest.mark.slow
def test_another_suite_than_the_baselines_is_not_comparable(tmp_path, tiny_entry):
    runner = Runner(tmp_path, baseline=str(ROOT / "results/baseline"))
    runner.known["steps.train.outputs.folder"] = str(tiny_entry.parent)
    gate = runner.carry_out("gate")
    assert gate.returncode == 7
    assert runner.known["steps.gate.outputs.verdict"] == "not comparable"
    assert runner.summary.read_text().startswith("## mst-bench: not comparable\n")


def test_inputs_reach_a_step_as_variables_alone():
    """Text of a workflow's author that stood inside a script would be part of the script."""
    for step in STEPS.values():
        assert "${{" not in step["run"], step["name"]
    read = {name for step in STEPS.values() for name in EXPRESSION.findall(json.dumps(step["env"]))}
    stated = {f"inputs.{name}" for name in ACTION["inputs"]}
    setup = EXPRESSION.findall(json.dumps([s for s in ACTION["runs"]["steps"] if "uses" in s]))
    used = {part for text in [*read, *setup] for part in re.findall(r"inputs\.[a-z-]+", text)}
    assert used == stated, "each input does something"


def test_actions_are_pinned_by_commit():
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)


def test_results_of_another_commit_are_never_a_candidate():
    caches = [step["with"] for step in ACTION["runs"]["steps"] if "cache@" in step.get("uses", "")]
    (results,) = [cache for cache in caches if cache["path"] == "mst-bench-out"]
    assert "github.sha" in results["key"]
    assert "restore-keys" not in results
