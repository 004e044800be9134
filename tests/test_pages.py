"""Commands of the documentation: run as its pages say, or listed with the reason why not."""

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from handbook.build import pages
from helpers.pages import check, commands
from helpers.preloaded import preloaded

ROOT = Path(__file__).parents[1]
PATIENCE = 500
"""Seconds after which something hangs. Each test takes less than a minute on a machine of its
own."""
STORY = "docs/story.md"
ALGORITHM = "docs/tutorials/own-algorithm.md"
TUTORIALS = [
    "docs/tutorials/own-suite.md",
    "docs/tutorials/own-regime.md",
    "docs/tutorials/report.md",
    "docs/tutorials/gate.md",
    "docs/tutorials/machines.md",
]
"""Each goes on in the folder of the one before."""
GUIDES = ["docs/use.md", "docs/ci.md", "docs/data.md"]
"""Their commands need nothing but a plan's folder."""


def unrun():
    """Page -> what its commands begin with that no test runs; everything, if that is empty."""
    rows = re.findall(r"^\| (\S.*?\.md) \|(.*?)\|.*\|$", (ROOT / "docs/unrun.md").read_text(), re.M)
    listed = {}
    for names, begins in rows:
        for name in names.split(", "):
            listed.setdefault(name, []).extend(re.findall("`(.+?)`", begins) or [""])
    return listed


def run_of(page):
    """The commands of a page that a test runs."""
    begins = tuple(unrun().get(page, ()))
    told = commands((ROOT / page).read_text())
    return [command for command in told if not command.text.startswith(begins)] if begins else told


def words(command):
    """A command without what is said of it beside it."""
    return command.text.partition(" #")[0].strip()


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """The environment of a shell that has the program; every cohort is carried out inside it."""
    home = tmp_path_factory.mktemp("home")
    program = home / "bin/mst-bench"
    inherited = {name: at for name, at in os.environ.items() if not name.startswith("MST_BENCH_")}
    environment = inherited | {
        "HOME": str(home),
        "PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(os.path.isdir, sys.path)]),
        "MST_BENCH_RUN_EXECUTOR": "inline",
    }
    with preloaded(program, sys.executable, environment):
        yield environment


@pytest.mark.slow
def test_the_tutorials_go_as_their_pages_say(shell, tmp_path):
    folder = tmp_path / "tutorials"
    folder.mkdir()
    check([command for page in TUTORIALS for command in run_of(page)], folder, shell, PATIENCE)


@pytest.mark.slow
def test_an_algorithm_of_ones_own_is_what_its_page_says(shell, tmp_path):
    clone = tmp_path / "clone"
    for name in ("agents", "docs", "envs", "harness", "leaderboard"):
        shutil.copytree(ROOT / name, clone / name)
    suite = commands((ROOT / TUTORIALS[0]).read_text())[0]

    # The program of the clone, which changes while the page is read
    environment = {**shell, "PYTHONPATH": str(clone)}
    program = f'mst-bench() {{ "{sys.executable}" -P -m harness.cli "$@"; }}'
    before = [suite, replace(suite, text=program)]
    check([*before, *run_of(ALGORITHM)], clone, environment, PATIENCE)


@pytest.mark.slow
def test_commands_of_the_guides_do_what_they_are_there_for(shell, tiny_entry, tmp_path):
    plan = tiny_entry.parent
    shutil.copytree(plan, tmp_path / "out" / plan.name)
    told = [command for page in GUIDES for command in run_of(page)]
    told = [replace(one, text=one.text.replace("<plan id>", plan.name)) for one in told]
    check(told, tmp_path, shell, PATIENCE)


def test_every_command_of_the_pages_is_run_or_listed_with_the_reason():
    played = [STORY, ALGORITHM, *TUTORIALS, *GUIDES]
    run = {words(command) for page in played for command in run_of(page)}
    for page in pages():
        for command in run_of(str(page)):
            assert words(command) in run, f"{page}: no test runs it: run it, or list why not"


def test_the_list_of_commands_that_no_test_runs_names_no_other():
    for page, begins in unrun().items():
        texts = [command.text for command in commands((ROOT / page).read_text())]
        for beginning in begins:
            assert any(text.startswith(beginning) for text in texts), (page, beginning)
