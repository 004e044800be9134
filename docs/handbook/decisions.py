"""docs/decisions/README.md: the list of decisions, from their titles."""

from __future__ import annotations

from pathlib import Path

from handbook.markdown import page

FOLDER = Path(__file__).parents[1] / "decisions"
OPENING = """\
Half a page for each choice between good ways: what was chosen, why, and what was left out. What the
papers leave open is a named setting, and the choice of its value is here."""


def decisions_page() -> str:
    """The page."""
    rows = []
    for path in sorted(FOLDER.glob("0*.md")):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        number, _, words = title.replace(":", "", 1).partition(" ")
        rows.append(f"* [{number}]({path.name}): {words[0].upper()}{words[1:]}")
    return page("Decisions", OPENING, "\n".join(rows))
