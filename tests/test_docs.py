"""What the documentation says exists, and what exists is said."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from agents.members.blocks import BLOCKS
from agents.sparsity.regime import REGIMES
from harness.cli.main import app
from harness.suites import shipped

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
README = (ROOT / "README.md").read_text()
EVERYTHING = "\n".join(page.read_text() for page in PAGES)


def commands(group=None, prefix=()):
    shown = {
        name: command
        for name, command in (group or get_command(app)).commands.items()
        if not command.hidden
    }
    for name, command in shown.items():
        yield from (
            commands(command, (*prefix, name))
            if hasattr(command, "commands")
            else [(*prefix, name)]
        )


def test_every_command_in_the_readme_parses():
    lines = [
        line[2:].split("#")[0] for line in README.splitlines() if line.startswith("$ mst-bench")
    ]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.replace("<plan id>", "0123"))[1:]
        words = ["run", *words] if words[0].startswith("-") else words
        group = get_command(app)
        while hasattr(group, "commands"):
            group = group.commands[words.pop(0)]
        group.make_parser(group.make_context("x", [], resilient_parsing=True)).parse_args(words)


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\$ make (\w+)", EVERYTHING):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_is_documented(command):
    assert f"mst-bench {' '.join(command)}" in EVERYTHING or f"`{' '.join(command)}`" in EVERYTHING


@pytest.mark.parametrize("name", [*shipped(), *REGIMES])
def test_every_suite_and_regime_is_documented(name):
    assert f"`{name}`" in EVERYTHING


def test_every_block_has_a_meaning():
    assert all(block.meaning for block in BLOCKS.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_files_named_in_the_docs_exist():
    for name in re.findall(
        r"`((?:benchmarks|tests|harness|agents|envs|leaderboard)/[\w/]+\.py)", EVERYTHING
    ):
        assert (ROOT / name).exists(), name
