"""Fills the templates of the site with a board's facts."""

from __future__ import annotations

from leaderboard.pages.badge import Badge
from leaderboard.pages.board import words
from leaderboard.pages.board.facts import Facts
from leaderboard.pages.report import environment

SAID = ("moment", "day", "iso", "span", "large", "size", "points", "half", "short", "told")
"""Functions of words.py that templates use."""


class Templates:
    """The templates of one site. `url`: where it will be."""

    def __init__(self, facts: Facts, url: str) -> None:
        self.facts = facts
        self.url = url
        self._environment = environment()
        for name in SAID:
            self._environment.filters[name] = getattr(words, name)

    def render(self, name: str, depth: int, /, **contents: object) -> bytes:
        """A template, filled; `depth`: folders between the page and the site's root."""
        template = self._environment.get_template(f"board/{name}")
        page = {"facts": self.facts, "url": self.url, "here": "", "root": "../" * depth}
        return template.render({**page, **contents}).encode()

    def badge(self, badge: Badge) -> bytes:
        """A badge as SVG."""
        return self._environment.get_template("badge.svg").render(badge=badge).encode()
