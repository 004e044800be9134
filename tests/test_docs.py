"""What the documentation says exists, and what exists is said."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from agents.members.blocks import BLOCKS
from agents.sparsity.regime import REGIMES
from harness.claims import Registered, registry
from harness.cli.main import app
from harness.config import build
from harness.suites import shipped

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
GUIDES = [ROOT / "README.md", ROOT / "docs/use.md"]
RESULTS = (ROOT / "results/README.md").read_text()
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


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_command_of_a_guide_parses(page):
    lines = [
        line[2:].split("#")[0]
        for line in page.read_text().splitlines()
        if line.startswith("$ mst-bench")
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


def sections(page):
    """Title -> text of every section of a page, whatever its depth."""
    parts = re.split(r"^#{2,} (.+)$", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def data_files(text):
    """The data files that a text names."""
    return re.findall(r"`(?:results/)?((?:[\w-]+/)*[\w-]+\.(?:csv|json|txt|yaml))`", text)


@pytest.mark.parametrize("title", sections(RESULTS))
def test_every_section_of_the_results_names_a_data_file(title):
    files = data_files(sections(RESULTS)[title])
    assert files, f"'{title}' has figures that no file of results/ holds"
    places = ROOT / "results", ROOT
    missing = [name for name in files if not any((place / name).exists() for place in places)]
    assert not missing


def test_every_data_file_is_named_on_a_page():
    there = {path.name for path in (ROOT / "results").iterdir()} - {"README.md"}
    assert not [name for name in there if name not in EVERYTHING + RESULTS]


def test_the_example_of_a_claim_is_the_registrys():
    page = (ROOT / "docs/claims.md").read_text()
    example = yaml.safe_load(re.search(r"```yaml\n(.+?)```", page, re.DOTALL)[1])
    for claim, row in example.items():
        assert build(Registered, row, "docs/claims.md") == registry()[claim]


def test_tables_of_rules_and_intervals_say_what_their_file_holds():
    measured = json.loads((ROOT / "results/coverage.json").read_text())
    sizes = {}
    for row in measured["rules"]:
        sizes.setdefault((row["rule"], row["model"]), []).append(f"{row['size']:.3f}")
    for (rule, model), shares in sizes.items():
        assert f"| {rule} | {model} | {' / '.join(shares)} |" in RESULTS

    for scenario, by_seeds in measured["intervals"].items():
        columns = zip(*(shares.values() for shares in by_seeds.values()), strict=True)
        cells = [" / ".join(f"{share:.2f}" for share in column) for column in columns]
        assert f"| {' | '.join([scenario, *cells])} |" in RESULTS


def test_the_table_of_the_quick_suite_says_what_its_file_holds():
    for row in json.loads((ROOT / "results/quick.json").read_text())["rows"]:
        scores = " and ".join(f"{score:.1f}" for score in row["scores"])
        assert f"| {row['regime']} | {scores} |" in RESULTS
