"""`make tables` writes the pages that are made: docs/reference/, and the list of decisions.

A test holds the committed pages equal to what is made here.
"""

from __future__ import annotations

from pathlib import Path

from handbook.commands import commands_page
from handbook.decisions import decisions_page
from handbook.files import files_page
from handbook.printed import json_page
from handbook.suite_keys import suite_page
from harness.files import write_atomic

DOCS = Path(__file__).parents[1]
PAGES = {
    "reference/commands.md": commands_page,
    "reference/suite.md": suite_page,
    "reference/files.md": files_page,
    "reference/json.md": json_page,
    "decisions/README.md": decisions_page,
}
"""File -> what makes it."""


def main() -> None:
    """Writes every page."""
    for name, make in PAGES.items():
        write_atomic(DOCS / name, make().encode())


if __name__ == "__main__":
    main()
