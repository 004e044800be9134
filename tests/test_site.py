"""The site of the documentation: built offline, the same each time, with every link leading on."""

import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from handbook.build import build, pages
from handbook.fields import fields
from handbook.files import DOCUMENTS, map_of_files
from handbook.printed import PRINTED, printing
from handbook.reference import DOCS, PAGES
from harness.files import read_json
from helpers.hosts import chromium
from helpers.program import call

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""What a browser fetches by itself -> where its address stands."""


class Page(HTMLParser):
    """The links and anchors of a page, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.links = []
        self.anchors = set()
        self.loads = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.anchors.add(said.get("id"))
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        if said.get(LOADED.get(tag)):
            self.loads.append(said[LOADED[tag]])


def made(to):
    """The site in a folder, built by a process of its own, elsewhere in the world."""
    code = "import sys; from pathlib import Path; from handbook.build import build;"
    code += "sys.exit(build(Path(sys.argv[1])))"
    environment = {"PYTHONPATH": f"{DOCS.parent}:{DOCS}", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = [sys.executable, "-c", code, str(to)]
    subprocess.run(command, env=environment, check=True)
    return to


def digests(folder):
    """Path -> digest of every file."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built once; a warning of Sphinx, as of a broken link in Markdown, is an error."""
    folder = tmp_path_factory.mktemp("site")
    assert build(folder) == 0
    return folder


def test_every_link_and_anchor_of_the_site_leads_somewhere_and_nothing_is_fetched(site):
    seen = {path: Page(path) for path in site.rglob("*.html")}
    assert len(seen) > 50
    for path, page in seen.items():
        for target in (*page.links, *page.loads):
            address = urlsplit(target)
            if address.scheme or target.startswith("//"):
                assert target not in page.loads, f"{path} fetches {target}"
                continue
            there = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert there.is_file(), f"{path}: {target}"
            if address.fragment and there in seen:
                assert unquote(address.fragment) in seen[there].anchors, f"{path}: {target}"


def test_styles_and_scripts_of_the_site_fetch_nothing_from_elsewhere(site):
    for path in (*site.rglob("*.css"), *site.rglob("*.js")):
        text = path.read_text()
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text), path
        assert not re.findall(r"(?:fetch|importScripts)\(['\"`](?:https?:)?//", text), path


def test_every_page_of_the_documentation_is_in_its_table_of_contents():
    listed = [DOCS.parent / page for page in pages()]
    assert sorted(listed) == sorted({*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md"), *listed})
    assert all(page.is_file() for page in listed)


def test_a_folder_that_is_no_site_is_left_alone(tmp_path, capsys):
    mine = tmp_path / "mine.txt"
    mine.write_text("work of years")
    assert build(tmp_path) == 2
    assert mine.exists() and "is no site" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_site_and_the_browser_asks_nobody(site, scheme):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index", "docs/tutorials/own-suite", "docs/reference/suite"):
            page.goto(f"file://{site}/{name}.html")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
        assert all(address.startswith(("file:", "data:")) for address in asked)


@pytest.mark.slow
def test_two_builds_of_the_site_are_the_same_bytes(site, tmp_path):
    assert digests(site) == digests(made(tmp_path / "again"))


@pytest.mark.parametrize("name", PAGES)
def test_pages_made_from_the_code_are_as_the_code_is_now(name):
    assert (DOCS / name).read_text() == PAGES[name](), "run `make tables`"


def test_every_file_of_a_finished_plan_is_on_the_page_of_files(tiny_entry):
    named = [path.strip("`") for path, _ in map_of_files()]
    patterns = [re.sub(r"\b(TASK|REGIME|SEED|MODULE|I)\b", "[^/]+", path) for path in named]
    for path in tiny_entry.parent.rglob("*"):
        name = path.relative_to(tiny_entry.parent).as_posix()
        if path.is_file():
            assert any(re.match(f"{pattern}($|/)", name) for pattern in patterns), name


@pytest.mark.parametrize("name", ["plan", "suite", "cohorts", "manifest", "result", "timing"])
def test_a_document_has_the_keys_that_its_page_lists(name, tiny_entry):
    path = next(tiny_entry.parent.rglob(f"{name}.json"))
    listed = {field.name for field in fields(DOCUMENTS[path.name][0])}
    assert set(read_json(path)) == listed


def test_the_document_of_every_command_with_json_is_described():
    assert set(printing()) == set(PRINTED)


SHOWN = {
    "status": "FOLDER",
    "verify": "FOLDER",
    "report": "FOLDER --to TO/page.html",
    "export": "FOLDER --to TO/curves.csv",
    "plan": "--suite SUITE --out TO",
    "keys generate": "TO/my.pem",
    "baseline accept": "FOLDER --to TO/baseline --reason test",
}
"""Command -> arguments with which it prints its first document."""


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_prints_the_keys_that_its_page_lists(command, entry, tmp_path, tiny_suite):
    words = f"{command} {SHOWN[command]} --json"
    for name, path in {"FOLDER": entry.parent, "TO": tmp_path, "SUITE": tiny_suite}.items():
        words = words.replace(name, str(path))
    shown = call(*words.split())
    assert set(json.loads(shown.stdout)) == PRINTED[command][0].names, shown.stderr
