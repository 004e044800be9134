"""The recipe for a board's continuous integration reads, has no secret, and is light."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

RECIPE = Path(__file__).parents[3] / "docs/board-check.yml"


def test_the_recipe_reads_a_pull_request_without_rights_or_secrets():
    text = RECIPE.read_text()
    workflow = yaml.safe_load(text)
    assert workflow[True] == "pull_request"  # YAML 1.1 reads the key `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in text and "write" not in re.sub("writes nothing", "", text)
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_recipe_runs_nothing_of_the_pull_request():
    """What runs comes from the program's own checkout; names of branches are quoted variables."""
    (job,) = yaml.safe_load(RECIPE.read_text())["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs == [
        "pip install --require-hashes -r program/docker/requirements-verify.txt",
        "pip install --no-deps ./program",
        'mst-bench board check --board board --base "origin/$BASE"',
    ]


def test_what_it_runs_needs_the_light_install_alone():
    absent = ("torch", "yaml", "docker", "jinja2", "scipy", "matplotlib", "envpool", "mujoco")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
        "import harness.cli.main, harness.board.check, harness.board.accept, harness.board.people"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
