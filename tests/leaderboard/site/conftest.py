"""Boards for sites, and their sites: each is made once for all tests."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from harness.board.site import build_site
from helpers.hosts import chromium
from helpers.runs import made_once
from helpers.site_boards import IMAGE, crowded, proven, small


@contextmanager
def trusting(folder):
    """As somebody to whom every registration is proven and the image released; who has a cache and
    a memory of their own."""
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
    with (
        mock.patch.dict(os.environ, own),
        mock.patch("harness.board.site.verify", proven),
        mock.patch("harness.board.site.released", return_value=frozenset([IMAGE])),
    ):
        yield


class BuiltBoard:
    """A board, its site, and what is on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = folder / "board"
        self.people = folder / "people"
        self.site = folder / "site"
        self.notes = json.loads((folder / "notes.json").read_text())

    def build(self, out=None, **options):
        """Make the site again."""
        with trusting(self.folder):
            return build_site(self.board, out or self.site, people=self.people, **options)

    def page(self, path):
        """A page as text."""
        return (self.site / path).read_text()

    def data(self, path):
        """A document of the site."""
        return json.loads((self.site / path).read_bytes())


def _made(make, tiny_entry, folder):
    """A board and its site in a folder."""
    folder.mkdir()
    notes = make(tiny_entry, folder)
    (folder / "notes.json").write_text(json.dumps(notes))
    begun = time.perf_counter()
    BuiltBoard(folder).build()
    notes["seconds"] = time.perf_counter() - begun
    (folder / "notes.json").write_text(json.dumps(notes))
    return folder


@pytest.fixture(scope="session")
def built(tiny_entry, shared) -> BuiltBoard:
    """A small board: read it, and copy what you change."""
    folder = made_once(shared, "small", lambda: _made(small, tiny_entry, shared / "small-board"))
    return BuiltBoard(folder)


@pytest.fixture(scope="session")
def crowd(tiny_entry, shared) -> BuiltBoard:
    """A board of many entries, one with hostile names everywhere."""
    folder = made_once(shared, "crowd", lambda: _made(crowded, tiny_entry, shared / "crowd-board"))
    return BuiltBoard(folder)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
